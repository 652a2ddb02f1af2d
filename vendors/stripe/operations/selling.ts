import { larger, ZERO } from '../../../src/contracts/money.js'
import type { Explained, JsonObject, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, ofOwner } from '../lookups.js'
import { readLine, readLines, numbered, totalOf, type Line } from '../lines.js'
import { operation } from '../operation.js'
import { brings, costs, free, largerMinor, open, priceOf, times } from '../pricing.js'
import { idIn, integer, list, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { nobodys, ownedList, ownedRead, refusedExpansion, SECRETS } from './reads.js'

/** On plain reads the address of a page is a secret as well: whoever has it can pay there. */
const WITH_URL = [...SECRETS, 'url'] as const

/** Pages somebody pays on later, without another call that passes here: they count in full when they are made. */
export const selling: readonly Operation[] = product({ source: SDK, reveals: WITH_URL }, [
  operation({
    id: 'payment_links.create',
    routes: ['POST /v1/payment_links'],
    effect: 'future_spend',
    // What can be paid on the page is counted, and nobody can pay without its address.
    reveals: [],
    accepts: `after_completion allow_promotion_codes application_fee_amount application_fee_percent automatic_tax
      billing_address_collection consent_collection currency custom_fields custom_text customer_creation
      inactive_message invoice_creation line_items metadata name_collection on_behalf_of optional_items
      payment_intent_data payment_method_collection payment_method_options payment_method_types
      phone_number_collection restrictions shipping_address_collection shipping_options submit_type subscription_data
      tax_id_collection transfer_data`,
    explain: (question) => {
      const { params } = question
      const lines = offered(params, ['line_items', 'optional_items'])
      const limit = salesLimit(params.get('restrictions[completed_sessions][limit]'))
      return totalOf(question, typeof lines === 'string' ? [] : lines, (total, currencies) => ({
        direction: 'in',
        commits: open(limit === null ? null : BigInt(limit)),
        subjects: subjects(question, { currencies: [params.get('currency'), ...currencies] }),
        ...costs(typeof lines === 'string' ? lines : times(total, limit ?? '1'), 'ceiling'),
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
    outcome: (reply, question) => (reply.active === false ? { ends: question.path.payment_link! } : {}),
  }),
  { ...nobodys('payment_links.list', '/v1/payment_links'), reveals: WITH_URL },
  { ...nobodys('payment_links.retrieve', '/v1/payment_links/{payment_link}'), reveals: WITH_URL },
  nobodys('payment_links.list_line_items', '/v1/payment_links/{payment_link}/line_items'),

  operation({
    id: 'checkout.sessions.create',
    routes: ['POST /v1/checkout/sessions'],
    effect: 'future_spend',
    reveals: [],
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
      const refused = refusedExpansion(question)
      if (params.get('mode') === 'setup' && !params.has('line_items')) {
        return {
          ...refused,
          quote: free('A session in setup mode saves a payment method and sells nothing.'),
          commits: open(1n),
          subjects: subjects(question, { customers, currencies: [params.get('currency')] }),
        }
      }
      const lines = offered(params, ['line_items', 'optional_items'])
      return totalOf(question, typeof lines === 'string' ? [] : lines, (total, currencies) => ({
        ...refused,
        ...costs(typeof lines === 'string' ? lines : total, 'ceiling'),
        direction: 'in',
        commits: open(1n),
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
    id: 'checkout.sessions.update',
    routes: ['POST /v1/checkout/sessions/{session}'],
    effect: 'future_spend',
    accepts: 'collected_information line_items metadata payment_intent_data shipping_options',
    explain: updateSession,
  }),
  operation({
    id: 'checkout.sessions.expire',
    routes: ['POST /v1/checkout/sessions/{session}/expire'],
    effect: 'write',
    why: 'It closes a page and moves nothing.',
    weaker: 'It only lowers exposure and gives a reservation back.',
    accepts: '',
    explain: (question) =>
      ofOwner(question, 'checkout.session', question.path.session!, (customers) => ({
        quote: free('Expiring a page moves no money.'),
        object: question.path.session!,
        subjects: subjects(question, { customers }),
      })),
    outcome: (reply, question) => {
      const session = question.path.session!
      if (reply.status !== 'expired') return {}
      return reply.payment_status === 'paid' ? { ends: session } : { object: session, total: ZERO, ends: session }
    },
  }),
  { ...ownedList('checkout.sessions.list', '/v1/checkout/sessions'), reveals: WITH_URL },
  {
    ...ownedRead('checkout.sessions.retrieve', '/v1/checkout/sessions/{session}', 'checkout.session', 'session'),
    reveals: WITH_URL,
  },
  ownedRead(
    'checkout.sessions.list_line_items',
    '/v1/checkout/sessions/{session}/line_items',
    'checkout.session',
    'session',
  ),
])

/** How often a link can be paid, as Stripe reads the parameter: null without a limit. */
const salesLimit = (limit: string | null | undefined): string | null => (limit ? largerMinor(limit, '1') : null)

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
    return {
      quote: free('Nothing more can be paid on the link afterwards than before.'),
      subjects: subjects(question, {}),
    }
  }
  const id = question.path.payment_link!
  return find(
    'payment_link',
    id,
    (link) => {
      const existing = list(object(link.line_items)?.data)
      const lines = linesAfter(params, link, existing)
      const limit = salesLimit(params.get('restrictions[completed_sessions][limit]') ?? salesOf(link))
      return totalOf(
        question,
        typeof lines === 'string' ? [] : lines,
        (total, currencies) => ({
          direction: 'in',
          commits: open(limit === null ? null : BigInt(limit), id),
          subjects: subjects(question, { currencies, beneficiaries: beneficiariesOf(link) }),
          ...brings(id, typeof lines === 'string' ? lines : times(total, limit ?? '1'), 'ceiling'),
        }),
        { known: pricesOf(existing), lookUps: 5 },
      )
    },
    { expand: ['line_items', 'line_items.data.price.currency_options', 'line_items.data.price.tiers'] },
  )
}

/** The prices that came with the lines of a page. */
const pricesOf = (lines: readonly JsonObject[]): ReadonlyMap<string, JsonObject> =>
  new Map(
    lines.flatMap((line) => {
      const price = object(line.price)
      const id = text(price?.id)
      return price && id ? [[id, price] as const] : []
    }),
  )

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
    lines.push({ price, quantity, adjustable: true })
  }
  if (changes.size > 0 || params.all('line_items').length > 0) return 'line_items names an item the link does not have.'
  const optional = params.has('optional_items')
    ? readLines(params, 'optional_items')
    : list(link.optional_items).map((item) => ({
        price: idIn(item.price) ?? '',
        quantity: largestQuantity(item, undefined) ?? '',
        adjustable: true,
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

/** Parameters of a session's update that change nothing that is to be paid. */
const SESSION_HARMLESS: ReadonlySet<string> = new Set(['collected_information', 'expand', 'metadata'])

/** An update names all lines that are to stay: by id, changed or not, or new. */
function updateSession(question: Question): Explained {
  const { params } = question
  const id = question.path.session!
  if (params.names().every((name) => SESSION_HARMLESS.has(name))) {
    return ofOwner(question, 'checkout.session', id, (customers) => ({
      quote: free('What is to be paid in the session stays as it is.'),
      subjects: subjects(question, { customers }),
    }))
  }
  return find(
    'checkout.session',
    id,
    (session) => {
      const existing = list(object(session.line_items)?.data)
      const lines = sessionLines(params, session, existing)
      return totalOf(
        question,
        typeof lines === 'string' ? [] : lines,
        (total, currencies) => ({
          direction: 'in',
          commits: open(1n, id),
          subjects: subjects(question, {
            customers: owners(customerOf(session)),
            currencies: [text(session.currency), ...currencies],
            beneficiaries: beneficiariesOf(session),
          }),
          ...brings(id, typeof lines === 'string' ? lines : total, 'ceiling'),
        }),
        { known: pricesOf(existing), lookUps: 5 },
      )
    },
    { expand: ['line_items', 'line_items.data.price.currency_options', 'line_items.data.price.tiers'] },
  )
}

function sessionLines(params: Params, session: JsonObject, existing: readonly JsonObject[]): readonly Line[] | string {
  if (params.has('shipping_options') || list(session.shipping_options).length > 0) return SHIPPING
  if (object(session.automatic_tax)?.enabled === true) return TAX
  if (list(session.optional_items).length > 0)
    return 'What the optional items of the session come to is not known here.'
  if (object(session.line_items)?.has_more === true) return UNREADABLE
  const before = new Map<string, Line>()
  for (const line of existing) {
    const price = idIn(line.price)
    const quantity = largestQuantity(line, undefined)
    if (!text(line.id) || !price || !quantity) return UNREADABLE
    before.set(text(line.id)!, { price, quantity, adjustable: true })
  }
  if (!params.has('line_items')) return before.size > 0 ? [...before.values()] : UNREADABLE
  const asked = numbered(params, 'line_items')
  if (typeof asked === 'string') return asked
  const lines: Line[] = []
  for (const item of asked) {
    const named = item.get('id')
    const old = named ? before.get(named) : undefined
    if (named && !old) return 'line_items names an item the session does not have.'
    const line = readLine(item, 'line_items', ['id'], old)
    if (typeof line === 'string') return line
    // What an existing line lets a buyer take stays, unless the update says otherwise.
    lines.push(
      old && !item.has('adjustable_quantity') ? { ...line, quantity: largerMinor(line.quantity, old.quantity) } : line,
    )
  }
  return lines
}

const UNREADABLE = 'What the session offers could not be read.'
