import type { Explained, Explanation, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { find, ofOwner } from '../lookups.js'
import { product } from '../../table.js'
import { operation } from '../operation.js'
import { atLeast, brings, costs, free, largerMinor, open, plus, priceOf, reached } from '../pricing.js'
import { idIn, integer, object, text } from '../replies.js'
import { PREVIEW_SDK, SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { everybodys, ownedList, ownedRead, refusedExpansion, SECRETS } from './reads.js'

/**
 * An intent counts in full from its creation, confirmed or not: its client secret alone lets somebody pay it. Every
 * later call on it says what the intent reaches in total, and only what is not counted yet is reserved.
 */
export const paymentIntents: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'payment_intents.create',
    routes: ['POST /v1/payment_intents'],
    effect: 'spend',
    // The whole intent is counted, so its secret may be handed on: a payment page works with nothing else.
    reveals: [],
    accepts: `allowed_payment_method_types amount amount_details application_fee_amount automatic_payment_methods
      capture_method confirm confirmation_method confirmation_token currency customer description
      error_on_requires_action excluded_payment_method_types hooks mandate mandate_data metadata off_session
      on_behalf_of payment_details payment_method payment_method_configuration payment_method_data
      payment_method_options payment_method_types radar_options receipt_email return_url setup_future_usage shipping
      statement_descriptor statement_descriptor_suffix transfer_data transfer_group use_stripe_sdk`,
    explain: (question) => {
      const { params } = question
      const currency = params.get('currency')
      return {
        direction: 'in',
        commits: open(1n),
        subjects: subjects(question, { customers: owners(params.get('customer')), currencies: [currency] }),
        ...costs(priceOf(question, params.get('amount'), currency)),
        ...refusedExpansion(question),
      }
    },
    // A card that is declined at once leaves the intent, which whoever has its secret may pay with another (the error
    // names it: docs.stripe.com/api/errors, November 2026).
    leaves: ({ error }) => idIn(object(error)?.payment_intent),
    // Nothing more can be asked of an intent that has succeeded at once, so no exposure is kept for it.
    outcome: (reply, question) => {
      const total = atLeast(question.params.get('amount'), integer(reply.amount))
      const id = text(reply.id)
      const made = reached(question, id, total, text(reply.currency))
      if (!id || !isOver(reply)) return made
      if (reply.status !== 'succeeded' || made.total === undefined) return { ...made, ends: id }
      const { total: amount, estimate } = made
      return { amount, commitment: id, ends: id, ...(estimate !== undefined && { estimate }) }
    },
  }),
  operation({
    id: 'payment_intents.update',
    routes: ['POST /v1/payment_intents/{intent}'],
    effect: 'spend',
    weaker: 'It is spend: a raised amount counts at once, as that of a new intent does, and needs no permit beside it.',
    accepts: `allowed_payment_method_types amount amount_details application_fee_amount capture_method currency customer
      description excluded_payment_method_types hooks metadata payment_details payment_method
      payment_method_configuration payment_method_data payment_method_options payment_method_types receipt_email
      setup_future_usage shipping statement_descriptor statement_descriptor_suffix transfer_data transfer_group`,
    explain: (question) =>
      find('payment_intent', question.path.intent!, (intent) => {
        const { params } = question
        const currency = params.get('currency') ?? text(intent.currency)
        const repriced = params.has('amount') || params.has('currency')
        const total = priceOf(question, params.get('amount') ?? integer(intent.amount), currency)
        const customer = params.get('customer')
        return {
          ...(repriced
            ? { commits: open(1n, question.path.intent!), ...brings(question.path.intent!, total) }
            : { quote: free('Neither amount nor currency changes, so what the intent counts for stays.') }),
          direction: 'in',
          subjects: subjects(question, {
            customers: owners(customerOf(intent), ...(customer ? [customer] : [])),
            currencies: [currency],
            beneficiaries: beneficiariesOf(intent),
          }),
        }
      }),
    // An update that sets no amount is no reason to start counting an intent somebody else made.
    outcome: (reply, question, { object }) => (object ? outcome(reply, question) : {}),
  }),
  operation({
    id: 'payment_intents.confirm',
    routes: ['POST /v1/payment_intents/{intent}/confirm'],
    effect: 'spend',
    // As with the call that makes one: all of it is counted now, and a buyer who must authenticate needs the secret.
    reveals: [],
    accepts: `allowed_payment_method_types amount_details amount_to_confirm capture_method confirmation_token
      error_on_requires_action excluded_payment_method_types hooks mandate mandate_data off_session payment_details
      payment_method payment_method_data payment_method_options payment_method_types radar_options receipt_email
      return_url setup_future_usage shipping use_stripe_sdk`,
    explain: (question) =>
      onIntent(
        question,
        (intent) => {
          // What another amount_to_confirm does to the intent is documented nowhere: the larger of the two counts.
          const amount = integer(intent.amount)
          const confirmed = question.params.get('amount_to_confirm')
          return amount && confirmed ? largerMinor(amount, confirmed) : amount
        },
        refusedExpansion(question),
      ),
    outcome,
  }),
  operation({
    id: 'payment_intents.capture',
    routes: ['POST /v1/payment_intents/{intent}/capture'],
    effect: 'spend',
    accepts: `amount_details amount_to_capture application_fee_amount final_capture hooks metadata payment_details
      statement_descriptor statement_descriptor_suffix transfer_data`,
    explain: (question) =>
      onIntent(question, (intent) => {
        const captured = question.params.get('amount_to_capture') ?? integer(intent.amount_capturable)
        if (!captured) return null
        const total = plus(integer(intent.amount_received) ?? '0', captured)
        // Further captures may follow, so the rest of the authorisation stays open.
        const amount = integer(intent.amount)
        return question.params.get('final_capture') === 'false' && amount ? largerMinor(total, amount) : total
      }),
    outcome,
  }),
  operation({
    id: 'payment_intents.increment_authorization',
    routes: ['POST /v1/payment_intents/{intent}/increment_authorization'],
    effect: 'spend',
    accepts: `amount amount_details application_fee_amount description hooks metadata payment_details
      statement_descriptor transfer_data`,
    explain: (question) =>
      onIntent(question, (intent) => {
        // The amount is the new total, not what is added (API reference, November 2026).
        const amount = integer(intent.amount)
        const total = question.params.get('amount')
        return amount && total ? largerMinor(amount, total) : null
      }),
    outcome,
  }),
  operation({
    id: 'payment_intents.apply_customer_balance',
    routes: ['POST /v1/payment_intents/{intent}/apply_customer_balance'],
    effect: 'spend',
    accepts: 'amount currency',
    explain: (question) =>
      onIntent(question, (intent) => {
        // A part of what a customer has transferred pays a part of the intent, never more than the intent asks for.
        const amount = integer(intent.amount)
        const applied = plus(integer(intent.amount_received) ?? '0', question.params.get('amount') ?? '0')
        return amount && largerMinor(amount, applied)
      }),
    outcome,
  }),
  operation({
    id: 'payment_intents.verify_microdeposits',
    routes: ['POST /v1/payment_intents/{intent}/verify_microdeposits'],
    effect: 'spend',
    accepts: 'amounts descriptor_code',
    // The amounts in the form only prove who owns the bank account; the intent's own amount is debited.
    explain: (question) => onIntent(question, (intent) => integer(intent.amount)),
    outcome,
  }),
  operation({
    id: 'payment_intents.decrement_authorization',
    routes: ['POST /v1/payment_intents/{intent}/decrement_authorization'],
    effect: 'destructive',
    preview: true,
    source: PREVIEW_SDK,
    why: 'It only lowers what can be captured; what that gives back is booked when the rest is captured or cancelled.',
    accepts: `amount amount_details application_fee_amount description hooks metadata payment_details
      statement_descriptor transfer_data`,
    explain: (question) =>
      ofOwner(question, 'payment_intent', question.path.intent!, (customers) => ({
        quote: free('Lowering an authorisation moves no money.'),
        subjects: subjects(question, { customers }),
      })),
  }),
  operation({
    id: 'payment_intents.cancel',
    routes: ['POST /v1/payment_intents/{intent}/cancel'],
    effect: 'write',
    why: 'It takes back what was not taken yet and moves nothing.',
    weaker: 'It only lowers exposure and gives a reservation back.',
    accepts: 'cancellation_reason',
    explain: (question) =>
      ofOwner(question, 'payment_intent', question.path.intent!, (customers) => ({
        quote: free('Cancelling moves no money.'),
        object: question.path.intent!,
        subjects: subjects(question, { customers }),
      })),
    outcome,
  }),
  everybodys('payment_intents.search', '/v1/payment_intents/search'),
  ownedList('payment_intents.list', '/v1/payment_intents'),
  ownedRead('payment_intents.retrieve', '/v1/payment_intents/{intent}', 'payment_intent', 'intent'),
  ownedRead(
    'payment_intents.list_amount_details_line_items',
    '/v1/payment_intents/{intent}/amount_details_line_items',
    'payment_intent',
    'intent',
  ),
])

function onIntent(
  question: Question,
  total: (intent: JsonObject) => string | null,
  refused: Pick<Explanation, 'refuse'> = {},
): Explained {
  if (refused.refuse) return { ...costs(refused.refuse.message), subjects: {}, ...refused }
  return find('payment_intent', question.path.intent!, (intent) => {
    const currency = text(intent.currency)
    return {
      direction: 'in',
      commits: open(1n, question.path.intent!),
      subjects: subjects(question, {
        customers: owners(customerOf(intent)),
        currencies: [currency],
        beneficiaries: beneficiariesOf(intent),
      }),
      ...brings(question.path.intent!, priceOf(question, total(intent), currency)),
    }
  })
}

/** What an intent counts for from now on: what was taken once it is over, and until then all that can still be. */
function outcome(reply: JsonObject, question: Question): Outcome {
  const received = integer(reply.amount_received)
  const over = isOver(reply)
  const amount = integer(reply.amount)
  const still = amount && largerMinor(amount, plus(received ?? '0', integer(reply.amount_capturable) ?? '0'))
  const id = text(reply.id)
  return {
    ...reached(question, id, over && received ? received : still, text(reply.currency)),
    ...(id && over && { ends: id }),
  }
}

/** One that is processing may fail and be tried again. */
const isOver = ({ status }: JsonObject): boolean => status === 'succeeded' || status === 'canceled'
