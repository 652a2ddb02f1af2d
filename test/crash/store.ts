import Database from 'better-sqlite3'
import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { callId } from '../../src/ledger/ids.js'
import { spendgate } from '../helpers/process.js'

/** A call as the store has it. */
export interface Kept {
  readonly id: string
  readonly hash: string
  readonly state: string
  readonly verdict: string
  /** reserved while it is under way, then what it cost. */
  readonly counted: bigint
}

/** Where a killed server's book lies, read without any part of spendgate's own ledger. */
export interface Store {
  /** What the server is started with, so that it keeps its book here. */
  readonly env: Readonly<Record<string, string>>
  /** How long after a start a call that was under way may still be called so: another node would have to miss its sign first. */
  readonly assumedWithinMs: number
  calls(): Promise<readonly Kept[]>
  /** Resolves when nothing of a killed server is at work any more, and no server runs. */
  still(): Promise<void>
  /** Whether the command an operator would use finds the book sound, while no server runs. Its faults. */
  faults(env: Readonly<Record<string, string>>): Promise<readonly string[]>
}

interface Row {
  readonly seq: bigint | string
  readonly request_hash: string
  readonly state: string
  readonly verdict: string
  readonly reserved: bigint | string
  readonly settled: bigint | string
}

const QUERY = 'select seq, request_hash, state, verdict, reserved, settled from calls order by seq'

const OTHERS = `select 1 from pg_stat_activity
  where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`

const keptOf = (row: Row): Kept => ({
  id: callId(Number(row.seq)),
  hash: row.request_hash,
  state: row.state,
  verdict: row.verdict,
  counted: BigInt(row.state === 'reserved' ? row.reserved : row.settled),
})

/** The file as the dead server left it, read in a copy so that the next start finds it untouched. */
export function sqliteStore(dir: string): Store {
  const file = join(dir, 'spendgate.db')
  return {
    env: {},
    assumedWithinMs: 0,
    calls: async () => {
      const copy = `${file}.copy`
      for (const tail of ['', '-wal']) {
        rmSync(copy + tail, { force: true })
        if (existsSync(file + tail)) copyFileSync(file + tail, copy + tail)
      }
      const db = new Database(copy)
      try {
        return (db.prepare(QUERY).safeIntegers().all() as Row[]).map(keptOf)
      } finally {
        db.close()
      }
    },
    still: async () => undefined,
    faults: (env) => verified(['--data-dir', dir], env),
  }
}

/** @param url of a database of its own */
export function postgresStore(url: string): Store {
  const env = { DATABASE_URL: url }
  const asked = async <T>(ask: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return await ask(client)
    } finally {
      await client.end()
    }
  }
  return {
    env,
    assumedWithinMs: 60_000,
    calls: () => asked(async (client) => (await client.query<Row>(QUERY)).rows.map(keptOf)),
    // The database ends by itself what a killed server last asked of it, a commit among that; until then the book is not
    // what the next start finds.
    still: () =>
      asked(async (client) => {
        while ((await client.query(OTHERS)).rowCount! > 0) await pause(20)
      }),
    faults: (own) => verified([], { ...own, ...env }),
  }
}

async function verified(args: readonly string[], env: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const proof = await spendgate(['db', 'verify', '--json', ...args], env)
  if (proof.stderr !== '' || proof.stdout === '') return [`db verify said: ${proof.stderr}`]
  const { ok, faults } = JSON.parse(proof.stdout) as { ok: boolean; faults: readonly string[] }
  return ok === (faults.length === 0) && proof.code === (ok ? 0 : 1)
    ? faults
    : [`db verify contradicts itself: ${proof.stdout}`]
}
