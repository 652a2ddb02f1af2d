import type { Commitment } from '../../../src/contracts/call.js'
import { usd, ZERO } from '../../../src/contracts/money.js'
import type {
  Explained,
  Explanation,
  Json,
  JsonObject,
  Operation,
  Params,
  Question,
} from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find } from '../lookups.js'
import { numbered } from '../lines.js'
import { operation, rows } from '../operation.js'
import { brings, costs, free, open, priceOf } from '../pricing.js'
import { integer, list, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { reads } from './plain.js'
import { SECRETS } from './reads.js'

/** Whoever holds these can pay with the card, past spendgate. */
const CARD_SECRETS = [...SECRETS, 'cvc', 'encrypted_number', 'number']

/**
 * Cards that others pay with from our balance. An active card counts as what its spending limits allow in one
 * interval and commits what they allow a month; a card without such a limit has no upper bound.
 */
export const issuing: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'issuing.authorizations.approve',
    routes: ['POST /v1/issuing/authorizations/{authorization}/approve'],
    effect: 'spend',
    accepts: 'amount metadata',
    explain: (question) =>
      find('issuing.authorization', question.path.authorization!, (authorization) => {
        const pending = object(authorization.pending_request)
        const currency = text(pending?.currency)
        return {
          direction: 'out',
          subjects: subjects(question, { currencies: [currency] }),
          ...costs(priceOf(question, question.params.get('amount') ?? integer(pending?.amount), currency)),
        }
      }),
  }),
  operation({
    id: 'issuing.cards.create',
    routes: ['POST /v1/issuing/cards'],
    effect: 'credential',
    reveals: CARD_SECRETS,
    accepts: `cardholder currency exp_month exp_year financial_account lifecycle_controls metadata
      personalization_design pin replacement_for replacement_reason second_line shipping spending_controls status type`,
    explain: createCard,
    outcome: limited,
  }),
  operation({
    id: 'issuing.cards.update',
    routes: ['POST /v1/issuing/cards/{card}'],
    effect: 'credential',
    reveals: CARD_SECRETS,
    accepts: `cancellation_reason financial_account metadata personalization_design pin shipping spending_controls
      status`,
    explain: updateCard,
    // What was paid until now stays counted, so nothing is given back.
    outcome: (reply, question, explanation) =>
      reply.status === 'inactive' || reply.status === 'canceled'
        ? { ends: question.path.card! }
        : limited(reply, question, explanation),
  }),
  operation({
    id: 'issuing.cardholders.create',
    routes: ['POST /v1/issuing/cardholders'],
    effect: 'future_spend',
    accepts:
      'billing company email individual metadata name phone_number preferred_locales spending_controls status type',
    why: 'It costs nothing: a cardholder pays with cards only, and each of them counts when it becomes active.',
    explain: (question) => ({
      quote: free('A cardholder pays with cards only, and each of them counts when it becomes active.'),
      direction: 'out',
      subjects: subjects(question, { currencies: [limitsCurrency(question.params)] }),
    }),
  }),
  operation({
    id: 'issuing.cardholders.update',
    routes: ['POST /v1/issuing/cardholders/{cardholder}'],
    effect: 'future_spend',
    accepts: 'billing company email individual metadata phone_number preferred_locales spending_controls status',
    explain: updateCardholder,
    outcome: (reply, question, explanation) =>
      reply.status === 'inactive' || reply.status === 'blocked'
        ? { ends: question.path.cardholder! }
        : limited(reply, question, explanation),
  }),
  operation({
    id: 'issuing.tokens.update',
    routes: ['POST /v1/issuing/tokens/{token}'],
    effect: 'credential',
    accepts: 'status',
    why: 'It costs nothing by itself: what is paid with a token counts under the limits of its card.',
    explain: (question) => ({
      quote: free('What is paid with a token counts under the limits of its card.'),
      ...(question.params.get('status') !== 'active' && { effects: ['destructive' as const] }),
      subjects: subjects(question, {}),
    }),
  }),
  ...rows(
    { effect: 'write', why: 'It moves no money; a won dispute brings some back, which is no call.' },
    `
    issuing.disputes.create POST /v1/issuing/disputes
    issuing.disputes.update POST /v1/issuing/disputes/{dispute}
    issuing.disputes.submit POST /v1/issuing/disputes/{dispute}/submit
    `,
  ),
  ...rows(
    { effect: 'write', why: 'It moves no money: nothing is paid with it.' },
    `
    issuing.authorizations.decline         POST /v1/issuing/authorizations/{authorization}/decline
    issuing.personalization_designs.create POST /v1/issuing/personalization_designs
    issuing.personalization_designs.update POST /v1/issuing/personalization_designs/{personalization_design}
    `,
  ),
  ...rows(
    { effect: 'write', accepts: 'metadata', why: 'It changes the metadata only.' },
    `
    issuing.authorizations.update POST /v1/issuing/authorizations/{authorization}
    issuing.settlements.update    POST /v1/issuing/settlements/{settlement}
    issuing.transactions.update   POST /v1/issuing/transactions/{transaction}
    `,
  ),
  ...reads(
    `
    issuing.authorizations.list              GET /v1/issuing/authorizations
    issuing.authorizations.retrieve          GET /v1/issuing/authorizations/{authorization}
    issuing.cardholders.list                 GET /v1/issuing/cardholders
    issuing.cardholders.retrieve             GET /v1/issuing/cardholders/{cardholder}
    issuing.cards.list                       GET /v1/issuing/cards
    issuing.cards.retrieve                   GET /v1/issuing/cards/{card}
    issuing.disputes.list                    GET /v1/issuing/disputes
    issuing.disputes.retrieve                GET /v1/issuing/disputes/{dispute}
    issuing.personalization_designs.list     GET /v1/issuing/personalization_designs
    issuing.personalization_designs.retrieve GET /v1/issuing/personalization_designs/{personalization_design}
    issuing.physical_bundles.list            GET /v1/issuing/physical_bundles
    issuing.physical_bundles.retrieve        GET /v1/issuing/physical_bundles/{physical_bundle}
    issuing.tokens.list                      GET /v1/issuing/tokens
    issuing.tokens.retrieve                  GET /v1/issuing/tokens/{token}
    issuing.transactions.list                GET /v1/issuing/transactions
    issuing.transactions.retrieve            GET /v1/issuing/transactions/{transaction}
    `,
  ),
])

/** One spending limit, minor units as text. */
interface Limit {
  readonly amount: string
  readonly interval: string
  /** Whether it holds for some kinds of shops only. */
  readonly partial: boolean
}

const NO_LIMIT =
  'No spending limit bounds what can be paid with the card: give spending_controls[spending_limits] one with an interval other than per_authorization and without categories.'

/** Without limits of its own a card is bound by its cardholder's. */
function createCard(question: Question): Explained {
  const { params } = question
  if ((params.get('status') ?? 'inactive') === 'inactive') {
    const why = 'Nothing can be paid with an inactive card; it counts when it is made active.'
    return {
      quote: free(why),
      direction: 'out',
      subjects: subjects(question, { currencies: [params.get('currency')] }),
    }
  }
  const uses = params.get('lifecycle_controls[cancel_after][payment_count]')
  if (params.has('spending_controls[spending_limits]')) {
    return bounded(question, inAll(limitsIn(params), uses), params.get('currency'), null)
  }
  const cardholder = params.get('cardholder')
  if (!cardholder) return bounded(question, [], params.get('currency'), null)
  return find('issuing.cardholder', cardholder, (found) => {
    const [limits, currency] = limitsOf(found)
    return bounded(question, inAll(limits, uses), currency, null)
  })
}

/** What an update leaves unsaid stays as it is on the card. */
function updateCard(question: Question): Explained {
  const { params } = question
  const id = question.path.card!
  const status = params.get('status')
  const off = status === 'inactive' || status === 'canceled'
  if (off || !(params.has('status') || params.has('spending_controls'))) {
    return {
      quote: free(off ? 'Nothing more can be paid with the card.' : 'What can be paid with the card does not change.'),
      direction: 'out',
      ...(status === 'canceled' && { effects: ['destructive' as const] }),
      subjects: subjects(question, {}),
    }
  }
  return find('issuing.card', id, (card) => {
    if (status === undefined && text(card.status) === 'inactive') {
      const why = 'Nothing can be paid with an inactive card; it counts when it is made active.'
      return { quote: free(why), direction: 'out', subjects: subjects(question, {}) }
    }
    const currency = text(card.currency)
    if (params.has('spending_controls')) return bounded(question, limitsIn(params), currency, id)
    const [own] = limitsOf(card)
    if (own.length > 0) return bounded(question, own, currency, id)
    const cardholder = object(card.cardholder)
    return cardholder === null ? bounded(question, [], currency, id) : bounded(question, ...limitsOf(cardholder), id)
  })
}

/** Raising a cardholder's limits, or making the cardholder active again, changes what all of their cards may pay. */
function updateCardholder(question: Question): Explained {
  const { params } = question
  const id = question.path.cardholder!
  const status = params.get('status')
  if (status !== 'active' && (status !== undefined || !params.has('spending_controls'))) {
    const off = status !== undefined
    return {
      quote: free(off ? 'Nothing more can be paid with the cards of the cardholder.' : 'No limit changes.'),
      direction: 'out',
      subjects: subjects(question, {}),
    }
  }
  return find('issuing.cardholder', id, (found) => {
    const [limits, currency] = limitsOf(found)
    return params.has('spending_controls')
      ? bounded(question, limitsIn(params), limitsCurrency(params) ?? currency, id)
      : bounded(question, limits, currency, id)
  })
}

const limitsCurrency = (params: Params): string | undefined => params.get('spending_controls[spending_limits_currency]')

/** Limits as a form gives them; it replaces the old ones as a whole. */
function limitsIn(params: Params): readonly Limit[] {
  const found = numbered(params.map('spending_controls'), 'spending_limits')
  if (typeof found === 'string') return []
  return found.map((limit) => ({
    amount: limit.get('amount') ?? '',
    interval: limit.get('interval') ?? '',
    partial: limit.has('categories'),
  }))
}

/** Limits of a card or cardholder as Stripe shows them, and their currency. */
function limitsOf(found: JsonObject): readonly [readonly Limit[], string | null] {
  const controls = object(found.spending_controls)
  const limits = list(controls?.spending_limits).map((limit) => ({
    amount: integer(limit.amount) ?? '',
    interval: text(limit.interval) ?? '',
    partial: isSome(limit.categories),
  }))
  return [limits, text(controls?.spending_limits_currency)]
}

const isSome = (categories: Json | undefined): boolean => Array.isArray(categories) && categories.length > 0

/** On a card that ends after so many payments, a limit a payment bounds all of them. */
const inAll = (limits: readonly Limit[], uses: string | undefined): readonly Limit[] =>
  limits.map((limit) =>
    limit.interval === 'per_authorization' &&
    uses !== undefined &&
    /^[1-9][0-9]{0,5}$/.test(uses) &&
    limit.amount !== ''
      ? { ...limit, interval: 'all_time', amount: (BigInt(limit.amount) * BigInt(uses)).toString() }
      : limit,
  )

/** How often an interval comes in a month at most, as a fraction. A single authorisation comes any number of times. */
const PER_MONTH: Readonly<Record<string, readonly [times: bigint, of: bigint]>> = {
  daily: [31n, 1n],
  weekly: [53n, 12n],
  monthly: [1n, 1n],
  yearly: [1n, 12n],
  all_time: [0n, 1n],
}

/**
 * What the tightest limit over all shops allows: in one interval as the amount, in a month as the commitment.
 *
 * @param object the card or cardholder that is there already
 */
function bounded(
  question: Question,
  limits: readonly Limit[],
  currency: string | null | undefined,
  object: string | null,
): Explanation {
  const direction = 'out'
  const about = {
    direction,
    effects: ['future_spend'],
    subjects: subjects(question, { currencies: [currency] }),
  } as const
  const whole = limits.filter(({ amount, interval, partial }) => !partial && amount !== '' && interval in PER_MONTH)
  const tightest = [...whole].sort((a, b) => (monthly(a) < monthly(b) ? -1 : 1))[0]
  if (tightest === undefined) return { quote: { basis: 'unpriceable', why: NO_LIMIT }, ...about }
  const amount = priceOf(question, tightest.amount, currency)
  if (typeof amount === 'string') return { quote: { basis: 'unpriceable', why: amount }, ...about }
  const made = object === null ? {} : { object }
  const commits: Commitment =
    tightest.interval === 'all_time'
      ? open(1n, object ?? undefined)
      : {
          kind: 'recurring',
          perMonth: usd(upTo(amount.reserve, tightest.interval)),
          dueAt: null,
          quantity: 1n,
          ...made,
        }
  const money = object === null ? costs(amount, 'ceiling') : brings(object, amount, 'ceiling')
  return { ...money, ...about, commits }
}

function upTo(amount: bigint, interval: string): bigint {
  const [times, of] = PER_MONTH[interval]!
  return (amount * times + of - 1n) / of
}

const monthly = ({ amount, interval }: Limit): bigint => upTo(BigInt(amount), interval)

/** Keeps what an active card or raised limit counts for under its id. */
function limited(reply: JsonObject, _question: Question, { quote, settle, commits }: Explanation) {
  const id = text(reply.id)
  if (id === null || commits === undefined) return {}
  const total = settle ?? ('amount' in quote ? quote.amount : ZERO)
  return { object: id, total, commitment: id }
}
