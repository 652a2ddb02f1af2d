import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkTrail } from '../../src/audit/trail.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { built, Child } from '../helpers/process.js'
import { AuditBook } from './audit-book.js'
import { DAY, done, draft, newKey, reply, rows } from './book.js'

const KILLS = 10
const DAYS = 30
const CALLS_A_DAY = 20

let book: AuditBook
let script: string
beforeAll(async () => {
  book = await AuditBook.begun()
  const key = await newKey(book.ledger)
  for (let day = 0; day < DAYS; day++) {
    const calls = Array.from({ length: CALLS_A_DAY }, () => done(book.ledger, draft(key, '1.00'), reply('settled')))
    await Promise.all(calls)
    await book.ledger.checkpoint(book.signer)
    book.clock.at += DAY
  }
  book.clock.at += 40 * DAY
  await book.ledger.close()
  const module = (path: string): string => JSON.stringify(pathToFileURL(built(path)).href)
  script = join(book.dir, 'prune.mjs')
  writeFileSync(
    script,
    `import { openSqlite } from ${module('src/ledger/sqlite.js')}
import { archiver } from ${module('src/audit/archive.js')}
const [file, directory, now] = process.argv.slice(2)
const clock = { now: () => Number(now), monotonic: () => 0 }
const ledger = openSqlite({ file, clock })
console.log('"ready"')
await ledger.prune(Number(now) - 41 * ${DAY}, archiver(directory, () => (${JSON.stringify(book.publicKeys)})), 'ada')
console.log('"pruned"')
await ledger.close()
`,
  )
}, 60_000)
afterAll(() => rmSync(book.dir, { recursive: true, force: true }))

/** What a killed prune left behind: `all` of history, or an `archive` of what is gone. Anything else is a fault. */
async function leftBehind(dir: string): Promise<'all' | 'archive'> {
  const ledger = openSqlite({ file: join(dir, 'spendgate.db'), clock: book.clock })
  try {
    expect(await ledger.verify()).toEqual([])
    const calls = (await rows(ledger)).length
    const entries = await ledger.entries(0, 100_000)
    const pruned = entries.find(({ kind }) => kind === 'pruned')
    if (pruned === undefined) {
      expect([calls, entries[0]!.seq]).toEqual([DAYS * CALLS_A_DAY, 1])
      return 'all'
    }
    const said = JSON.parse(pruned.detail) as { to: number; calls: number; archive: string; sha256: string }
    expect([calls, entries[0]!.seq]).toEqual([DAYS * CALLS_A_DAY - said.calls, said.to + 1])
    const archive = join(dir, 'archive', said.archive)
    expect(createHash('sha256').update(readFileSync(archive)).digest('hex')).toBe(said.sha256)
    const trail = await checkTrail(archive, { name: 'archive', publicKeys: book.publicKeys })
    expect(trail).toMatchObject({ faults: [], first: 1, last: said.to })
    return 'archive'
  } finally {
    await ledger.close()
  }
}

test(`pruning killed ${KILLS} times at any moment leaves everything, or the archive and what it is the past of`, async () => {
  const start = (round: string): { readonly dir: string; readonly child: Child } => {
    const dir = join(book.dir, round)
    mkdirSync(dir)
    copyFileSync(book.file, join(dir, 'spendgate.db'))
    return { dir, child: new Child([script, join(dir, 'spendgate.db'), join(dir, 'archive'), String(book.clock.at)]) }
  }
  const whole = start('whole')
  await whole.child.json()
  const began = performance.now()
  expect(await whole.child.json()).toBe('pruned')
  const tookMs = performance.now() - began
  await whole.child.ended
  expect(await leftBehind(whole.dir)).toBe('archive')

  const found = { all: 0, archive: 0, unfinished: 0 }
  for (let i = 0; i < KILLS; i++) {
    const { dir, child } = start(`killed-${i}`)
    await child.json()
    await new Promise((resolve) => setTimeout(resolve, (tookMs * 1.1 * (i + 0.5)) / KILLS))
    await child.kill()
    const left = await leftBehind(dir)
    found[left]++
    if (left === 'all' && archivesIn(dir).some((name) => name.endsWith('.unfinished'))) found.unfinished++
    // Whatever was left, the next attempt finishes it.
    const again = new Child([script, join(dir, 'spendgate.db'), join(dir, 'archive'), String(book.clock.at)])
    expect(await again.ended).toMatchObject({ code: 0, stderr: '' })
    expect(await leftBehind(dir)).toBe('archive')
  }
  expect(found.all).toBeGreaterThan(0)
}, 120_000)

function archivesIn(dir: string): string[] {
  try {
    return readdirSync(join(dir, 'archive'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  }
}
