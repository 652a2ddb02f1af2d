import type { Commitment } from '../../../src/contracts/call.js'
import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { readPriceData, totalOf } from '../lines.js'
import { find } from '../lookups.js'
import { operation } from '../operation.js'
import {
  brings,
  costs,
  free,
  largerMinor,
  lineTotal,
  minus,
  plus,
  priceOf,
  reached,
  sum,
  type Priced,
} from '../pricing.js'
import { decimal, idIn, integer, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { customerOf, owners, subjects } from '../subjects.js'
import { ownedList, ownedRead } from './reads.js'

const SIGNED = ['amount', 'unit_amount', 'unit_amount_decimal'] as const

/**
 * A pending item counts by itself; one that is put on an invoice counts with the invoice. An item that lowers what a
 * customer owes is a gift and counts by itself at its absolute value.
 */
export const invoiceItems: readonly Operation[] = product({ source: SDK }, [
  operation({
    id: 'invoiceitems.create',
    routes: ['POST /v1/invoiceitems'],
    effect: 'future_spend',
    accepts: `amount currency customer description discountable discounts invoice metadata period price price_data
      pricing quantity quantity_decimal subscription tax_behavior tax_code tax_rates unit_amount unit_amount_decimal`,
    signed: SIGNED,
    explain: (question) => {
      const customer = question.params.get('customer')
      const invoice = question.params.get('invoice')
      if (invoice) {
        return find('invoice', invoice, (found) =>
          priceItem(question, question.params, null, text(found.currency), (item) =>
            onInvoice(question, item, found, owners(customerOf(found), ...(customer ? [customer] : []))),
          ),
        )
      }
      return priceItem(question, question.params, null, null, (item) => {
        const taxed = question.params.has('tax_rates')
        const waiting = pending(question, taxed ? { ...item, usd: TAXED } : item, owners(customer))
        return item.minor?.startsWith('-') ? waiting : { ...waiting, commits: WAITING }
      })
    },
    outcome: (reply, question) =>
      idIn(reply.invoice) ? {} : reached(question, text(reply.id), integer(reply.amount), text(reply.currency)),
  }),
  operation({
    id: 'invoiceitems.update',
    routes: ['POST /v1/invoiceitems/{invoiceitem}'],
    effect: 'future_spend',
    accepts: `amount description discountable discounts invoicing_rules metadata period price price_data pricing
      quantity quantity_decimal tax_behavior tax_code tax_rates unit_amount unit_amount_decimal`,
    signed: SIGNED,
    explain: (question) =>
      find('invoiceitem', question.path.invoiceitem!, (old) => {
        const customers = owners(customerOf(old))
        const invoice = idIn(old.invoice)
        const repriced = REPRICES.some((name) => question.params.has(name))
        const discounted = invoice !== null && DISCOUNTS.some((name) => question.params.has(name))
        if (!repriced && !discounted) {
          return {
            quote: free('Neither the price nor the quantity of the item changes.'),
            subjects: subjects(question, { customers, currencies: [text(old.currency)] }),
          }
        }
        return priceItem(question, question.params, old, text(old.currency), (item) => {
          if (!invoice) {
            const taxed = question.params.has('tax_rates')
            const { settle: _, ...rest } = pending(question, taxed ? { ...item, usd: TAXED } : item, customers)
            return { ...rest, object: question.path.invoiceitem! }
          }
          return find('invoice', invoice, (found) => onInvoice(question, item, found, customers, integer(old.amount)))
        })
      }),
    outcome: (reply, question, { object: counted }) =>
      !counted || idIn(reply.invoice)
        ? {}
        : reached(question, text(reply.id), integer(reply.amount), text(reply.currency)),
  }),
  operation({
    id: 'invoiceitems.delete',
    routes: ['DELETE /v1/invoiceitems/{invoiceitem}'],
    effect: 'destructive',
    accepts: '',
    explain: remove,
    outcome: (reply, question, { object: counted }) => {
      const id = question.path.invoiceitem!
      if (reply.deleted !== true) return {}
      return counted === id ? { object: id, total: ZERO, ends: id } : { ends: id }
    },
  }),
  ownedList('invoiceitems.list', '/v1/invoiceitems'),
  ownedRead('invoiceitems.retrieve', '/v1/invoiceitems/{invoiceitem}', 'invoiceitem', 'invoiceitem'),
])

const REPRICES = [
  'amount',
  'price',
  'price_data',
  'pricing',
  'quantity',
  'quantity_decimal',
  'tax_rates',
  'unit_amount',
  'unit_amount_decimal',
] as const

const DISCOUNTS = ['discountable', 'discounts'] as const

/** What rates add cannot be seen before Stripe applies them, nor what an item costs without a discount it had. */
const reprices = ({ params, path }: Question): boolean =>
  params.has('tax_rates') || (path.invoiceitem !== undefined && DISCOUNTS.some((name) => params.has(name)))

/** The next invoice takes a pending item up by itself where the customer has a subscription. */
const WAITING: Commitment = { kind: 'scheduled', perMonth: ZERO, dueAt: null, quantity: 1n }

const RATED =
  'Stripe would finalise the invoice by itself, with tax rates or discounts of the item that cannot be worked out now. ' +
  'Send auto_advance=false on the invoice and finalise it in a call of its own.'

const TAXED =
  'What tax adds to an item that is billed later cannot be known. Put the item on an invoice (invoice=…), whose ' +
  'amount is checked when it is finalised.'

/** What an item comes to: signed minor units where they are known (a looked-up price is known in USD only). */
export interface Item {
  readonly minor: string | null
  readonly currency: string | null
  readonly usd: Priced
}

/**
 * @param params the fields of the item: the whole form, or one line of it
 * @param old the item or line that is changed: what the request does not say stays
 */
export function priceItem(
  question: Question,
  params: Params,
  old: JsonObject | null,
  fallback: string | null,
  then: (item: Item) => Explained,
): Explained {
  const currency = params.get('currency') ?? fallback
  const ofMinor = (minor: string | null, of: string | null): Explained =>
    then({ minor, currency: of, usd: priceOf(question, minor, of) })
  const unknown = (why: string): Explained => then({ minor: null, currency, usd: why })

  if (params.has('quantity') && params.has('quantity_decimal')) return unknown('The item has two quantities.')
  const quantity =
    params.get('quantity') ??
    params.get('quantity_decimal') ??
    decimal(old?.quantity_decimal) ??
    integer(old?.quantity) ??
    '1'
  const priced = ['amount', 'unit_amount', 'unit_amount_decimal', 'price', 'price_data', 'pricing'].filter((name) =>
    params.has(name),
  )
  if (priced.length > 1) return unknown(`The item has more than one price: ${priced.join(', ')}.`)

  const amount = params.get('amount')
  if (amount !== undefined) return ofMinor(amount, currency)
  const price = params.get('price') || params.get('pricing[price]')
  if (price) {
    return totalOf(
      question,
      [{ price, quantity }],
      (usd, currencies) => then({ minor: null, currency: currency ?? currencies[0] ?? null, usd }),
      { lookUps: 3 },
    )
  }
  if (params.has('price_data')) {
    const inline = readPriceData(params.map('price_data'))
    return typeof inline === 'string' ? unknown(inline) : ofMinor(signedTotal(inline.unit, quantity), inline.currency)
  }
  const unit =
    params.get('unit_amount') ??
    params.get('unit_amount_decimal') ??
    decimal(object(old?.pricing)?.unit_amount_decimal) ??
    decimal(old?.unit_amount_decimal) ??
    integer(old?.unit_amount)
  return ofMinor(unit && signedTotal(unit, quantity), currency)
}

const signedTotal = (unit: string, quantity: string): string =>
  `${unit.startsWith('-') ? '-' : ''}${lineTotal(unit, quantity)}`

function pending(question: Question, item: Item, customers: readonly string[] | null): Explanation {
  return {
    direction: item.minor?.startsWith('-') ? 'out' : 'in',
    subjects: subjects(question, { customers, currencies: [item.currency] }),
    ...costs(item.usd),
  }
}

/** @param before what the item came to until now, minor units */
function onInvoice(
  question: Question,
  item: Item,
  invoice: JsonObject,
  customers: readonly string[] | null,
  before: string | null = '0',
): Explanation {
  if (item.minor?.startsWith('-')) return pending(question, item, customers)
  if (invoice.auto_advance === true && reprices(question)) {
    return pending(question, { ...item, usd: RATED }, customers)
  }
  const due = integer(invoice.amount_due)
  const currency = text(invoice.currency)
  const added = item.minor && before && largerMinor(minus(item.minor, before), '0')
  const total =
    added && due && currency === item.currency
      ? priceOf(question, plus(due, added), currency)
      : sum([priceOf(question, due, currency), item.usd])
  return {
    direction: 'in',
    subjects: subjects(question, { customers, currencies: [currency, item.currency] }),
    ...brings(text(invoice.id)!, total, 'ceiling'),
  }
}

/** A pending item gives back what it counted. Taking a credit off an invoice raises what is due there. */
function remove(question: Question): Explained {
  const id = question.path.invoiceitem!
  const gone = (customers: readonly string[] | null): Explanation => ({
    quote: free('A deleted item is billed no more.'),
    object: id,
    subjects: subjects(question, { customers }),
  })
  return find(
    'invoiceitem',
    id,
    (old) => {
      const customers = owners(customerOf(old))
      const invoice = idIn(old.invoice)
      const credit = integer(old.amount)
      if (invoice === null || !credit?.startsWith('-')) return gone(customers)
      return find('invoice', invoice, (found) => {
        const due = integer(found.amount_due)
        const currency = text(found.currency)
        return {
          direction: 'in',
          effects: ['future_spend'],
          subjects: subjects(question, { customers, currencies: [currency] }),
          ...brings(invoice, priceOf(question, due && plus(due, credit.slice(1)), currency), 'ceiling'),
        }
      })
    },
    { missing: () => gone(null) },
  )
}
