import type Database from 'better-sqlite3'
import type { Said } from './said.js'
import { digestOfRow, nameOfRow, SEALED, type SealedRow, type SealedTable } from './sealed-rows.js'

/**
 * Follows what entries say of keys, credentials, policies, freezes and approvals, and holds the tables against it. Part
 * of `verify`. Newer entries give a digest of the whole row. Older ones name it and some of its columns, and nothing
 * else of such a row is compared.
 */
export class RowProof {
  readonly #digests = new Map<string, string | null>()
  /** What older entries say, by the name of the row. */
  readonly #older = new Map<string, Record<string, unknown>>()
  readonly #olderPolicies = new Set<string>()

  follow(kind: string, said: Said): void {
    if (said.rows !== undefined) {
      for (const [name, digest] of Object.entries(said.rows)) this.#digests.set(name, digest)
      return
    }
    if (kind === 'key.created')
      this.#older.set(`keys ${said.key}`, {
        name: said.name,
        parent_id: said.parent,
        policy_id: said.policy,
        run: said.run,
      })
    else if (kind === 'key.revoked') Object.assign(this.#older.get(`keys ${said.key}`) ?? {}, { revoked: true })
    else if (kind === 'credential.added' || kind === 'credential.rotated')
      this.#older.set(`credentials ${said.credential}`, { name: said.name, fingerprint: said.fingerprint })
    else if (kind === 'credential.removed') this.#older.delete(`credentials ${said.credential}`)
    else if (kind === 'frozen') this.#older.set(`freezes ${said.scope}`, {})
    else if (kind === 'unfrozen') this.#older.delete(`freezes ${said.scope}`)
    else if (kind === 'policy.added') this.#olderPolicies.add(JSON.stringify([said.name, said.document]))
  }

  /** Whether an entry spoke of a row of this name. Older entries of policies name none, so it may have been any. */
  names(name: string): boolean {
    if (this.#digests.has(name) || this.#older.has(name) || this.#older.has(name.trimEnd())) return true
    return this.#olderPolicies.size > 0 && name.startsWith('policies ')
  }

  compare(db: Database.Database, fault: (text: string) => void): void {
    for (const table of Object.keys(SEALED) as SealedTable[]) {
      for (const row of db.prepare(`select * from ${table}`).safeIntegers().iterate() as Iterable<SealedRow>) {
        const name = nameOfRow(table, row)
        const digest = this.#digests.get(name)
        this.#digests.delete(name)
        if (digest === undefined) this.#compareOlder(table, name, row, fault)
        else if (digest === null) fault(`The row ${name} is there, and its last entry says that it is gone.`)
        else if (digest !== digestOfRow(table, row)) fault(`The row ${name} is not what its last entry says.`)
        this.#older.delete(olderName(table, name))
      }
    }
    for (const [name, digest] of this.#digests) {
      if (digest !== null) fault(`The row ${name} stands by its entries and is not there.`)
      this.#older.delete(name)
    }
    for (const name of this.#older.keys()) fault(`The row ${name} stands by its entries and is not there.`)
  }

  #compareOlder(table: SealedTable, name: string, row: SealedRow, fault: (text: string) => void): void {
    // What older entries say of approvals is compared in approval-proof.ts, column by column.
    if (table === 'approvals') return
    if (table === 'policies') {
      const text = `[${JSON.stringify(row['name'])},${String(row['document'])}]`
      if (!this.#olderPolicies.has(text)) fault(`No entry says that ${name} was ever stored.`)
      return
    }
    const older = this.#older.get(olderName(table, name))
    if (older === undefined) return fault(`No entry says that ${name} was ever made.`)
    const { revoked, ...columns } = older
    if (Object.entries(columns).some(([column, value]) => value !== undefined && row[column] !== value))
      fault(`The row ${name} is not what its last entry says.`)
    if (revoked === true && row['revoked_at'] === null) fault(`The row ${name} is not what its last entry says.`)
  }
}

/** Older entries call the freeze of everything `all`, without a value. */
const olderName = (table: SealedTable, name: string): string => (table === 'freezes' ? name.trimEnd() : name)
