import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { LedgerFault } from '../../contracts/ledger.js'
import { packageRoot } from '../../package-root.js'
import { faultOf, type Place } from './connect.js'

export interface Step {
  readonly version: number
  readonly name: string
  readonly sql: string
}

/** Advisory locks are numbers for a whole database; this one spells «spendgat». */
const LOCK = '8318260036558610804'
/** How long one node waits for another that is at work on the schema. */
const WAIT_MS = 120_000

export function steps(): Step[] {
  const folder = join(packageRoot(), 'src/ledger/schema/postgres')
  return readdirSync(folder)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort()
    .map((name) => ({
      version: Number(name.slice(0, 4)),
      name: name.slice(5, -4),
      sql: readFileSync(join(folder, name), 'utf8'),
    }))
}

/**
 * Brings the schema `spendgate` to the newest version we know, and returns that. Forward only. Each step is one
 * transaction with its row in `migrations`, under one lock and after another look at the version: nodes that start at once
 * take each step once, and a kill leaves the step before it whole.
 *
 * @throws LedgerFault when a newer spendgate wrote the schema, or this user may not change it
 */
export async function migrate(client: pg.Client, place: Place, known: readonly Step[] = steps()): Promise<number> {
  const newest = known.at(-1)!.version
  try {
    let version = await versionOf(client)
    while (version < newest) version = await advance(client, known, place)
    if (version > newest) throw newerFault(place, version, newest)
    return version
  } catch (cause) {
    if (codeOf(cause) === '55P03')
      throw new LedgerFault(
        `Another node has been changing the schema of ${place.shown} for ${WAIT_MS / 1000} s. Wait for it, or end its connection.`,
        { cause },
      )
    throw faultOf(cause, place)
  }
}

/** The version of the schema; 0 where there is none. */
export async function versionOf(client: Pick<pg.Client, 'query'>): Promise<number> {
  // Not to_regclass: what that has not found it goes on not finding within a transaction, whoever made it meanwhile (15.18).
  const there = await client.query(
    `select 1 from pg_tables where schemaname = 'spendgate' and tablename = 'migrations'`,
  )
  if (there.rows.length === 0) return 0
  const { rows } = await client.query('select coalesce(max(version), 0)::int as version from spendgate.migrations')
  return (rows[0] as { version: number }).version
}

/** The version of the schema; 0 where there is none. @throws LedgerFault when we do not know that version */
export async function knownVersionOf(client: pg.Client, place: Place): Promise<number> {
  const version = await versionOf(client)
  const newest = steps().at(-1)!.version
  if (version > newest) throw newerFault(place, version, newest)
  return version
}

/** @throws LedgerFault unless the schema is of the very version we know: nothing is changed to make it so */
export async function requireVersion(client: pg.Client, place: Place): Promise<void> {
  const version = await knownVersionOf(client, place)
  const newest = steps().at(-1)!.version
  if (version === 0) throw new LedgerFault(`The database ${place.shown} holds no ledger.`)
  if (version < newest)
    throw new LedgerFault(
      `The database ${place.shown} has schema version ${version}; this spendgate knows ${newest}. Start a server on it once, which moves it on.`,
    )
}

/** Takes the next step that is still to be taken, if any. Returns the version after it. */
async function advance(client: pg.Client, known: readonly Step[], place: Place): Promise<number> {
  await client.query('begin')
  try {
    await client.query(`set local lock_timeout = ${WAIT_MS}; set local statement_timeout = 0`)
    await client.query(`select pg_advisory_xact_lock(${LOCK})`)
    const version = await versionOf(client)
    const step = known.find((each) => each.version > version)
    if (step !== undefined) await take(client, step, version, place)
    await client.query('commit')
    return step?.version ?? version
  } catch (cause) {
    // The connection may be what broke; then the database rolls back by itself.
    await client.query('rollback').catch(() => undefined)
    throw cause
  }
}

async function take(client: pg.Client, step: Step, version: number, place: Place): Promise<void> {
  try {
    if (version === 0) await found(client)
    await client.query(step.sql)
    await client.query(
      `insert into spendgate.migrations (version, name, at) values ($1, $2, (extract(epoch from clock_timestamp()) * 1000)::bigint)`,
      [step.version, step.name],
    )
  } catch (cause) {
    // Only a fault in the step itself (class 42) is ours to name; anything else is the database's.
    if (codeOf(cause) !== '42501') {
      if (!codeOf(cause)?.startsWith('42')) throw cause
      throw new LedgerFault(
        `Step ${step.version} (${step.name}) does not fit the schema spendgate of ${place.shown}, which somebody has changed by hand: ${(cause as Error).message}.`,
        { cause },
      )
    }
    throw new LedgerFault(
      `The database ${place.shown} does not let this user change the schema spendgate (${(cause as Error).message}). ` +
        'Let an administrator run: create schema spendgate authorization <user>.',
      { cause },
    )
  }
}

/** A schema of our own keeps a shared database clean. One that an administrator has made for us is used as it is. */
async function found(client: pg.Client): Promise<void> {
  // «if not exists» alone asks for the right to create even where nothing is to be created (PostgreSQL 15.18, 2026-11).
  const { rows } = await client.query(`select 1 from pg_namespace where nspname = 'spendgate'`)
  if (rows.length === 0) await client.query('create schema spendgate')
  await client.query(
    'create table if not exists spendgate.migrations (version bigint primary key, name text not null, at bigint not null)',
  )
}

const newerFault = ({ shown }: Place, version: number, newest: number): LedgerFault =>
  new LedgerFault(
    `The database ${shown} has schema version ${version}; this spendgate knows ${newest}. Run the newer version that wrote it.`,
  )

const codeOf = (cause: unknown): string | undefined => (cause as { code?: string }).code
