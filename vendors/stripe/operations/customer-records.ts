import type { Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, rows } from '../operation.js'
import { costs, priceOf } from '../pricing.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { ofCustomerInPath } from './owned.js'
import { customersOwnRows, SECRETS } from './reads.js'

/** What hangs below one customer, who stands in the path: credit, cash, saved cards and bank accounts, tax numbers. */
export const customerRecords: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'customers.create_balance_transaction',
    routes: ['POST /v1/customers/{customer}/balance_transactions'],
    effect: 'spend',
    accepts: 'amount currency description metadata',
    signed: ['amount'],
    explain: adjustBalance,
  }),
  ...rows(
    { effect: 'write', why: 'It changes the description of a booking, not its amount.', explain: ofCustomerInPath },
    'customers.update_balance_transaction POST /v1/customers/{customer}/balance_transactions/{transaction}',
  ),
  operation({
    id: 'customers.update_cash_balance',
    routes: ['POST /v1/customers/{customer}/cash_balance'],
    effect: 'write',
    why: 'It only says whether what the customer transfers is put on open payments by itself; those count already.',
    accepts: 'settings',
    explain: ofCustomerInPath,
  }),
  ...rows(
    {
      effect: 'write',
      why: 'It gives the customer a bank account to pay in to; nothing is debited by it.',
      explain: ofCustomerInPath,
    },
    'customers.create_funding_instructions POST /v1/customers/{customer}/funding_instructions',
  ),
  ...rows(
    {
      effect: 'write',
      why: 'A saved card or bank account is charged only by a later call, which is counted.',
      explain: ofCustomerInPath,
    },
    `
    customers.create_source POST /v1/customers/{customer}/sources POST /v1/customers/{customer}/cards POST /v1/customers/{customer}/bank_accounts
    customers.update_source POST /v1/customers/{customer}/sources/{id} POST /v1/customers/{customer}/cards/{id} POST /v1/customers/{customer}/bank_accounts/{id}
    customers.verify_source POST /v1/customers/{customer}/sources/{id}/verify POST /v1/customers/{customer}/bank_accounts/{id}/verify
    `,
  ),
  ...rows(
    { effect: 'write', why: 'A tax number stands on invoices and costs nothing.', explain: ofCustomerInPath },
    'customers.create_tax_id POST /v1/customers/{customer}/tax_ids',
  ),
  ...rows(
    { effect: 'destructive', explain: ofCustomerInPath },
    `
    customers.delete_source DELETE /v1/customers/{customer}/sources/{id} DELETE /v1/customers/{customer}/cards/{id} DELETE /v1/customers/{customer}/bank_accounts/{id}
    customers.delete_tax_id DELETE /v1/customers/{customer}/tax_ids/{id}
    customers.delete_discount DELETE /v1/customers/{customer}/discount
    `,
  ),
  ...customersOwnRows(`
    customers.list_balance_transactions GET /v1/customers/{customer}/balance_transactions
    customers.retrieve_balance_transaction GET /v1/customers/{customer}/balance_transactions/{transaction}
    customers.retrieve_cash_balance GET /v1/customers/{customer}/cash_balance
    customers.list_cash_balance_transactions GET /v1/customers/{customer}/cash_balance_transactions
    customers.retrieve_cash_balance_transaction GET /v1/customers/{customer}/cash_balance_transactions/{transaction}
    customers.list_payment_methods GET /v1/customers/{customer}/payment_methods
    customers.retrieve_payment_method GET /v1/customers/{customer}/payment_methods/{payment_method}
    customers.list_sources GET /v1/customers/{customer}/sources GET /v1/customers/{customer}/cards GET /v1/customers/{customer}/bank_accounts
    customers.retrieve_source GET /v1/customers/{customer}/sources/{id} GET /v1/customers/{customer}/cards/{id} GET /v1/customers/{customer}/bank_accounts/{id}
    customers.list_tax_ids GET /v1/customers/{customer}/tax_ids
    customers.retrieve_tax_id GET /v1/customers/{customer}/tax_ids/{id}
    customers.retrieve_discount GET /v1/customers/{customer}/discount
  `),
])

/** A minus gives the customer credit, a plus lets them owe more with the next invoice; both count at their size. */
function adjustBalance(question: Question): Explanation {
  const { params, path } = question
  const amount = params.get('amount')
  const currency = params.get('currency')
  return {
    direction: amount?.startsWith('-') ? 'out' : 'in',
    subjects: subjects(question, { customers: owners(path.customer), currencies: [currency] }),
    ...costs(priceOf(question, amount, currency)),
  }
}
