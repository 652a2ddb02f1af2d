import type Database from 'better-sqlite3'
import { sealOfColumns } from './call-seal.js'
import { newSalt, type Value } from './chain.js'

/** Tables of which entries give digests only, what a row is known by, and what of it is in its digest. */
export const SEALED = {
  keys: {
    id: ['id'],
    columns: [
      'seq',
      'id',
      'public_id',
      'digest',
      'last4',
      'name',
      'parent_id',
      'root_id',
      'policy_id',
      'narrowings',
      'credential_ids',
      'run',
      'run_cap',
      'test',
      'expires_at',
      'created_at',
      'revoked_at',
      'revoke_reason',
      'revoke_in_flight',
      'replaces',
    ],
  },
  credentials: {
    id: ['id'],
    columns: [
      'id',
      'vendor',
      'name',
      'account',
      'test',
      'api_version',
      'fingerprint',
      'last4',
      'sealed',
      'created_at',
      'rotated_at',
    ],
  },
  policies: { id: ['id'], columns: ['id', 'name', 'version', 'document', 'created_at'] },
  freezes: { id: ['kind', 'value'], columns: ['kind', 'value', 'at', 'reason'] },
  approvals: {
    id: ['id'],
    columns: [
      'seq',
      'id',
      'at',
      'key_id',
      'root_id',
      'call_seq',
      'run',
      'vendor',
      'operation',
      'method',
      'path',
      'customer',
      'call_reason',
      'request_hash',
      'ceiling',
      'span_ms',
      'expires_at',
      'state',
      'decided_at',
      'decided_by',
      'reason',
      'used_by',
    ],
  },
} as const satisfies Readonly<Record<string, { readonly id: readonly string[]; readonly columns: readonly string[] }>>

export type SealedTable = keyof typeof SEALED
export type SealedRow = Readonly<Record<string, Value>> & { readonly salt: string | null }

/** What an entry calls a row: `keys key_…`, `freezes run run_1`. */
export const nameOfRow = (table: SealedTable, row: Readonly<Record<string, Value>>): string =>
  [table, ...SEALED[table].id.map((column) => String(row[column]))].join(' ')

export const digestOfRow = (table: SealedTable, row: SealedRow): string =>
  sealOfColumns(row.salt ?? '', SEALED[table].columns, row)

/** Makes what entries say of the rows they changed. Inside the ledger's transaction, after the change. */
export class SealedRows {
  readonly #db: Database.Database
  readonly #statements = new Map<SealedTable, { salt: Database.Statement; read: Database.Statement }>()

  constructor(db: Database.Database) {
    this.#db = db
  }

  /**
   * Digests of rows by their names, null for one that is gone: the `rows` of an entry's detail. Each gets a salt of its
   * own, a fresh one at every change.
   */
  seal(rows: readonly (readonly [table: SealedTable, ...id: string[]])[]): Readonly<Record<string, string | null>> {
    const found: Record<string, string | null> = {}
    for (const [table, ...id] of rows) {
      const { salt, read } = this.#of(table)
      salt.run(newSalt(), ...id)
      const row = read.get(...id) as SealedRow | undefined
      found[[table, ...id].join(' ')] = row === undefined ? null : digestOfRow(table, row)
    }
    return found
  }

  #of(table: SealedTable): { salt: Database.Statement; read: Database.Statement } {
    let known = this.#statements.get(table)
    if (known === undefined) {
      const where = SEALED[table].id.map((column) => `${column} = ?`).join(' and ')
      known = {
        salt: this.#db.prepare(`update ${table} set salt = ? where ${where}`),
        read: this.#db.prepare(`select * from ${table} where ${where}`).safeIntegers(),
      }
      this.#statements.set(table, known)
    }
    return known
  }
}
