import type Database from 'better-sqlite3'
import { ApprovalProof } from './approval-proof.js'
import { GENESIS, link } from './chain.js'
import { CommitmentProof } from './commitment-proof.js'
import { callId } from './ids.js'
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

interface Entry {
  seq: bigint
  at: bigint
  kind: string
  call_seq: bigint | null
  amount: bigint
  detail: string
  hash: string
}
interface Projected {
  state: string
  reserved: bigint
  settled: bigint
  counters: readonly number[]
}

/**
 * Proves the book: the chain of entries is whole, and every call, counter and report equals what the entries say.
 * Reads everything once, in the order of entries, and keeps about 200 bytes a call in memory.
 *
 * @returns faults as sentences, at most 100; none means sound
 */
export function verify(db: Database.Database): readonly string[] {
  const faults: string[] = []
  const fault = (text: string): void => void (faults.length < FAULTS_MAX && faults.push(text))
  if (db.pragma('integrity_check(1)', { simple: true }) !== 'ok')
    return ['SQLite finds the file damaged (integrity_check).']
  const calls = new Map<number, Projected>()
  const counters = new Map<number, { spent: bigint; held: bigint }>()
  const count = (ids: readonly number[], spent: bigint, held: bigint): void => {
    for (const id of ids) {
      const counter = counters.get(id) ?? { spent: 0n, held: 0n }
      counters.set(id, { spent: counter.spent + spent, held: counter.held + held })
    }
  }
  const commitments = new CommitmentProof(count)
  const approvals = new ApprovalProof()
  const threads = new Map<string, bigint>()
  const made = new Set<string>()
  let head = GENESIS
  let next = 1
  for (const entry of db.prepare('select * from entries order by seq').safeIntegers().iterate() as Iterable<Entry>) {
    const seq = Number(entry.seq)
    const callSeq = entry.call_seq === null ? null : Number(entry.call_seq)
    if (seq !== next) fault(`Entry ${next} is missing: the next one is ${seq}.`)
    next = seq + 1
    head = link(head, {
      seq,
      at: Number(entry.at),
      kind: entry.kind,
      callSeq,
      amount: entry.amount,
      detail: entry.detail,
    })
    if (head !== entry.hash) {
      fault(`Entry ${seq} does not match its hash: it, or one before it, was changed.`)
      head = entry.hash
    }
    if (entry.kind === 'counter') made.add(entry.detail)
    if (entry.kind === 'carried.to') count(countersIn(entry.detail), entry.amount, 0n)
    if (entry.kind.startsWith('approval.')) {
      if (!approvals.follow(entry.kind, callSeq, entry.amount, entry.detail))
        fault(`Entry ${seq} (${entry.kind}) speaks of an approval that was never asked for, or was past that.`)
      continue
    }
    if (callSeq === null) continue
    if (!commitments.follow(entry.kind, callSeq, entry.amount, entry.detail))
      fault(`Entry ${seq} (${entry.kind}) speaks of what ${callId(callSeq)} committed, which was nothing.`)
    if (entry.kind.startsWith('commitment.')) continue
    if (entry.kind === 'denied') calls.set(callSeq, { state: 'denied', reserved: 0n, settled: 0n, counters: [] })
    else if (entry.kind === 'reserved') {
      const ids = countersIn(entry.detail)
      calls.set(callSeq, { state: 'reserved', reserved: entry.amount, settled: 0n, counters: ids })
      count(ids, 0n, entry.amount)
    } else {
      const call = calls.get(callSeq)
      if (!call) {
        fault(`Entry ${seq} (${entry.kind}) speaks of ${callId(callSeq)}, which was never admitted.`)
        continue
      }
      if (entry.kind === 'returned') {
        count(call.counters, -entry.amount, 0n)
        calls.set(callSeq, { ...call, settled: call.settled - entry.amount })
      } else {
        count(call.counters, entry.amount - call.settled, call.state === 'reserved' ? -call.reserved : 0n)
        calls.set(callSeq, { ...call, state: entry.kind, settled: entry.amount })
      }
    }
  }
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
  commitments.compare(db, fault)
  approvals.compare(db, fault)
  for (const row of db.prepare('select id, counter, window, spent, held from counters').safeIntegers().all() as {
    id: bigint
    counter: string
    window: string
    spent: bigint
    held: bigint
  }[]) {
    const { counter, window } = row
    if (!made.has(JSON.stringify({ id: Number(row.id), counter, window }))) {
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
  for (const [table, columns] of [
    ['tallies', 'day, key_id, run, vendor, operation'],
    ['runs', 'run, root_id, vendor'],
  ] as const) {
    const differing = db.prepare(SUMS(table, columns)).safeIntegers().get() as { n: bigint }
    if (differing.n > 0n) fault(`${differing.n} sums in ${table} differ from the calls they sum up.`)
  }
  return faults
}

/** Calls whose row says something else about who called and what for than the entry that began them. */
const STRANGERS = `
  select c.seq from entries e join calls c on c.seq = e.call_seq
  where e.kind in ('reserved', 'denied') and json_valid(e.detail) and (
    e.detail ->> 'key' is not c.key_id or e.detail ->> 'run' is not c.run or e.detail ->> 'vendor' is not c.vendor
    or e.detail ->> 'operation' is not coalesce(c.operation, '') or e.detail ->> 'request' is not c.request_hash)
  order by c.seq limit ?`

/** The counters an entry names; none when somebody made it unreadable, which its hash has told already. */
function countersIn(detail: string): readonly number[] {
  try {
    return (JSON.parse(detail) as { counters?: number[] }).counters ?? []
  } catch {
    return []
  }
}

/** How many groups of a report table differ from the same groups over calls. */
const SUMS = (table: string, columns: string): string => `
  with reported as (
    select ${columns}, sum(calls) as calls, sum(denied) as denied, sum(spent) as spent, sum(held) as held from ${table} group by ${columns}
  ), counted as (
    select ${columns}, sum(count) as calls, sum(case when state = 'denied' then count else 0 end) as denied, sum(settled) as spent,
      sum(case when state = 'reserved' then reserved else 0 end) as held
    from (
      select strftime('%Y-%m-%d', at / 1000, 'unixepoch') as day, key_id, root_id, run, vendor, coalesce(operation, '') as operation,
        state, count, settled, reserved from calls
    ) group by ${columns}
  )
  select (select count(*) from (select * from reported except select * from counted))
       + (select count(*) from (select * from counted except select * from reported)) as n`
