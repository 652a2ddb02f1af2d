import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorld, travel } from '../pipeline/given.js'
import type { IssuedKey, World } from '../helpers/world.js'

/*
 * One request, whichever way it comes: over REST, by the general tools, by a named tool, by execute. The same verdict,
 * the same code, the same amount, and in the end the same counts in every budget.
 */

const WAYS = ['rest', 'general', 'general, brackets', 'named', 'execute'] as const
type Way = (typeof WAYS)[number]

type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value }

interface Asked {
  /** `PostRefunds`, or ours. */
  readonly id: string
  /** `POST /v1/refunds/{refund}` */
  readonly route: string
  /** What stands in the placeholder, and the name it is given under. */
  readonly object?: { readonly name: string; readonly value: string }
  readonly params: Readonly<Record<string, Value>>
  /** The named tool that does it with these parameters, with what it calls them. */
  readonly tool?: { readonly name: string; readonly args: Readonly<Record<string, Value>> }
}

let world: World
let keys: Record<Way, IssuedKey>
beforeAll(async () => {
  world = await startWorld()
  await world.credentials()
  const issued = await Promise.all(
    WAYS.map(() =>
      world.key({
        daily_cap_usd: '400.00',
        vendors: {
          stripe: {
            endpoints: { allow: ['* /v1/*'], deny: ['POST /v1/coupons'] },
            permit: ['future_spend'],
            max_amount_usd: '50.00',
            customers: ['cus_A'],
          },
        },
      }),
    ),
  )
  keys = Object.fromEntries(WAYS.map((way, i) => [way, issued[i]!])) as Record<Way, IssuedKey>
  // Large enough for every refund there will be.
  world.stripe.addCharge({ id: 'ch_large', customer: 'cus_A', amount: 99_000_000 })
  world.stripe.addCharge({ id: 'ch_others', customer: 'cus_B', amount: 99_000_000 })
})
afterAll(() => world.close())

// What REST would have sent: names with brackets, values as text.
function* pairsOf(name: string, value: Value): Generator<[string, string]> {
  if (value === null) yield [name, '']
  else if (typeof value !== 'object') yield [name, String(value)]
  else for (const [inner, each] of Object.entries(value)) yield* pairsOf(`${name}[${inner}]`, each)
}
const pairsIn = (params: Asked['params']): [string, string][] =>
  Object.entries(params).flatMap(([name, value]) => [...pairsOf(name, value)])

const pathOf = ({ route, object }: Asked): string =>
  route.split(' ')[1]!.replace(/\{[^}]*\}/, () => object?.value ?? '')

async function rest(asked: Asked): Promise<void> {
  const method = asked.route.split(' ')[0]!
  const form = new URLSearchParams(pairsIn(asked.params)).toString()
  const query = method === 'GET' && form !== '' ? `?${form}` : ''
  const body = method === 'GET' ? '' : form
  // Byte for byte: HTTP clients would take dot segments out of the path.
  const reply = await world.raw(
    `${method} /stripe${pathOf(asked)}${query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.rest.key}\r\nConnection: close\r\n` +
      (body === ''
        ? '\r\n'
        : `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
  )
  expect(reply).toMatch(/^HTTP\/1\.1 /)
}

/** @returns what the tool answered */
async function tool(way: Way, name: string, args: unknown): Promise<any> {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }
  const reply = await world.call(
    keys[way].key,
    'POST',
    way === 'execute' ? '/mcp' : '/mcp/stripe',
    JSON.stringify(message),
    { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  )
  expect(reply.status, reply.text).toBe(200)
  return JSON.parse(reply.text.replace(/^event:.*\ndata: /, '')).result
}

const directly = (asked: Asked): object => {
  const [method, template] = asked.route.split(' ') as [string, string]
  return { method, path: asked.object === undefined ? template : pathOf(asked), params: asked.params }
}
const preview = async (asked: Asked): Promise<any> =>
  (await tool('execute', 'preview_call', directly(asked))).structuredContent

function send(way: Way, asked: Asked): Promise<void> {
  const method = asked.route.split(' ')[0]!
  const { object, params } = asked
  const placed = object === undefined ? {} : { [object.name]: object.value }
  const general = method === 'GET' ? 'stripe_api_read' : 'stripe_api_write'
  // Where no named tool does it, the general one does, under the same key, so that all keys count alike.
  switch (way === 'named' && asked.tool === undefined ? 'general' : way) {
    case 'rest':
      return rest(asked)
    case 'general':
      return tool(way, general, { stripe_api_operation_id: asked.id, parameters: { ...placed, ...params } })
    case 'general, brackets':
      return tool(way, general, {
        stripe_api_operation_id: asked.id,
        parameters: { ...placed, ...Object.fromEntries(pairsIn(params)) },
      })
    case 'named':
      return tool(way, asked.tool!.name, asked.tool!.args)
    case 'execute':
      return tool(way, 'execute', directly(asked))
  }
}

const lastRow = async (way: Way): Promise<any> =>
  (await world.must('GET', `/calls?key=${keys[way].id}&limit=1`)).calls[0]

const told = ({ decision, state, quoted_usd, reserved_usd, settled_usd }: any): unknown => ({
  verdict: decision.verdict,
  code: decision.code,
  state,
  quoted_usd,
  reserved_usd,
  settled_usd,
})
const understood = ({ method, path, operation, effect, direction, customer, look_ups }: any): unknown => ({
  method,
  path,
  operation,
  effect,
  direction,
  customer,
  look_ups,
})

/** Sends it every way and compares the rows. */
async function same(asked: Asked): Promise<any> {
  // More than twenty refusals a second of one key and code share a row; here every call must have its own.
  travel(world, 1_100)
  const foreseen = await preview(asked)
  for (const way of WAYS) await send(way, asked)
  const rows = await Promise.all(WAYS.map(lastRow))
  const [first, ...others] = rows
  for (const [i, row] of others.entries()) {
    expect(told(row), `${WAYS[i + 1]}: ${JSON.stringify(asked)}`).toEqual(told(first))
    // What could not be read as a request has no path at the vendor.
    if (!UNREAD.has(row.decision.code)) expect(understood(row), WAYS[i + 1]).toEqual(understood(first))
  }
  const { verdict, code, message } = rows.at(-1).decision
  // A message that is not read at all is refused before there is anything to look ahead to.
  if (foreseen === undefined) expect(code).toBe('request_malformed')
  else expect(foreseen, JSON.stringify(asked)).toMatchObject({ verdict, code, message })
  expect(foreseen?.quoted_usd ?? first.quoted_usd).toBe(first.quoted_usd)
  return first
}
const UNREAD = new Set(['request_malformed', 'request_ambiguous'])

const amount = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 6000 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Value>('10.5', '1e3', '-1', '0', '', ' 5', '0x10', '99999999999999999999', '１０'),
  },
  { weight: 1, arbitrary: fc.constantFrom<Value>(-5, 0, 10.5, true, null, [100], { is: 100 }) },
)
const metadata = fc.option(
  fc.dictionary(fc.constantFrom('order', 'note', 'a'), fc.constantFrom('1', 'x y', 'ä&='), { minKeys: 1 }),
  {
    nil: undefined,
  },
)
const given = (params: Readonly<Record<string, Value | undefined>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(params).filter((entry): entry is [string, Value] => entry[1] !== undefined))
const charge = fc.constantFrom('ch_large', 'ch_large', 'ch_large', 'ch_others', 'ch_nobody')
const customer = fc.constantFrom('cus_A', 'cus_A', 'cus_B', undefined)
const limit = fc.option(fc.constantFrom<Value>(1, 3, '2'), { nil: undefined })

const refund = fc.record({ charge, amount: fc.option(amount, { nil: undefined }), metadata }).map((fields): Asked => ({
  id: 'PostRefunds',
  route: 'POST /v1/refunds',
  params: given(fields),
  ...(fields.metadata === undefined && {
    tool: { name: 'create_refund', args: given({ charge: fields.charge, amount: fields.amount }) },
  }),
}))
const intent = fc
  .record({
    id: fc.constantFrom('PostPaymentIntents', 'payment_intents.create'),
    amount,
    customer,
    currency: fc.constantFrom('usd', 'USD', 'eur', 'xyz'),
    metadata,
  })
  .map(({ id, ...fields }): Asked => ({ id, route: 'POST /v1/payment_intents', params: given(fields) }))
const update = fc
  .record({
    name: fc.constantFrom('customer', 'id'),
    value: fc.constantFrom('cus_A', 'cus_B', 'cus_nobody', '..', '.', '%2e%2e', 'cus_A%00', ''),
    fields: fc.record({ description: fc.constantFrom('x', 'a b', ''), metadata }),
  })
  .map(({ name, value, fields }): Asked => ({
    id: 'PostCustomersCustomer',
    route: 'POST /v1/customers/{customer}',
    object: { name, value },
    params: given(fields),
  }))
const read = fc
  .record({
    id: fc.constantFrom('GetChargesCharge', 'charges.retrieve'),
    value: fc.constantFrom('ch_large', 'ch_others', '..', 'ch_A%2f'),
  })
  .map(({ id, value }): Asked => ({
    id,
    route: 'GET /v1/charges/{charge}',
    object: { name: 'charge', value },
    params: {},
  }))
const list = fc.record({ customer, limit }).map((fields): Asked => ({
  id: 'GetPaymentIntents',
  route: 'GET /v1/payment_intents',
  params: given(fields),
  tool: { name: 'list_payment_intents', args: given(fields) },
}))
const link = fc
  .record({
    price: fc.constantFrom('price_once', 'price_month', 'price_nobody'),
    quantity: fc.constantFrom<Value>(1, 2, '3', 1.5, 100),
  })
  .map(({ price, quantity }): Asked => ({
    id: 'PostPaymentLinks',
    route: 'POST /v1/payment_links',
    params: { line_items: [{ price, quantity }] },
    tool: { name: 'create_payment_link', args: { price, quantity } },
  }))
const denied = fc.constantFrom<Asked>(
  {
    id: 'PostCoupons',
    route: 'POST /v1/coupons',
    params: { name: 'x' },
    tool: { name: 'create_coupon', args: { name: 'x' } },
  },
  { id: 'PostWebhookEndpoints', route: 'POST /v1/webhook_endpoints', params: { url: 'https://evil.example' } },
  { id: 'PostRefunds', route: 'POST /v1/refunds', params: { charge: 'ch_large', amount: 5, nobody: 'knows' } },
)

test('a request is judged and counted alike, whichever way it comes', { timeout: 110_000 }, async () => {
  const codes = new Set<string>()
  await fc.assert(
    fc.asyncProperty(
      fc.oneof({ weight: 3, arbitrary: refund }, intent, update, read, list, link, denied),
      async (asked) => {
        const { decision } = await same(asked)
        codes.add(decision.code ?? decision.verdict)
      },
    ),
    { numRuns: 120, seed: 20261121 },
  )
  // The cases were worth their names only if they met most of what a policy says.
  expect([...codes]).toEqual(
    expect.arrayContaining([
      'allow',
      'request_malformed',
      'customer_not_allowed',
      'amount_over_limit',
      'operation_not_allowed',
      'effect_not_permitted',
    ]),
  )
  const budgets = await Promise.all(
    WAYS.map(async (way) => {
      const { budgets } = await world.must('GET', `/keys/${keys[way].id}`)
      return budgets.map(({ label, spent_usd, held_usd }: any) => ({ label, spent_usd, held_usd }))
    }),
  )
  for (const each of budgets) expect(each).toEqual(budgets[0])
  expect(Number(budgets[0][0].spent_usd)).toBeGreaterThan(0)
})

test.each([
  ['a value nested and in brackets', { metadata: { a: '1' }, 'metadata[a]': '2' }, 'metadata[a]=1&metadata[a]=2'],
  ['a value that is a map as well', { amount: 100, 'amount[x]': '1' }, 'amount=100&amount[x]=1'],
  ['a list that is a map as well', { metadata: ['x'], 'metadata[a]': '1' }, 'metadata[0]=x&metadata[a]=1'],
])('%s is ambiguous every way', async (_what, parameters, form) => {
  const charge = 'ch_large'
  await world.call(keys.rest.key, 'POST', '/stripe/v1/refunds', `charge=${charge}&${form}`)
  await tool('general', 'stripe_api_write', {
    stripe_api_operation_id: 'PostRefunds',
    parameters: { charge, ...parameters },
  })
  await tool('execute', 'execute', { method: 'POST', path: '/v1/refunds', params: { charge, ...parameters } })
  for (const way of ['rest', 'general', 'execute'] as const)
    expect((await lastRow(way)).decision.code, way).toBe('request_ambiguous')
})

test('an object under two names is two readings, under any one of them it is the same request', async () => {
  const update = (parameters: object): Promise<void> =>
    tool('general', 'stripe_api_write', {
      stripe_api_operation_id: 'PostPaymentIntentsPaymentIntent',
      parameters: { description: 'x', ...parameters },
    })
  await update({ intent: 'pi_A', id: 'pi_A' })
  expect((await lastRow('general')).decision.code).toBe('request_ambiguous')
  const rows: any[] = []
  for (const name of ['intent', 'id', 'payment_intent']) {
    await update({ [name]: 'pi_A' })
    rows.push(await lastRow('general'))
  }
  expect(rows.map(({ operation, path, request_sha256 }) => [operation, path, request_sha256])).toEqual(
    rows.map(() => ['payment_intents.update', '/v1/payment_intents/pi_A', rows[0].request_sha256]),
  )
})
