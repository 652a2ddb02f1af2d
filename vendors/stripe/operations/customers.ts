import type { Explained, Explanation, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find } from '../lookups.js'
import { operation } from '../operation.js'
import { costs, FREE, minus, priceOf } from '../pricing.js'
import { integer, text } from '../replies.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { everybodys, ownedRead, SECRETS } from './reads.js'

const WORSE_WITH_BALANCE =
  'Only the parameters balance and, of an existing customer, source give or take money, and with them the call is spend as well.'

export const customers: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'customers.create',
    routes: ['POST /v1/customers'],
    effect: 'write',
    weaker: WORSE_WITH_BALANCE,
    accepts: `address balance business_name cash_balance description email individual_name invoice_prefix
      invoice_settings metadata name next_invoice_sequence payment_method phone preferred_locales shipping source tax
      tax_exempt tax_id_data test_clock validate`,
    signed: ['balance'],
    explain: (question) => setBalance(question, null, null),
  }),
  operation({
    id: 'customers.update',
    routes: ['POST /v1/customers/{customer}'],
    effect: 'write',
    weaker: WORSE_WITH_BALANCE,
    accepts: `address balance business_name cash_balance default_source description email individual_name
      invoice_prefix invoice_settings metadata name next_invoice_sequence phone preferred_locales shipping source tax
      tax_exempt validate`,
    signed: ['balance'],
    explain: (question) => {
      const id = question.path.customer!
      if (question.params.has('source')) return collects(question, id)
      if (!question.params.has('balance')) return unpaid(question, [id])
      return find('customer', id, (customer) => setBalance(question, [id], customer))
    },
  }),
  operation({
    id: 'customers.delete',
    routes: ['DELETE /v1/customers/{customer}'],
    effect: 'destructive',
    why: 'It ends every subscription of the customer at once, without a bill or a refund.',
    accepts: '',
    explain: (question) => unpaid(question, [question.path.customer!]),
  }),
  everybodys('customers.search', '/v1/customers/search'),
  everybodys('customers.list', '/v1/customers'),
  ownedRead('customers.retrieve', '/v1/customers/{customer}', 'customer', 'customer'),
])

/**
 * A new source makes Stripe try the latest open invoice of every subscription that is past due (API reference, «Update a
 * customer», November 2026); a new default_source or invoice_settings does not.
 */
const collects = (question: Question, id: string): Explanation => ({
  direction: 'in',
  effects: ['spend', 'future_spend'],
  subjects: subjects(question, { customers: [id] }),
  ...costs(
    'A new source is charged at once for what subscriptions are past due with. Add the card by POST ' +
      '/v1/customers/{customer}/sources and name it as default_source.',
  ),
})

const unpaid = (question: Question, who: readonly string[] | null): Explanation => ({
  quote: FREE,
  subjects: subjects(question, { customers: who }),
})

/**
 * `balance` sets what a customer owes (positive) or has as credit (negative) with the next invoices: a gift or a
 * debt of the difference to the old value. Its currency is the customer's or, before there is one, the account's.
 */
function setBalance(question: Question, who: readonly string[] | null, customer: JsonObject | null): Explained {
  const balance = question.params.get('balance')
  if (balance === undefined) return unpaid(question, who)
  const old = customer ? integer(customer.balance) : '0'
  const change = old && minus(balance, old)
  const priced = (currency: string | null): Explanation => ({
    direction: change?.startsWith('-') ? 'out' : 'in',
    effects: ['spend'],
    subjects: subjects(question, { customers: who, currencies: [currency] }),
    ...costs(priceOf(question, change, currency)),
  })
  const currency = text(customer?.currency)
  if (currency) return priced(currency)
  return { lookUp: { path: '/v1/account' }, then: (account) => priced(text(account?.default_currency)) }
}
