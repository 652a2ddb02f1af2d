import { larger } from '../../../src/contracts/money.js'
import type {
  Explained,
  Explanation,
  JsonObject,
  Operation,
  Outcome,
  Params,
  Question,
} from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { numbered, readLines } from '../lines.js'
import { find, LOOK_UPS_MAX, ofOwner } from '../lookups.js'
import { ambiguous, operation } from '../operation.js'
import { costs, FREE, free, priceOf } from '../pricing.js'
import { idIn, integer, list, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { HIDDEN } from './invoices.js'
import { everybodys, SECRETS } from './reads.js'
import {
  billed,
  itemsOf,
  previewed,
  pricesIn,
  readItem,
  readItems,
  subscribes,
  type Bill,
  type Item,
} from './recurring.js'

/**
 * A subscription has no amount of its own. Stripe's preview says what the next invoice comes to; one period of all
 * items says what it will come to again and again. The larger of the two is counted, once: renewals make no call, and
 * what they come to a month stands in the commitment.
 */
export const subscriptions: readonly Operation[] = product({ source: SDK, reveals: HIDDEN }, [
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
    outcome: created,
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
    outcome: (reply) => (reply.cancel_at_period_end === true ? ended(reply) : {}),
  }),
  operation({
    id: 'subscriptions.cancel',
    routes: ['DELETE /v1/subscriptions/{subscription}', 'DELETE /v1/customers/{customer}/subscriptions/{subscription}'],
    effect: 'destructive',
    weaker: 'Ending a subscription bills nothing; with invoice_now or prorate it spends as well.',
    accepts: 'cancellation_details invoice_now prorate',
    explain: cancel,
    outcome: (reply) => (reply.status === 'canceled' ? ended(reply) : {}),
  }),
  operation({
    id: 'subscriptions.pause',
    routes: ['POST /v1/subscriptions/{subscription}/pause'],
    effect: 'spend',
    accepts: 'bill_for invoicing_behavior type',
    explain: pause,
  }),
  operation({
    id: 'subscriptions.resume',
    routes: ['POST /v1/subscriptions/{subscription}/resume'],
    effect: 'spend',
    accepts: 'billing_cycle_anchor payment_behavior proration_behavior proration_date',
    maps: ['billing_cycle_anchor'],
    explain: resume,
  }),
  operation({
    id: 'subscriptions.migrate',
    routes: ['POST /v1/subscriptions/{subscription}/migrate'],
    effect: 'write',
    why: 'It changes how later prorations are worked out and bills nothing.',
    accepts: 'billing_mode',
    explain: owned,
  }),
  operation({
    id: 'subscriptions.delete_discount',
    routes: [
      'DELETE /v1/subscriptions/{subscription}/discount',
      'DELETE /v1/customers/{customer}/subscriptions/{subscription}/discount',
    ],
    effect: 'destructive',
    why: 'Subscriptions are counted without their discounts, so nothing is added when one ends.',
    accepts: '',
    explain: owned,
  }),
  everybodys('subscriptions.search', '/v1/subscriptions/search'),
  operation({
    id: 'subscriptions.list',
    routes: ['GET /v1/subscriptions', 'GET /v1/customers/{customer}/subscriptions'],
    effect: 'read',
    reveals: SECRETS,
    explain: ({ params, path }) => {
      const filter = [path.customer, params.get('customer')].filter((one) => one !== undefined)
      const known = filter.length > 0 && !params.has('customer_account')
      return { quote: FREE, subjects: { customers: known ? owners(...filter) : null } }
    },
  }),
  operation({
    id: 'subscriptions.retrieve',
    routes: ['GET /v1/subscriptions/{subscription}', 'GET /v1/customers/{customer}/subscriptions/{subscription}'],
    effect: 'read',
    reveals: SECRETS,
    explain: owned,
  }),
])

/** Item fields whose effect on the price Stripe's preview shows or which have none. */
export const ITEM_FIELDS = ['clear_usage', 'deleted', 'discounts', 'id', 'plan', 'tax_rates']
export const ADDED_FIELDS = ['discountable', 'discounts', 'period', 'tax_rates']

function create(question: Question): Explained {
  const { params, path } = question
  if (path.customer && params.has('customer')) return ambiguous('The customer stands in the path and in the form.')
  const customer = path.customer ?? params.get('customer')
  const explain = (
    price: Pick<Explanation, 'quote' | 'settle' | 'commits'>,
    currencies: readonly string[] = [],
  ): Explanation => ({
    ...price,
    direction: 'in',
    effects: ['future_spend'],
    subjects: subjects(question, { customers: owners(customer), currencies: [params.get('currency'), ...currencies] }),
  })
  const items = readItems(params, 'items', ITEM_FIELDS)
  const added = readLines(params, 'add_invoice_items', ADDED_FIELDS)
  if (typeof items === 'string') return explain(costs(items))
  if (typeof added === 'string') return explain(costs(added))
  if (!customer) return explain(costs('Without a customer the first invoice cannot be previewed.'))
  if (items.length === 0) return explain(costs('A subscription without items has no price.'))
  const sold = { items, added, currency: params.get('currency') ?? null, whole: true }
  const asked = [['customer', customer] as const, ...previewOf(params)]
  return billed(question, sold, asked, LOOK_UPS_MAX - 1, (bill) => explain(subscribes(bill), bill.currencies))
}

/** What was counted stands for the first invoice, so that paying it in a call of its own adds only what it exceeds. */
function created(reply: JsonObject, question: Question, { settle }: Explanation): Outcome {
  const id = text(reply.id)
  const invoice = idIn(reply.latest_invoice)
  const commitment = id !== null && { commitment: id }
  if (invoice === null || settle === undefined) return { ...commitment }
  const shown = object(reply.latest_invoice)
  const due = shown && priceOf(question, integer(shown.amount_due), text(shown.currency))
  return {
    ...commitment,
    object: invoice,
    total: due && typeof due !== 'string' ? larger(due.settle, settle) : settle,
  }
}

function ended(reply: JsonObject): Outcome {
  const id = text(reply.id)
  return id ? { ends: id } : {}
}

/** A call on a subscription that bills nothing and changes nothing that will be billed. */
function owned(question: Question): Explained {
  return ofOwner(question, 'subscription', question.path.subscription!, (customers) => ({
    quote: FREE,
    subjects: subjects(question, { customers: withPath(question, customers) }),
  }))
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
      quote: free('These parameters bill nothing and raise nothing that will be billed.'),
      ...(ends && { effects: ['destructive'] as const }),
      subjects: subjects(question, { customers: withPath(question, customers) }),
    }))
  }
  return find('subscription', id, (subscription) => {
    const explain = (price: Pick<Explanation, 'quote' | 'settle' | 'commits'>, currencies: readonly string[] = []) =>
      ({
        ...price,
        direction: 'in',
        effects: ends || params.has('cancel_at') ? ['future_spend', 'destructive'] : ['future_spend'],
        subjects: concerned(question, subscription, currencies),
      }) satisfies Explanation
    const items = itemsAfter(params, subscription)
    const added = readLines(params, 'add_invoice_items', ADDED_FIELDS)
    if (typeof items === 'string') return explain(costs(items))
    if (typeof added === 'string') return explain(costs(added))
    const asked = [['subscription', id] as const, ...previewOf(params)]
    return ofSubscription(question, subscription, items, added, asked, 2, (bill) =>
      explain(subscribes(bill, id), bill.currencies),
    )
  })
}

/**
 * Prices what an existing subscription bills.
 *
 * @param used look-ups the call needs beside those of prices
 */
export const ofSubscription = (
  question: Question,
  subscription: JsonObject,
  items: readonly Item[],
  added: Parameters<typeof billed>[1]['added'],
  asked: Parameters<typeof billed>[2],
  used: number,
  then: (bill: Bill) => Explained,
): Explained =>
  billed(
    question,
    { items, ...(added && { added }), known: pricesIn(subscription), currency: text(subscription.currency) },
    asked,
    LOOK_UPS_MAX - used,
    then,
  )

export const concerned = (question: Question, subscription: JsonObject, currencies: readonly string[] = []) =>
  subjects(question, {
    customers: withPath(question, owners(customerOf(subscription))),
    currencies: [text(subscription.currency), ...currencies],
    beneficiaries: beneficiariesOf(subscription),
  })

/** The legacy route names a customer of its own. */
const withPath = ({ path }: Question, customers: readonly string[] | null): readonly string[] | null =>
  customers && path.customer ? owners(...customers, path.customer) : customers

/** Every item the subscription bills once the update is through. */
function itemsAfter(params: Params, subscription: JsonObject): readonly Item[] | string {
  const before = itemsOf(subscription)
  if (before === null) return UNREADABLE
  const changes = numbered(params, 'items')
  if (typeof changes === 'string') return changes
  const after = new Map(before)
  for (const [i, change] of changes.entries()) {
    const id = change.get('id')
    if (id && !before.has(id)) return 'items names an item the subscription does not have.'
    const item = readItem(change, 'items', ITEM_FIELDS, id ? before.get(id) : undefined)
    if (typeof item === 'string') return item
    if (id && change.get('deleted') === 'true') after.delete(id)
    else after.set(id || `added ${i}`, item)
  }
  return [...after.values()]
}

export const UNREADABLE = 'The items of the subscription could not be read.'

/** Cancelling is free unless it bills what is open or pays back what was not used. */
function cancel(question: Question): Explained {
  const { params } = question
  const id = question.path.subscription!
  if (params.get('invoice_now') !== 'true' && params.get('prorate') !== 'true') {
    return ofOwner(question, 'subscription', id, (customers) => ({
      quote: free('Without invoice_now and prorate an ending bills nothing and pays nothing back.'),
      subjects: subjects(question, { customers: withPath(question, customers) }),
    }))
  }
  return find('subscription', id, (subscription) =>
    endsNow(question, subscription, params.get('prorate') === 'true', ['spend']),
  )
}

/** A subscription that ends at once with a last bill, less or plus credit for what was not used. */
export function endsNow(
  question: Question,
  subscription: JsonObject,
  prorate: boolean,
  effects: NonNullable<Explanation['effects']>,
): Explained {
  const asked = [
    ['subscription', text(subscription.id) ?? ''],
    ['subscription_details[cancel_now]', 'true'],
    ['subscription_details[proration_behavior]', prorate ? 'create_prorations' : 'none'],
  ] as const
  return previewed(question, asked, (price) => ({
    direction: prorate ? 'out' : 'in',
    effects,
    subjects: concerned(question, subscription),
    ...costs(price, 'ceiling'),
  }))
}

/**
 * A pause gives credit for unused time and bills used units, both by default. Stripe previews only those that are
 * invoiced at once; of the others a period of everything is the most that can come back.
 */
function pause(question: Question): Explained {
  const { params } = question
  const id = question.path.subscription!
  const credit = params.get('bill_for[unused_time_from][type]') ?? 'now'
  const usage = params.get('bill_for[outstanding_usage_through][type]') ?? 'now'
  if (credit === 'none' && usage === 'none') {
    return ofOwner(question, 'subscription', id, (customers) => ({
      quote: free('Nothing is billed and nothing credited for the time before the pause.'),
      effects: ['destructive'],
      subjects: subjects(question, { customers }),
    }))
  }
  return find('subscription', id, (subscription) => {
    const explain = (price: Pick<Explanation, 'quote' | 'settle'>): Explanation => ({
      ...price,
      direction: 'out',
      effects: ['destructive'],
      subjects: concerned(question, subscription),
    })
    if (params.get('invoicing_behavior') === 'invoice') {
      const asked = params
        .entries()
        .flatMap(([name, value]) =>
          /^(type|invoicing_behavior|bill_for\[.*)$/.test(name)
            ? [[`subscription_details[pause][${name.replace(/(\[|$)/, ']$1')}`, value] as const]
            : [],
        )
      return previewed(question, [['subscription', id], ...asked], (price) => explain(costs(price, 'ceiling')))
    }
    const items = itemsOf(subscription)
    if (items === null) return explain(costs(UNREADABLE))
    if (object(subscription.automatic_tax)?.enabled === true || list(subscription.default_tax_rates).length > 0) {
      return explain(costs(`What tax the credit for unused time includes cannot be known. ${NO_CREDIT}`))
    }
    return ofSubscription(question, subscription, [...items.values()], [], null, 1, (bill) =>
      explain(costs(bill.amount, 'ceiling')),
    )
  })
}

const NO_CREDIT = 'Send bill_for[unused_time_from][type]=none and bill_for[outstanding_usage_through][type]=none.'

/** Resuming bills a period at once, unless the old billing cycle goes on. */
function resume(question: Question): Explained {
  const { params } = question
  const id = question.path.subscription!
  return find('subscription', id, (subscription) => {
    const explain = (price: Pick<Explanation, 'quote' | 'settle' | 'commits'>): Explanation => ({
      ...price,
      direction: 'in',
      effects: ['future_spend'],
      subjects: concerned(question, subscription),
    })
    const items = itemsOf(subscription)
    if (items === null) return explain(costs(UNREADABLE))
    const anchor = params.get('billing_cycle_anchor[type]') ?? params.get('billing_cycle_anchor')
    const asked = [
      ['subscription', id] as const,
      ['subscription_details[resume_at]', 'now'] as const,
      ...(anchor === undefined ? [] : [['subscription_details[billing_cycle_anchor]', anchor] as const]),
      ...previewOf(params).filter(([name]) => name.includes('proration_')),
    ]
    return ofSubscription(question, subscription, [...items.values()], [], asked, 2, (bill) =>
      explain(subscribes(bill, id)),
    )
  })
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
