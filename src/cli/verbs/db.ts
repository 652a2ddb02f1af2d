import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound } from '../exit.js'
import { safe } from '../output.js'
import { requireSqlite } from '../sqlite-guard.js'

/** Proves the book of record against itself, without a server. */
export async function verify(context: Context): Promise<number> {
  requireDatabase(context)
  requireSqlite()
  const { verifyOffline } = await import('../../ledger/offline.js')
  const faults = await verifyOffline(context.dataDir)
  if (context.json) context.reply({ ok: faults.length === 0, faults })
  else if (faults.length === 0) context.show(`Sound: every entry, call and total in ${safe(context.dataDir)} agrees.\n`)
  else context.show(faults.map((fault) => `${context.style.paint('bad', '✘')} ${safe(fault)}\n`).join(''))
  return faults.length === 0 ? Exit.ok : Exit.failure
}

export async function rotateMasterKey(context: Context): Promise<number> {
  requireDatabase(context)
  requireSqlite()
  const { rotateMasterKey: rotate } = await import('../../ledger/offline.js')
  const { rewrapped, fingerprint } = await rotate(context.dataDir, context.io.env)
  if (context.json) context.reply({ rewrapped, fingerprint })
  else {
    context.show(
      `Sealed ${rewrapped} ${rewrapped === 1 ? 'credential' : 'credentials'} under a new master key, fingerprint ${safe(fingerprint)}\n`,
    )
    context.say('Back the new master key up. Backups made before need the old one.')
    if ((context.io.env.SPENDGATE_MASTER_KEY ?? '') !== '')
      context.say('Start the server with the new key in SPENDGATE_MASTER_KEY.')
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

function requireDatabase({ dataDir }: Context): void {
  if (!existsSync(join(dataDir, 'spendgate.db')))
    throw notFound(`There is no spendgate.db in ${dataDir}. Name the server's directory with --data-dir.`)
}
