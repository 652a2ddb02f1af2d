import type { Page } from '../contracts/ledger.js'
import { invalid } from './problem.js'

export interface PageQuery {
  readonly limit?: string | undefined
  readonly cursor?: string | undefined
}

const ROWS_DEFAULT = 50

/** The part of a list that a query asks for. */
export const pageOf = (query: PageQuery): Page => ({
  limit: query.limit === undefined ? ROWS_DEFAULT : Number(query.limit),
  ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
})

/** A page of rows that are in memory anyway: all of them unless the query sets a limit. The cursor is a row's id. */
export function pageIn<Row extends { readonly id: string }>(
  rows: readonly Row[],
  query: PageQuery,
): { readonly rows: readonly Row[]; readonly next: string | null } {
  const start = query.cursor === undefined ? 0 : rows.findIndex((row) => row.id === query.cursor) + 1
  if (query.cursor !== undefined && start === 0) throw invalid('cursor', 'is not the next_cursor of this list')
  const end = query.limit === undefined ? rows.length : start + Number(query.limit)
  return { rows: rows.slice(start, end), next: end < rows.length ? rows[end - 1]!.id : null }
}
