import type Database from 'better-sqlite3'
import { compareCalls } from './call-proof.js'
import { CheckpointProof, startOf } from './checkpoint-proof.js'
import { callId } from './ids.js'
import { Replay, type Entry } from './replay.js'
import { carried, SUMMED, type Summed } from './sums.js'
import { threadOfKey, threadOfRun } from './threads.js'

const FAULTS_MAX = 100

interface CallLine {
  seq: bigint
  key_id: string
  run: string
  state: string
  reserved: bigint
  settled: bigint
  counters: string
  before_of_key: bigint | null
  before_of_run: bigint | null
}

/**
 * Proves the book: the chain of entries is whole and stands where it was signed, and every row, counter and report
 * equals what the entries say. After pruning it proves everything from the last pruned entry on, and that the sums
 * carried on from before are those noted then. Reads everything twice, in the order of entries, and keeps about 300
 * bytes a call in memory.
 *
 * @returns faults as sentences, at most 100; none means sound
 */
export function verify(db: Database.Database): readonly string[] {
  const faults: string[] = []
  const fault = (text: string): void => void (faults.length < FAULTS_MAX && faults.push(text))
  if (db.pragma('integrity_check(1)', { simple: true }) !== 'ok')
    return ['SQLite finds the file damaged (integrity_check).']
  const start = startOf(db)
  const replay = new Replay(start, fault)
  const { calls, counters } = replay
  const checkpoints = new CheckpointProof(db, start, fault)
  const threads = new Map<string, bigint>()
  for (const entry of db.prepare('select * from entries order by seq').safeIntegers().iterate() as Iterable<Entry>) {
    replay.follow(entry)
    checkpoints.follow(Number(entry.seq), entry.hash)
  }
  checkpoints.close(replay.end)
  if (start.seq > 0 && (replay.pruned?.to !== start.seq || replay.pruned.hash !== start.hash))
    fault(`No entry says that history was pruned up to entry ${start.seq}.`)
  const prunedCalls = db.prepare(`select seq from marks where name = 'pruned-calls'`).pluck().get() as
    number | undefined
  if (prunedCalls !== replay.pruned?.last_call)
    fault('The mark of the last call that was pruned is not what the entry says.')
  for (const row of db
    .prepare(
      'select seq, key_id, run, state, reserved, settled, counters, before_of_key, before_of_run from calls order by seq',
    )
    .safeIntegers()
    .iterate() as Iterable<CallLine>) {
    const seq = Number(row.seq)
    for (const [thread, before] of [
      [threadOfKey(row.key_id), row.before_of_key],
      [threadOfRun(row.run), row.before_of_run],
    ] as const) {
      if ((threads.get(thread) ?? null) !== before)
        fault(`${callId(seq)} is not in its place in the list of ${thread}.`)
      threads.set(thread, row.seq)
    }
    const call = calls.get(seq)
    calls.delete(seq)
    if (!call) fault(`${callId(seq)} has no entry.`)
    else if (
      call.state !== row.state ||
      call.reserved !== row.reserved ||
      call.settled !== row.settled ||
      call.counters.join(',') !== row.counters
    ) {
      fault(
        `${callId(seq)} is ${row.state} (${row.settled} micro-USD) but its entries say ${call.state} (${call.settled}).`,
      )
    }
  }
  for (const { name, seq } of db.prepare('select name, seq from threads').safeIntegers().all() as {
    name: string
    seq: bigint
  }[]) {
    if (threads.get(name) !== seq) fault(`The list of ${name} does not end with its last call.`)
    threads.delete(name)
  }
  for (const name of threads.keys()) fault(`The list of ${name} has no end.`)
  for (const seq of db.prepare(STRANGERS).pluck().all(FAULTS_MAX) as number[])
    fault(`${callId(seq)} names another key, run, vendor, operation or request than its entry.`)
  for (const seq of calls.keys()) fault(`${callId(seq)} has entries but no row.`)
  compareCalls(db, fault)
  replay.commitments.compare(db, fault)
  replay.approvals.compare(db, fault)
  replay.movements.compare(db, fault)
  replay.exposures.compare(db, fault)
  replay.resolutions.compare(db, fault)
  replay.rows.compare(db, fault)
  replay.settings.compare(db, fault)
  for (const row of db.prepare('select id, counter, window, spent, held from counters').safeIntegers().all() as {
    id: bigint
    counter: string
    window: string
    spent: bigint
    held: bigint
  }[]) {
    const { counter, window } = row
    if (!replay.made.has(JSON.stringify({ id: Number(row.id), counter, window }))) {
      fault(`No entry says that counter ${row.id} is ${counter} in ${window}.`)
    }
    const sum = counters.get(Number(row.id)) ?? { spent: 0n, held: 0n }
    counters.delete(Number(row.id))
    if (sum.spent !== row.spent || sum.held !== row.held) {
      fault(
        `The counter ${row.counter} in ${row.window} says ${row.spent} spent and ${row.held} held; its entries say ${sum.spent} and ${sum.held}.`,
      )
    }
  }
  for (const id of counters.keys()) fault(`Entries count on counter ${id}, which does not exist.`)
  for (const table of Object.keys(SUMMED) as Summed[]) {
    if (carried(db, table) === (replay.pruned?.sums?.[table] ?? null)) continue
    fault(
      start.seq === 0
        ? `Sums in ${table} differ from the calls they sum up.`
        : `Sums in ${table} differ from the calls they sum up and what was carried on from pruned ones.`,
    )
  }
  return faults
}

/** Calls whose row says something else about who called and what for than the entry that began them. */
const STRANGERS = `
  select c.seq from entries e join calls c on c.seq = e.call_seq
  where e.kind in ('reserved', 'denied') and json_valid(e.detail) and (
    e.detail ->> 'key' is not c.key_id or e.detail ->> 'run' is not c.run or e.detail ->> 'vendor' is not c.vendor
    or e.detail ->> 'operation' is not coalesce(c.operation, '') or coalesce(e.detail ->> 'request', c.request_hash) is not c.request_hash)
  order by c.seq limit ?`
