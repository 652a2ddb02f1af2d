import type { Explained, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { find, ofOwner, throughCharge } from '../lookups.js'
import { ambiguous, operation } from '../operation.js'
import { cost, costs, FREE, largerMinor, minus, priceOf } from '../pricing.js'
import { integer, object, text } from '../replies.js'
import { customerOf, owners, subjects } from '../subjects.js'
import { listOfPayment, ownedRead } from './reads.js'

export const refunds: readonly Operation[] = [
  operation({
    id: 'refunds.create',
    routes: ['POST /v1/refunds', 'POST /v1/charges/{charge}/refund', 'POST /v1/charges/{charge}/refunds'],
    tools: ['create_refund'],
    effect: 'spend',
    accepts: `amount charge currency customer instructions_email metadata origin payment_intent reason
      refund_application_fee reverse_transfer`,
    explain: createRefund,
    // The legacy route answers with the charge, whose amount is not what was refunded.
    outcome: (reply, question) =>
      reply.object === 'charge' ? {} : cost(question, integer(reply.amount), text(reply.currency)),
  }),
  operation({
    id: 'refunds.update',
    routes: ['POST /v1/refunds/{refund}'],
    effect: 'write',
    accepts: 'metadata',
    explain: (question) => ofOwner(question, 'refund', question.path.refund!, free(question)),
  }),
  operation({
    id: 'refunds.cancel',
    routes: ['POST /v1/refunds/{refund}/cancel'],
    effect: 'destructive',
    accepts: '',
    explain: (question) => ofOwner(question, 'refund', question.path.refund!, free(question)),
  }),
  listOfPayment('refunds.list', '/v1/refunds'),
  ownedRead('refunds.retrieve', '/v1/refunds/{refund}', 'refund', 'refund'),
]

export const disputes: readonly Operation[] = [
  operation({
    id: 'disputes.update',
    routes: ['POST /v1/disputes/{dispute}'],
    effect: 'write',
    accepts: 'evidence intended_submission_method metadata submit',
    explain: (question) => ofOwner(question, 'dispute', question.path.dispute!, free(question)),
  }),
  operation({
    id: 'disputes.close',
    routes: ['POST /v1/disputes/{dispute}/close'],
    effect: 'spend',
    accepts: '',
    explain: (question) =>
      find(
        'dispute',
        question.path.dispute!,
        (dispute) => {
          const currency = text(dispute.currency)
          const close = (customers: readonly string[] | null) => ({
            ...costs(priceOf(question, integer(dispute.amount), currency)),
            direction: 'out' as const,
            subjects: subjects(question, { customers, currencies: [currency] }),
          })
          return question.restricted.customers ? throughCharge(dispute, close) : close(null)
        },
        { expand: question.restricted.customers ? ['charge'] : [] },
      ),
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  listOfPayment('disputes.list', '/v1/disputes'),
  ownedRead('disputes.retrieve', '/v1/disputes/{dispute}', 'dispute', 'dispute'),
]

const free = (question: Question) => (customers: readonly string[] | null) => ({
  quote: FREE,
  subjects: subjects(question, { customers }),
})

/** The body of a refund names neither currency nor customer, and without an amount it means all that is left. */
function createRefund(question: Question): Explained {
  const { params } = question
  const charges = [question.path.charge, params.get('charge')].filter(Boolean)
  const intent = params.get('payment_intent')
  if (charges.length + (intent ? 1 : 0) > 1) return ambiguous('The refund names its charge or intent more than once.')
  if (intent) {
    return find(
      'payment_intent',
      intent,
      (found) => {
        const charge = text(found.latest_charge)
        if (charge === null) return refundOf(question, object(found.latest_charge), found)
        return find('charge', charge, (one) => refundOf(question, one, found))
      },
      { expand: ['latest_charge'] },
    )
  }
  if (charges[0]) return find('charge', charges[0], (charge) => refundOf(question, charge, charge))
  return refundOfBalance(question)
}

function refundOf(question: Question, charge: JsonObject | null, owner: JsonObject): Explained {
  const currency = text(charge?.currency) ?? text(owner.currency)
  const paid = integer(charge?.amount)
  const left = paid && largerMinor(minus(paid, integer(charge?.amount_refunded) ?? '0'), '0')
  return {
    ...costs(priceOf(question, question.params.get('amount') ?? left, currency)),
    direction: 'out',
    subjects: subjects(question, { customers: owners(customerOf(owner)), currencies: [currency] }),
  }
}

/** `origin=customer_balance`: money a customer has transferred to us goes back, named by customer and currency. */
function refundOfBalance(question: Question): Explained {
  const { params } = question
  const currency = params.get('currency')
  return {
    ...costs(priceOf(question, params.get('amount'), currency)),
    direction: 'out',
    subjects: subjects(question, { customers: owners(params.get('customer')), currencies: [currency] }),
  }
}
