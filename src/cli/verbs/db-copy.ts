import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { formatUsd, usd } from '../../contracts/money.js'
import type { Copied, Planned } from '../../ledger/copy.js'
import type { Place } from '../../ledger/postgres/connect.js'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound, usage } from '../exit.js'
import { dollars, safe, table } from '../output.js'
import { requireSqlite } from '../sqlite-guard.js'

interface CopyOptions {
  readonly to?: string
  readonly toEnv?: string
  readonly from?: string
  readonly dryRun?: boolean
}

/** Moves a ledger from the data directory into PostgreSQL, or with --from out of it into a file. */
export async function copy(context: Context, options: CopyOptions): Promise<number> {
  requireSqlite()
  const dryRun = options.dryRun === true
  const { from, to, toEnv } = options
  if (from === undefined) return intoPostgres(context, options, dryRun)
  if (to === undefined || toEnv !== undefined) throw usage('With --from, name a new file with --to.')
  return intoFile(context, from, to, dryRun)
}

async function intoPostgres(context: Context, options: CopyOptions, dryRun: boolean): Promise<number> {
  const file = join(context.dataDir, 'spendgate.db')
  if (!existsSync(file))
    throw notFound(`There is no spendgate.db in ${context.dataDir}. Name the server's directory with --data-dir.`)
  const place = await target(context, options)
  const { fileToPostgres } = await import('../../ledger/copy.js')
  const done = await fileToPostgres(file, place, dryRun)
  report(context, done, dryRun, place.shown)
  if (dryRun) return Exit.ok
  context.say(
    'Start every node with DATABASE_URL and the same master key: the credentials are sealed with the one of this directory.',
  )
  context.say('Start no server on the old file any more: it knows nothing of what is spent from now on.')
  return Exit.ok
}

async function intoFile(context: Context, from: string, to: string, dryRun: boolean): Promise<number> {
  const file = resolve(context.io.cwd, to)
  const place = await placeIn(context, from, '--from')
  const { postgresToFile } = await import('../../ledger/copy.js')
  const done = await postgresToFile(place, file, dryRun)
  report(context, done, dryRun, file)
  if (!dryRun)
    context.say(
      'Put it into a data directory as spendgate.db, with the master key of the nodes, and unset DATABASE_URL.',
    )
  return Exit.ok
}

async function target(context: Context, { to, toEnv }: CopyOptions): Promise<Place> {
  if (to !== undefined && toEnv !== undefined) throw usage('Give one of --to and --to-env.')
  if (to !== undefined) return placeIn(context, to, '--to')
  return placeNamed(context, toEnv ?? 'DATABASE_URL', '--to-env')
}

/** A URL, or the name of the variable that has it. */
const placeIn = (context: Context, text: string, flag: string): Promise<Place> =>
  VARIABLE.test(text) ? placeNamed(context, text, flag) : placeAt(context, text, flag)
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/

async function placeNamed(context: Context, name: string, flag: string): Promise<Place> {
  const url = context.io.env[name]
  if (!url)
    throw usage(`There is no variable ${name}. Put the URL of the database there, or name another with ${flag}.`)
  const { placeOf } = await import('../../ledger/postgres/connect.js')
  return placeOf(url, context.io.env, name)
}

async function placeAt(context: Context, url: string, flag: string): Promise<Place> {
  const { hasPassword, placeOf } = await import('../../ledger/postgres/connect.js')
  if (hasPassword(url))
    throw new CliFault(
      Exit.usage,
      'A database password is on the command line, where the shell history and every process can read it. It was not used. ' +
        'Change it, then give it in PGPASSWORD, or the whole URL in a variable that --to-env or --from names.',
      { code: 'secret_on_command_line' },
    )
  return placeOf(url, context.io.env, flag)
}

const formatted = (money: bigint): string => formatUsd(usd(money))

function report(context: Context, done: Copied | Planned, dryRun: boolean, to: string): void {
  if (context.json) {
    const tables = done.tables.map((each) => ('money' in each ? { ...each, money: formatted(each.money) } : each))
    return context.reply({ dry_run: dryRun, to, ...done, tables })
  }
  if ('entries' in done) {
    context.show(
      table(
        context.style,
        [{ title: 'TABLE' }, { title: 'ROWS', right: true }, { title: 'MONEY', right: true }, { title: 'SHA-256' }],
        done.tables.map(({ table: name, rows, money, sha256 }) => [
          name,
          String(rows),
          money === 0n ? '–' : dollars(formatted(money)),
          sha256.slice(0, 16),
        ]),
      ),
    )
    const { entries } = done
    context.show(
      `Copied to ${safe(to)}; every table arrived as it left. ${entries === null ? 'Nothing has happened in this ledger yet.' : `The chain ends at entry ${entries.seq}, ${entries.hash}.`}\n`,
    )
    return
  }
  const columns = [{ title: 'TABLE' }, { title: 'ROWS', right: true }]
  context.show(
    table(
      context.style,
      columns,
      done.tables.map(({ table: name, rows }) => [name, String(rows)]),
    ),
  )
  context.show(`Would be copied to ${safe(to)}. Nothing was written.\n`)
}
