import type { Accounts } from './accounts.js'
import type { Dice } from './dice.js'

export const TWILIO_ACCOUNT = `AC${'5e1f0a7742c9d3b8'.repeat(2)}`

/** What an agent asks for. Sent again it is the same request. */
export interface Wish {
  readonly vendor: 'stripe' | 'twilio' | 'resend'
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Form or query; empty where the body is JSON. */
  readonly params: readonly (readonly [string, string])[]
  readonly json?: { readonly [field: string]: string | readonly string[] }
  readonly idempotencyKey: string | null
  /** The label of the run, or null. */
  readonly run: string | null
}

/** Where the vendor takes an idempotency key, so that one key is one execution. */
export const isIdempotent = ({ vendor, method }: Wish): boolean => vendor !== 'twilio' && method === 'POST'

const KINDS = {
  refund: 24,
  pay: 12,
  open: 16,
  intent: 26,
  sms: 12,
  email: 10,
  read: 5,
  strange: 3,
} as const

/** Acts on one intent, all at once: what one of them counts for depends on what becomes of the others. */
const RUSH = { update: 40, increment_authorization: 24, confirm: 14, capture: 12, cancel: 10 } as const
const ACTS = { confirm: 30, capture: 24, cancel: 22, update: 14, increment_authorization: 10 } as const

/** Draws what an agent wants next: one thing, or several at once on one intent. */
export function drawWishes(dice: Dice, accounts: Accounts, serial: number): readonly Wish[] {
  const ids = [...accounts.intents.keys()]
  if (ids.length === 0 || !dice.chance(0.15)) return [drawWish(dice, accounts, `client-${serial}`)]
  const id = newest(dice, ids)
  return Array.from({ length: 2 + dice.below(3) }, (_, i) =>
    onIntent(dice, dice.weighted(RUSH), id, stripe(dice, dice.chance(0.3) ? `client-${serial}-${i}` : null)),
  )
}

const labelled = (dice: Dice): string | null => (dice.chance(0.5) ? dice.pick(['run_a', 'run_b']) : null)

type Stripe = (path: string, params?: Wish['params'], method?: Wish['method']) => Wish
const stripe =
  (dice: Dice, idempotencyKey: string | null): Stripe =>
  (path, params = [], method = 'POST') => ({
    vendor: 'stripe',
    method,
    path,
    params,
    idempotencyKey,
    run: labelled(dice),
  })

/** Whole dollars, so that caps are met exactly and duplicates are common. */
const drawCents = (dice: Dice): string => String((1 + dice.below(12)) * 100)

/** The newest first: what is under way is more interesting than what is over. */
const newest = (dice: Dice, ids: readonly string[]): string => ids.at(-1 - dice.below(Math.min(3, ids.length)))!

function drawWish(dice: Dice, accounts: Accounts, name: string): Wish {
  const common = { idempotencyKey: dice.chance(0.45) ? name : null, run: labelled(dice) }
  const on = stripe(dice, common.idempotencyKey)
  const cents = drawCents(dice)
  const customer = dice.chance(0.9) ? 'cus_A' : 'cus_B'
  const create = (more: Wish['params']): Wish =>
    on('/v1/payment_intents', [['amount', cents], ['currency', 'usd'], ['customer', customer], ...more])
  switch (dice.weighted(KINDS)) {
    case 'refund':
      return on('/v1/refunds', [
        ['charge', `ch_${dice.below(4)}`],
        ['amount', cents],
      ])
    case 'pay':
      return create([
        ['payment_method', 'pm_card_visa'],
        ['confirm', 'true'],
        ...(dice.chance(0.3) ? ([['capture_method', 'manual']] as const) : []),
      ])
    case 'open':
      return create(dice.chance(0.5) ? [['capture_method', 'manual']] : [])
    case 'intent': {
      const ids = [...accounts.intents.keys()]
      if (ids.length === 0) return create([])
      return onIntent(dice, dice.weighted(ACTS), newest(dice, ids), on)
    }
    case 'sms':
      return {
        vendor: 'twilio',
        method: 'POST',
        path: `/2010-04-01/Accounts/${TWILIO_ACCOUNT}/Messages.json`,
        params: [
          ['To', '+14155550123'],
          ['From', '+14155550100'],
          ['Body', dice.pick(['Hello.', 'Goodbye.'])],
        ],
        ...common,
      }
    case 'email':
      return {
        vendor: 'resend',
        method: 'POST',
        path: '/emails',
        params: [],
        json: {
          from: 'billing@acme.com',
          to: dice.chance(0.3) ? ['a@acme.com', 'b@acme.com'] : ['a@acme.com'],
          subject: 'Hello',
          text: 'Hello.',
        },
        ...common,
      }
    case 'read':
      return dice.chance(0.5)
        ? on('/v1/charges', [['customer', 'cus_A']], 'GET')
        : on(`/v1/charges/ch_${dice.below(4)}`, [], 'GET')
    case 'strange':
      return on(dice.pick(['/v1/payouts', '/v1/nothing/of/the/kind']), [
        ['amount', cents],
        ['currency', 'usd'],
      ])
  }
}

function onIntent(dice: Dice, act: keyof typeof ACTS, id: string, on: Stripe): Wish {
  const place = `/v1/payment_intents/${id}`
  const cents = drawCents(dice)
  if (act === 'update') return on(place, [['amount', cents]])
  if (act === 'increment_authorization') return on(`${place}/${act}`, [['amount', cents]])
  if (act !== 'capture') return on(`${place}/${act}`)
  const partly = dice.chance(0.6) ? ([['amount_to_capture', cents]] as const) : []
  const more = dice.chance(0.3) ? ([['final_capture', 'false']] as const) : []
  return on(`${place}/capture`, [...partly, ...more])
}

/** The same key for another request. */
export const altered = (wish: Wish): Wish => ({
  ...wish,
  params: wish.params.map(([name, value]) => (name === 'amount' ? [name, `${value}0`] : [name, value])),
})
