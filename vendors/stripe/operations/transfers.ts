import type { Explained, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { cost, costs, largerMinor, minus, priceOf } from '../pricing.js'
import { idIn, integer, text } from '../replies.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { reads } from './plain.js'
import { SECRETS } from './reads.js'
import { WITH_FEE } from './refunds.js'

/** Money between our balance and connected accounts: sent, taken back, and the fees we took from what they earned. No customers. */
export const transfers: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'transfers.create',
    routes: ['POST /v1/transfers'],
    effect: 'spend',
    accepts: 'amount currency description destination metadata source_transaction source_type transfer_group',
    explain: createTransfer,
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency), text(reply.id)),
  }),
  operation({
    id: 'transfers.reversals.create',
    routes: ['POST /v1/transfers/{transfer}/reversals'],
    effect: 'spend',
    accepts: 'amount description metadata refund_application_fee',
    explain: reverseTransfer,
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  ...rows(
    { effect: 'write', accepts: 'description metadata', why: 'It changes the description and the metadata only.' },
    `
    transfers.update           POST /v1/transfers/{transfer}
    transfers.reversals.update POST /v1/transfers/{transfer}/reversals/{reversal}
    `,
  ),
  operation({
    id: 'application_fees.refunds.create',
    routes: ['POST /v1/application_fees/{fee}/refunds', 'POST /v1/application_fees/{fee}/refund'],
    effect: 'spend',
    accepts: 'amount metadata',
    explain: refundFee,
    // The old route answers with the fee, whose amount is not what was refunded.
    outcome: (reply, question): Outcome =>
      reply.object === 'application_fee' ? {} : cost(question, integer(reply.amount), text(reply.currency)),
  }),
  ...rows(
    { effect: 'write', accepts: 'metadata', why: 'It changes the metadata only.' },
    'application_fees.refunds.update POST /v1/application_fees/{fee}/refunds/{refund}',
  ),
  ...reads(`
    transfers.list                    GET /v1/transfers
    transfers.retrieve                GET /v1/transfers/{transfer}
    transfers.reversals.list          GET /v1/transfers/{transfer}/reversals
    transfers.reversals.retrieve      GET /v1/transfers/{transfer}/reversals/{reversal}
    application_fees.list             GET /v1/application_fees
    application_fees.retrieve         GET /v1/application_fees/{fee}
    application_fees.refunds.list     GET /v1/application_fees/{fee}/refunds
    application_fees.refunds.retrieve GET /v1/application_fees/{fee}/refunds/{refund}
  `),
])

/** Without an amount a transfer takes all of its source charge, which tells us how much only in its own currency. */
function createTransfer(question: Question): Explained {
  const { params } = question
  const currency = params.get('currency')
  const leaving = (minor: string | null | undefined): Explained => ({
    direction: 'out',
    subjects: subjects(question, { currencies: [currency] }),
    ...costs(priceOf(question, minor, currency)),
  })
  const source = params.get('source_transaction')
  if (params.has('amount') || !source) return leaving(params.get('amount'))
  return find('charge', source, (charge) => leaving(text(charge.currency) === currency ? integer(charge.amount) : null))
}

function reverseTransfer(question: Question): Explained {
  // How much fee goes back to the connected account stands on the fee alone, which a transfer does not name.
  if ((question.params.get('refund_application_fee') ?? 'false') !== 'false') {
    return { quote: { basis: 'unpriceable', why: WITH_FEE }, direction: 'in', subjects: subjects(question, {}) }
  }
  return find('transfer', question.path.transfer!, (transfer) => ({
    ...rest(question, transfer, 'amount_reversed'),
    direction: 'in',
    subjects: subjects(question, {
      currencies: [text(transfer.currency)],
      beneficiaries: [idIn(transfer.destination)],
    }),
  }))
}

function refundFee(question: Question): Explained {
  return find('application_fee', question.path.fee!, (fee) => ({
    ...rest(question, fee, 'amount_refunded'),
    direction: 'out',
    subjects: subjects(question, { currencies: [text(fee.currency)], beneficiaries: [idIn(fee.account)] }),
  }))
}

/** What the request names or, without an amount, all that is left of the object. */
function rest(question: Question, found: JsonObject, gone: 'amount_reversed' | 'amount_refunded') {
  const whole = integer(found.amount)
  const left = whole && largerMinor(minus(whole, integer(found[gone]) ?? '0'), '0')
  return costs(priceOf(question, question.params.get('amount') ?? left, text(found.currency)))
}
