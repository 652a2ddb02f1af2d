import type { CallDraft, Settlement } from '../../contracts/ledger.js'
import type { Budget } from '../../contracts/policy.js'
import { approvalHashOf } from '../approvals.js'
import type { OpenCall } from '../open-calls.js'
import { threadOfKey, threadOfRun } from '../threads.js'
import { alike, literal } from './phrases.js'
import type { Lists } from './working-set.js'

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

/** Names of which a node may suppose that nothing goes by them, and have that looked at with its write. */
export type Fresh = Readonly<{ [kind in 'objects' | 'counters' | 'threads' | 'writes']: readonly Wanted[kind][] }>

/** Rows that a transaction will ask for, or that are in memory already. */
export class Wants {
  readonly #names = new Map<Kind, Map<string, unknown>>()
  /** Names among them that are probably nowhere yet. */
  readonly #fresh = new Map<Kind, Set<string>>()

  add<K extends Kind>(kind: K, name: Wanted[K]): void {
    this.#of(kind).set(textOf(name), name)
  }

  /** Asks for what goes by a name of which probably nobody has heard yet. */
  addFresh<K extends keyof Fresh>(kind: K, name: Wanted[K]): void {
    this.add(kind, name)
    this.#freshOf(kind).add(textOf(name))
  }

  #freshOf(kind: Kind): Set<string> {
    let names = this.#fresh.get(kind)
    if (names === undefined) this.#fresh.set(kind, (names = new Set()))
    return names
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
      for (const [text, name] of names) {
        if (there?.has(text)) continue
        left ??= new Wants()
        left.#of(kind).set(text, name)
        if (this.#fresh.get(kind)?.has(text)) left.#freshOf(kind).add(text)
      }
    }
    return left
  }

  /** What is asked for, when each name is probably new; else null. */
  get fresh(): Fresh | null {
    for (const [kind, names] of this.#names) if (names.size > (this.#fresh.get(kind)?.size ?? 0)) return null
    const named = <K extends keyof Fresh>(kind: K) => [...(this.#names.get(kind)?.values() ?? [])] as Wanted[K][]
    return {
      objects: named('objects'),
      counters: named('counters'),
      threads: named('threads'),
      writes: named('writes'),
    }
  }

  join(others: Wants): void {
    for (const [kind, names] of others.#names) for (const [text, name] of names) this.#of(kind).set(text, name)
  }

  /** Asks for what others ask for, and takes for new what they do. */
  adopt(others: Wants): void {
    this.join(others)
    for (const [kind, names] of others.#fresh) for (const text of names) this.#freshOf(kind).add(text)
  }

  clear(): void {
    for (const names of this.#names.values()) names.clear()
    this.#fresh.clear()
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

const textOf = (name: unknown): string => (Array.isArray(name) ? name.join('\n') : String(name))

/** What a decision on a call reads. @param earlier the call that may have used its idempotency key before */
export function wantsOfDraft(wants: Wants, draft: CallDraft, earlier: number | null, chain: readonly string[]): void {
  wantsOfBudgets(wants, draft.budgets)
  const { credentialId, object, commits, key, run } = draft
  if (credentialId !== null)
    for (const each of [object, commits?.object ?? null]) if (each !== null) wants.add('objects', [credentialId, each])
  wants.add('threads', threadOfKey(key.id))
  // Runs come and go; what is counted of one is under its own name.
  wants.addFresh('threads', threadOfRun(run))
  if (earlier !== null) wants.add('calls', earlier)
  if (draft.guarded) wants.addFresh('writes', [key.rootId, run, draft.requestHash])
  if (draft.approvalMs != null && draft.quoted > 0n) wants.add('approvals', [key.id, approvalHashOf(draft)])
  chain.forEach((id, place) => {
    if (draft.perMinute[place] != null) wants.add('rates', id)
  })
}

export function wantsOfBudgets(wants: Wants, budgets: readonly Budget[]): void {
  for (const { counter, window } of budgets)
    if (counter.startsWith('run:')) wants.addFresh('counters', [counter, window])
    else wants.add('counters', [counter, window])
}

/** What booking an outcome reads. @param call as it is under way here; its row tells of any other */
export function wantsOfSettlement(
  wants: Wants,
  seq: number,
  { outcome, object, commitment, ends, made }: Settlement,
  call?: Pick<OpenCall, 'credentialId' | 'actsOn'>,
): void {
  wants.add('calls', seq)
  for (const each of [object, commitment, ends, outcome === 'settled' ? undefined : made]) {
    if (each === undefined) continue
    if (call === undefined) wants.add('objects_of', [seq, each])
    else if (call.credentialId === null) continue
    else if (call.actsOn.includes(each)) wants.add('objects', [call.credentialId, each])
    else wants.addFresh('objects', [call.credentialId, each])
  }
}

/** How long a call counts for a rate, with a second to spare. */
const RATE_MS = 61_000
const DUPLICATE_MS = 24 * 3_600_000

/**
 * The question that fetches them, prepared once a session: a text by table, which is a JSON list of its rows. What decides
 * on a row comes with it: the calls that brought an object where it is, their counters, their replays, and the last span
 * of a counter that holds money. The last row of each numbered table always comes too, so that the next one gets the
 * number after it.
 *
 * @param hanging tables whose rows hang on a call by `call_seq`
 */
export const preparingFetch = (hanging: readonly string[]): string => `
prepare fetch_rows (json, bigint, bigint) as
with w as materialized (select $1 as j),
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
  select max(y.seq) as seq from w, json_array_elements(j -> 'writes') with ordinality x (name, place) cross join lateral (
    select c.seq from calls c where ${alike('c', 'x.name')}
      and c.effect <> 'read' and c.replay_of is null and c.state not in ('denied', 'released')
      and c.at + 0 > $3 - ${DUPLICATE_MS}) y
  group by x.place),
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
select
  (select json_agg(r)::text from rows r) as calls,
  (select json_agg(e)::text from exposed e) as exposures,
  (select json_agg(m)::text from committed m) as commitments,
  (select json_agg(k)::text from counted join counters k using (id)) as counters,
  (select json_agg(i)::text from found join idempotency i on i.call_seq = found.seq) as idempotency,
  (select json_agg(t)::text from w, json_array_elements_text(j -> 'threads') n join threads t on t.name = n) as threads,
  (select json_agg(a)::text from approvals a where a.seq in (
    select x.seq from w, json_array_elements(j -> 'approvals') n join approvals x on x.key_id = n ->> 0 and x.request_hash = n ->> 1
    union select x.seq from w, json_array_elements(j -> 'approvals') n cross join lateral (
      select seq from approvals where key_id = n ->> 0 and state = 'open' and expires_at > $3 offset 0) x
    union select x.seq from w, json_array_elements_text(j -> 'approval_ids') n join approvals x on x.id = n
    union select max(x.seq) from approvals x)) as approvals,
  (select json_agg(h)::text from w, json_array_elements_text(j -> 'rates') n
    join rate_hits h on h.key_id = n and h.at > $3 - ${RATE_MS}) as rate_hits,
  (select json_agg(v)::text from movements v where v.seq in (
    select x.seq from w, json_array_elements(j -> 'movements') n
      join movements x on x.credential_id = n ->> 0 and x.external_id = n ->> 1
    union select x.seq from objects join movements x using (credential_id, object)
    union select max(x.seq) from movements x)) as movements,
  (select json_agg(o)::text from objects join origins o using (credential_id, object)) as origins,
  (select json_agg(e)::text from (select * from entries order by seq desc limit 1) e) as entries,
  (select json_agg(m)::text from marks m) as marks,
  (select json_agg(k)::text from (select * from checkpoints order by seq desc limit 1) k) as checkpoints,
  ${hanging.map((name) => `(select json_agg(x)::text from found join ${name} x on x.call_seq = found.seq) as ${name},`).join('\n  ')}
  (select json_agg(o)::text from opened o) as opened,
  (select json_agg(json_build_array(i.call_seq, i.hash) order by i.call_seq)::text from idempotency i where i.call_seq > $2) as recent`

/**
 * Asks it.
 *
 * @param idempotentAfter the last call whose idempotency key is known here
 */
export const fetching = (wants: Wants, idempotentAfter: number, nowMs: number): string =>
  `execute fetch_rows(${literal(wants.json())}, ${idempotentAfter}, ${nowMs})`

/** What it answers: by table, and beside that calls of other nodes and idempotency keys. */
export type Found = Lists & { readonly opened: string | null; readonly recent: string | null }
