import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, ofOwner } from '../lookups.js'
import { operation, unpriced } from '../operation.js'
import { costs, free } from '../pricing.js'
import { idIn } from '../replies.js'
import { SDK } from '../sources.js'
import { filteredList, ownedRead, SECRETS } from './reads.js'
import { itemsOf, readItem, subscribes, type Bill, type Item } from './recurring.js'
import { concerned, ITEM_FIELDS, ofSubscription, UNREADABLE } from './subscriptions.js'

const FORM_FIELDS = [
  ...ITEM_FIELDS,
  'expand',
  'off_session',
  'payment_behavior',
  'proration_behavior',
  'proration_date',
  'subscription',
]

/** One item of a subscription: changing it is changing the subscription. */
export const subscriptionItems: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'subscription_items.create',
    routes: ['POST /v1/subscription_items'],
    effect: 'spend',
    // billing_thresholds and current_trial are missing: they bill at times and by sums no preview shows.
    accepts: `discounts metadata payment_behavior plan price price_data proration_behavior proration_date quantity
      subscription tax_rates`,
    explain: (question) => {
      const { params } = question
      const id = params.get('subscription')
      if (!id)
        return {
          subjects: { customers: null },
          ...costs('The item names no subscription, so what it bills is unknown.'),
        }
      return find('subscription', id, (subscription) => {
        const before = itemsOf(subscription)
        const added = readItem(params, 'the item', FORM_FIELDS)
        const items = before === null ? UNREADABLE : typeof added === 'string' ? added : [...before.values(), added]
        return changed(question, subscription, items, previewOf(params, null), 2)
      })
    },
  }),
  operation({
    id: 'subscription_items.update',
    routes: ['POST /v1/subscription_items/{item}'],
    effect: 'spend',
    accepts: `discounts metadata off_session payment_behavior plan price price_data proration_behavior proration_date
      quantity tax_rates`,
    explain: (question) => {
      const { params, path } = question
      const id = path.item!
      if (params.names().every((name) => HARMLESS.has(name))) {
        return ofOwner(question, 'subscription_item', id, (customers) => ({
          quote: free('These parameters bill nothing and raise nothing that will be billed.'),
          subjects: { customers },
        }))
      }
      return withSubscription(id, (subscription) => {
        const before = itemsOf(subscription)
        const old = before?.get(id)
        const item = old === undefined ? UNREADABLE : readItem(params, 'the item', FORM_FIELDS, old)
        const items = typeof item === 'string' ? item : [...new Map(before).set(id, item).values()]
        return changed(question, subscription, items, previewOf(params, id), 3)
      })
    },
  }),
  operation({
    id: 'subscription_items.delete',
    routes: ['DELETE /v1/subscription_items/{item}'],
    effect: 'spend',
    accepts: 'clear_usage payment_behavior proration_behavior proration_date',
    explain: remove,
  }),
  operation({
    id: 'subscription_items.create_usage_record',
    routes: ['POST /v1/subscription_items/{item}/usage_records'],
    effect: 'future_spend',
    accepts: 'action quantity timestamp',
    explain: unpriced(
      'What reported usage costs is worked out at the end of the period, from all of it and the tiers of its price.',
    ),
  }),
  filteredList('subscription_items.list', '/v1/subscription_items', { subscription: 'subscription' }),
  ownedRead('subscription_items.retrieve', '/v1/subscription_items/{item}', 'subscription_item', 'item'),
])

/** Subscriptions are counted without discounts, so those change nothing. */
const HARMLESS: ReadonlySet<string> = new Set(['discounts', 'expand', 'metadata', 'off_session', 'payment_behavior'])

const withSubscription = (item: string, then: (subscription: JsonObject) => Explained): Explained =>
  find('subscription_item', item, (found) => {
    const subscription = idIn(found.subscription)
    if (subscription === null) return { subjects: { customers: null }, ...costs(UNREADABLE) }
    return find('subscription', subscription, then)
  })

/** @param used look-ups the call needs beside those of prices */
function changed(
  question: Question,
  subscription: JsonObject,
  items: readonly Item[] | string,
  asked: readonly (readonly [string, string])[],
  used: number,
): Explained {
  const id = idIn(subscription.id) ?? ''
  const explain = (price: Pick<Explanation, 'quote' | 'settle' | 'commits'>, currencies: readonly string[]) =>
    ({
      ...price,
      direction: 'in',
      effects: ['future_spend'],
      subjects: concerned(question, subscription, currencies),
    }) satisfies Explanation
  if (typeof items === 'string') return explain(costs(items), [])
  return ofSubscription(question, subscription, items, [], [['subscription', id], ...asked], used, (bill) =>
    explain(subscribes(bill, id), bill.currencies),
  )
}

/**
 * Removing an item gives credit for its unused time unless told not to. The preview nets that credit against the next
 * period of the other items, so a period of the item itself, which is the most that can come back, counts beside it.
 */
function remove(question: Question): Explained {
  const { params, path } = question
  const id = path.item!
  const clears = params.get('clear_usage') === 'true'
  if (params.get('proration_behavior') === 'none' && !clears) {
    return ofOwner(question, 'subscription_item', id, (customers) => ({
      quote: free('Without proration nothing is billed and nothing credited for the item.'),
      effects: ['destructive'],
      subjects: { customers },
    }))
  }
  return withSubscription(id, (subscription) => {
    const explain = (bill: Bill, rest: Bill | null): Explanation => ({
      ...costs(bill.amount, 'ceiling'),
      ...(rest &&
        typeof rest.amount !== 'string' && { commits: subscribes(rest, idIn(subscription.id) ?? '').commits! }),
      direction: 'out',
      effects: ['destructive'],
      subjects: concerned(question, subscription, bill.currencies),
    })
    const items = new Map(itemsOf(subscription))
    const item = items.get(id)
    if (item === undefined || clears) {
      const why = clears ? 'What the usage that is cleared would have been billed at is unknown.' : UNREADABLE
      return explain({ amount: why, perMonth: ZERO, quantity: 0n, currencies: [] }, null)
    }
    items.delete(id)
    const asked = [
      ['subscription', idIn(subscription.id) ?? ''] as const,
      ...previewOf(params, id),
      ['subscription_details[items][0][deleted]', 'true'] as const,
    ]
    return ofSubscription(question, subscription, [...items.values()], [], null, 3, (rest) =>
      ofSubscription(question, subscription, [item], [], asked, 3, (bill) => explain(bill, rest)),
    )
  })
}

/** The form of one item as parameters of a preview. */
function previewOf(params: Params, id: string | null): (readonly [string, string])[] {
  const existing = id === null ? [] : [['subscription_details[items][0][id]', id] as const]
  return [
    ...existing,
    ...params.entries().flatMap(([name, value]): (readonly [string, string])[] => {
      const item = /^(price|price_data|plan|quantity|tax_rates)(\[.*)?$/.exec(name)
      if (item) return [[`subscription_details[items][0][${item[1]}]${item[2] ?? ''}`, value] as const]
      return /^proration_(behavior|date)$/.test(name) ? [[`subscription_details[${name}]`, value] as const] : []
    }),
  ]
}
