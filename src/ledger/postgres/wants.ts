import pg from 'pg'
import type { CallDraft, Settlement } from '../../contracts/ledger.js'
import type { Budget } from '../../contracts/policy.js'
import { approvalHashOf } from '../approvals.js'
import { threadOfKey, threadOfRun } from '../threads.js'

/** Kinds of rows a transaction may ask for, each by names of its own. */
export interface Wanted {
  /** counter and window */
  counters: [string, string]
  /** credential and object: what it counts for, what it commits, who is at work on it */
  objects: [string, string]
  /** a call and an object of its credential */
  objects_of: [number, string]
  /** a call, its original, its replays, and what hangs on them */
  calls: number
  threads: string
  /** key and request */
  approvals: [string, string]
  approval_ids: string
  /** root key, run and request */
  writes: [string, string, string]
  /** keys whose calls of the last minute count */
  rates: string
  /** keys whose commitments are carried over */
  carried: string
  /** credential and the vendor's id of money that moved */
  movements: [string, string]
}
type Kind = keyof Wanted
const KINDS: readonly Kind[] = [
  'counters',
  'objects',
  'objects_of',
  'calls',
  'threads',
  'approvals',
  'approval_ids',
  'writes',
  'rates',
  'carried',
  'movements',
]

/** Rows that a transaction will ask for, or that are in memory already. */
export class Wants {
  readonly #names = new Map<Kind, Map<string, unknown>>()

  add<K extends Kind>(kind: K, name: Wanted[K]): void {
    this.#of(kind).set(typeof name === 'object' ? name.join('\n') : String(name), name)
  }

  /** Most transactions ask for a few kinds, and few are asked for anything at all. */
  #of(kind: Kind): Map<string, unknown> {
    let names = this.#names.get(kind)
    if (names === undefined) this.#names.set(kind, (names = new Map()))
    return names
  }

  /** What of these is not among the known ones; null when all are. */
  missing(known: Wants): Wants | null {
    let left: Wants | null = null
    for (const [kind, names] of this.#names) {
      const there = known.#names.get(kind)
      for (const [text, name] of names) if (!there?.has(text)) (left ??= new Wants()).#of(kind).set(text, name)
    }
    return left
  }

  join(others: Wants): void {
    for (const [kind, names] of others.#names) for (const [text, name] of names) this.#of(kind).set(text, name)
  }

  clear(): void {
    for (const names of this.#names.values()) names.clear()
  }

  get size(): number {
    let size = 0
    for (const names of this.#names.values()) size += names.size
    return size
  }

  json(): string {
    return JSON.stringify(Object.fromEntries(KINDS.map((kind) => [kind, [...(this.#names.get(kind)?.values() ?? [])]])))
  }
}

/** What a decision on a call reads. @param earlier the call that may have used its idempotency key before */
export function wantsOfDraft(wants: Wants, draft: CallDraft, earlier: number | null, chain: readonly string[]): void {
  wantsOfBudgets(wants, draft.budgets)
  const { credentialId, object, commits, key, run } = draft
  if (credentialId !== null)
    for (const each of [object, commits?.object ?? null]) if (each !== null) wants.add('objects', [credentialId, each])
  wants.add('threads', threadOfKey(key.id))
  wants.add('threads', threadOfRun(run))
  if (earlier !== null) wants.add('calls', earlier)
  if (draft.guarded) wants.add('writes', [key.rootId, run, draft.requestHash])
  if (draft.approvalMs != null && draft.quoted > 0n) wants.add('approvals', [key.id, approvalHashOf(draft)])
  chain.forEach((id, place) => {
    if (draft.perMinute[place] != null) wants.add('rates', id)
  })
}

export function wantsOfBudgets(wants: Wants, budgets: readonly Budget[]): void {
  for (const { counter, window } of budgets) wants.add('counters', [counter, window])
}

/** What booking an outcome reads. */
export function wantsOfSettlement(wants: Wants, seq: number, settlement: Settlement): void {
  const { outcome, object, commitment, ends, made } = settlement
  wants.add('calls', seq)
  for (const each of [object, commitment, ends, outcome === 'settled' ? undefined : made])
    if (each !== undefined) wants.add('objects_of', [seq, each])
}

/** How long a call counts for a rate, with a second to spare. */
const RATE_MS = 61_000
const DUPLICATE_MS = 24 * 3_600_000

/**
 * The question that fetches them, as one JSON text: lists of rows by table. What decides on a row comes with it: the
 * calls that brought an object where it is, their counters, their replays, and the last span of a counter that holds
 * money. The last row of each numbered table always
 * comes too, so that the next one gets the number after it.
 *
 * @param hanging tables whose rows hang on a call by `call_seq`
 * @param idempotentAfter the last call whose idempotency key is known here
 */
export const fetching = (wants: Wants, hanging: readonly string[], idempotentAfter: number, nowMs: number): string => `
with w as materialized (select ${pg.escapeLiteral(wants.json())}::json as j),
asked as materialized (select s::bigint as seq from w, json_array_elements_text(j -> 'calls') s),
objects as materialized (
  select o ->> 0 as credential_id, o ->> 1 as object from w, json_array_elements(j -> 'objects') o
  union
  select c.credential_id, o ->> 1 from w, json_array_elements(j -> 'objects_of') o join calls c on c.seq = (o ->> 0)::bigint
  union
  select c.credential_id, c.object from asked join calls c using (seq) where c.object is not null
  union
  select m.credential_id, m.object from asked join commitments m on m.call_seq = asked.seq where m.object is not null),
opened as materialized (
  select o.* from open_calls o
  where o.seq in (select seq from asked) or exists (
    select 1 from json_array_elements_text(o.acts_on::json) a join objects b on b.object = a and b.credential_id = o.credential_id)),
kin as materialized (
  select seq from asked
  union select c.replay_of from asked join calls c using (seq) where c.replay_of is not null
  union select c.seq from asked a join calls c on c.replay_of = a.seq),
exposed as materialized (select e.* from objects join exposures e using (credential_id, object)),
committed as materialized (
  select m.* from objects join commitments m using (credential_id, object)
  union select m.* from kin join commitments m on m.call_seq = kin.seq
  union select m.* from w, json_array_elements_text(j -> 'carried') k
    join calls c on c.key_id = k join commitments m on m.call_seq = c.seq),
alike as materialized (
  select max(c.seq) as seq from w, json_array_elements(j -> 'writes') x
    join calls c on c.root_id = x ->> 0 and c.run = x ->> 1 and c.request_hash = x ->> 2
  where c.effect <> 'read' and c.replay_of is null and c.state not in ('denied', 'released') and c.at > ${nowMs - DUPLICATE_MS}
  group by c.root_id, c.run, c.request_hash),
found as materialized (
  select seq from kin
  union select call_seq from exposed
  union select call_seq from committed
  union select seq from opened
  union select seq from alike
  union select max(seq) from calls),
rows as materialized (select c.* from found join calls c using (seq)),
counted as materialized (
  select unnest(string_to_array(nullif(counters, ''), ','))::bigint as id from rows
  union select unnest(string_to_array(nullif(counters, ''), ','))::bigint from committed
  union select k.id from w, json_array_elements(j -> 'counters') n join counters k on k.counter = n ->> 0 and k."window" = n ->> 1
  union select latest.id from w, json_array_elements(j -> 'counters') n cross join lateral (
    select id from counters k where k.counter = n ->> 0 and (k.spent > 0 or k.held > 0) order by k."window" desc limit 1) latest
  union select max(id) from counters
  union select unnest(string_to_array(nullif(v.counters, ''), ','))::bigint from objects join movements v using (credential_id, object))
select json_build_object(
  'calls', (select json_agg(r) from rows r),
  'exposures', (select json_agg(e) from exposed e),
  'commitments', (select json_agg(m) from committed m),
  'counters', (select json_agg(k) from counted join counters k using (id)),
  'idempotency', (select json_agg(i) from found join idempotency i on i.call_seq = found.seq),
  'threads', (select json_agg(t) from w, json_array_elements_text(j -> 'threads') n join threads t on t.name = n),
  'approvals', (select json_agg(a) from approvals a where a.seq in (
    select x.seq from w, json_array_elements(j -> 'approvals') n join approvals x on x.key_id = n ->> 0 and x.request_hash = n ->> 1
    union select x.seq from w, json_array_elements(j -> 'approvals') n
      join approvals x on x.key_id = n ->> 0 and x.state = 'open' and x.expires_at > ${nowMs}
    union select x.seq from w, json_array_elements_text(j -> 'approval_ids') n join approvals x on x.id = n
    union select max(x.seq) from approvals x)),
  'rate_hits', (select json_agg(h) from w, json_array_elements_text(j -> 'rates') n
    join rate_hits h on h.key_id = n and h.at > ${nowMs - RATE_MS}),
  'movements', (select json_agg(v) from movements v where v.seq in (
    select x.seq from w, json_array_elements(j -> 'movements') n
      join movements x on x.credential_id = n ->> 0 and x.external_id = n ->> 1
    union select x.seq from objects join movements x using (credential_id, object)
    union select max(x.seq) from movements x)),
  'origins', (select json_agg(o) from objects join origins o using (credential_id, object)),
  'entries', (select json_agg(e) from (select * from entries order by seq desc limit 1) e),
  'marks', (select json_agg(m) from marks m),
  'checkpoints', (select json_agg(k) from (select * from checkpoints order by seq desc limit 1) k),
  ${hanging.map((name) => `'${name}', (select json_agg(x) from found join ${name} x on x.call_seq = found.seq),`).join('\n  ')}
  'opened', (select json_agg(o) from opened o),
  'recent', (select json_agg(json_build_array(i.call_seq, i.hash) order by i.call_seq) from idempotency i where i.call_seq > ${idempotentAfter}))::text as found`
