import type Database from 'better-sqlite3'
import { FIXED, OUTCOME, WHY } from './call-seal.js'
import { digestOf, type Value } from './chain.js'
import { callId, callSeq } from './ids.js'
import { readSaid, type Said } from './said.js'

/** What an entry can say of a row beyond its state and amounts. The last entry that says it counts. */
const MEANING = {
  row: 'about who asked for what',
  why: 'about why it was decided so',
  out: 'about what the vendor answered',
  object: 'about its object',
} as const
type Part = keyof typeof MEANING
const PARTS = Object.keys(MEANING) as Part[]

/**
 * Holds every call against what its entries say of the row by digests. Part of `verify`. Reads entries and rows side by
 * side and remembers only calls that do not match. What an older entry does not say is not compared.
 */
export function compareCalls(db: Database.Database, fault: (text: string) => void): void {
  const differing = {
    row: new Set<number>(),
    why: new Set<number>(),
    out: new Set<number>(),
    object: new Set<number>(),
  }
  const hold = (row: Row, said: Pick<Said, Part>): void => {
    for (const part of PARTS) {
      if (said[part] === undefined) continue
      if (fits[part](row, said[part]!)) differing[part].delete(Number(row[0]))
      else differing[part].add(Number(row[0]))
    }
  }
  const one = db
    .prepare(`select ${COLUMNS.join(', ')} from calls where seq = ?`)
    .safeIntegers()
    .raw()
  // Rows as lists: as objects of forty columns they would take ten times as long (measured 2026-11).
  for (const line of db.prepare(SIDE_BY_SIDE).safeIntegers().raw().iterate() as Iterable<Line>) {
    const [kind, detail, ...row] = line
    const said = readSaid(detail)
    if (said === null) continue
    if (kind !== 'erased') {
      // An admission that says anything says, too, that no vendor has answered yet.
      hold(row, (kind === 'reserved' || kind === 'denied') && said.row !== undefined ? { ...said, out: '' } : said)
      continue
    }
    for (const [id, again] of Object.entries(said.calls ?? {})) {
      const erased = one.get(callSeq(id) ?? 0) as Row | undefined
      if (erased === undefined) fault(`${id} was erased by an entry and has no row.`)
      else hold(erased, again)
    }
  }
  for (const part of PARTS)
    for (const seq of differing[part]) fault(`${callId(seq)} says something else ${MEANING[part]} than its entries.`)
}

const COLUMNS = ['seq', 'salt', 'object', ...FIXED, ...WHY, ...OUTCOME]
const WHY_AT = 3 + FIXED.length
const OUTCOME_AT = WHY_AT + WHY.length
type Row = readonly Value[]
type Line = readonly [kind: string, detail: string, ...row: Value[]]

const SIDE_BY_SIDE = `
  select e.kind, e.detail, ${COLUMNS.map((column) => `c.${column}`).join(', ')}
  from entries e left join calls c on c.seq = e.call_seq
  where (c.seq is not null and e.kind <> 'returned' and e.kind not like 'commitment.%') or e.kind = 'erased' order by e.seq`

const fits: Readonly<Record<Part, (row: Row, said: string | null) => boolean>> = {
  row: (row, said) => said === digestOf(saltOf(row), row.slice(3, WHY_AT)),
  why: (row, said) => {
    const [verdict, code, rule, message] = row.slice(WHY_AT, OUTCOME_AT)
    if (said === null) return verdict === 'allow' && code === null && rule === null && message === null
    return said === digestOf(saltOf(row), [verdict!, code!, rule!, message!])
  },
  out: (row, said) => {
    const values = row.slice(OUTCOME_AT)
    return said === '' ? values.slice(1).every((value) => value === null) : said === digestOf('', values)
  },
  object: (row, said) => row[2] === said,
}

const saltOf = (row: Row): string => (row[1] as string | null) ?? ''
