import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import {
  books,
  callIdOf,
  DAY,
  HOUR,
  MINUTE,
  moved,
  pay,
  payment,
  rowOf,
  seenBy,
  startWorld,
  travel,
} from '../pipeline/given.js'
import { REAL, type Answer, type IssuedKey, type World } from '../helpers/world.js'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
  key = await world.key({ daily_cap_usd: '100.00' })
})
beforeEach(() => {
  world.stripe.faults.length = 0
  world.stripe.lateEvents(0)
})
afterAll(async () => {
  // Everything that was in doubt is known by now, so what is counted is what moved.
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const reconcile = (body: object = {}): Promise<any> => world.must('POST', '/reconcile', body)
const outcomeOf = (report: any, answer: Answer): any =>
  report.calls.find(({ id }: { id: string }) => id === callIdOf(answer))

/** A payment whose answer was lost. */
async function lost(minor: number, applies: boolean, headers: Record<string, string> = {}): Promise<Answer> {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies })
  const answer = await pay(world, key.key, minor, headers)
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed' })
  return answer
}

describe('what Stripe’s events tell of a lost answer', () => {
  test('a payment that was made is settled at what it came to', async () => {
    const answer = await lost(250, true)
    const report = await reconcile()
    expect(report).toMatchObject({ checked: 1, settled: 1, released: 0, still_assumed: 0 })
    expect(outcomeOf(report, answer).why).toMatch(
      /^Stripe’s event evt_\w+ \(payment_intent\.\w+\) has its idempotency key\.$/,
    )
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'settled', settled_usd: '2.50' })
    expect(await reconcile()).toMatchObject({ checked: 0 })
  })

  test('the client’s own idempotency key is known by its namespaced form', async () => {
    const answer = await lost(120, true, { 'idempotency-key': 'client-key-1' })
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled', amount_usd: '1.20' })
  })

  test('a refund is settled at what was refunded, though the answer never said so', async () => {
    const charge = world.stripe.addCharge({ amount: 900, currency: 'usd', customer: 'cus_A' })
    world.stripe.fault('POST /v1/refunds', { do: 'hang', applies: true })
    const answer = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: charge.id })
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled', amount_usd: '9.00' })
  })

  test('what no event tells of stays counted until the key has expired, and is then released', async () => {
    const answer = await lost(330, false)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'still_assumed', amount_usd: '3.30' })
    travel(world, 24 * HOUR)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'still_assumed' })
    travel(world, HOUR + MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released', amount_usd: '0.00' })
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'released', settled_usd: '0.00' })
  })

  test('a declined card moved nothing, and its events say so', async () => {
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
    const answer = await world.call(
      key.key,
      'POST',
      '/stripe/v1/payment_intents',
      payment(200, { payment_method: 'pm_card_chargeDeclined' }),
    )
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({
      outcome: 'released',
      why: expect.stringMatching(/declined/),
    })
  })
})

test('an event that comes late settles what was in doubt meanwhile', async () => {
  world.stripe.lateEvents(10 * MINUTE)
  const answer = await lost(140, true)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'still_assumed' })
  travel(world, 11 * MINUTE)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled', amount_usd: '1.40' })
})

test('one that was repeated by the client is settled by its own event, and counts once', async () => {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const headers = { 'idempotency-key': 'again' }
  const [first, second] = [await pay(world, key.key, 160, headers), await pay(world, key.key, 160, headers)]
  expect(await rowOf(world, callIdOf(second))).toMatchObject({ replay_of: callIdOf(first), settled_usd: '0.00' })
  const report = await reconcile()
  expect(outcomeOf(report, first)).toMatchObject({ outcome: 'settled', amount_usd: '1.60' })
})

test('what was repeated in vain is released after its repetition', async () => {
  const headers = { 'idempotency-key': 'in-vain' }
  for (let i = 0; i < 2; i++) world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
  const [first, second] = [await pay(world, key.key, 190, headers), await pay(world, key.key, 190, headers)]
  expect(await rowOf(world, callIdOf(second))).toMatchObject({ state: 'assumed', replay_of: callIdOf(first) })
  travel(world, 25 * HOUR + 2 * MINUTE)
  const report = await reconcile()
  expect([first, second].map((each) => outcomeOf(report, each).outcome)).toEqual(['released', 'released'])
})

test('what was made by a lost call and taken by another one is counted once', async () => {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const form = payment(480, { capture_method: 'manual' })
  const made = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', form)
  const { id } = [...world.stripe.state.payment_intents.values()].at(-1)!
  const captured = await world.call(key.key, 'POST', `/stripe/v1/payment_intents/${id}/capture`)
  expect(captured.status).toBe(200)
  expect([
    (await rowOf(world, callIdOf(made))).settled_usd,
    (await rowOf(world, callIdOf(captured))).settled_usd,
  ]).toEqual(['4.80', '4.80'])
  expect(outcomeOf(await reconcile(), made)).toMatchObject({ outcome: 'settled', amount_usd: '0.00' })
})

test('a repetition is not sent again in place of what it repeats: its key is older than itself', async () => {
  const headers = { 'idempotency-key': 'old-key' }
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const first = await pay(world, key.key, 195, headers)
  expect(outcomeOf(await reconcile(), first)).toMatchObject({ outcome: 'settled' })
  travel(world, 22 * HOUR)
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const second = await pay(world, key.key, 195, headers)
  expect(await rowOf(world, callIdOf(second))).toMatchObject({ state: 'assumed', replay_of: callIdOf(first) })
  travel(world, 3 * HOUR)
  const { result, requests } = await seenBy(world.stripe, () => reconcile({ replay: true }))
  expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
  expect(outcomeOf(result, second)).toMatchObject({
    outcome: 'still_assumed',
    why: expect.stringMatching(/it repeats call_/),
  })
  travel(world, 25 * HOUR)
  expect(outcomeOf(await reconcile(), second)).toMatchObject({ outcome: 'released', amount_usd: '0.00' })
})

test('an operation that leaves no event stays in doubt for ever, until the operator says what happened', async () => {
  world.stripe.fault('POST /v1/customers/cus_A/balance_transactions', { do: 'reset', applies: false })
  const answer = await world.call(key.key, 'POST', '/stripe/v1/customers/cus_A/balance_transactions', {
    amount: '-700',
    currency: 'usd',
  })
  travel(world, 3 * DAY)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    amount_usd: '7.00',
    why: expect.stringMatching(/need not leave one/),
  })
  const id = callIdOf(answer)
  expect(
    (await world.admin('POST', `/calls/${id}/resolve`, { outcome: 'released', amount_usd: '1.00', reason: 'x' }))
      .status,
  ).toBe(400)
  expect((await world.admin('POST', `/calls/${id}/resolve`, { outcome: 'released' })).status).toBe(400)
  const word = { outcome: 'released', reason: 'The customer has no such credit.' }
  expect(await world.must('POST', `/calls/${id}/resolve`, word)).toMatchObject({
    state: 'released',
    settled_usd: '0.00',
  })
  expect((await world.admin('POST', `/calls/${id}/resolve`, word)).status).toBe(409)
  expect((await world.admin('POST', '/calls/call_00000zzzzz/resolve', word)).status).toBe(404)
})

test('a credential that was exchanged since proves nothing by its events: they may be another account’s', async () => {
  const answer = await lost(145, false)
  const { stripe } = await world.credentials()
  await world.must('POST', `/credentials/${stripe}/rotate`, { secret: { api_key: REAL.stripe } })
  travel(world, 26 * HOUR)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    why: expect.stringMatching(/exchanged since/),
  })
  await world.must('POST', `/calls/${callIdOf(answer)}/resolve`, { outcome: 'released', reason: 'The same account.' })
})

test('a key that may not read what would have been made proves nothing by the events it is shown', async () => {
  const answer = await lost(147, false)
  travel(world, 26 * HOUR)
  world.stripe.fault('GET /v1/payment_intents?limit=1', { do: 'status', status: 403, applies: false })
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    why: 'Stripe answered 403 when asked for /v1/payment_intents.',
  })
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released' })
})

test('a call on a connected account is looked for in that account’s events', async () => {
  const own = key
  key = await world.key({
    vendors: { stripe: { endpoints: { allow: ['* *'] }, connected_accounts: ['acct_1'], permit: ['future_spend'] } },
  })
  const answer = await lost(148, true, { 'stripe-account': 'acct_1' })
  const { result, requests } = await seenBy(world.stripe, () => reconcile())
  expect(outcomeOf(result, answer)).toMatchObject({ outcome: 'settled', amount_usd: '1.48' })
  const looks = requests.filter(
    ({ path, headers }) => path.startsWith('/v1/') && headers['stripe-account'] === 'acct_1',
  )
  expect(looks.map(({ path }) => path.split(/[?_]/)[0])).toEqual(['/v1/events', '/v1/payment'])
  key = own
})

test('more events than are read at once prove nothing', async () => {
  const answer = await lost(149, false)
  const { events } = world.stripe.state
  const created = Math.floor(world.clock.now() / 1000)
  const foreign = {
    object: 'event',
    livemode: true,
    metadata: {},
    type: 'charge.updated',
    data: { object: {} },
    created,
  } as const
  for (let i = 0; i <= 10_000; i++)
    events.set(`evt_x${i}`, { ...foreign, id: `evt_x${i}`, request: { id: null, idempotency_key: null } })
  travel(world, 26 * HOUR)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    why: expect.stringMatching(/more than 10000 events/),
  })
  for (let i = 0; i <= 10_000; i++) events.delete(`evt_x${i}`)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released' })
})

test('a vendor that asks to slow down is asked again a little later', async () => {
  const answer = await lost(150, true)
  world.stripe.fault('GET /v1/events', { do: 'status', status: 429, applies: false })
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled', amount_usd: '1.50' })
})

test('a vendor that is down leaves everything in doubt, and the run ends', async () => {
  const answer = await lost(155, true)
  world.stripe.fault('GET /v1/events', { do: 'status', status: 503, applies: false, times: 9 })
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    why: 'Stripe answered 503 when asked for events.',
  })
  world.stripe.faults.length = 0
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled' })
})

test('two who ask at once are answered one after the other, and it is booked once', async () => {
  const answer = await lost(165, true)
  const reports = await Promise.all([reconcile(), reconcile()])
  expect(reports.map(({ settled, checked }) => [checked, settled])).toEqual([
    [1, 1],
    [0, 0],
  ])
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'settled', settled_usd: '1.65' })
})

test('only calls of the span that was asked for are looked at', async () => {
  const early = await lost(100, true)
  travel(world, 2 * HOUR)
  const late = await lost(101, true)
  const report = await reconcile({ since: '1h' })
  expect(report.calls.map(({ id }: { id: string }) => id)).toEqual([callIdOf(late)])
  expect(outcomeOf(await reconcile({ since: new Date(world.clock.now() - DAY).toISOString() }), early)).toMatchObject({
    outcome: 'settled',
  })
})

describe('sent once more under its key', () => {
  test('Stripe’s stored answer settles it, and it moves and counts once', async () => {
    const answer = await lost(410, true)
    world.stripe.lateEvents(HOUR)
    const before = moved(world)
    const { result, requests } = await seenBy(world.stripe, () => reconcile({ replay: true }))
    expect(outcomeOf(result, answer)).toMatchObject({ outcome: 'settled', amount_usd: '4.10' })
    const again = requests.filter(({ method }) => method === 'POST')
    expect(again).toHaveLength(1)
    expect(moved(world)).toBe(before)
  })

  test('what Stripe never got is executed then, and counts as it was assumed', async () => {
    const answer = await lost(510, false)
    const before = moved(world)
    expect(outcomeOf(await reconcile({ replay: true }), answer)).toMatchObject({
      outcome: 'settled',
      amount_usd: '5.10',
    })
    expect(moved(world) - before).toBe(5_100_000n)
  })

  test('a frozen key sends nothing again, and neither does a revoked one', async () => {
    const own = key
    key = await world.key({ daily_cap_usd: '100.00' })
    const answer = await lost(610, true)
    world.stripe.lateEvents(HOUR)
    const sent = async (): Promise<{ posts: number; why: string }> => {
      const { result, requests } = await seenBy(world.stripe, () => reconcile({ replay: true }))
      const { outcome, why } = outcomeOf(result, answer)
      expect(outcome).toBe('still_assumed')
      return { posts: requests.filter(({ method }) => method === 'POST').length, why }
    }
    await world.must('POST', '/freeze', { key: key.id })
    expect(await sent()).toEqual({ posts: 0, why: expect.stringMatching(/are frozen/) })
    await world.must('POST', '/unfreeze', { key: key.id })
    await world.must('POST', `/keys/${key.id}/revoke`)
    expect(await sent()).toEqual({ posts: 0, why: expect.stringMatching(/revoked/) })
    world.stripe.lateEvents(0)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled', amount_usd: '6.10' })
    key = own
  })

  test('records that may not be read are no reason against it', async () => {
    const answer = await lost(175, true)
    world.stripe.fault('GET /v1/events', { do: 'status', status: 403, applies: false, times: 9 })
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({
      outcome: 'still_assumed',
      why: 'Stripe answered 403 when asked for events.',
    })
    expect(outcomeOf(await reconcile({ replay: true }), answer)).toMatchObject({
      outcome: 'settled',
      amount_usd: '1.75',
    })
  })

  test('an answer that says nothing of the first time leaves it in doubt', async () => {
    const answer = await lost(170, true)
    world.stripe.lateEvents(HOUR)
    world.stripe.fault('POST /v1/payment_intents', { do: 'status', status: 429, applies: false })
    expect(outcomeOf(await reconcile({ replay: true }), answer)).toMatchObject({ outcome: 'still_assumed' })
    world.stripe.lateEvents(0)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled' })
  })

  test('after 23 hours it is not sent again: the key may be a new one then', async () => {
    const answer = await lost(180, false)
    travel(world, 23 * HOUR)
    const { result, requests } = await seenBy(world.stripe, () => reconcile({ replay: true }))
    expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
    expect(outcomeOf(result, answer)).toMatchObject({
      outcome: 'still_assumed',
      why: expect.stringMatching(/forgotten/),
    })
    travel(world, 3 * HOUR)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released' })
  })
})
