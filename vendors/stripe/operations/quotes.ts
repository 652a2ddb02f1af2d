import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, ofOwner } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { brings, free, largerMinor, open, priceOf, reached, type Priced } from '../pricing.js'
import { idIn, integer, list, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { ownedList, ownedRead, SECRETS } from './reads.js'
import { aMonth, recurring } from './recurring.js'

/** An offer to a customer. It counts from the call that makes it acceptable, and accepting it adds nothing. */
export const quotes: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'quotes.create',
    routes: ['POST /v1/quotes'],
    effect: 'future_spend',
    // from_quote is missing: it copies the lines of another quote, which may be another customer's.
    accepts: `application_fee_amount application_fee_percent automatic_tax collection_method customer default_tax_rates
      description discounts expires_at footer header invoice_settings line_items metadata on_behalf_of
      subscription_data test_clock transfer_data`,
    explain: (question) => ({
      quote: free(DRAFT),
      subjects: subjects(question, { customers: owners(question.params.get('customer')) }),
    }),
  }),
  operation({
    id: 'quotes.update',
    routes: ['POST /v1/quotes/{quote}'],
    effect: 'future_spend',
    accepts: `application_fee_amount application_fee_percent automatic_tax collection_method customer default_tax_rates
      description discounts expires_at footer header invoice_settings line_items metadata on_behalf_of
      subscription_data transfer_data`,
    explain: (question) => {
      const customer = question.params.get('customer')
      return ofOwner(question, 'quote', question.path.quote!, (customers) => ({
        quote: free(DRAFT),
        subjects: subjects(question, {
          customers: customers && customer ? owners(...customers, customer) : (customers ?? null),
        }),
      }))
    },
  }),
  operation({
    id: 'quotes.finalize',
    routes: ['POST /v1/quotes/{quote}/finalize'],
    effect: 'future_spend',
    accepts: 'expires_at',
    explain: (question) => onQuote(question, () => ({ commits: open(1n) })),
    outcome: (reply, question) => reached(question, text(reply.id), valueOf(reply), text(reply.currency)),
  }),
  operation({
    id: 'quotes.accept',
    routes: ['POST /v1/quotes/{quote}/accept'],
    effect: 'spend',
    accepts: '',
    explain: (question) => onQuote(question, (quote) => ({ effects: ['future_spend'], ...monthly(question, quote) })),
    outcome: accepted,
  }),
  operation({
    id: 'quotes.cancel',
    routes: ['POST /v1/quotes/{quote}/cancel'],
    effect: 'destructive',
    why: 'A cancelled quote can no longer be accepted, so what it counts for is given back.',
    accepts: '',
    explain: (question) =>
      ofOwner(question, 'quote', question.path.quote!, (customers) => ({
        quote: free('A cancelled quote can no longer be accepted.'),
        object: question.path.quote!,
        subjects: subjects(question, { customers }),
      })),
    outcome: (reply, question) =>
      reply.status === 'canceled' ? { object: question.path.quote!, total: ZERO, ends: question.path.quote! } : {},
  }),
  operation({
    id: 'quotes.mark_draft',
    routes: ['POST /v1/quotes/{quote}/mark_draft'],
    effect: 'future_spend',
    preview: true,
    accepts: '',
    explain: (question) =>
      ofOwner(question, 'quote', question.path.quote!, (customers) => ({
        quote: free(DRAFT),
        subjects: subjects(question, { customers }),
      })),
  }),
  ...rows(
    { effect: 'write', preview: true, why: 'It changes no line and no price of the quote.', explain: owned },
    `
    quotes.mark_stale POST /v1/quotes/{quote}/mark_stale
    quotes.reestimate POST /v1/quotes/{quote}/reestimate
    `,
  ),
  ownedList('quotes.list', '/v1/quotes'),
  ownedRead('quotes.retrieve', '/v1/quotes/{quote}', 'quote', 'quote'),
  ownedRead('quotes.list_line_items', '/v1/quotes/{quote}/line_items', 'quote', 'quote'),
  ownedRead(
    'quotes.list_computed_upfront_line_items',
    '/v1/quotes/{quote}/computed_upfront_line_items',
    'quote',
    'quote',
  ),
  { ...ownedRead('quotes.pdf', '/v1/quotes/{quote}/pdf', 'quote', 'quote'), host: 'files.stripe.com' },
])

const DRAFT = 'A draft quote cannot be accepted; it counts when it is finalised.'

function owned(question: Question): Explained {
  return ofOwner(question, 'quote', question.path.quote!, (customers) => ({
    quote: { basis: 'free' },
    subjects: subjects(question, { customers }),
  }))
}

function onQuote(question: Question, more: (quote: JsonObject) => Partial<Explanation>): Explained {
  const id = question.path.quote!
  return find(
    'quote',
    id,
    (quote) => {
      const currency = text(quote.currency)
      const amount: Priced = fault(quote) ?? priceOf(question, valueOf(quote), currency)
      return {
        direction: 'in',
        subjects: subjects(question, {
          customers: owners(customerOf(quote)),
          currencies: [currency],
          beneficiaries: beneficiariesOf(quote),
        }),
        ...brings(id, amount, 'ceiling'),
        ...(typeof amount !== 'string' && more(quote)),
      }
    },
    { expand: ['line_items'] },
  )
}

/** Why the computed amounts of a quote are not all it will come to, or null. */
function fault(quote: JsonObject): string | null {
  const lines = object(quote.line_items)
  if (!lines || lines.has_more !== false) return 'The lines of the quote could not all be read.'
  const metered = list(lines.data).some((line) => object(object(line.price)?.recurring)?.usage_type === 'metered')
  return metered ? 'The quote has a metered price, which has no upper bound: its cost depends on later usage.' : null
}

/** The most a quote says anywhere, with or without its discounts: at once or every period. */
function valueOf(quote: JsonObject): string | null {
  const computed = object(quote.computed)
  const amounts = [quote, object(computed?.upfront), object(computed?.recurring)].flatMap((one) =>
    [integer(one?.amount_total), integer(one?.amount_subtotal)].filter((minor) => minor !== null),
  )
  return amounts.length === 0 ? null : amounts.reduce(largerMinor)
}

/** The commitment of the subscription an accepted quote makes, if it makes one. */
function monthly(question: Question, quote: JsonObject): Pick<Explanation, 'commits'> {
  const every = object(object(quote.computed)?.recurring)
  if (!every) return {}
  const minors = [integer(every.amount_total), integer(every.amount_subtotal)].filter((minor) => minor !== null)
  const amount = priceOf(question, minors.length === 0 ? null : minors.reduce(largerMinor), text(quote.currency))
  const interval = text(every.interval)
  if (typeof amount === 'string' || interval === null) return {}
  const perMonth = aMonth(amount.reserve, { interval, count: integer(every.interval_count) ?? '1' })
  const quantity = list(object(quote.line_items)?.data).reduce(
    (total, line) => total + BigInt(integer(line.quantity) ?? '1'),
    0n,
  )
  return perMonth === null ? {} : { commits: recurring(perMonth, quantity) }
}

/** The offer has become a subscription, a schedule or a draft invoice, which is counted again when it is finalised. */
function accepted(reply: JsonObject, question: Question): Outcome {
  const commitment = idIn(reply.subscription) ?? idIn(reply.subscription_schedule)
  return {
    ...reached(question, text(reply.id), valueOf(reply), text(reply.currency)),
    ...(commitment !== null && { commitment }),
    ends: question.path.quote!,
  }
}
