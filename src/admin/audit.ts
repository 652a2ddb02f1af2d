import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { UnderlyingSource } from 'node:stream/web'
import type { EntryRow, Ledger } from '../contracts/ledger.js'
import { formatUsd } from '../contracts/money.js'
import type { AdminDeps } from './deps.js'
import { conflict, invalid } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { backupReply, backupRequest, verifyReply } from './schemas.js'
import { instant } from './views.js'

const ENTRIES_A_PAGE = 500

/** The chain of entries, its proof, and copies of the book. */
export function auditRoutes(deps: AdminDeps): Route[] {
  const { ledger, clock } = deps
  return [
    route({
      method: 'get',
      path: '/admin/v1/audit/export',
      summary: 'Every entry with its hash, oldest first, one JSON object a line',
      status: 200,
      replyType: 'application/x-ndjson',
      run: () =>
        new Response(new ReadableStream(exportOf(ledger), { highWaterMark: 1 }), {
          headers: {
            'content-type': 'application/x-ndjson',
            'content-disposition': 'attachment; filename="spendgate-audit.ndjson"',
          },
        }),
    }),
    route({
      method: 'get',
      path: '/admin/v1/audit/verify',
      summary: 'Whether the chain holds and every table follows from it',
      status: 200,
      reply: verifyReply,
      run: async () => {
        const faults = await ledger.verify()
        return { ok: faults.length === 0, faults }
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/backup',
      summary: 'Write a copy of the database; secrets stay sealed in it, and the master key is not part of it',
      body: backupRequest,
      reads: 'optional',
      status: 201,
      reply: backupReply,
      run: async ({ body }) => {
        const nowMs = clock.now()
        const file = backupFile(deps.backupDir, body.file ?? `spendgate-${instant(nowMs).replace(/[:.]/g, '-')}.db`)
        await writeBackup(ledger, file)
        return { file, bytes: statSync(file).size, at: instant(nowMs) }
      },
    }),
  ]
}

function exportOf(ledger: Ledger): UnderlyingSource<Uint8Array> {
  const encoder = new TextEncoder()
  let after = 0
  return {
    async pull(controller) {
      const entries = await ledger.entries(after, ENTRIES_A_PAGE)
      after = entries.at(-1)?.seq ?? after
      if (entries.length > 0) controller.enqueue(encoder.encode(entries.map(lineOf).join('')))
      if (entries.length < ENTRIES_A_PAGE) controller.close()
    },
  }
}

/**
 * `detail` stays the text that was hashed. Instant and amount can be turned back exactly, so the chain can be checked
 * from the file alone.
 */
const lineOf = (entry: EntryRow): string =>
  `${JSON.stringify({
    seq: entry.seq,
    at: instant(entry.at),
    kind: entry.kind,
    call_id: entry.callId,
    amount_usd: formatUsd(entry.amount),
    detail: entry.detail,
    hash: entry.hash,
  })}\n`

function backupFile(directory: string | undefined, wanted: string): string {
  if (isAbsolute(wanted)) return wanted
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(wanted))
    throw invalid('file', 'must be a plain file name in the backup directory, or an absolute path')
  if (directory === undefined) throw invalid('file', 'must be an absolute path: this server has no backup directory')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return join(directory, wanted)
}

/** The file is made first, closed to others, and only if nothing has that name: a backup never overwrites anything. */
async function writeBackup(ledger: Ledger, file: string): Promise<void> {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'EEXIST') throw conflict(`${file} exists; a backup does not overwrite it.`)
    throw invalid('file', `cannot be written in ${dirname(file)} (${String(code)})`)
  }
  try {
    await ledger.backup(file)
  } catch (fault) {
    rmSync(file, { force: true })
    throw fault
  }
}
