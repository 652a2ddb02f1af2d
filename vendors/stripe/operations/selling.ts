import { larger, ZERO } from '../../../src/contracts/money.js'
import type { Explained, JsonObject, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { find, ofOwner } from '../lookups.js'
import { readLines, totalOf, type Line } from '../lines.js'
import { operation } from '../operation.js'
import { brings, costs, FREE, largerMinor, priceOf, times } from '../pricing.js'
import { idIn, integer, list, object, text } from '../replies.js'
import { beneficiariesOf, owners, subjects } from '../subjects.js'
import { nobodys, ownedList, ownedRead } from './reads.js'

/** Pages somebody pays on later, without another call that passes here: they count in full when they are made. */
export const selling: readonly Operation[] = [
  operation({
    id: 'payment_links.create',
    routes: ['POST /v1/payment_links'],
    effect: 'future_spend',
    accepts: `after_completion allow_promotion_codes application_fee_amount application_fee_percent automatic_tax
      billing_address_collection consent_collection currency custom_fields custom_text customer_creation
      inactive_message invoice_creation line_items metadata name_collection on_behalf_of optional_items
      payment_intent_data payment_method_collection payment_method_options payment_method_types
      phone_number_collection restrictions shipping_address_collection shipping_options submit_type subscription_data
      tax_id_collection transfer_data`,
    explain: (question) => {
      const { params } = question
      const lines = offered(params, ['line_items', 'optional_items'])
      const sales = largerMinor(params.get('restrictions[completed_sessions][limit]') ?? '1', '1')
      return totalOf(question, typeof lines === 'string' ? [] : lines, (total, currencies) => ({
        ...costs(typeof lines === 'string' ? lines : times(total, sales), 'ceiling'),
        direction: 'in',
        subjects: subjects(question, { currencies: [params.get('currency'), ...currencies] }),
      }))
    },
    outcome: (reply, _question, { settle }) => {
      const id = text(reply.id)
      return id ? { object: id, ...(settle !== undefined && { total: settle }) } : {}
    },
  }),
  operation({
    id: 'payment_links.update',
    routes: ['POST /v1/payment_links/{payment_link}'],
    effect: 'future_spend',
    accepts: `active after_completion allow_promotion_codes application_fee_amount application_fee_percent automatic_tax
      billing_address_collection consent_collection custom_fields custom_text customer_creation inactive_message
      invoice_creation line_items metadata name_collection on_behalf_of optional_items payment_intent_data
      payment_method_collection payment_method_options payment_method_types phone_number_collection restrictions
      shipping_address_collection shipping_options submit_type subscription_data tax_id_collection transfer_data`,
    explain: updateLink,
  }),
  nobodys('payment_links.list', '/v1/payment_links'),
  nobodys('payment_links.retrieve', '/v1/payment_links/{payment_link}'),
  nobodys('payment_links.list_line_items', '/v1/payment_links/{payment_link}/line_items'),

  operation({
    id: 'checkout.sessions.create',
    routes: ['POST /v1/checkout/sessions'],
    effect: 'future_spend',
    // after_expiration is missing: a recovered session takes payment after expiring has given its amount back.
    accepts: `adaptive_pricing allow_promotion_codes allowed_payment_method_types automatic_tax
      billing_address_collection branding_settings cancel_url client_reference_id consent_collection currency
      custom_fields custom_text customer customer_creation customer_email customer_update discounts
      excluded_payment_method_types expires_at integration_identifier invoice_creation line_items locale metadata mode
      name_collection optional_items origin_context payment_intent_data payment_method_collection
      payment_method_configuration payment_method_data payment_method_options payment_method_types permissions
      phone_number_collection redirect_on_completion return_url saved_payment_method_options setup_intent_data
      shipping_address_collection shipping_options submit_type subscription_data success_url tax_id_collection ui_mode
      wallet_options`,
    explain: (question) => {
      const { params } = question
      const customers = owners(params.get('customer'))
      if (params.get('mode') === 'setup' && !params.has('line_items')) {
        return { quote: FREE, subjects: subjects(question, { customers, currencies: [params.get('currency')] }) }
      }
      const lines = offered(params, ['line_items', 'optional_items'])
      return totalOf(question, typeof lines === 'string' ? [] : lines, (total, currencies) => ({
        ...costs(typeof lines === 'string' ? lines : total, 'ceiling'),
        direction: 'in',
        subjects: subjects(question, { customers, currencies: [params.get('currency'), ...currencies] }),
      }))
    },
    outcome: (reply, question, { settle }) => {
      const id = text(reply.id)
      if (!id) return {}
      const shown = priceOf(question, integer(reply.amount_total), text(reply.currency))
      if (typeof shown === 'string') return { object: id, ...(settle !== undefined && { total: settle }) }
      return { object: id, total: larger(shown.settle, settle ?? ZERO) }
    },
  }),
  operation({
    id: 'checkout.sessions.expire',
    routes: ['POST /v1/checkout/sessions/{session}/expire'],
    effect: 'write',
    accepts: '',
    explain: (question) =>
      ofOwner(question, 'checkout.session', question.path.session!, (customers) => ({
        quote: FREE,
        object: question.path.session!,
        subjects: subjects(question, { customers }),
      })),
    outcome: (reply, question) => {
      if (reply.status !== 'expired' || reply.payment_status === 'paid') return {}
      return { object: question.path.session!, total: ZERO }
    },
  }),
  ownedList('checkout.sessions.list', '/v1/checkout/sessions'),
  ownedRead('checkout.sessions.retrieve', '/v1/checkout/sessions/{session}', 'checkout.session', 'session'),
  ownedRead(
    'checkout.sessions.list_line_items',
    '/v1/checkout/sessions/{session}/line_items',
    'checkout.session',
    'session',
  ),
]

/** What a page offers, or why its price has no upper bound. */
function offered(params: Params, names: readonly string[]): readonly Line[] | string {
  if (params.has('shipping_options')) return SHIPPING
  if (params.get('automatic_tax[enabled]') === 'true' || params.has('subscription_data[default_tax_rates]')) return TAX
  const lines: Line[] = []
  for (const name of names) {
    const some = readLines(params, name)
    if (typeof some === 'string') return some
    lines.push(...some)
  }
  return lines.length > 0 ? lines : 'The page offers no items, so what will be paid on it is unknown.'
}

const SHIPPING = 'What shipping adds to the price cannot be known before somebody pays.'
const TAX = 'What tax adds to the price cannot be known before somebody pays.'

/** Parameters of an update after which no more can be paid on the link than before. */
const HARMLESS: ReadonlySet<string> = new Set([
  'after_completion',
  'billing_address_collection',
  'consent_collection',
  'custom_fields',
  'custom_text',
  'customer_creation',
  'expand',
  'inactive_message',
  'invoice_creation',
  'metadata',
  'name_collection',
  'payment_method_collection',
  'payment_method_options',
  'payment_method_types',
  'phone_number_collection',
  'submit_type',
  'tax_id_collection',
])

function updateLink(question: Question): Explained {
  const { params } = question
  const closes =
    params.get('active') === 'false' && params.names().every((name) => name === 'active' || HARMLESS.has(name))
  if (closes || params.names().every((name) => HARMLESS.has(name))) {
    return { quote: FREE, subjects: subjects(question, {}) }
  }
  const id = question.path.payment_link!
  return find(
    'payment_link',
    id,
    (link) => {
      const existing = list(object(link.line_items)?.data)
      const lines = linesAfter(params, link, existing)
      const sales = largerMinor(params.get('restrictions[completed_sessions][limit]') ?? salesOf(link) ?? '1', '1')
      const known = new Map(
        existing.flatMap((line) => {
          const price = object(line.price)
          return price && text(price.id) ? [[text(price.id)!, price] as const] : []
        }),
      )
      return totalOf(
        question,
        typeof lines === 'string' ? [] : lines,
        (total, currencies) => ({
          ...brings(id, typeof lines === 'string' ? lines : times(total, sales), 'ceiling'),
          direction: 'in',
          subjects: subjects(question, { currencies, beneficiaries: beneficiariesOf(link) }),
        }),
        { known, lookUps: 5 },
      )
    },
    { expand: ['line_items', 'line_items.data.price.currency_options'] },
  )
}

const salesOf = (link: JsonObject): string | null =>
  integer(object(object(link.restrictions)?.completed_sessions)?.limit)

/** What the link offers once the update is through. */
function linesAfter(params: Params, link: JsonObject, existing: readonly JsonObject[]): readonly Line[] | string {
  if (params.has('shipping_options') || list(link.shipping_options).length > 0) return SHIPPING
  const tax = params.get('automatic_tax[enabled]') ?? String(object(link.automatic_tax)?.enabled === true)
  if (tax === 'true' || params.has('subscription_data[default_tax_rates]')) return TAX
  if (existing.length === 0 || object(link.line_items)?.has_more === true)
    return 'What the link offers could not be read.'
  const changes = new Map(params.list('line_items').map((item) => [item.get('id'), item]))
  const lines: Line[] = []
  for (const line of existing) {
    const change = changes.get(text(line.id) ?? undefined)
    const price = idIn(line.price)
    const quantity = largestQuantity(line, change)
    if (!price || !quantity) return 'What the link offers could not be read.'
    changes.delete(text(line.id) ?? undefined)
    lines.push({ price, quantity })
  }
  if (changes.size > 0 || params.all('line_items').length > 0) return 'line_items names an item the link does not have.'
  const optional = params.has('optional_items')
    ? readLines(params, 'optional_items')
    : list(link.optional_items).map((item) => ({
        price: idIn(item.price) ?? '',
        quantity: largestQuantity(item, undefined) ?? '',
      }))
  if (typeof optional === 'string') return optional
  if (optional.some(({ price, quantity }) => !price || !quantity)) return 'What the link offers could not be read.'
  return [...lines, ...optional]
}

/** The most a buyer can take of an existing line, as it is and as the update makes it. */
function largestQuantity(line: JsonObject, change: Params | undefined): string | null {
  const quantity = change?.get('quantity') ?? integer(line.quantity)
  const adjustable = object(line.adjustable_quantity)
  const enabled = change?.get('adjustable_quantity[enabled]') ?? String(adjustable?.enabled === true)
  if (!quantity || enabled !== 'true') return quantity
  const maximum = change?.get('adjustable_quantity[maximum]') ?? integer(adjustable?.maximum) ?? '99'
  return /^[1-9][0-9]{0,5}$/.test(maximum) ? largerMinor(quantity, maximum) : null
}
