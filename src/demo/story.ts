import type { Clock } from '../contracts/clock.js'
import { formatUsd, parseUsd, usd, type Usd } from '../contracts/money.js'
import { RUNS, type Agent, type Stage } from './stage.js'

/** One thing the agent did and how it ended. Money is decimal text in USD. */
export interface Step {
  /** Epoch milliseconds. */
  readonly at: number
  readonly vendor: 'stripe' | 'twilio' | 'resend'
  readonly run: string
  readonly what: string
  /** What the agent asked for, all attempts together; null where nothing has a price. */
  readonly askedUsd: string | null
  readonly allowed: number
  /** Refusals as the SDK raised them, one sentence for each code. */
  readonly refusals: readonly (Refusal & { readonly count: number })[]
  /** Of the daily cap, settled and held, after the step. */
  readonly dayUsd: string
  readonly capUsd: string
  /** The newest row the step left in the ledger. */
  readonly callId: string
  readonly ms: number
  /** What should have happened and did not; null when all is well. */
  readonly surprise: string | null
}

/** A denial as an unmodified SDK showed it to the agent. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

interface Scene {
  readonly vendor: Step['vendor']
  readonly what: string
  /** USD of one attempt; absent where the ledger's quote says it. */
  readonly usd?: string
  readonly attempts?: number
  /** How many attempts must get through, given what is left of the day; all others must meet `refusal`. */
  readonly allowed: number | ((left: Usd) => number)
  readonly refusal?: string
  /** Something the operator does first. */
  readonly before?: (stage: Stage) => Promise<unknown>
  act(agent: Agent): Promise<unknown>
}

const refund = (what: string, charge: string, dollars: string, end: Pick<Scene, 'allowed' | 'refusal'>): Scene => ({
  vendor: 'stripe',
  what,
  usd: dollars,
  ...end,
  act: ({ stripe }) => stripe.refunds.create({ charge, amount: cents(dollars) }),
})

const RUSH = { attempts: 20, usd: '5.00' } as const

const SCENES: readonly Scene[] = [
  refund('refund', 'ch_A', '12.00', { allowed: 1 }),
  refund('refund', 'ch_A', '9.00', { allowed: 1 }),
  refund('refund, too large', 'ch_A', '40.00', { allowed: 0, refusal: 'amount_over_limit' }),
  refund("refund of another customer's charge", 'ch_B', '8.00', { allowed: 0, refusal: 'customer_not_allowed' }),
  {
    vendor: 'stripe',
    what: 'payout to the bank',
    usd: '20.00',
    allowed: 0,
    refusal: 'operation_not_allowed',
    act: ({ stripe }) => stripe.payouts.create({ amount: 2_000, currency: 'usd' }),
  },
  {
    vendor: 'stripe',
    what: 'payment of EUR 10.00, and no rate is set',
    allowed: 0,
    refusal: 'amount_unknown',
    act: ({ stripe }) => stripe.paymentIntents.create({ amount: 1_000, currency: 'eur', customer: 'cus_A' }),
  },
  {
    vendor: 'stripe',
    what: 'instant loan, an operation nobody has described',
    usd: '10.00',
    allowed: 0,
    refusal: 'operation_unknown',
    act: ({ stripe }) => stripe.rawRequest('POST', '/v1/instant_loans', { amount: 1_000, currency: 'usd' }),
  },
  {
    vendor: 'twilio',
    what: 'SMS to +1 415 555 0123',
    allowed: 1,
    act: ({ twilio }) =>
      twilio.messages.create({ to: '+14155550123', from: '+14155550100', body: 'Your refund is on its way.' }),
  },
  {
    vendor: 'twilio',
    what: 'SMS to +44 20 7183 8750',
    allowed: 0,
    refusal: 'recipient_not_allowed',
    act: ({ twilio }) =>
      twilio.messages.create({ to: '+442071838750', from: '+14155550100', body: 'Hello from afar.' }),
  },
  {
    vendor: 'resend',
    what: 'e-mail to ada@acme.com',
    allowed: 1,
    act: ({ resend }) => email(resend, {}),
  },
  {
    vendor: 'resend',
    what: 'the same with a hidden copy to mallory@example.net',
    allowed: 0,
    refusal: 'recipient_not_allowed',
    act: ({ resend }) => email(resend, { bcc: 'mallory@example.net' }),
  },
  {
    vendor: 'stripe',
    what: `${RUSH.attempts} refunds of $${RUSH.usd} at once`,
    ...RUSH,
    allowed: (left) => Number(left / parseUsd(RUSH.usd)!),
    refusal: 'daily_cap_exceeded',
    act: ({ stripe }) => stripe.refunds.create({ charge: 'ch_A', amount: cents(RUSH.usd) }),
  },
  {
    ...refund('refund, after the operator revoked the key', 'ch_A', '1.00', { allowed: 0, refusal: 'key_revoked' }),
    before: ({ admin, agent }) => admin.post(`/keys/${agent.keyId}/revoke`, { reason: 'the agent went wrong' }),
  },
]

const cents = (dollars: string): number => Number(dollars.replace('.', ''))

/** Resend's client gives errors back instead of throwing them. */
async function email(resend: Agent['resend'], more: { readonly bcc?: string }): Promise<void> {
  const { error } = await resend.emails.send({
    from: 'billing@acme.com',
    to: 'ada@acme.com',
    subject: 'Your refund',
    text: 'It is on its way.',
    ...more,
  })
  if (error) throw error
}

/** Plays the scenes in order; ends early when interrupted. */
export async function play(
  stage: Stage,
  clock: Clock,
  interrupt: { came(): boolean },
  told: (step: Step) => void,
): Promise<readonly Step[]> {
  const steps: Step[] = []
  for (const scene of SCENES) {
    if (interrupt.came()) break
    const step = await playOne(scene, stage, clock)
    steps.push(step)
    told(step)
  }
  return steps
}

async function playOne(scene: Scene, stage: Stage, clock: Clock): Promise<Step> {
  const { admin, agent } = stage
  const { vendor, what, attempts = 1 } = scene
  await scene.before?.(stage)
  const left = parseUsd((await dayOf(stage)).left_usd)!
  const expected = typeof scene.allowed === 'number' ? scene.allowed : scene.allowed(left)
  const at = clock.now()
  const began = clock.monotonic()
  const outcomes = await Promise.all(Array.from({ length: attempts }, () => attempt(scene, agent)))
  const ms = Math.round(clock.monotonic() - began)
  const refused = outcomes.filter((outcome) => outcome !== null)
  const { calls } = await admin.get<{ calls: readonly Row[] }>('/calls', { key: agent.keyId, limit: '1' })
  const row = calls[0]!
  const asked = scene.usd ?? row.quoted_usd
  const day = await dayOf(stage)
  return {
    at,
    vendor,
    run: row.run,
    what,
    askedUsd: asked === '0.00' ? null : formatUsd(usd(parseUsd(asked)! * BigInt(attempts))),
    allowed: attempts - refused.length,
    refusals: grouped(refused),
    dayUsd: formatUsd(usd(parseUsd(day.spent_usd)! + parseUsd(day.held_usd)!)),
    capUsd: day.cap_usd,
    callId: row.id,
    ms,
    surprise: surprise(scene, attempts, expected, refused, row),
  }
}

interface Row {
  readonly id: string
  readonly run: string
  readonly vendor: string
  readonly quoted_usd: string
  readonly decision: { readonly verdict: string; readonly code: string | null }
}

interface Day {
  readonly rule: string
  readonly cap_usd: string
  readonly spent_usd: string
  readonly held_usd: string
  readonly left_usd: string
}

async function dayOf({ admin, agent }: Stage): Promise<Day> {
  const { budgets } = await admin.get<{ budgets: readonly Day[] }>(`/keys/${agent.keyId}`)
  return budgets.find((budget) => budget.rule.startsWith('daily-cap'))!
}

/** Null when the call went through. What the agent saw of a refusal comes from the SDK's own error and nowhere else. */
async function attempt(scene: Scene, agent: Agent): Promise<Refusal | null> {
  try {
    await scene.act(agent)
    return null
  } catch (error) {
    return READ[scene.vendor](error as SdkError)
  }
}

interface SdkError {
  readonly name?: string
  readonly code?: unknown
  readonly details?: { readonly code?: unknown } | null
  readonly message: string
}

/** Where each vendor's error keeps our code: StripeError.code, RestException.details.code, Resend's error name. */
const READ: Readonly<Record<Step['vendor'], (error: SdkError) => Refusal>> = {
  stripe: ({ code, message }) => named(code, message),
  twilio: ({ details, message }) => named(details?.code, message),
  resend: ({ name, message }) => named(name, message),
}

function named(code: unknown, message: string): Refusal {
  const text = typeof code === 'string' ? code : 'no code'
  const prefix = `${text}: `
  return { code: text, message: message.startsWith(prefix) ? message.slice(prefix.length) : message }
}

function grouped(refusals: readonly Refusal[]): Step['refusals'] {
  const found = new Map<string, Refusal & { count: number }>()
  for (const refusal of refusals) {
    const known = found.get(refusal.code)
    if (known) known.count += 1
    else found.set(refusal.code, { ...refusal, count: 1 })
  }
  return [...found.values()]
}

function surprise(
  scene: Scene,
  attempts: number,
  expected: number,
  refused: readonly Refusal[],
  row: Row,
): string | null {
  const stranger = refused.find(({ code }) => code !== scene.refusal)
  if (stranger) return `the SDK raised ${stranger.code} (${stranger.message})`
  if (attempts - refused.length !== expected) return `${attempts - refused.length} got through instead of ${expected}`
  const run = scene.vendor === 'stripe' ? RUNS.refunds : RUNS.notices
  if (row.vendor !== scene.vendor || row.run !== run)
    return `the ledger has ${row.vendor} in ${row.run} as its newest row`
  if (attempts > 1) return null
  const seen = refused[0]?.code ?? null
  return row.decision.code === seen ? null : `the ledger says ${row.decision.code ?? 'allow'}`
}
