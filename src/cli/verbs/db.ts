import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LedgerFault } from '../../contracts/ledger.js'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound } from '../exit.js'
import { findingsTable, type Finding } from '../findings.js'
import { safe } from '../output.js'
import { requireSqlite } from '../sqlite-guard.js'

/** Proves the book of record against itself, without a server. */
export async function verify(context: Context): Promise<number> {
  requireDatabase(context)
  requireSqlite()
  const { verifyOffline } = await import('../../ledger/offline.js')
  const faults = await verifyOffline(context.dataDir, context.io.env)
  if (context.json) context.reply({ ok: faults.length === 0, faults })
  else if (faults.length === 0)
    context.show(
      `Sound: every entry, call and total in ${context.io.env.DATABASE_URL ? 'the database' : safe(context.dataDir)} agrees.\n`,
    )
  else context.show(faults.map((fault) => `${context.style.paint('bad', '✘')} ${safe(fault)}\n`).join(''))
  return faults.length === 0 ? Exit.ok : Exit.failure
}

/** Looks at everything the ledger stands on: at the file itself, or through the server that has it. */
export async function check(context: Context): Promise<number> {
  const findings = (await fileFindings(context)) ?? (await serverFindings(context))
  const ok = findings.every(({ status }) => status !== 'fail')
  if (context.json) context.reply({ ok, findings })
  else context.show(findingsTable(context.style, findings))
  return ok ? Exit.ok : Exit.failure
}

/** Null when the ledger is in a database, or a server has its file. */
async function fileFindings({ io, dataDir }: Context): Promise<readonly Finding[] | null> {
  if ((io.env.DATABASE_URL ?? '') !== '') return null
  requireSqlite()
  const { checkOffline, isHeld } = await import('../../ledger/check.js')
  try {
    return checkOffline(join(dataDir, 'spendgate.db'))
  } catch (fault) {
    if (fault instanceof LedgerFault && isHeld(fault)) return null
    throw fault
  }
}

async function serverFindings(context: Context): Promise<readonly Finding[]> {
  const api = await context.api()
  return (await api.get<{ readonly findings: readonly Finding[] }>('/ledger/check')).findings
}

/** The operator's word that what a restored ledger does not know has been looked at. */
export async function confirmRestore(context: Context): Promise<number> {
  const api = await context.api()
  const done = await api.post<{ readonly confirmed: boolean; readonly unknown_since: string | null }>(
    '/ledger/confirm-restore',
    {},
  )
  if (context.json) context.reply(done)
  else if (!done.confirmed) context.show('There is nothing to confirm: calls that cost money do not wait for it.\n')
  else
    context.show(
      `Confirmed. Calls may cost money again; nothing is counted for what happened after ${done.unknown_since === null ? 'the beginning' : safe(done.unknown_since)} and is not in the ledger.\n`,
    )
  return Exit.ok
}

/** The operator's word that the clock is right. */
export async function confirmClock(context: Context): Promise<number> {
  const api = await context.api()
  const done = await api.post<{ readonly at: string }>('/clock/confirm', {})
  if (context.json) context.reply(done)
  else context.show(`Confirmed: it is ${safe(done.at)}. Calls may cost money again.\n`)
  return Exit.ok
}

export async function rotateMasterKey(context: Context): Promise<number> {
  requireDatabase(context)
  requireSqlite()
  const { rotateMasterKey: rotate } = await import('../../ledger/offline.js')
  const { rewrapped, fingerprint, remains } = await rotate(context.dataDir, context.io.env)
  if (context.json) context.reply({ rewrapped, fingerprint })
  else {
    context.show(
      `Sealed ${rewrapped} ${rewrapped === 1 ? 'credential' : 'credentials'} under a new master key, fingerprint ${safe(fingerprint)}\n`,
    )
    context.say('Back the new master key up. Backups made before need the old one.')
    if (remains !== null) context.say(remains)
  }
  return Exit.ok
}

export async function resetAdminToken(context: Context): Promise<number> {
  if ((context.io.env.SPENDGATE_ADMIN_TOKEN ?? '') !== '' || (context.io.env.SPENDGATE_ADMIN_TOKEN_FILE ?? '') !== '') {
    throw new CliFault(
      Exit.failure,
      'The admin token comes from the environment (SPENDGATE_ADMIN_TOKEN or SPENDGATE_ADMIN_TOKEN_FILE): change it there.',
    )
  }
  if (!existsSync(context.dataDir)) throw notFound(`There is no data directory ${context.dataDir}.`)
  const { resetAdminToken: reset } = await import('../../custody/master-key.js')
  reset(context.dataDir)
  const file = join(context.dataDir, 'admin-token')
  if (context.json) context.reply({ file })
  else context.show(`A new admin token is in ${safe(file)}; the old one opens nothing any more.\n`)
  return Exit.ok
}

function requireDatabase({ dataDir, io }: Context): void {
  if (io.env.DATABASE_URL) return
  if (!existsSync(join(dataDir, 'spendgate.db')))
    throw notFound(`There is no spendgate.db in ${dataDir}. Name the server's directory with --data-dir.`)
}
