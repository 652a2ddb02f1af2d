import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { ofOwner } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { FREE } from '../pricing.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { ofCustomerInForm, ofObject } from './owned.js'
import { filteredList, nobodysRows, ownedRead, SECRETS } from './reads.js'

const BOOKS = 'It calculates or books tax for reports; no money moves, and what Stripe bills for it is not counted.'
const SETS = 'It says how tax is worked out; what a sale then comes to is judged when the sale is made.'

/** Tax rates, numbers, registrations and the books of Stripe Tax. None of it charges anybody. */
export const tax: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  ...rows(
    { effect: 'write', why: BOOKS, signed: ['amount'], explain: ofCustomerInForm },
    'tax.calculations.create POST /v1/tax/calculations',
  ),
  ...rows(
    {
      effect: 'write',
      why: BOOKS,
      explain: (question) => ofNamed(question, 'calculation', 'tax.calculation'),
    },
    'tax.transactions.create_from_calculation POST /v1/tax/transactions/create_from_calculation',
  ),
  ...rows(
    {
      effect: 'write',
      why: BOOKS,
      // What is reversed is stated as less than nothing.
      signed: ['amount', 'flat_amount'],
      explain: (question) => ofNamed(question, 'original_transaction', 'tax.transaction'),
    },
    'tax.transactions.create_reversal POST /v1/tax/transactions/create_reversal',
  ),
  ...rows(
    { effect: 'write', why: SETS },
    `
    tax.locations.create POST /v1/tax/locations
    tax.registrations.create POST /v1/tax/registrations
    tax.registrations.update POST /v1/tax/registrations/{registration}
    tax.settings.update POST /v1/tax/settings
    tax_rates.create POST /v1/tax_rates
    tax_rates.update POST /v1/tax_rates/{tax_rate}
    `,
  ),
  operation({
    id: 'tax_ids.create',
    routes: ['POST /v1/tax_ids'],
    effect: 'write',
    why: 'A tax number stands on invoices and costs nothing.',
    explain: ({ params }) => {
      const own =
        !params.has('owner') || params.get('owner[type]') === 'self' || params.get('owner[type]') === 'account'
      const customers =
        own && !params.get('owner[customer]') ? {} : { customers: owners(params.get('owner[customer]')) }
      return { quote: FREE, subjects: customers }
    },
  }),
  ...rows(
    { effect: 'destructive', explain: ofObject('tax_id', 'tax_id') },
    'tax_ids.delete DELETE /v1/tax_ids/{tax_id}',
  ),
  ownedRead('tax_ids.retrieve', '/v1/tax_ids/{tax_id}', 'tax_id', 'tax_id'),
  filteredList('tax_ids.list', '/v1/tax_ids', { 'owner[customer]': 'customer' }),
  filteredList('tax.associations.find', '/v1/tax/associations/find', { payment_intent: 'payment_intent' }),
  ownedRead('tax.calculations.retrieve', '/v1/tax/calculations/{calculation}', 'tax.calculation', 'calculation'),
  ownedRead(
    'tax.calculations.list_line_items',
    '/v1/tax/calculations/{calculation}/line_items',
    'tax.calculation',
    'calculation',
  ),
  ownedRead('tax.transactions.retrieve', '/v1/tax/transactions/{transaction}', 'tax.transaction', 'transaction'),
  ownedRead(
    'tax.transactions.list_line_items',
    '/v1/tax/transactions/{transaction}/line_items',
    'tax.transaction',
    'transaction',
  ),
  ...nobodysRows(`
    tax.locations.list GET /v1/tax/locations
    tax.locations.retrieve GET /v1/tax/locations/{location}
    tax.registrations.list GET /v1/tax/registrations
    tax.registrations.retrieve GET /v1/tax/registrations/{registration}
    tax.settings.retrieve GET /v1/tax/settings
    tax_codes.list GET /v1/tax_codes
    tax_codes.retrieve GET /v1/tax_codes/{tax_code}
    tax_rates.list GET /v1/tax_rates
    tax_rates.retrieve GET /v1/tax_rates/{tax_rate}
  `),
])

/** A booking concerns the customer of the object that the form names. */
function ofNamed(question: Question, name: string, kind: 'tax.calculation' | 'tax.transaction'): Explained {
  const id = question.params.get(name)
  const explain = (customers: readonly string[] | null) => ({
    quote: FREE,
    subjects: subjects(question, { customers }),
  })
  return id ? ofOwner(question, kind, id, explain) : explain(null)
}
