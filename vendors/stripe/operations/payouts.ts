import type { Explained, Explanation, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { atLeast, cost, costs, FREE, priceOf, reached } from '../pricing.js'
import { idIn, integer, text } from '../replies.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { DEFAULT_ACCOUNT, reads } from './plain.js'
import { SECRETS } from './reads.js'

/**
 * Money between our balance and our banks and cards, in both directions. No customers. What is cancelled before it
 * left gives its amount back, so a payment is kept as an object; Stripe's own fees are not counted.
 */
export const payouts: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'payouts.create',
    routes: ['POST /v1/payouts'],
    effect: 'spend',
    accepts: 'amount currency description destination metadata method payout_method source_type statement_descriptor',
    explain: (question) => {
      const { params } = question
      return (
        indivisible(params.get('amount'), params.get('currency')) ??
        moves(question, 'out', [
          params.get('payout_method'),
          // Without a destination the bank account or card marked as default for the currency gets the money.
          params.get('destination') || params.get('payout_method') ? null : DEFAULT_ACCOUNT,
        ])
      )
    },
    outcome: onItsWay,
  }),
  operation({
    id: 'payouts.cancel',
    routes: ['POST /v1/payouts/{payout}/cancel'],
    effect: 'destructive',
    accepts: '',
    why: 'It costs nothing: a payout that has not left comes back to the balance.',
    explain: (question) => cancels(question, question.path.payout!),
    outcome: cancelled,
  }),
  operation({
    id: 'payouts.reverse',
    routes: ['POST /v1/payouts/{payout}/reverse'],
    effect: 'spend',
    accepts: 'metadata',
    explain: (question) =>
      find('payout', question.path.payout!, (payout) => ({
        direction: 'in',
        subjects: subjects(question, {
          currencies: [text(payout.currency)],
          beneficiaries: [idIn(payout.destination), text(payout.payout_method)],
        }),
        ...costs(priceOf(question, integer(payout.amount), text(payout.currency))),
      })),
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  operation({
    id: 'topups.create',
    routes: ['POST /v1/topups'],
    effect: 'spend',
    accepts: `amount currency description metadata payment_method payment_method_options source statement_descriptor
      transfer_group`,
    explain: (question) =>
      moves(question, 'in', [question.params.get('source'), question.params.get('payment_method')]),
    outcome: onItsWay,
  }),
  operation({
    id: 'topups.cancel',
    routes: ['POST /v1/topups/{topup}/cancel'],
    effect: 'destructive',
    accepts: '',
    why: 'It costs nothing: a top-up that is still pending is not collected.',
    explain: (question) => cancels(question, question.path.topup!),
    outcome: cancelled,
  }),
  ...rows(
    { effect: 'write', accepts: 'description metadata', why: 'It changes the description and the metadata only.' },
    `
    payouts.update POST /v1/payouts/{payout}
    topups.update  POST /v1/topups/{topup}
    `,
  ),
  ...reads(`
    payouts.list                  GET /v1/payouts
    payouts.retrieve              GET /v1/payouts/{payout}
    topups.list                   GET /v1/topups
    topups.retrieve               GET /v1/topups/{topup}
    balance.retrieve              GET /v1/balance
    balance_settings.retrieve     GET /v1/balance_settings
    balance_transactions.list     GET /v1/balance_transactions GET /v1/balance/history
    balance_transactions.retrieve GET /v1/balance_transactions/{transaction} GET /v1/balance/history/{transaction}
  `),
])

/** `amount` of `currency`, as the form names them, with those who get or give it. */
export function moves(
  question: Question,
  direction: 'in' | 'out',
  beneficiaries: readonly (string | null | undefined)[],
  customers?: readonly string[] | null,
): Explanation {
  const { params } = question
  const currency = params.get('currency')
  return {
    direction,
    subjects: subjects(question, {
      currencies: [currency],
      beneficiaries,
      ...(customers !== undefined && { customers }),
    }),
    ...costs(priceOf(question, params.get('amount'), currency)),
  }
}

/** Two currencies have a minor unit for charges and none for payouts (docs.stripe.com/currencies, November 2026). */
function indivisible(amount: string | undefined, currency: string | undefined): Explained | null {
  if ((currency !== 'huf' && currency !== 'twd') || amount === undefined || amount.endsWith('00')) return null
  const message = `A payout in ${currency} must be a whole number of hundreds, and ${amount} is none. Do not retry.`
  return { quote: { basis: 'unpriceable', why: message }, subjects: {}, refuse: { code: 'request_malformed', message } }
}

/** What a payment that can still be cancelled counts for. */
export function onItsWay(reply: JsonObject, question: Question): Outcome {
  const moved = atLeast(question.params.get('amount'), integer(reply.amount))
  return reached(question, text(reply.id), moved, text(reply.currency))
}

export const cancels = (question: Question, object: string): Explanation => ({
  quote: FREE,
  object,
  subjects: subjects(question, {}),
})

/** A reply that shows another status than cancelled may mean money that has left. */
export function cancelled(reply: JsonObject, question: Question): Outcome {
  return reply.status === 'canceled' ? reached(question, text(reply.id), '0', null) : {}
}
