import { parseUsd } from '../../contracts/money.js'
import type { Context } from '../context.js'
import { located, plain, readSource } from '../documents.js'
import { CliFault, Exit, usage } from '../exit.js'
import { findCredential, keyId } from '../find.js'
import {
  dollars,
  dollarsOrDash,
  facts,
  instant,
  safe,
  span,
  sumUsd,
  table,
  usedBar,
  type Cell,
  type Tone,
} from '../output.js'
import type { BudgetReply, KeyReply, NewKeyReply } from '../replies.js'
import { spanMs } from '../times.js'

interface CreateOptions {
  readonly policy: string
  readonly credential: readonly string[]
  readonly expires?: string
  readonly run?: string
}

export async function create(context: Context, options: CreateOptions, name: string): Promise<number> {
  const api = await context.api()
  const credentials: string[] = []
  for (const text of options.credential) credentials.push((await findCredential(api, text)).id)
  const made = await api.post<NewKeyReply>('/keys', {
    name,
    policy: options.policy,
    credentials,
    ...(options.expires === undefined ? {} : { expires_in: options.expires }),
    ...(options.run === undefined ? {} : { run: options.run }),
  })
  showNewKey(context, made, `${made.id}  ${name}`, options.expires)
  return Exit.ok
}

interface RunOptions {
  readonly run?: string
  readonly cap?: string
  readonly expires?: string
}

export async function run(context: Context, options: RunOptions, parent: string): Promise<number> {
  const api = await context.api()
  const id = await keyId(api, parent)
  const made = await api.post<NewKeyReply>(`/keys/${encodeURIComponent(id)}/runs`, {
    ...(options.run === undefined ? {} : { run: options.run }),
    ...(options.cap === undefined ? {} : { cap_usd: options.cap }),
    ...(options.expires === undefined ? {} : { expires_in: options.expires }),
  })
  const bound = made.run ?? options.run
  showNewKey(context, made, `${made.id}  child of ${id}${bound === undefined ? '' : `  run ${bound}`}`, options.expires)
  return Exit.ok
}

interface TokenOptions {
  readonly credential?: readonly string[]
  readonly vendor?: readonly string[]
  readonly method?: readonly string[]
  readonly domain?: readonly string[]
  readonly endpoint?: readonly string[]
  readonly rate?: string
  readonly expires?: string
  readonly dailyCap?: string
  readonly maxAmount?: string
  readonly name?: string
}

export async function token(context: Context, options: TokenOptions, parent: string, file?: string): Promise<number> {
  if (file !== undefined && Object.keys(options).length > 0)
    throw usage('The scope comes from the file or from flags, not from both.')
  const scope = file === undefined ? scopeIn(options) : plain(await readSource(context, file))
  const api = await context.api()
  const id = await keyId(api, parent)
  const made = await api.post<NewKeyReply>(`/keys/${encodeURIComponent(id)}/tokens`, scope)
  showNewKey(context, made, `${made.id}  token of ${id}`, options.expires)
  return Exit.ok
}

const scopeIn = (options: TokenOptions): object =>
  Object.fromEntries(
    Object.entries({
      allowedKeyIds: options.credential,
      allowedProviders: options.vendor,
      allowedMethods: options.method,
      allowedDomains: options.domain,
      endpoints: options.endpoint,
      rateLimitPerMinute: options.rate === undefined ? undefined : Number(options.rate),
      expiresIn: options.expires,
      daily_cap_usd: options.dailyCap,
      max_amount_usd: options.maxAmount,
      name: options.name,
    }).filter(([, value]) => value !== undefined),
  )

/** The one time a vault key is shown. */
export function showNewKey(context: Context, made: NewKeyReply, title: string, wished?: string): void {
  if (context.json) return context.reply(made)
  const expires =
    made.expires_at === null
      ? 'does not expire'
      : `expires ${instant(made.expires_at)} UTC${inTime(context, made.expires_at)}`
  const { stripe = [], twilio, resend } = made.presentations
  context.show(`Created ${safe(title)}  ${safe(expires)}\n`)
  context.show(
    facts(context.style, [
      ['key', made.key],
      ['stripe clients', stripe.join('  or  ')],
      ['twilio account', twilio?.account_sid],
      ['twilio user', twilio?.api_key_sid],
      ['twilio password', twilio?.api_key_secret],
      ['resend clients', resend],
    ]),
  )
  context.say('Shown once: only a keyed hash of it is stored.')
  if (isShorter(context, made, wished))
    context.say(`It ends sooner than the ${wished} asked for: a child key ends with its parent.`)
}

/** Clocks of two machines differ, so a minute says nothing. */
const CLOCKS_MS = 60_000
function isShorter(context: Context, { expires_at: at }: NewKeyReply, wished: string | undefined): boolean {
  const wishedMs = wished === undefined ? null : spanMs(wished)
  return wishedMs !== null && at !== null && Date.parse(at) < context.io.clock.now() + wishedMs - CLOCKS_MS
}

function inTime(context: Context, text: string): string {
  const ms = Date.parse(text) - context.io.clock.now()
  return ms > 0 ? ` (in ${span(ms)})` : ''
}

export async function list(context: Context, options: { readonly limit?: string }): Promise<number> {
  const api = await context.api()
  const { rows: keys } = await api.pages<KeyReply>('/keys', 'keys', Number(options.limit ?? LISTED_DEFAULT))
  if (context.json) context.reply({ keys, next_cursor: null })
  else if (keys.length === 0)
    context.say('There are no keys. Make one:  spendgate key create NAME --policy POLICY --credential CREDENTIAL')
  else context.show(table(context.style, COLUMNS, keys.map(row)))
  return Exit.ok
}
const LISTED_DEFAULT = 1_000
const COLUMNS = ['ID', 'NAME', 'POLICY', 'STANDING', 'EXPIRES (UTC)', 'LAST USED (UTC)', 'RUN', 'PARENT'].map(
  (title) => ({ title }),
)

const row = (key: KeyReply): Cell[] => [
  key.id,
  key.name,
  key.policy ?? '–',
  standing(key),
  instant(key.expires_at),
  instant(key.last_used_at),
  key.run ?? '–',
  key.parent_id ?? '–',
]

const TONES: Readonly<Record<string, Tone>> = { active: 'good', frozen: 'warn', expired: 'faint', revoked: 'bad' }
const standing = ({ status }: KeyReply): Exclude<Cell, string> => ({
  text: status ?? '–',
  tone: TONES[status ?? ''] ?? 'plain',
})

export async function show(context: Context, _options: unknown, text: string): Promise<number> {
  const api = await context.api()
  const key = await api.get<KeyReply>(`/keys/${encodeURIComponent(await keyId(api, text))}`)
  if (context.json) {
    context.reply(key)
    return Exit.ok
  }
  const { text: state, tone } = standing(key)
  context.show(`${safe(key.id)}  ${safe(key.name)}  ${context.style.paint(tone, state)}\n`)
  context.show(
    facts(context.style, [
      ['policy', key.policy],
      ['credentials', key.credentials?.join(', ')],
      ['parent', key.parent_id],
      ['run', key.run],
      ['cap of the run', (key.run_cap_usd ?? null) === null ? null : dollars(key.run_cap_usd)],
      ['ends in', key.last4 === undefined ? null : `…${key.last4}`],
      ['created', instant(key.created_at)],
      ['expires', (key.expires_at ?? null) === null ? 'never' : `${instant(key.expires_at)} UTC`],
      ['last used', (key.last_used_at ?? null) === null ? NEVER_USED : `${instant(key.last_used_at)} UTC`],
      ['revoked', (key.revoked_at ?? null) === null ? null : `${instant(key.revoked_at)} UTC`],
      ['reason', key.revoke_reason],
    ]),
  )
  if ((key.budgets ?? []).length > 0)
    context.show(
      table(
        context.style,
        BUDGET_COLUMNS,
        (key.budgets ?? []).map((budget) => budgetRow(context, budget)),
      ),
    )
  return Exit.ok
}
const NEVER_USED = 'never; if the agent reports "Invalid API Key", its base URL still points at the vendor'
const BUDGET_COLUMNS = [
  { title: 'BUDGET' },
  { title: 'SPENT', right: true },
  { title: 'HELD', right: true },
  { title: 'CAP', right: true },
  { title: 'USED' },
  { title: 'RESETS (UTC)' },
]

function budgetRow(context: Context, budget: BudgetReply): Cell[] {
  const used = sumUsd(budget.spent_usd, budget.held_usd)
  const cap = parseUsd(budget.cap_usd)
  return [
    budget.label ?? '',
    dollars(budget.spent_usd),
    dollarsOrDash(budget.held_usd),
    dollars(budget.cap_usd),
    used === null || cap === null ? '–' : usedBar(context.style, used, cap),
    instant(budget.resets_at),
  ]
}

export async function narrow(context: Context, _options: unknown, text: string, file: string): Promise<number> {
  const source = await readSource(context, file)
  const patch = plain(source)
  const api = await context.api()
  const id = await keyId(api, text)
  try {
    const key = await api.post<KeyReply>(`/keys/${encodeURIComponent(id)}/narrow`, patch)
    if (context.json) context.reply(key)
    else context.show(`Narrowed ${safe(id)} and its children; this cannot be widened again\n`)
    return Exit.ok
  } catch (error) {
    throw error instanceof CliFault ? located(error, source) : error
  }
}

interface PendingReply {
  readonly id: string
  readonly vendor: string
  readonly operation: string
  readonly object: string | null
  readonly kind: string
  readonly per_month_usd: string
  readonly counted_usd: string
  readonly due_at: string | null
  readonly cancelled?: boolean
  readonly error?: string
}
interface RevokedReply {
  readonly id: string
  readonly revoked_at: string
  readonly in_flight: readonly string[]
  readonly pending?: readonly PendingReply[]
  readonly pending_next_cursor?: string | null
}

interface RevokeOptions {
  readonly reason?: string
  readonly cancelPending?: boolean
}

export async function revoke(context: Context, options: RevokeOptions, text: string): Promise<number> {
  const api = await context.api()
  const id = await keyId(api, text)
  const done = await api.post<RevokedReply>(`/keys/${encodeURIComponent(id)}/revoke`, {
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    ...(options.cancelPending ? { cancel_pending: true } : {}),
  })
  const left = (done.pending ?? []).filter(({ cancelled }) => cancelled !== true)
  const more = (done.pending_next_cursor ?? null) !== null
  const exit = options.cancelPending && (left.length > 0 || more) ? Exit.failure : Exit.ok
  if (context.json) {
    context.reply(done)
    return exit
  }
  context.show(
    `Revoked ${safe(id)} and its children at ${instant(done.revoked_at)} UTC. Nothing more leaves under them.\n`,
  )
  const flying = done.in_flight.length
  if (flying > 0)
    context.say(`${flying} ${flying === 1 ? 'call had' : 'calls had'} already left: ${done.in_flight.join(', ')}`)
  showPending(context, done.pending ?? [], options.cancelPending === true)
  if (left.length > 0 && !options.cancelPending)
    context.say(`Still to come. Cancel it at the vendors:  spendgate key revoke ${id} --cancel-pending`)
  for (const { id: call, error } of left) if (error !== undefined) context.say(`${safe(call)}: ${safe(error)}`)
  if (more) context.say(`There is more:  spendgate key pending ${id}`)
  return exit
}

export async function pending(context: Context, options: { readonly limit?: string }, text: string): Promise<number> {
  const api = await context.api()
  const id = await keyId(api, text)
  const limit = Number(options.limit ?? LISTED_DEFAULT)
  const { rows, next } = await api.pages<PendingReply>(`/keys/${encodeURIComponent(id)}/pending`, 'pending', limit)
  if (context.json) context.reply({ pending: rows, next_cursor: next })
  else if (rows.length === 0) context.say(`Nothing of ${id} is still to come.`)
  else showPending(context, rows, false)
  if (!context.json && next !== null) context.say('There is more; ask for it with --limit.')
  return Exit.ok
}

const PENDING_COLUMNS = [
  { title: 'CALL' },
  { title: 'VENDOR' },
  { title: 'OPERATION' },
  { title: 'OBJECT' },
  { title: 'KIND' },
  { title: 'A MONTH', right: true },
  { title: 'COUNTED', right: true },
  { title: 'DUE (UTC)' },
]

function showPending(context: Context, rows: readonly PendingReply[], tried: boolean): void {
  if (rows.length === 0) return
  const columns = tried ? [...PENDING_COLUMNS, { title: 'NOW' }] : PENDING_COLUMNS
  context.show(
    table(
      context.style,
      columns,
      rows.map((row): Cell[] => [
        row.id,
        row.vendor,
        row.operation,
        row.object ?? '–',
        row.kind,
        dollarsOrDash(row.per_month_usd),
        dollarsOrDash(row.counted_usd),
        instant(row.due_at),
        ...(tried
          ? [row.cancelled ? { text: 'cancelled', tone: 'good' as Tone } : { text: 'stands', tone: 'bad' as Tone }]
          : []),
      ]),
    ),
  )
}
