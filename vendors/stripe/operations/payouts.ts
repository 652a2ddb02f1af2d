import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { find } from '../lookups.js'
import { operation } from '../operation.js'
import { cost, costs, FREE, priceOf, type Priced } from '../pricing.js'
import { integer, text } from '../replies.js'
import { subjects } from '../subjects.js'
import { nobodys, nobodysUnlessExpanded } from './reads.js'

/** Money that leaves our balance: to connected accounts (transfers) and to banks and cards (payouts). No customers. */
export const payouts: readonly Operation[] = [
  operation({
    id: 'transfers.create',
    routes: ['POST /v1/transfers'],
    effect: 'spend',
    accepts: 'amount currency description destination metadata source_transaction source_type transfer_group',
    explain: createTransfer,
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  nobodysUnlessExpanded('transfers.list', '/v1/transfers'),
  nobodysUnlessExpanded('transfers.retrieve', '/v1/transfers/{transfer}'),
  operation({
    id: 'payouts.create',
    routes: ['POST /v1/payouts'],
    effect: 'spend',
    accepts: 'amount currency description destination metadata method payout_method source_type statement_descriptor',
    explain: (question) => {
      const { params } = question
      return leaving(question, priceOf(question, params.get('amount'), params.get('currency')), [
        params.get('payout_method'),
        // Without a destination the bank account or card marked as default for the currency gets the money.
        params.get('destination') || params.get('payout_method') ? null : 'default',
      ])
    },
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  operation({
    id: 'payouts.cancel',
    routes: ['POST /v1/payouts/{payout}/cancel'],
    effect: 'destructive',
    accepts: '',
    explain: (question) => ({ quote: FREE, subjects: subjects(question, {}) }),
  }),
  nobodysUnlessExpanded('payouts.list', '/v1/payouts'),
  nobodysUnlessExpanded('payouts.retrieve', '/v1/payouts/{payout}'),
  nobodys('balance.retrieve', '/v1/balance'),
  nobodysUnlessExpanded('balance_transactions.list', '/v1/balance_transactions'),
  nobodysUnlessExpanded('balance_transactions.retrieve', '/v1/balance_transactions/{transaction}'),
]

/** Without an amount a transfer takes all of its source charge, which tells us how much only in its own currency. */
function createTransfer(question: Question): Explained {
  const { params } = question
  const currency = params.get('currency')
  const source = params.get('source_transaction')
  if (params.has('amount') || !source) return leaving(question, priceOf(question, params.get('amount'), currency))
  return find('charge', source, (charge) => {
    const amount = text(charge.currency) === currency ? integer(charge.amount) : null
    return leaving(question, priceOf(question, amount, currency))
  })
}

function leaving(
  question: Question,
  amount: Priced,
  beneficiaries: readonly (string | null | undefined)[] = [],
): Explanation {
  return {
    ...costs(amount),
    direction: 'out',
    subjects: subjects(question, { currencies: [question.params.get('currency')], beneficiaries }),
  }
}
