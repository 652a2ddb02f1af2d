import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { UnderlyingSource } from 'node:stream/web'
import type { EntryRow, Ledger } from '../contracts/ledger.js'
import { CSV_HEAD, entryLine, entryRecord } from '../audit/lines.js'
import { checkpointView, publicKeysOf } from '../ledger/checkpoints.js'
import type { AdminDeps } from './deps.js'
import { pageOf } from './paging.js'
import { conflict, invalid } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import {
  backupReply,
  backupRequest,
  checkpointList,
  exportQuery,
  pageQuery,
  publicKeysReply,
  verifyReply,
} from './schemas.js'
import { instant } from './views.js'

const ENTRIES_A_PAGE = 500

/** The chain of entries, its proof and its signatures, and copies of the book. */
export function auditRoutes(deps: AdminDeps): Route[] {
  const { ledger, clock } = deps
  return [
    route({
      method: 'get',
      path: '/admin/v1/audit/export',
      needs: 'viewer',
      summary: 'Every entry with its hash, oldest first: one JSON object a line, or a table',
      query: exportQuery,
      status: 200,
      replyType: 'application/x-ndjson',
      run: ({ query, stillAllowed }) => auditExport(ledger, query, stillAllowed),
    }),
    route({
      method: 'get',
      path: '/admin/v1/audit/checkpoints',
      needs: 'viewer',
      summary: 'Where the chain stood and when, signed, oldest first',
      query: pageQuery,
      status: 200,
      reply: checkpointList,
      run: async ({ query }) => {
        const { limit, cursor = '0' } = pageOf(query)
        if (!/^\d{1,15}$/.test(cursor)) throw invalid('cursor', 'is not the next_cursor of this list')
        const found = await ledger.checkpoints(Number(cursor), limit)
        const next = found.length === limit ? String(found.at(-1)!.seq) : null
        return { checkpoints: found.map(checkpointView), next_cursor: next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/audit/public-key',
      needs: 'viewer',
      summary: 'The keys that checkpoints were signed with, the public halves',
      status: 200,
      reply: publicKeysReply,
      run: () => ({
        keys: Object.entries(publicKeysOf(ledger)).map(([keyId, key]) => ({
          key_id: keyId,
          algorithm: 'Ed25519',
          public_key: key,
        })),
      }),
    }),
    route({
      method: 'get',
      path: '/admin/v1/audit/verify',
      needs: 'viewer',
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

/**
 * The entries of a span of time as a file, written as it is read.
 *
 * @param stillAllowed asked before each page: who was revoked meanwhile gets no more, and a last line that says so
 */
export async function auditExport(
  ledger: Ledger,
  wish: { readonly format: 'ndjson' | 'csv'; readonly from?: string | undefined; readonly to?: string | undefined },
  stillAllowed: () => boolean,
): Promise<Response> {
  const form = FORMS[wish.format]
  const source = exportOf(ledger, form, await rangeOf(ledger, wish), stillAllowed)
  return new Response(new ReadableStream(source, { highWaterMark: 1 }), {
    headers: {
      'content-type': form.type,
      'content-disposition': `attachment; filename="spendgate-audit.${wish.format}"`,
    },
  })
}

interface Form {
  readonly type: string
  readonly head: string
  readonly line: (entry: EntryRow) => string
}
const FORMS: Readonly<Record<'ndjson' | 'csv', Form>> = {
  ndjson: { type: 'application/x-ndjson', head: '', line: entryLine },
  csv: { type: 'text/csv; charset=utf-8; header=present', head: CSV_HEAD, line: entryRecord },
}

interface Range {
  /** Entries after this one. */
  readonly after: number
  readonly from: number
  readonly to: number
}

/** How far entries may be out of the order of time: a start with a clock set back further admits nothing that costs money. */
const DISORDER_MS = 5 * 60_000

/** Finds where a range begins by halving, so that its start costs the same in a large book. */
async function rangeOf(
  ledger: Ledger,
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
): Promise<Range> {
  const from = query.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(query.from)
  const to = query.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(query.to)
  if (from >= to) throw invalid('to', 'must be after from')
  let low = 0
  let high = query.from === undefined ? 0 : ledger.lastEntry()
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [entry] = await ledger.entries(middle, 1)
    if (entry === undefined || entry.at >= from - DISORDER_MS) high = middle
    else low = middle + 1
  }
  return { after: low, from, to }
}

/** No entry, so that a file that broke off cannot be taken for the whole. */
const BROKEN_OFF = 'Broken off: the token or session that asked for this has ended.\n'

function exportOf(
  ledger: Ledger,
  { head, line }: Form,
  { after, from, to }: Range,
  stillAllowed: () => boolean,
): UnderlyingSource<Uint8Array> {
  const encoder = new TextEncoder()
  return {
    start(controller) {
      if (head !== '') controller.enqueue(encoder.encode(head))
    },
    async pull(controller) {
      // A page may hold nothing of the range: then the next one is read, or nobody would ask again.
      for (;;) {
        const entries = await ledger.entries(after, ENTRIES_A_PAGE)
        if (!stillAllowed()) {
          controller.enqueue(encoder.encode(BROKEN_OFF))
          return controller.close()
        }
        after = entries.at(-1)?.seq ?? after
        const found = entries.filter(({ at }) => at >= from && at < to)
        if (found.length > 0) controller.enqueue(encoder.encode(found.map(line).join('')))
        if (entries.length < ENTRIES_A_PAGE || entries.at(-1)!.at >= to + DISORDER_MS) return controller.close()
        if (found.length > 0) return
      }
    },
  }
}

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
