import { csvRecord } from '../../audit/lines.js'
import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { keyId } from '../find.js'
import { dollars, dollarsOrDash, instant, table, type Cell, type Tone } from '../output.js'
import type { CallReply } from '../replies.js'

interface CallsOptions {
  readonly key?: string
  readonly run?: string
  readonly vendor?: string
  readonly state?: string
  readonly limit?: string
  readonly cursor?: string
  readonly csv?: boolean
}

export async function calls(context: Context, options: CallsOptions): Promise<number> {
  const api = await context.api()
  const key = options.key === undefined ? undefined : await keyId(api, options.key)
  const { run, vendor, state, cursor } = options
  const limit = Number(options.limit ?? LISTED_DEFAULT)
  const found = await api.pages<CallReply>('/calls', 'calls', limit, { key, run, vendor, state, cursor })
  if (options.csv === true) context.show(csvOf(found.rows))
  else if (context.json) context.reply({ calls: found.rows, next_cursor: found.next })
  else if (found.rows.length === 0) context.say('There are no such calls.')
  else {
    context.show(callTable(context, found.rows))
    if (found.next !== null) context.say(`There are more: --limit ${limit * 2}`)
  }
  return Exit.ok
}
const LISTED_DEFAULT = 50

/** Calls as a table, in the order given. */
export const callTable = (context: Context, rows: readonly CallReply[]): string =>
  table(context.style, COLUMNS, rows.map(row))

const COLUMNS = [
  { title: 'AT (UTC)' },
  { title: 'CALL' },
  { title: 'KEY' },
  { title: 'RUN' },
  { title: 'VENDOR' },
  { title: 'ENDPOINT' },
  { title: 'QUOTED', right: true },
  { title: 'SETTLED', right: true },
  { title: 'STATE' },
  { title: 'STATUS', right: true },
  { title: 'WHY' },
]

const row = (call: CallReply): Cell[] => [
  instant(call.at),
  call.id,
  call.key_id,
  call.run,
  call.vendor,
  `${call.method} ${call.path}`,
  dollarsOrDash(call.quoted_usd),
  call.state === 'settled' || call.state === 'assumed' ? dollars(call.settled_usd) : '–',
  { text: call.state, tone: stateTone(call.state) },
  String(call.upstream?.status ?? '–'),
  why(call),
]

/** Calls as a table for a spreadsheet, with what the one for people leaves out. */
const csvOf = (rows: readonly CallReply[]): string => csvRecord(CSV_COLUMNS) + rows.map(csvRow).join('')

const CSV_COLUMNS = [
  'at',
  'id',
  'key_id',
  'run',
  'vendor',
  'surface',
  'method',
  'path',
  'operation',
  'effect',
  'state',
  'quoted_usd',
  'settled_usd',
  'customer',
  'verdict',
  'code',
  'message',
  'upstream_status',
  'upstream_request_id',
  'replay_of',
]

const csvRow = (call: CallReply): string =>
  csvRecord(
    [
      call.at,
      call.id,
      call.key_id,
      call.run,
      call.vendor,
      call.surface,
      call.method,
      call.path,
      call.operation,
      call.effect,
      call.state,
      call.quoted_usd,
      call.settled_usd,
      call.customer,
      call.decision.verdict,
      call.decision.code,
      call.decision.message,
      call.upstream?.status ?? null,
      call.upstream?.request_id ?? null,
      call.replay_of,
    ].map((value) => String(value ?? '')),
  )

/** The denial code, or what is odd about an admitted call. */
export function why(call: CallReply): string {
  const times = (call.count ?? 1) > 1 ? ` ×${call.count}` : ''
  if (call.decision.code !== null)
    return `${call.decision.verdict === 'would_deny' ? 'would deny: ' : ''}${call.decision.code}${times}`
  return call.replay_of === null ? '' : `replay of ${call.replay_of}`
}

export const stateTone = (state: string): Tone =>
  state === 'denied' ? 'bad' : state === 'assumed' ? 'warn' : state === 'settled' ? 'good' : 'plain'
