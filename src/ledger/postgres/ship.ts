import type { Change, Table } from './kept-table.js'
import { alike, literal, quoted } from './phrases.js'
import type { Fresh } from './wants.js'

/** A call under way, as other nodes must know it. */
export interface Underway {
  readonly seq: number
  readonly node: string
  readonly credential_id: string | null
  readonly acts_on: string
  readonly overlapped: boolean
}

/** Sums that a row adds to; the others of its columns name the row, or are the first and last instant of a run. */
const SUMS = ['calls', 'denied', 'spent', 'held']
const MERGED: Readonly<Record<string, string>> = { first_at: 'least', last_at: 'greatest' }

const UNDERWAY = ['seq', 'node', 'credential_id', 'acts_on', 'overlapped']

/**
 * The statements that a session runs for every write, prepared once: parsing and planning a dozen of them a batch would
 * cost the database more than running them. Each takes its rows as one JSON text.
 */
export const preparing = (tables: readonly Table[]): string =>
  [
    ...tables.flatMap((table) => [
      prepare(`put_${table.name}`, `${insert(table.name, table.columns)} ${onConflict(table)}`),
      ...(table.by === 'upsert' ? [prepare(`drop_${table.name}`, remove(table))] : []),
      ...(table.later === null ? [] : [prepare(`set_${table.name}`, update(table, table.later))]),
    ]),
    prepare(
      'put_open_calls',
      `${insert('open_calls', UNDERWAY)} on conflict (seq) do update set overlapped = excluded.overlapped`,
    ),
    'prepare drop_open_calls (bigint[]) as delete from open_calls where seq = any ($1)',
    ADVANCE,
  ].join(';\n')

/**
 * See `advance` in the schema. In $8 are names of which the node supposes that nothing goes by them. Where something does,
 * the book is taken for one that has moved on. This is looked at before the head is locked, but whatever is written
 * meanwhile moves the head. Of a counter there must be no span at all: the last one that holds money may count.
 */
const ADVANCE = `
  prepare advance (text, bigint, bigint, bigint, text, boolean, bigint, json) as
  select version, registry from advance($1, $2, case when exists (
    select 1 from json_array_elements($8 -> 'objects') o cross join lateral (
      select 1 from exposures where credential_id = o ->> 0 and object = o ->> 1
      union all select 1 from commitments where credential_id = o ->> 0 and object = o ->> 1
      union all select 1 from movements where credential_id = o ->> 0 and object = o ->> 1
      union all select 1 from origins where credential_id = o ->> 0 and object = o ->> 1
      union all select 1 from open_calls c, json_array_elements_text(c.acts_on::json) a
        where (c.node < $1 or c.node > $1) and c.credential_id = o ->> 0 and a = o ->> 1) something
    union all select 1 from json_array_elements($8 -> 'counters') n join counters on counter = n ->> 0
    union all select 1 from json_array_elements_text($8 -> 'threads') n join threads on name = n
    union all select 1 from json_array_elements($8 -> 'writes') n join calls c on ${alike('c', 'n')}
  ) then -1 else $3 end, $4, $5, $6, $7)`

/** Statements, and the rows that those of them take which copy, in their order. */
export interface Script {
  readonly statements: readonly string[]
  readonly copies: readonly string[]
}

/**
 * The statements that write what a transaction changed.
 *
 * @param copyFrom calls under way from this number on are copied: they are new, and many
 */
export function written(
  tables: readonly Table[],
  changes: readonly Change[],
  underway: readonly Underway[],
  copyFrom: number,
  over: readonly number[],
): Script {
  const statements: string[] = []
  const copies: string[] = []
  const copy = (name: string, columns: readonly string[], lines: string): void => {
    statements.push(`copy ${name} (${quoted(columns)}) from stdin (format csv)`)
    copies.push(lines)
  }
  for (const { name, lines, put, set, gone } of changes) {
    if (lines !== null) copy(name, tables.find((table) => table.name === name)!.columns, lines)
    if (put !== null) statements.push(`execute put_${name}(${literal(put)})`)
    if (set !== null) statements.push(`execute set_${name}(${literal(set)})`)
    if (gone !== null) statements.push(`execute drop_${name}(${literal(gone)})`)
  }
  const copied = underway.filter(({ seq }) => seq >= copyFrom)
  const others = underway.filter(({ seq }) => seq < copyFrom)
  if (copied.length > 0) copy('open_calls', UNDERWAY, copied.map(lineOf).join('\n'))
  if (others.length > 0) statements.push(`execute put_open_calls(${literal(JSON.stringify(others))})`)
  if (over.length > 0) statements.push(`execute drop_open_calls('{${over.join(',')}}')`)
  return { statements, copies }
}

const lineOf = ({ seq, node, credential_id, acts_on, overlapped }: Underway): string =>
  `${seq},${inQuotes(node)},${credential_id === null ? '' : inQuotes(credential_id)},${inQuotes(acts_on)},${overlapped}`

const inQuotes = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** The first statement of a write. @param fresh names by which there must be nothing; null for none */
export function advance(
  node: string,
  batch: number,
  from: number,
  end: { readonly seq: number; readonly hash: string },
  changed: boolean,
  leaseMs: number,
  fresh: Fresh | null,
): string {
  const names = fresh === null ? 'null' : literal(JSON.stringify(fresh))
  return `execute advance(${literal(node)}, ${batch}, ${from}, ${end.seq}, ${literal(end.hash)}, ${changed}, ${leaseMs}, ${names})`
}

const prepare = (name: string, statement: string): string => `prepare ${name} (json) as ${statement}`

function insert(name: string, columns: readonly string[]): string {
  const names = quoted(columns)
  return `insert into ${name} (${names}) select ${names} from json_populate_recordset(null::${name}, $1)`
}

function onConflict({ name, columns, key, by, later }: Table): string {
  if (by === 'insert' || later !== null) return ''
  const others = columns.filter((column) => !key.includes(column))
  if (others.length === 0) return `on conflict (${quoted(key)}) do nothing`
  const set = others.map((column) => {
    if (by === 'add' && SUMS.includes(column)) return `"${column}" = ${name}."${column}" + excluded."${column}"`
    const merge = by === 'add' ? MERGED[column] : undefined
    return merge === undefined
      ? `"${column}" = excluded."${column}"`
      : `"${column}" = ${merge}(${name}."${column}", excluded."${column}")`
  })
  return `on conflict (${quoted(key)}) do update set ${set.join(', ')}`
}

/** SQLite's types by the names that PostgreSQL has for them. */
const TYPES: Readonly<Record<string, string>> = { INTEGER: 'bigint', TEXT: 'text' }

function update({ name, key }: Table, later: ReadonlyMap<string, string>): string {
  const columns = [...key.map((column) => `"${column}" bigint`)]
  const set = [...later.keys()].map((column) => `"${column}" = g."${column}"`).join(', ')
  for (const [column, type] of later) columns.push(`"${column}" ${TYPES[type]!}`)
  return `update ${name} set ${set} from json_to_recordset($1) as g(${columns.join(', ')}) where ${sameKey(name, key)}`
}

function remove({ name, key }: Table): string {
  return `delete from ${name} using json_populate_recordset(null::${name}, $1) g where ${sameKey(name, key)}`
}

const sameKey = (name: string, key: readonly string[]): string =>
  key.map((column) => `${name}."${column}" = g."${column}"`).join(' and ')
