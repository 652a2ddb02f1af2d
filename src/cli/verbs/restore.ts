import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { yes } from '../../config.js'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound } from '../exit.js'
import { safe } from '../output.js'
import { requireSqlite } from '../sqlite-guard.js'

/** Puts a backup in the place of the ledger, while no server has it. */
export async function restore(context: Context, _options: unknown, given: string): Promise<number> {
  requireSqlite()
  const { io, dataDir } = context
  if ((io.env.DATABASE_URL ?? '') !== '')
    throw new CliFault(
      Exit.failure,
      "The ledger is in PostgreSQL (DATABASE_URL): restore it with PostgreSQL's own tools.",
    )
  const backup = resolve(io.cwd, given)
  if (!existsSync(backup)) throw notFound(`There is no file ${given}.`)
  const { restore: put } = await import('../../ledger/restore.js')
  const done = await put(join(dataDir, 'spendgate.db'), backup, {
    clock: io.clock,
    allowNetworkFileSystem: yes(io.env.SPENDGATE_ALLOW_NETWORK_FILESYSTEM),
  })
  const since = done.since === 0 ? null : new Date(done.since).toISOString()
  if (context.json) {
    context.reply({
      since,
      entries: done.entries,
      known_entries: done.knownEntries,
      aside: done.aside,
      carried: done.carried,
      frozen: done.frozen,
    })
    return Exit.ok
  }
  context.show(`Restored ${safe(given)}, which knows ${since === null ? 'nothing' : `everything up to ${since}`}\n`)
  if (done.aside !== null) context.show(`What was there is now ${safe(done.aside)}\n`)
  if (done.carried > 0)
    context.say(`${done.carried} revocations, freezes and narrowings that were made since were carried over.`)
  if (done.frozen)
    context.say(
      'What was revoked since then could not be read, so everything is frozen: look at the keys, revoke what must not live, then «spendgate unfreeze --all».',
    )
  context.say(
    'After the start calls that cost money wait. Reconcile with the vendors («spendgate reconcile»), look at what was spent since, then «spendgate db confirm-restore».',
  )
  return Exit.ok
}
