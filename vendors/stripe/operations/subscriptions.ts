import type { Explained, Explanation, JsonObject, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { numbered, readLine, readLines, totalOf, type Line } from '../lines.js'
import { find, LOOK_UPS_MAX, ofOwner, UNKNOWN_OBJECT } from '../lookups.js'
import { ambiguous, operation } from '../operation.js'
import { costs, FREE, largerMinor, largest, priceOf, type Priced } from '../pricing.js'
import { idIn, integer, list, object, text } from '../replies.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { everybodys, ownedList, ownedRead } from './reads.js'

/**
 * A subscription has no amount of its own. Stripe's preview says what the next invoice comes to; one period of all
 * items says what it will come to again and again. The larger of the two is counted, once: renewals make no call.
 */
export const subscriptions: readonly Operation[] = [
  operation({
    id: 'subscriptions.create',
    routes: ['POST /v1/subscriptions', 'POST /v1/customers/{customer}/subscriptions'],
    effect: 'spend',
    // billing_schedules and billing_thresholds are missing: they bill ahead of time by sums no preview shows.
    accepts: `add_invoice_items application_fee_percent automatic_tax backdate_start_date billing_cycle_anchor
      billing_cycle_anchor_config billing_mode cancel_at cancel_at_period_end collection_method currency customer
      days_until_due default_payment_method default_source default_tax_rates description discounts invoice_settings
      items metadata off_session on_behalf_of payment_behavior payment_settings pending_invoice_item_interval
      proration_behavior transfer_data trial_end trial_from_plan trial_period_days trial_settings`,
    explain: create,
  }),
  operation({
    id: 'subscriptions.update',
    routes: ['POST /v1/subscriptions/{subscription}', 'POST /v1/customers/{customer}/subscriptions/{subscription}'],
    effect: 'spend',
    accepts: `add_invoice_items application_fee_percent automatic_tax billing_cycle_anchor cancel_at
      cancel_at_period_end cancellation_details collection_method days_until_due default_payment_method
      default_source default_tax_rates description discounts invoice_settings items metadata off_session on_behalf_of
      pause_collection payment_behavior payment_settings pending_invoice_item_interval proration_behavior
      proration_date transfer_data trial_end trial_from_plan trial_settings`,
    explain: update,
  }),
  operation({
    id: 'subscriptions.cancel',
    routes: ['DELETE /v1/subscriptions/{subscription}', 'DELETE /v1/customers/{customer}/subscriptions/{subscription}'],
    effect: 'destructive',
    accepts: 'cancellation_details invoice_now prorate',
    explain: cancel,
  }),
  everybodys('subscriptions.search', '/v1/subscriptions/search'),
  ownedList('subscriptions.list', '/v1/subscriptions'),
  ownedRead('subscriptions.retrieve', '/v1/subscriptions/{subscription}', 'subscription', 'subscription'),
]

const ITEM_FIELDS = ['clear_usage', 'deleted', 'discounts', 'id', 'plan', 'tax_rates']
const ADDED_FIELDS = ['discountable', 'discounts', 'period', 'tax_rates']

function create(question: Question): Explained {
  const { params, path } = question
  if (path.customer && params.has('customer')) return ambiguous('The customer stands in the path and in the form.')
  const customer = path.customer ?? params.get('customer')
  const explain = (price: Pick<Explanation, 'quote' | 'settle'>, currencies: readonly string[]): Explanation => ({
    ...price,
    direction: 'in',
    effects: ['future_spend'],
    subjects: subjects(question, { customers: owners(customer), currencies: [params.get('currency'), ...currencies] }),
  })
  const items = readLines(params, 'items', ITEM_FIELDS)
  const added = readLines(params, 'add_invoice_items', ADDED_FIELDS)
  if (typeof items === 'string') return explain(costs(items), [])
  if (typeof added === 'string') return explain(costs(added), [])
  if (!customer) return explain(costs('Without a customer the first invoice cannot be previewed.'), [])
  if (items.length === 0) return explain(costs('A subscription without items has no price.'), [])
  return totalOf(
    question,
    [...items, ...added],
    (recurring, currencies) => {
      if (typeof recurring === 'string') return explain(costs(recurring), currencies)
      const asked = [['customer', customer] as const, ...previewOf(params)]
      return previewed(question, asked, (next, currency) =>
        explain(costs(largest([next, recurring]), 'ceiling'), currency ? [...currencies, currency] : currencies),
      )
    },
    { lookUps: LOOK_UPS_MAX - 1, previewed: true },
  )
}

/** Parameters of an update that neither bill anything nor change what will be billed. */
const HARMLESS: ReadonlySet<string> = new Set([
  'cancellation_details',
  'days_until_due',
  'default_payment_method',
  'default_source',
  'description',
  'expand',
  'invoice_settings',
  'metadata',
  'off_session',
  'payment_behavior',
  'payment_settings',
  'trial_settings',
])

function update(question: Question): Explained {
  const { params } = question
  const id = question.path.subscription!
  // Ending at the end of the period bills nothing; saying false revives a subscription that was about to end.
  const ends = params.get('cancel_at_period_end') === 'true'
  if (params.names().every((name) => HARMLESS.has(name) || (ends && name === 'cancel_at_period_end'))) {
    return ofOwner(question, 'subscription', id, (customers) => ({
      quote: FREE,
      ...(ends && { effects: ['destructive'] as const }),
      subjects: subjects(question, { customers: withPath(question, customers) }),
    }))
  }
  return find('subscription', id, (subscription) => {
    const explain = (price: Pick<Explanation, 'quote' | 'settle'>, currencies: readonly string[]): Explanation => ({
      ...price,
      direction: 'in',
      effects: ends || params.has('cancel_at') ? ['future_spend', 'destructive'] : ['future_spend'],
      subjects: subjects(question, {
        customers: withPath(question, owners(customerOf(subscription))),
        currencies: [text(subscription.currency), ...currencies],
        beneficiaries: beneficiariesOf(subscription),
      }),
    })
    const existing = list(object(subscription.items)?.data)
    const items = itemsAfter(params, subscription, existing)
    const added = readLines(params, 'add_invoice_items', ADDED_FIELDS)
    if (typeof items === 'string') return explain(costs(items), [])
    if (typeof added === 'string') return explain(costs(added), [])
    const known = new Map(
      existing.flatMap((item) => {
        const price = object(item.price)
        return price && text(price.id) ? [[text(price.id)!, price] as const] : []
      }),
    )
    return totalOf(
      question,
      [...items, ...added],
      (recurring, currencies) => {
        if (typeof recurring === 'string') return explain(costs(recurring), currencies)
        return previewed(question, [['subscription', id], ...previewOf(params)], (next) =>
          explain(costs(largest([next, recurring]), 'ceiling'), currencies),
        )
      },
      { known, lookUps: LOOK_UPS_MAX - 2, previewed: true },
    )
  })
}

/** The legacy route names a customer of its own. */
const withPath = ({ path }: Question, customers: readonly string[] | null): readonly string[] | null =>
  customers && path.customer ? owners(...customers, path.customer) : customers

/** Every item the subscription bills once the update is through. */
function itemsAfter(
  params: Params,
  subscription: JsonObject,
  existing: readonly JsonObject[],
): readonly Line[] | string {
  const before = new Map<string, Line>()
  for (const item of existing) {
    const id = text(item.id)
    const price = idIn(item.price)
    if (!id || !price) return UNREADABLE
    before.set(id, { price, quantity: integer(item.quantity) ?? '1' })
  }
  if (before.size === 0 || object(subscription.items)?.has_more === true) return UNREADABLE
  const changes = numbered(params, 'items')
  if (typeof changes === 'string') return changes
  const after = new Map(before)
  for (const [i, change] of changes.entries()) {
    const id = change.get('id')
    if (id && !before.has(id)) return 'items names an item the subscription does not have.'
    const line = readLine(change, 'items', ITEM_FIELDS, id ? before.get(id) : undefined)
    if (typeof line === 'string') return line
    if (id && change.get('deleted') === 'true') after.delete(id)
    else after.set(id || `added ${i}`, line)
  }
  return [...after.values()]
}

const UNREADABLE = 'The items of the subscription could not be read.'

/** Cancelling is free unless it bills what is open or pays back what was not used. */
function cancel(question: Question): Explained {
  const { params } = question
  const id = question.path.subscription!
  if (params.get('invoice_now') !== 'true' && params.get('prorate') !== 'true') {
    return ofOwner(question, 'subscription', id, (customers) => ({
      quote: FREE,
      subjects: subjects(question, { customers: withPath(question, customers) }),
    }))
  }
  return find('subscription', id, (subscription) => {
    const behaviour = params.get('prorate') === 'true' ? 'create_prorations' : 'none'
    const asked = [
      ['subscription', id],
      ['subscription_details[cancel_now]', 'true'],
      ['subscription_details[proration_behavior]', behaviour],
    ] as const
    return previewed(question, asked, (price) => ({
      ...costs(price, 'ceiling'),
      direction: params.get('prorate') === 'true' ? 'out' : 'in',
      effects: ['spend'],
      subjects: subjects(question, {
        customers: withPath(question, owners(customerOf(subscription))),
        currencies: [text(subscription.currency)],
        beneficiaries: beneficiariesOf(subscription),
      }),
    }))
  })
}

/**
 * What Stripe says the next invoice would come to. The total counts beside what is due of it, because credit that
 * lowers what is due is money too; a negative total is credit we give.
 */
function previewed(
  question: Question,
  params: readonly (readonly [string, string])[],
  then: (price: Priced, currency: string | null) => Explanation,
): Explained {
  return {
    lookUp: { method: 'POST', path: '/v1/invoices/create_preview', params },
    then: (invoice) => {
      if (!invoice) return then(UNKNOWN_OBJECT, null)
      const currency = text(invoice.currency)
      const due = integer(invoice.amount_due)
      const total = integer(invoice.total)?.replace('-', '')
      return then(priceOf(question, due && total ? largerMinor(due, total) : (due ?? total), currency), currency)
    },
  }
}

/**
 * The request as parameters of a preview. Trials, discounts and endings are left out on purpose: without them the
 * preview shows a full period, which is what follows.
 */
function previewOf(params: Params): (readonly [string, string])[] {
  return params.entries().flatMap(([name, value]) => {
    const item = /^items\[(\d+)\]\[(id|price|price_data|plan|quantity|deleted|clear_usage|tax_rates)\](.*)$/.exec(name)
    if (item) return [[`subscription_details[items][${item[1]}][${item[2]}]${item[3]}`, value] as const]
    const added = /^add_invoice_items\[(\d+)\]\[(price|price_data|quantity|tax_rates)\](.*)$/.exec(name)
    if (added) return [[`invoice_items[${added[1]}][${added[2]}]${added[3]}`, value] as const]
    if (name === 'backdate_start_date') return [['subscription_details[start_date]', value] as const]
    if (name === 'billing_cycle_anchor')
      return /^(now|unchanged)$/.test(value) ? [[inDetails(name), value] as const] : []
    if (name === 'trial_end') return value === 'now' ? [[inDetails(name), value] as const] : []
    if (/^(proration_behavior|proration_date)$|^(default_tax_rates|billing_mode)(\[|$)/.test(name)) {
      return [[inDetails(name), value] as const]
    }
    return name === 'currency' || name.startsWith('automatic_tax[') ? [[name, value] as const] : []
  })
}

/** `billing_mode[type]` as `subscription_details[billing_mode][type]`. */
const inDetails = (name: string): string => `subscription_details[${name.replace(/(\[|$)/, ']$1')}`
