import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, ofOwner, UNKNOWN_OBJECT } from '../lookups.js'
import { operation } from '../operation.js'
import { brings, costs, FREE, free, largerMinor, open, priceOf, reached, sum } from '../pricing.js'
import { integer, list, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { everybodys, ownedList, ownedRead, SECRETS } from './reads.js'

/** A client secret pays without a key, whatever the invoice shows beside it. */
const CLIENT_SECRETS = ['client_secret', 'confirmation_secret'] as const

/** The page and the PDF of an invoice are shown by the calls that count what can be paid there, and by no other. */
export const HIDDEN = [...SECRETS, 'confirmation_secret'] as const

/** An invoice counts with everything that is due on it, from the call after which it can be paid. */
export const invoices: readonly Operation[] = product({ source: SDK, reveals: HIDDEN }, [
  operation({
    id: 'invoices.create_preview',
    routes: ['POST /v1/invoices/create_preview'],
    effect: 'read',
    why: 'A preview bills nobody.',
    signed: ['amount', 'unit_amount', 'unit_amount_decimal'],
    explain: preview,
  }),
  operation({
    id: 'invoices.create',
    routes: ['POST /v1/invoices'],
    effect: 'future_spend',
    // from_invoice is missing: it copies the lines of another invoice, which may be another customer's.
    accepts: `account_tax_ids application_fee_amount auto_advance automatic_tax automatically_finalizes_at
      collection_method currency custom_fields customer days_until_due default_payment_method default_source
      default_tax_rates description discounts due_date effective_at footer issuer metadata number on_behalf_of
      payment_settings pending_invoice_items_behavior rendering shipping_cost shipping_details statement_descriptor
      subscription transfer_data`,
    explain: create,
    outcome,
  }),
  operation({
    id: 'invoices.update',
    routes: ['POST /v1/invoices/{invoice}'],
    effect: 'future_spend',
    accepts: `account_tax_ids application_fee_amount auto_advance automatic_tax automatically_finalizes_at
      collection_method custom_fields days_until_due default_payment_method default_source default_tax_rates description
      discounts due_date effective_at footer issuer metadata number on_behalf_of payment_settings rendering
      shipping_cost shipping_details statement_descriptor transfer_data`,
    explain: (question) =>
      find('invoice', question.path.invoice!, (invoice) => {
        const { params } = question
        const advances =
          params.get('auto_advance') === 'true' ||
          params.has('automatically_finalizes_at') ||
          (invoice.auto_advance === true && params.get('auto_advance') !== 'false')
        // An invoice that only waited can be charged once Stripe is told whom or how.
        const starts = advances && STARTS.some((name) => params.has(name))
        const repriced = addsToIt(question) || params.has('discounts')
        return {
          ...(advances && repriced ? costs(ADDED_LATER) : starts ? dueOn(question, invoice) : { quote: free(STAYS) }),
          ...(starts && scheduled(question, invoice)),
          direction: 'in',
          subjects: concerned(question, invoice),
        }
      }),
    outcome: (reply, question, { object: counted }) => {
      const stopped =
        question.params.get('auto_advance') === 'false' && reply.status === 'draft' && reply.auto_advance === false
      return { ...(counted && outcome(reply, question)), ...(stopped && { ends: question.path.invoice! }) }
    },
  }),
  operation({
    id: 'invoices.finalize',
    routes: ['POST /v1/invoices/{invoice}/finalize'],
    reveals: CLIENT_SECRETS,
    effect: 'spend',
    accepts: 'auto_advance',
    explain: (question) => onInvoice(question, collected),
    outcome,
  }),
  operation({
    id: 'invoices.pay',
    routes: ['POST /v1/invoices/{invoice}/pay'],
    reveals: CLIENT_SECRETS,
    effect: 'spend',
    accepts: 'forgive mandate off_session paid_out_of_band payment_method source',
    explain: (question) => onInvoice(question),
    outcome,
  }),
  operation({
    id: 'invoices.send',
    routes: ['POST /v1/invoices/{invoice}/send'],
    reveals: CLIENT_SECRETS,
    effect: 'future_spend',
    accepts: '',
    explain: (question) => onInvoice(question, collected),
    outcome,
  }),
  operation({
    id: 'invoices.void',
    routes: ['POST /v1/invoices/{invoice}/void'],
    effect: 'destructive',
    accepts: '',
    explain: (question) => ended(question),
    // What was paid before stays counted.
    outcome: (reply, question) => {
      if (reply.status !== 'void') return {}
      const ends = question.path.invoice!
      if (ofSubscription(reply)) return { ends }
      return { ...reached(question, ends, integer(reply.amount_paid), text(reply.currency)), ends }
    },
  }),
  operation({
    id: 'invoices.mark_uncollectible',
    routes: ['POST /v1/invoices/{invoice}/mark_uncollectible'],
    effect: 'destructive',
    accepts: '',
    // It can still be paid, so it stays counted.
    explain: (question) =>
      ofOwner(question, 'invoice', question.path.invoice!, (customers) => ({
        quote: free('The invoice stays open and stays counted.'),
        direction: 'out',
        subjects: subjects(question, { customers }),
      })),
  }),
  operation({
    id: 'invoices.delete',
    routes: ['DELETE /v1/invoices/{invoice}'],
    effect: 'destructive',
    accepts: '',
    explain: (question) => ended(question),
    outcome: (reply, question) =>
      reply.deleted === true
        ? { ...reached(question, question.path.invoice!, '0', null), ends: question.path.invoice! }
        : {},
  }),
  everybodys('invoices.search', '/v1/invoices/search'),
  ownedList('invoices.list', '/v1/invoices'),
  ownedRead('invoices.retrieve', '/v1/invoices/{invoice}', 'invoice', 'invoice'),
])

const STARTS = [
  'auto_advance',
  'automatically_finalizes_at',
  'collection_method',
  'default_payment_method',
  'default_source',
  'payment_settings',
] as const

const STAYS = 'Nothing is billed by this change; what is due counts when the invoice is finalised.'

const ADDED_LATER =
  'Stripe would finalise the invoice by itself, with tax, shipping or discounts that cannot be known now. ' +
  'Send auto_advance=false and finalise it in a call of its own.'

function addsToIt({ params }: Question): boolean {
  return (
    params.get('automatic_tax[enabled]') === 'true' || params.has('default_tax_rates') || params.has('shipping_cost')
  )
}

/** With API versions before 2022-08-01 a new invoice takes the customer's pending items up unless told not to. */
const TAKES_ITEMS_BY_DEFAULT_BEFORE = '2022-08-01'

const EMPTY = 'An invoice without items has nothing to bill; what is put on it counts then, or when it is finalised.'

/** The most items one page of a list can hold. */
const PAGE = '100'

/** An invoice that Stripe will finalise by itself is committed at once, with all that waits to be put on it. */
function create(question: Question): Explained {
  const { params, apiVersion } = question
  const customer = params.get('customer')
  const legacy = apiVersion !== '' && apiVersion < TAKES_ITEMS_BY_DEFAULT_BEFORE
  const advances =
    params.get('auto_advance') === 'true' ||
    params.has('automatically_finalizes_at') ||
    (legacy && !params.has('auto_advance'))
  const behaviour = params.get('pending_invoice_items_behavior')
  const takesItems = behaviour === 'include' || ((advances || legacy) && behaviour !== 'exclude')
  const explain = (price: Pick<Explanation, 'quote' | 'settle'>): Explanation => ({
    ...price,
    ...(advances && price.quote.basis !== 'unpriceable' && scheduled(question, null)),
    direction: 'in',
    subjects: subjects(question, { customers: owners(customer), currencies: [params.get('currency')] }),
  })
  if (advances && addsToIt(question)) return explain(costs(ADDED_LATER))
  if (!takesItems) return explain({ quote: free(EMPTY) })
  if (!customer) return explain(costs('Without a customer it is unknown which items the invoice takes up.'))
  return {
    lookUp: {
      path: '/v1/invoiceitems',
      params: [
        ['customer', customer],
        ['pending', 'true'],
        ['limit', PAGE],
      ],
    },
    then: (page) => {
      if (!page || !Array.isArray(page.data)) return explain(costs(UNKNOWN_OBJECT))
      if (page.has_more !== false) return explain(costs(`The customer has more than ${PAGE} pending items.`))
      const items = list(page.data)
      if (advances && items.some((item) => list(item.tax_rates).length > 0)) return explain(costs(ADDED_LATER))
      // Credits among the items may belong to another invoice by the time this one is made: only debts count.
      const debts = items
        .map((item) => priceOf(question, integer(item.amount), text(item.currency)))
        .filter((_, i) => !integer(items[i]!.amount)?.startsWith('-'))
      if (debts.length === 0) return explain({ quote: free(EMPTY) })
      return explain(costs(sum(debts), 'ceiling'))
    },
  }
}

function onInvoice(question: Question, more?: typeof collected): Explained {
  const { params } = question
  return find('invoice', question.path.invoice!, (invoice) => {
    const forgiven = params.get('paid_out_of_band') === 'true' || params.get('forgive') === 'true'
    return {
      ...dueOn(question, invoice),
      ...more?.(question, invoice),
      direction: forgiven ? 'out' : 'in',
      subjects: concerned(question, invoice),
    }
  })
}

/** An open invoice waits to be paid, or is charged by Stripe itself. */
function collected(question: Question, invoice: JsonObject): Pick<Explanation, 'commits' | 'effects'> {
  return (question.params.get('auto_advance') ?? String(invoice.auto_advance)) === 'true' &&
    invoice.collection_method !== 'send_invoice'
    ? scheduled(question, invoice)
    : { commits: open(1n, question.path.invoice!) }
}

/** Stripe finalises the invoice by itself, and charges the customer unless it only sends it. */
function scheduled(
  { params }: Question,
  invoice: JsonObject | null,
): Required<Pick<Explanation, 'commits' | 'effects'>> {
  const method = params.get('collection_method') ?? text(invoice?.collection_method) ?? 'charge_automatically'
  const at = params.get('automatically_finalizes_at') ?? integer(invoice?.automatically_finalizes_at)
  const id = text(invoice?.id)
  return {
    commits: {
      kind: 'scheduled',
      perMonth: ZERO,
      dueAt: at && /^[1-9][0-9]{0,11}$/.test(at) ? Number(at) * 1000 : null,
      quantity: 1n,
      ...(id !== null && { object: id }),
    },
    effects: method === 'send_invoice' ? [] : ['spend'],
  }
}

/** Whether a subscription made the invoice: the period it bills comes again, so what was counted with it stays counted. */
const ofSubscription = (invoice: JsonObject): boolean =>
  text(invoice.subscription) !== null || object(object(invoice.parent)?.subscription_details) !== null

export function dueOn(question: Question, invoice: JsonObject): Pick<Explanation, 'quote' | 'object'> {
  return brings(question.path.invoice!, priceOf(question, due(invoice), text(invoice.currency)))
}

/** All that is due, paid or not: the ledger takes off what the invoice counts for already. */
export function due(invoice: JsonObject): string | null {
  const amount = integer(invoice.amount_due)
  const remaining = integer(invoice.amount_remaining)
  return amount && remaining ? largerMinor(amount, remaining) : (amount ?? remaining)
}

export const concerned = (question: Question, invoice: JsonObject) =>
  subjects(question, {
    customers: owners(customerOf(invoice)),
    currencies: [text(invoice.currency)],
    beneficiaries: beneficiariesOf(invoice),
  })

function ended(question: Question): Explained {
  const invoice = question.path.invoice!
  return ofOwner(question, 'invoice', invoice, (customers) => ({
    quote: free('What ends can no longer be paid.'),
    object: invoice,
    subjects: subjects(question, { customers }),
  }))
}

export function outcome(reply: JsonObject, question: Question): Outcome {
  const id = text(reply.id)
  const ends = reply.status === 'paid' && id !== null && { ends: id }
  if (ofSubscription(reply)) return { ...(id !== null && { object: id }), ...ends }
  return { ...reached(question, id, due(reply), text(reply.currency)), ...ends }
}

/** A preview charges nobody, but shows what a customer has and owes. */
function preview(question: Question): Explained {
  const { params } = question
  const customer = params.get('customer')
  const subscription = params.get('subscription')
  const answer = (customers: readonly string[] | null): Explanation => ({ quote: FREE, subjects: { customers } })
  if (params.has('customer_account') || params.has('schedule')) return answer(null)
  if (!subscription) return answer(owners(customer))
  return ofOwner(question, 'subscription', subscription, (customers) =>
    answer(customers && customer ? owners(...customers, customer) : customers),
  )
}
