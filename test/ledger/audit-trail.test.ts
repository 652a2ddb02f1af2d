import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { csvRecord, entryLine } from '../../src/audit/lines.js'
import { Trail, type TrailOptions, type Verified } from '../../src/audit/trail.js'
import type { Checkpoint } from '../../src/contracts/ledger.js'
import { newSigningKey, Signer } from '../../src/ledger/checkpoints.js'
import { entryRowOf, type Entry } from '../../src/ledger/replay.js'
import { AuditBook } from './audit-book.js'
import { rechain } from './rechain.js'

let book: AuditBook
let lines: string[]
let checkpoints: readonly Checkpoint[]
beforeEach(async () => {
  book = await AuditBook.begun()
  await book.furnish()
  lines = (await book.ledger.entries(0, 10_000)).map(entryLine)
  checkpoints = await book.ledger.checkpoints(0, 10)
})
afterEach(() => book.close())

const checked = (of: readonly string[], more: Partial<TrailOptions> = {}): Verified => {
  const trail = new Trail({ name: 'x.ndjson', ...more })
  for (const line of of) trail.add(line.trimEnd())
  return trail.close()
}
const held = (): Partial<TrailOptions> => ({ checkpoints, publicKeys: book.publicKeys })

describe('a trail', () => {
  test('that is whole bears out every checkpoint', () => {
    expect(checked(lines, held())).toMatchObject({ faults: [], entries: lines.length, first: 1, checkpoints: 2 })
  })

  test('cut off at its end is found by a checkpoint, and only by one', () => {
    const cut = lines.slice(0, checkpoints[1]!.seq - 4)
    expect(checked(cut).faults).toEqual([])
    expect(checked(cut, held()).faults).toEqual([
      `Entries ${checkpoints[1]!.seq - 3} to ${checkpoints[1]!.seq} are missing at the end: they were signed at 2026-11-21T12:00:00.000Z.`,
    ])
  })

  test('written anew with right hashes is found by a checkpoint, and only by one', async () => {
    const db = await book.copy()
    rechain(db, 2, ({ detail }) => detail.replaceAll('ada', 'bob'))
    const forged = (db.prepare('select * from entries order by seq').safeIntegers().all() as Entry[])
      .map(entryRowOf)
      .map(entryLine)
    db.close()
    expect(checked(forged).faults).toEqual([])
    expect(checked(forged, held()).faults).toEqual(
      checkpoints.map(
        ({ seq }) =>
          `Entry ${seq} is not the one that was signed at 2026-11-21T12:00:00.000Z: history up to it was rewritten.`,
      ),
    )
  })

  test('is not borne out by checkpoints of another key, nor by changed ones', () => {
    const stranger = new Signer(newSigningKey())
    const [first, second] = checkpoints
    const forged = [stranger.sign(first!), { ...second!, at: second!.at - 1 }]
    expect(checked(lines, { checkpoints: forged, publicKeys: book.publicKeys }).faults).toEqual([
      `The checkpoint at entry ${first!.seq} is signed by an unknown key (${stranger.keyId}).`,
      `The checkpoint at entry ${second!.seq} has a signature that is not of its key.`,
    ])
  })

  test('that begins in the middle is borne out by a checkpoint of the entry before, and by nothing else', () => {
    const [first] = checkpoints
    const part = lines.slice(first!.seq)
    expect(checked(part, held())).toMatchObject({ faults: [], first: first!.seq + 1 })
    expect(checked(part).faults).toEqual([
      `x.ndjson begins with entry ${first!.seq + 1}, and nothing in it says what came before.`,
    ])
    expect(checked(lines.slice(first!.seq + 1), held()).faults).toHaveLength(1)
  })

  test('with any one character changed is found', () => {
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(), (line, at) => {
        const text = lines[line]!.trimEnd()
        const place = at % text.length
        const changed = `${text.slice(0, place)}${String.fromCharCode(text.charCodeAt(place) ^ 1)}${text.slice(place + 1)}`
        const value = (of: string): unknown => {
          try {
            return JSON.parse(of)
          } catch {
            return null
          }
        }
        // A change that JSON reads as the same is none.
        if (JSON.stringify(value(changed)) === JSON.stringify(value(text))) return
        expect(checked(lines.with(line, changed), held()).faults.length).toBeGreaterThan(0)
      }),
      { numRuns: 500 },
    )
  })
})

describe('a record of a table', () => {
  test.each([
    ['=1+1', `'=1+1`],
    ['+1', `'+1`],
    ['-1.50', '-1.50'],
    ['-1+1', `'-1+1`],
    ['@SUM(A1)', `'@SUM(A1)`],
    ['\t=1', `'\t=1`],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['=a,"b"', `"'=a,""b"""`],
    ['two\nlines', '"two\nlines"'],
    ['', ''],
  ])('shows «%s» as %s', (text, shown) => {
    expect(csvRecord([text, 'x'])).toBe(`${shown},x\r\n`)
  })
})
