import type { Explained, Explanation, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, findAt, ofOwner, throughCharge } from '../lookups.js'
import { ambiguous, operation } from '../operation.js'
import { cost, costs, FREE, largerMinor, minus, priceOf } from '../pricing.js'
import { idIn, integer, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { customerOf, owners, subjects } from '../subjects.js'
import { listOfPayment, ownedRead, SECRETS } from './reads.js'

export const refunds: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'refunds.create',
    routes: ['POST /v1/refunds', 'POST /v1/charges/{charge}/refund', 'POST /v1/charges/{charge}/refunds'],
    effect: 'spend',
    accepts: `amount charge currency customer instructions_email metadata origin payment_intent reason
      refund_application_fee reverse_transfer`,
    explain: createRefund,
    // The legacy route answers with the charge, whose amount is not what was refunded.
    outcome: (reply, question) =>
      reply.object === 'charge' ? {} : cost(question, integer(reply.amount), text(reply.currency), text(reply.id)),
  }),
  operation({
    id: 'refunds.update',
    routes: ['POST /v1/refunds/{refund}', 'POST /v1/charges/{charge}/refunds/{refund}'],
    effect: 'write',
    accepts: 'metadata',
    explain: (question) => ofOwner(question, 'refund', question.path.refund!, free(question)),
  }),
  operation({
    id: 'refunds.cancel',
    routes: ['POST /v1/refunds/{refund}/cancel'],
    effect: 'destructive',
    why: 'It keeps money here that was about to go back. What the refund counted for stays counted: refunds never refill.',
    accepts: '',
    explain: (question) => ofOwner(question, 'refund', question.path.refund!, free(question)),
  }),
  listOfPayment('refunds.list', '/v1/refunds'),
  ownedRead('refunds.list_of_charge', '/v1/charges/{charge}/refunds', 'charge', 'charge'),
  operation({
    id: 'refunds.retrieve',
    routes: ['GET /v1/refunds/{refund}', 'GET /v1/charges/{charge}/refunds/{refund}'],
    effect: 'read',
    explain: (question) =>
      ofOwner(question, 'refund', question.path.refund!, (customers) => ({ quote: FREE, subjects: { customers } })),
  }),
])

export const disputes: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'disputes.update',
    routes: ['POST /v1/disputes/{dispute}', 'POST /v1/charges/{charge}/dispute'],
    effect: 'write',
    why: 'Evidence moves no money by itself; the disputed amount was taken when the dispute was opened.',
    accepts: 'evidence intended_submission_method metadata submit',
    explain: (question) => {
      const { charge, dispute } = question.path
      return charge
        ? ofOwner(question, 'charge', charge, free(question))
        : ofOwner(question, 'dispute', dispute!, free(question))
    },
  }),
  operation({
    id: 'disputes.close',
    routes: ['POST /v1/disputes/{dispute}/close', 'POST /v1/charges/{charge}/dispute/close'],
    effect: 'spend',
    accepts: '',
    explain: closeDispute,
    outcome: (reply, question) =>
      reply.object === 'charge' ? {} : cost(question, integer(reply.amount), text(reply.currency)),
  }),
  listOfPayment('disputes.list', '/v1/disputes'),
  ownedRead('disputes.retrieve', '/v1/disputes/{dispute}', 'dispute', 'dispute'),
  ownedRead('disputes.retrieve_of_charge', '/v1/charges/{charge}/dispute', 'charge', 'charge'),
])

/** Closing a dispute accepts its loss. The legacy route names the charge instead, whose dispute stands below it. */
function closeDispute(question: Question): Explained {
  const { charge, dispute } = question.path
  const asks = question.restricted.customers
  const close = (found: JsonObject): Explained => {
    const currency = text(found.currency)
    const explain = (customers: readonly string[] | null): Explanation => ({
      direction: 'out',
      subjects: subjects(question, { customers, currencies: [currency] }),
      ...costs(priceOf(question, integer(found.amount), currency)),
    })
    return asks ? throughCharge(found, explain) : explain(null)
  }
  const expand = asks ? ['charge'] : []
  if (dispute) return find('dispute', dispute, close, { expand })
  const isOfCharge = (reply: JsonObject) => reply.object === 'dispute' && idIn(reply.charge) === charge
  return findAt(`/v1/charges/${charge}/dispute`, isOfCharge, close, { expand })
}

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

/** The fee goes back to the connected account beside the refund; neither the amount nor the reply of the refund holds it. */
export const WITH_FEE =
  'refund_application_fee also gives back a fee of unknown amount: refund it by POST /v1/application_fees/{fee}/refunds.'

/** What a charge still holds, or the part of it that is named, goes back. */
export function refundOf(question: Question, charge: JsonObject | null, owner: JsonObject): Explained {
  const currency = text(charge?.currency) ?? text(owner.currency)
  const paid = integer(charge?.amount)
  const left = paid && largerMinor(minus(paid, integer(charge?.amount_refunded) ?? '0'), '0')
  return {
    direction: 'out',
    subjects: subjects(question, { customers: owners(customerOf(owner)), currencies: [currency] }),
    ...costs(
      (question.params.get('refund_application_fee') ?? 'false') === 'false'
        ? priceOf(question, question.params.get('amount') ?? left, currency)
        : WITH_FEE,
    ),
  }
}

/** `origin=customer_balance`: money a customer has transferred to us goes back, named by customer and currency. */
function refundOfBalance(question: Question): Explained {
  const { params } = question
  const currency = params.get('currency')
  return {
    direction: 'out',
    subjects: subjects(question, { customers: owners(params.get('customer')), currencies: [currency] }),
    ...costs(priceOf(question, params.get('amount'), currency)),
  }
}
