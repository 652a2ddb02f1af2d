import type { Explained, Explanation, JsonObject, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { numbered } from '../lines.js'
import { find } from '../lookups.js'
import { operation, unpriced } from '../operation.js'
import { brings, costs, free, largerMinor, minus, plus, priceOf, sum, type Priced } from '../pricing.js'
import { integer, list, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { priceItem, type Item } from './invoice-items.js'
import { due, dueOn, HIDDEN, outcome } from './invoices.js'
import { filteredList, ownedRead } from './reads.js'

const SIGNED = ['amount', 'unit_amount', 'unit_amount_decimal'] as const

/** Lines of a draft, and payments put to an invoice. Each brings the invoice to what is then due on it. */
export const invoiceLines: readonly Operation[] = product({ source: SDK, reveals: HIDDEN }, [
  operation({
    id: 'invoices.add_lines',
    routes: ['POST /v1/invoices/{invoice}/add_lines'],
    effect: 'future_spend',
    accepts: 'invoice_metadata lines',
    signed: SIGNED,
    explain: (question) => onLines(question),
    outcome,
  }),
  operation({
    id: 'invoices.update_lines',
    routes: ['POST /v1/invoices/{invoice}/update_lines'],
    effect: 'future_spend',
    accepts: 'invoice_metadata lines',
    signed: SIGNED,
    explain: (question) => onLines(question),
    outcome,
  }),
  operation({
    id: 'invoices.update_line_item',
    routes: ['POST /v1/invoices/{invoice}/lines/{line_item}'],
    effect: 'future_spend',
    accepts: `amount description discountable discounts metadata period price_data pricing quantity quantity_decimal
        tax_amounts tax_rates`,
    signed: SIGNED,
    explain: (question) => onLines(question, question.path.line_item!),
  }),
  operation({
    id: 'invoices.remove_lines',
    routes: ['POST /v1/invoices/{invoice}/remove_lines'],
    effect: 'future_spend',
    accepts: 'invoice_metadata lines',
    explain: remove,
  }),
  operation({
    id: 'invoices.attach_payment',
    routes: ['POST /v1/invoices/{invoice}/attach_payment'],
    effect: 'future_spend',
    accepts: 'payment_intent payment_record',
    explain: attach,
    outcome,
  }),
  operation({
    id: 'invoices.detach_payment',
    routes: ['POST /v1/invoices/{invoice}/detach_payment'],
    effect: 'future_spend',
    preview: true,
    accepts: 'payment payment_intent payment_record',
    explain: unpriced('What is due again on an invoice whose payment is taken off it cannot be known beforehand.'),
  }),
  ownedRead('invoices.list_lines', '/v1/invoices/{invoice}/lines', 'invoice', 'invoice'),
  ownedRead(
    'invoice_payments.retrieve',
    '/v1/invoice_payments/{invoice_payment}',
    'invoice_payment',
    'invoice_payment',
  ),
  filteredList('invoice_payments.list', '/v1/invoice_payments', { invoice: 'invoice' }),
])

const concerned = (question: Question, invoice: JsonObject, others: readonly (string | null)[] = []) =>
  subjects(question, {
    customers: owners(customerOf(invoice), ...others),
    currencies: [text(invoice.currency)],
    beneficiaries: beneficiariesOf(invoice),
  })

/** Fields of a line that change neither what it costs nor how much of it there is. A line counts without its discounts. */
const HARMLESS: ReadonlySet<string> = new Set([
  'description',
  'discountable',
  'discounts',
  'expand',
  'id',
  'invoice_item',
  'metadata',
  'period',
])

/** What rates add cannot be seen before Stripe applies them, nor what a line costs without a discount it had. */
const reprices = (line: Params, only?: string): boolean =>
  line.has('tax_rates') ||
  ((only !== undefined || line.has('id')) && (line.has('discounts') || line.has('discountable')))

const RATED =
  'Stripe would finalise the invoice by itself, with tax rates or discounts of a line that cannot be worked out now. ' +
  'Send auto_advance=false on the invoice and finalise it in a call of its own.'
const MIXED = 'The lines both raise and lower what is due. Send debits and credits in calls of their own.'
const UNSEEN = 'A line this call names is not among those the invoice shows, so what it comes to is unknown.'

/** A priced line, and what it came to before. */
interface Change {
  readonly item: Item
  readonly before: string
  readonly tax: string
}

/**
 * Lines that are added or changed. Those that raise what is due count with the invoice, those that lower it are a gift
 * and count by themselves.
 *
 * @param only the line that the whole form is about
 */
function onLines(question: Question, only?: string): Explained {
  return find('invoice', question.path.invoice!, (invoice) => {
    const explain = (
      price: Pick<Explanation, 'quote' | 'settle' | 'object'>,
      others: readonly (string | null)[] = [],
    ) => ({ ...price, direction: 'in', subjects: concerned(question, invoice, others) }) satisfies Explanation
    const lines = only === undefined ? numbered(question.params, 'lines') : [question.params]
    if (typeof lines === 'string') return explain(costs(lines))
    if (invoice.auto_advance === true && lines.some((line) => reprices(line, only))) return explain(costs(RATED))
    const currency = text(invoice.currency)
    const next = (
      rest: readonly Params[],
      changes: readonly Change[],
      customers: readonly (string | null)[],
    ): Explained => {
      const [line, ...others] = rest
      if (line === undefined) return explain(totalOf(question, invoice, changes), customers)
      const id = only ?? line.get('id')
      const waiting = line.get('invoice_item')
      if (line.names().every((name) => HARMLESS.has(name)) && !waiting) return next(others, changes, customers)
      const keep = (item: Item, before: string, whose: readonly (string | null)[] = []): Explained =>
        next(others, [...changes, { item, before, tax: taxOf(line) }], [...customers, ...whose])
      if (waiting) {
        return find('invoiceitem', waiting, (found) => {
          const minor = integer(found.amount)
          const of = text(found.currency)
          return keep({ minor, currency: of, usd: priceOf(question, minor, of) }, '0', [customerOf(found)])
        })
      }
      const old = id ? lineOf(invoice, id) : null
      if (id && !old) return explain(costs(UNSEEN))
      return priceItem(question, line, old, currency, (item) => keep(item, integer(old?.amount) ?? '0'))
    }
    return next(lines, [], [])
  })
}

function totalOf(
  question: Question,
  invoice: JsonObject,
  changes: readonly Change[],
): Pick<Explanation, 'quote' | 'settle' | 'object'> {
  if (changes.length === 0) return { quote: free('The lines keep their prices and quantities.') }
  const gifts = changes.filter(({ item }) => item.minor?.startsWith('-'))
  if (gifts.length === changes.length) return costs(sum(gifts.map(({ item }) => item.usd)), 'ceiling')
  if (gifts.length > 0) return costs(MIXED)
  const currency = text(invoice.currency)
  const added = changes.map(({ item, before }): Priced => {
    if (typeof item.usd === 'string' || item.minor === null || item.currency !== currency) return item.usd
    return priceOf(question, largerMinor(minus(item.minor, before), '0'), currency)
  })
  const taxes = priceOf(question, plus(...changes.map(({ tax }) => tax)), currency)
  return brings(question.path.invoice!, sum([priceOf(question, due(invoice), currency), ...added, taxes]), 'ceiling')
}

const taxOf = (line: Params): string => plus('0', ...line.list('tax_amounts').map((tax) => tax.get('amount') ?? '0'))

const lineOf = (invoice: JsonObject, id: string): JsonObject | null =>
  list(object(invoice.lines)?.data).find((line) => line.id === id) ?? null

/** Taking a credit off an invoice raises what is due; taking a debt off it lowers it. */
function remove(question: Question): Explained {
  return find('invoice', question.path.invoice!, (invoice) => {
    const lines = question.params.list('lines').map((line) => lineOf(invoice, line.get('id') ?? ''))
    const currency = text(invoice.currency)
    const credits = lines.flatMap((line) => {
      const minor = integer(line?.amount)
      return minor?.startsWith('-') ? [minor.slice(1)] : []
    })
    const shown = lines.length > 0 && lines.every((line) => integer(line?.amount) !== null)
    const raised = priceOf(question, plus(due(invoice) ?? '0', ...credits), currency)
    const lowers = 'Only debts are taken off the invoice, so less is due than before.'
    return {
      ...(!shown
        ? costs(UNSEEN)
        : credits.length === 0
          ? { quote: free(lowers) }
          : brings(question.path.invoice!, due(invoice) === null ? UNSEEN : raised, 'ceiling')),
      direction: 'in',
      subjects: concerned(question, invoice),
    }
  })
}

/** A payment record says the money came in elsewhere, as paid_out_of_band does; an intent is charged to its own customer. */
function attach(question: Question): Explained {
  const { params } = question
  const intent = params.get('payment_intent')
  return find('invoice', question.path.invoice!, (invoice) => {
    const explain = (others: readonly (string | null)[]): Explanation => ({
      ...dueOn(question, invoice),
      direction: intent ? 'in' : 'out',
      subjects: concerned(question, invoice, others),
    })
    if (!intent) return explain([])
    return find('payment_intent', intent, (found) => explain([customerOf(found)]))
  })
}
