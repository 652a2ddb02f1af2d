import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { readPriceData, totalOf } from '../lines.js'
import { find, ofOwner } from '../lookups.js'
import { operation } from '../operation.js'
import {
  brings,
  costs,
  FREE,
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
import { customerOf, owners, subjects } from '../subjects.js'
import { ownedList, ownedRead } from './reads.js'

const SIGNED = ['amount', 'unit_amount', 'unit_amount_decimal'] as const

/**
 * A pending item counts by itself; one that is put on an invoice counts with the invoice. An item that lowers what a
 * customer owes is a gift and counts by itself at its absolute value.
 */
export const invoiceItems: readonly Operation[] = [
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
          priceItem(question, null, text(found.currency), (item) =>
            onInvoice(question, item, found, owners(customerOf(found), ...(customer ? [customer] : []))),
          ),
        )
      }
      return priceItem(question, null, null, (item) => {
        const taxed = question.params.has('tax_rates')
        return pending(question, taxed ? { ...item, usd: TAXED } : item, owners(customer))
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
        if (!REPRICES.some((name) => question.params.has(name))) {
          return { quote: FREE, subjects: subjects(question, { customers, currencies: [text(old.currency)] }) }
        }
        return priceItem(question, old, text(old.currency), (item) => {
          const invoice = idIn(old.invoice)
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
    explain: (question) =>
      ofOwner(question, 'invoiceitem', question.path.invoiceitem!, (customers) => ({
        quote: FREE,
        object: question.path.invoiceitem!,
        subjects: subjects(question, { customers }),
      })),
    outcome: (reply, question) => (reply.deleted === true ? { object: question.path.invoiceitem!, total: ZERO } : {}),
  }),
  ownedList('invoiceitems.list', '/v1/invoiceitems'),
  ownedRead('invoiceitems.retrieve', '/v1/invoiceitems/{invoiceitem}', 'invoiceitem', 'invoiceitem'),
]

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

const TAXED =
  'What tax adds to an item that is billed later cannot be known. Put the item on an invoice (invoice=…), whose ' +
  'amount is checked when it is finalised.'

/** What an item comes to: signed minor units where they are known (a looked-up price is known in USD only). */
interface Item {
  readonly minor: string | null
  readonly currency: string | null
  readonly usd: Priced
}

function priceItem(
  question: Question,
  old: JsonObject | null,
  fallback: string | null,
  then: (item: Item) => Explained,
): Explained {
  const { params } = question
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
    ...costs(item.usd),
    direction: item.minor?.startsWith('-') ? 'out' : 'in',
    subjects: subjects(question, { customers, currencies: [item.currency] }),
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
  const due = integer(invoice.amount_due)
  const currency = text(invoice.currency)
  const added = item.minor && before && largerMinor(minus(item.minor, before), '0')
  const total =
    added && due && currency === item.currency
      ? priceOf(question, plus(due, added), currency)
      : sum([priceOf(question, due, currency), item.usd])
  return {
    ...brings(text(invoice.id)!, total, 'ceiling'),
    direction: 'in',
    subjects: subjects(question, { customers, currencies: [currency, item.currency] }),
  }
}
