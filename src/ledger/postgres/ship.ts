import pg from 'pg'
import { quoted, type Change } from './working-set.js'

const literal = (text: string): string => pg.escapeLiteral(text)

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

/** The statements that write what a transaction changed. Each takes its rows as one JSON text. */
export function written(changes: readonly Change[], underway: readonly Underway[], over: readonly number[]): string[] {
  const statements = changes.flatMap(({ name, columns, key, put, gone, by }) => [
    ...(put === null ? [] : [`${insert(name, columns, put)} ${onConflict(name, columns, key, by)}`]),
    ...(gone === null ? [] : [remove(name, key, gone)]),
  ])
  if (underway.length > 0) {
    const columns = ['seq', 'node', 'credential_id', 'acts_on', 'overlapped']
    statements.push(
      `${insert('open_calls', columns, JSON.stringify(underway))} on conflict (seq) do update set overlapped = excluded.overlapped`,
    )
  }
  if (over.length > 0) statements.push(`delete from open_calls where seq in (${over.join(', ')})`)
  return statements
}

function insert(name: string, columns: readonly string[], rows: string): string {
  const names = quoted(columns)
  return `insert into ${name} (${names}) select ${names} from json_populate_recordset(null::${name}, ${literal(rows)}::json)`
}

function onConflict(name: string, columns: readonly string[], key: readonly string[], by: Change['by']): string {
  if (by === 'insert') return ''
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

function remove(name: string, key: readonly string[], rows: string): string {
  const same = key.map((column) => `${name}."${column}" = g."${column}"`).join(' and ')
  return `delete from ${name} using json_populate_recordset(null::${name}, ${literal(rows)}::json) g where ${same}`
}

/** The first statement of a write: see `advance` in the schema. */
export function advance(
  node: string,
  batch: number,
  from: number,
  end: { readonly seq: number; readonly hash: string },
  changed: boolean,
  leaseMs: number,
): string {
  return `select version, registry from advance(${literal(node)}, ${batch}, ${from}, ${end.seq}, ${literal(end.hash)}, ${changed}, ${leaseMs})`
}
