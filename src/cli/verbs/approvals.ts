import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { keyId } from '../find.js'
import { dollars, facts, instant, safe, span, table, type Cell, type Tone } from '../output.js'
import type { ApprovalReply } from '../replies.js'

interface ListOptions {
  readonly state?: string
  readonly key?: string
  readonly limit?: string
}

export async function list(context: Context, options: ListOptions): Promise<number> {
  const api = await context.api()
  const key = options.key === undefined ? undefined : await keyId(api, options.key)
  const limit = Number(options.limit ?? LISTED_DEFAULT)
  const found = await api.pages<ApprovalReply>('/approvals', 'approvals', limit, { state: options.state, key })
  if (context.json) context.reply({ approvals: found.rows, next_cursor: found.next })
  else if (found.rows.length === 0) context.say('Nothing was asked for.')
  else {
    context.show(
      table(
        context.style,
        COLUMNS,
        found.rows.map((row) => rowOf(context, row)),
      ),
    )
    const open = found.rows.find(({ state }) => state === 'open')
    if (open !== undefined) context.say(`Decide:  spendgate approvals approve ${open.id}  (or deny)`)
    if (found.next !== null) context.say(`There are more: --limit ${limit * 2}`)
  }
  return Exit.ok
}
const LISTED_DEFAULT = 50

const COLUMNS = [
  { title: 'AT (UTC)' },
  { title: 'APPROVAL' },
  { title: 'STATE' },
  { title: 'UP TO', right: true },
  { title: 'KEY' },
  { title: 'RUN' },
  { title: 'VENDOR' },
  { title: 'ENDPOINT' },
  { title: 'CUSTOMER' },
  { title: 'LEFT' },
]

const rowOf = (context: Context, row: ApprovalReply): Cell[] => [
  instant(row.at),
  row.id,
  stateOf(row),
  dollars(row.ceiling_usd),
  row.key_id,
  row.run,
  row.vendor,
  `${row.method} ${row.path}`,
  row.customer ?? '–',
  left(context, row) ?? '–',
]

const TONES: Readonly<Record<string, Tone>> = { open: 'warn', approved: 'good', denied: 'bad', expired: 'faint' }
const stateOf = ({ state }: ApprovalReply): Exclude<Cell, string> => ({ text: state, tone: TONES[state] ?? 'plain' })

/** How long it can still be decided, or used. */
function left(context: Context, { state, expires_at: at }: ApprovalReply): string | null {
  const ms = Date.parse(at) - context.io.clock.now()
  return (state === 'open' || state === 'approved') && ms > 0 ? span(ms) : null
}

export async function show(context: Context, _options: unknown, id: string): Promise<number> {
  const api = await context.api()
  const row = await api.get<ApprovalReply>(`/approvals/${encodeURIComponent(id)}`)
  if (context.json) context.reply(row)
  else {
    const { text, tone } = stateOf(row)
    context.show(`${safe(row.id)}  ${context.style.paint(tone, safe(text))}\n`)
    const remaining = left(context, row)
    context.show(
      facts(context.style, [
        ['request', `${row.method} ${row.path}  (${row.vendor}, ${row.operation})`],
        ['up to', dollars(row.ceiling_usd)],
        ['customer', row.customer],
        ['agent says', row.call_reason],
        ['key', row.key_id],
        ['run', row.run],
        ['asked', `${instant(row.at)} UTC  (${row.call_id})`],
        ['expires', `${instant(row.expires_at)} UTC${remaining === null ? '' : ` (in ${remaining})`}`],
        ['decided', row.decided_at === null ? null : `${instant(row.decided_at)} UTC by ${row.decided_by ?? '–'}`],
        ['reason', row.reason],
        ['used by', row.used_by],
        ['sha256', row.request_sha256],
      ]),
    )
  }
  return Exit.ok
}

interface DecisionOptions {
  readonly reason?: string
}

export async function approve(context: Context, options: DecisionOptions, id: string): Promise<number> {
  const row = await decided(context, 'approve', options, id)
  if (!context.json)
    context.show(
      row.used_by === null
        ? `Approved ${safe(id)}, once and up to ${safe(dollars(row.ceiling_usd))}. The agent must send the very same request by ${instant(row.expires_at)} UTC.\n`
        : `${safe(id)} is approved, and ${safe(row.used_by)} has used it.\n`,
    )
  return Exit.ok
}

export async function deny(context: Context, options: DecisionOptions, id: string): Promise<number> {
  await decided(context, 'deny', options, id)
  if (!context.json) context.show(`Denied ${safe(id)}. The agent is told when it asks again.\n`)
  return Exit.ok
}

async function decided(
  context: Context,
  verb: 'approve' | 'deny',
  { reason }: DecisionOptions,
  id: string,
): Promise<ApprovalReply> {
  const api = await context.api()
  const row = await api.post<ApprovalReply>(
    `/approvals/${encodeURIComponent(id)}/${verb}`,
    reason === undefined ? {} : { reason },
  )
  if (context.json) context.reply(row)
  return row
}
