import Database from 'better-sqlite3'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyToSqlite } from '../copy.js'
import { verify } from '../verify.js'
import { connect, queryOf, type Place } from './connect.js'

/**
 * Copies the book in one snapshot and proves the copy: the proof is the same for every store, and nodes go on meanwhile.
 * Needs room for the copy among the temporary files.
 *
 * @returns faults as sentences; none means sound
 * @throws LedgerFault when the database cannot be read
 */
export async function verifyCopy(place: Place): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'spendgate-verify-'))
  try {
    const file = join(folder, 'copy.db')
    await copyFrom(place, file)
    const db = new Database(file, { readonly: true })
    try {
      return verify(db)
    } finally {
      db.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The book as a ledger on SQLite, in a new file. */
export async function copyFrom(place: Place, file: string): Promise<void> {
  const client = await connect(place)
  try {
    await copyToSqlite(queryOf(client), file)
  } finally {
    await client.end().catch(() => undefined)
  }
}
