import type Database from 'better-sqlite3'
import { assert } from '../assert.js'
import type { Checkpoint, EntryRow, Pruning } from '../contracts/ledger.js'
import { checkpointOf, checkpointView, type CheckpointRow } from './checkpoints.js'
import { startOf } from './checkpoint-proof.js'
import { callId } from './ids.js'
import { BEGINNING, entryRowOf, Replay, type Entry, type Start } from './replay.js'
import { readSaid } from './said.js'
import { SEALED, type SealedTable } from './sealed-rows.js'

/**
 * History younger than this is never pruned. The longest calendar window has 31 days, and what still counts in a window
 * of a key that is issued anew is read from its calls.
 */
export const KEPT_DAYS_MIN = 35
/** Entries pruned at once. What is older is pruned by asking again. */
const ENTRIES_MAX = 200_000
const LINES = 500

/** Whole segments that nothing needs any more: everything up to a signed checkpoint. */
export interface Segment {
  readonly start: Start
  readonly end: Checkpoint
  /** The last call before it, and in it: every call up to there is final and has all its entries in it. */
  readonly callsAfter: number
  readonly lastCall: number
}

/** What is in the way of pruning more, oldest first: sentences for the operator. */
const IN_THE_WAY_MAX = 10

/** The longest run of whole segments older than an instant that can go; and what is in the way of more. */
export function prunable(
  db: Database.Database,
  before: number,
  nowMs: number,
): { readonly segment: Segment | null; readonly inTheWay: readonly string[] } {
  const start = startOf(db)
  const callsAfter = (db.prepare(`select seq from marks where name = 'pruned-calls'`).pluck().get() as number) ?? 0
  const signed = (
    db
      .prepare('select * from checkpoints where seq > ? and seq <= ? and at < ? order by seq')
      .all(start.seq, start.seq + ENTRIES_MAX, before) as CheckpointRow[]
  ).map(checkpointOf)
  const cuts = signed.map((end) => ({ end, lastCall: callsAfter, forbidden: false }))
  if (cuts.length === 0) return { segment: null, inTheWay: [] }
  let at = 0
  let lastCall = callsAfter
  // What becomes of an approval is part of the life of the call that asked for it. A movement may be explained later.
  const entries = db.prepare(
    `select e.seq, e.kind, coalesce(a.call_seq, e.call_seq) as call_seq, m.seq as moved from entries e
     left join approvals a on e.kind like 'approval.%' and a.id = e.detail ->> 'approval'
     left join movements m on e.kind = 'moved' and m.credential_id = e.detail ->> 'credential' and m.external_id = e.detail ->> 'id'
     where e.seq > ? and (e.call_seq is not null or a.call_seq is not null or m.seq is not null) order by e.seq`,
  )
  for (const { seq, kind, call_seq: call, moved } of entries.iterate(start.seq) as Iterable<Step>) {
    for (; at < cuts.length && cuts[at]!.end.seq < seq; at++) cuts[at]!.lastCall = lastCall
    // A cut between the first entry of something and this one would tear it apart.
    const torn = (cut: (typeof cuts)[number]): boolean =>
      call === null ? moved !== null && cut.end.seq >= moved : cut.lastCall >= call
    if (kind === 'reserved' || kind === 'denied') lastCall = Math.max(lastCall, call ?? 0)
    else for (let i = at - 1; i >= 0 && torn(cuts[i]!); i--) cuts[i]!.forbidden = true
  }
  for (; at < cuts.length; at++) cuts[at]!.lastCall = lastCall
  const inTheWay = standing(db, callsAfter, cuts.at(-1)!.lastCall, nowMs)
  const first = inTheWay[0]?.seq ?? Number.POSITIVE_INFINITY
  const cut = cuts.findLast((each) => !each.forbidden && each.lastCall < first)
  return {
    segment: cut === undefined ? null : { start, end: cut.end, callsAfter, lastCall: cut.lastCall },
    inTheWay: inTheWay.slice(0, IN_THE_WAY_MAX).map(({ why }) => why),
  }
}

/** An entry, the call whose life it is part of, and the entry that first told of the money it moved. */
interface Step {
  readonly seq: number
  readonly kind: string
  readonly call_seq: number | null
  readonly moved: number | null
}

/** Calls in a range that are not over, oldest first. */
function standing(db: Database.Database, after: number, last: number, nowMs: number): { seq: number; why: string }[] {
  const found: { seq: number; why: string }[] = []
  const ask = (sql: string, why: (row: { seq: number; what: string }) => string, ...more: number[]): void => {
    const rows = db.prepare(`${sql} order by 1 limit ${IN_THE_WAY_MAX}`).all(after, last, ...more)
    for (const row of rows as { seq: number; what: string }[]) found.push({ seq: row.seq, why: why(row) })
  }
  ask(
    `select seq, state as what from calls where seq > ? and seq <= ? and state in ('reserved', 'assumed')`,
    ({ seq, what }) => `${callId(seq)} is ${what}: its outcome is not known.`,
  )
  // What fell due is over, unless it counts on a budget of what recurs.
  ask(
    `select call_seq as seq, kind as what from commitments where call_seq > ? and call_seq <= ?
     and not (kind = 'scheduled' and counted = 0 and due_at is not null and due_at < ?)`,
    ({ seq, what }) => `What ${callId(seq)} committed (${what}) still stands.`,
    nowMs,
  )
  ask(
    `select call_seq as seq, id as what from approvals where call_seq > ? and call_seq <= ?
     and state in ('open', 'approved') and expires_at > ?`,
    ({ what }) => `The approval ${what} may still be used.`,
    nowMs,
  )
  ask(
    `select call_seq as seq, object as what from estimates where call_seq > ? and call_seq <= ? and due_at is not null`,
    ({ seq }) => `What ${callId(seq)} cost is an estimate; the vendor has not named the price.`,
  )
  return found.sort((a, b) => a.seq - b.seq)
}

/**
 * What goes, as lines of an archive: the checkpoint it begins after, its entries in the form of an export, the rows of
 * its calls and approvals, which hold what entries give digests of, and the checkpoint that signs it.
 *
 * @param lineOf an entry as a line of an export, with its end
 */
export function* archiveOf(
  db: Database.Database,
  { start, end, callsAfter, lastCall }: Segment,
  lineOf: (entry: EntryRow) => string,
): Generator<string> {
  const signs = db.prepare('select * from checkpoints where seq = ?')
  if (start.seq > 0) yield line({ checkpoint: checkpointView(checkpointOf(signs.get(start.seq) as CheckpointRow)) })
  let entry = start.seq
  const entries = db.prepare('select * from entries where seq > ? and seq <= ? order by seq limit ?').safeIntegers()
  for (;;) {
    const page = entries.all(entry, end.seq, LINES) as Entry[]
    if (page.length === 0) break
    yield page.map((row) => lineOf(entryRowOf(row))).join('')
    entry = Number(page.at(-1)!.seq)
  }
  let call = callsAfter
  const calls = db.prepare('select * from calls where seq > ? and seq <= ? order by seq limit ?').safeIntegers()
  for (;;) {
    const page = calls.all(call, lastCall, LINES) as { seq: bigint }[]
    if (page.length === 0) break
    yield page.map((row) => line({ call: row })).join('')
    call = Number(page.at(-1)!.seq)
  }
  const approvals = db.prepare('select * from approvals where call_seq > ? and call_seq <= ?').safeIntegers()
  for (const row of approvals.all(callsAfter, lastCall)) yield line({ approval: row })
  yield line({ checkpoint: checkpointView(end) })
}

/** Integers of rows are written as text: an amount may be larger than a JSON number holds exactly. */
const line = (value: unknown): string =>
  `${JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? String(each) : each))}\n`

/** What must be said again because the entries that said it are gone. */
export interface Carried {
  readonly counters: readonly { id: number; counter: string; window: string; spent: bigint }[]
  readonly rows: readonly (readonly [SealedTable, ...string[]])[]
  readonly settings: readonly string[]
}

/**
 * Deletes a segment. Counters, tallies and runs stay as they are; what the deleted entries had proved of them is in the
 * result, for entries that say it from now on. Inside the ledger's transaction.
 */
export function prune(db: Database.Database, segment: Segment): Carried & Pick<Pruning, 'entries' | 'calls'> {
  const { start, end, callsAfter, lastCall } = segment
  const faults: string[] = []
  const replay = new Replay(start.seq === 0 ? BEGINNING : start, (text) => faults.push(text))
  const rows = new Map<string, readonly [SealedTable, ...string[]]>()
  const settings = new Set<string>()
  const all = db.prepare('select * from entries where seq <= ? order by seq').safeIntegers()
  for (const entry of all.iterate(end.seq) as Iterable<Entry>) {
    replay.follow(entry)
    if (entry.kind.startsWith('setting.') || entry.kind === 'master-key.rotated')
      settings.add(readSaid(entry.detail)?.name ?? 'internal.sealed')
  }
  assert(faults.length === 0 && replay.end.hash === end.head, `history that goes is sound: ${faults[0] ?? 'its end'}`)
  const held = [...replay.counters.values()].find((each) => each.held !== 0n)
  assert(held === undefined, 'calls that are final hold nothing')

  const mark = db.prepare(
    'insert into marks (name, seq) values (?, ?) on conflict (name) do update set seq = excluded.seq',
  )
  mark.run('pruned', end.seq)
  mark.run('pruned-calls', lastCall)
  const gone = (sql: string, ...values: number[]): number => db.prepare(sql).run(...values).changes
  gone('delete from checkpoints where seq < ?', end.seq)
  for (const table of ['approvals', 'commitments', 'exposures', 'idempotency', 'estimates', 'resolutions'])
    gone(`delete from ${table} where call_seq <= ?`, lastCall)
  gone('delete from movements where seq <= ?', end.seq)
  const entries = gone('delete from entries where seq <= ?', end.seq)
  const calls = gone('delete from calls where seq > ? and seq <= ?', callsAfter, lastCall)
  gone('update calls set before_of_key = null where before_of_key <= ?', lastCall)
  gone('update calls set before_of_run = null where before_of_run <= ?', lastCall)
  gone('delete from threads where seq <= ?', lastCall)

  // Whatever is there was said by an entry that is gone, or by one that stays: saying it again costs little.
  for (const table of Object.keys(SEALED) as SealedTable[]) {
    const columns = SEALED[table].id
    for (const row of db.prepare(`select ${columns.join(', ')} from ${table}`).all() as Record<string, string>[]) {
      const id = columns.map((column) => row[column]!)
      const name = [table, ...id].join(' ')
      if (replay.rows.names(name)) rows.set(name, [table, ...id])
    }
  }
  const named = db.prepare('select counter, window from counters where id = ?')
  const counters = new Map<number, bigint>()
  for (const made of replay.made) counters.set((JSON.parse(made) as { id: number }).id, 0n)
  for (const [id, { spent }] of replay.counters) counters.set(id, spent)
  return {
    entries,
    calls,
    rows: [...rows.values()],
    settings: [...settings].filter((name) => db.prepare('select 1 from settings where name = ?').get(name)),
    counters: [...counters].map(([id, spent]) => {
      const { counter, window } = named.get(id) as { counter: string; window: string }
      return { id, counter, window, spent }
    }),
  }
}
