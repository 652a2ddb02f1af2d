import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Upstream } from '../../src/wire/upstream.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, HOUR, moved, pay, rowOf, seenBy, startWorld } from '../pipeline/given.js'

/** Sending again may execute what the vendor never got: whatever stops a call now stops that too. */
let world: World
let key: IssuedKey
beforeEach(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '2000' })
  key = await world.key({ daily_cap_usd: '50.00' })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await world.close()
})

async function lost(minor: number): Promise<string> {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
  const id = callIdOf(await pay(world, key.key, minor))
  expect(await rowOf(world, id)).toMatchObject({ state: 'assumed' })
  return id
}

test('while the clock is in doubt nothing is sent again: nobody knows how old the key is', async () => {
  await lost(700)
  world.clock.suspect = () => 'The clock jumped.'
  const { result, requests } = await seenBy(world.stripe, () => world.must('POST', '/reconcile', { replay: true }))
  expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
  expect(result.calls).toMatchObject([{ outcome: 'still_assumed', why: expect.stringMatching(/The clock jumped/) }])
  expect(moved(world)).toBe(0n)
})

test('what the operator has released while others were sent again is not sent any more', async () => {
  const first = await lost(700)
  const second = await lost(800)
  world.stripe.lateEvents(HOUR)
  const hang = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const running = world.must('POST', '/reconcile', { replay: true })
  await hang.struck
  await world.must('POST', `/calls/${second}/resolve`, { outcome: 'released', reason: 'Not in the dashboard.' })
  hang.release()
  await running
  expect(moved(world)).toBe(7_000_000n)
  expect(await rowOf(world, second)).toMatchObject({ state: 'released' })
  world.stripe.lateEvents(0)
  await world.must('POST', '/reconcile')
  expect(await rowOf(world, first)).toMatchObject({ state: 'settled', settled_usd: '7.00' })
  expect(await books(world)).toEqual({ spent: '7.00', held: '0.00' })
})

/** What a run that sends again does about one call, and what it sent. */
async function again(id: string): Promise<{ readonly posts: number; readonly outcome: string; readonly why: string }> {
  const { result, requests } = await seenBy(world.stripe, () => world.must('POST', '/reconcile', { replay: true }))
  const { outcome, why } = result.calls.find((call: { id: string }) => call.id === id)
  return { posts: requests.filter(({ method }) => method === 'POST').length, outcome, why }
}

describe('a key that was narrowed since', () => {
  const refund = { charge: 'ch_A', amount: '300' }
  async function lostRefund(): Promise<string> {
    world.stripe.fault('POST /v1/refunds', { do: 'reset', applies: false })
    const id = callIdOf(await world.call(key.key, 'POST', '/stripe/v1/refunds', refund))
    expect(await rowOf(world, id)).toMatchObject({ state: 'assumed' })
    return id
  }
  const narrow = (patch: object): Promise<unknown> => world.must('POST', `/keys/${key.id}/narrow`, patch)
  const NOTHING = { posts: 0, outcome: 'still_assumed' }

  test.each<[what: string, patch: object, why: RegExp]>([
    ['its amount', { vendors: { stripe: { max_amount_usd: '2.99' } } }, /over the limit of USD 2\.99/],
    ['its endpoint', { vendors: { stripe: { endpoints: { deny: ['POST /v1/refunds'] } } } }, /\/v1\/refunds/],
    ['its customer', { vendors: { stripe: { customers: ['cus_B'] } } }, /cannot be tied to a customer/],
    ['its day', { daily_cap_usd: '2.99' }, /would pass the cap of USD 2\.99/],
    ['it without a person', { approval: { above_usd: '1.00', expires_in: '5m' } }, /must approve/],
  ])('sends nothing again that it may not any more: %s', async (_what, patch, why) => {
    const id = await lostRefund()
    await narrow(patch)
    expect(await again(id)).toEqual({ ...NOTHING, why: expect.stringMatching(why) })
    expect(moved(world)).toBe(0n)
    expect(await rowOf(world, id)).toMatchObject({ state: 'assumed', settled_usd: '3.00' })
  })

  test('and neither what a key above it may not any more', async () => {
    const parent = key
    key = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'below' })
    const id = await lostRefund()
    await world.must('POST', `/keys/${parent.id}/narrow`, { vendors: { stripe: { max_amount_usd: '2.99' } } })
    expect(await again(id)).toMatchObject({ ...NOTHING, why: expect.stringMatching(/over the limit/) })
  })

  test('while it was looked up whose charge it is, sends nothing either', async () => {
    const id = await lostRefund()
    await narrow({ vendors: { stripe: { customers: ['cus_A'] } } })
    const look = world.stripe.fault('GET /v1/charges/ch_A', { do: 'hang', applies: false })
    const running = again(id)
    await look.struck
    await narrow({ vendors: { stripe: { max_amount_usd: '2.99' } } })
    look.release()
    expect(await running).toMatchObject({ outcome: 'still_assumed' })
    expect(moved(world)).toBe(0n)
  })

  test.each<[what: string, change: () => Promise<unknown>, why: RegExp]>([
    ['narrowed', () => narrow({ vendors: { stripe: { max_amount_usd: '2.99' } } }), /over the limit/],
    ['frozen', () => world.must('POST', '/freeze', { key: key.id }), /are frozen/],
    ['revoked', () => world.must('POST', `/keys/${key.id}/revoke`), /revoked/],
  ])('and nothing when it is %s while the connection is made', async (_what, change, why) => {
    const id = await lostRefund()
    const { send } = Upstream.prototype
    vi.spyOn(Upstream.prototype, 'send').mockImplementation(async function (this: Upstream, ...asked) {
      if (asked[0].method === 'POST') await change()
      return send.apply(this, asked)
    } as typeof send)
    expect(await again(id)).toEqual({ ...NOTHING, why: expect.stringMatching(why) })
    expect(moved(world)).toBe(0n)
  })

  test('sends again what it may still do', async () => {
    const id = await lostRefund()
    await narrow({
      daily_cap_usd: '3.00',
      vendors: { stripe: { max_amount_usd: '3.00', customers: ['cus_A'], endpoints: { deny: ['POST /v1/payouts'] } } },
    })
    expect(await again(id)).toMatchObject({ posts: 1, outcome: 'settled' })
    expect(moved(world)).toBe(3_000_000n)
  })
})

test('what a person approved is sent again, though its amount needs a person', async () => {
  key = await world.key({ daily_cap_usd: '50.00', approval: { above_usd: '1.00', expires_in: '1h' } })
  const asked = await pay(world, key.key, 700)
  expect(asked.headers['x-spendgate-code']).toBe('approval_required')
  const [{ id: approval }] = (await world.must('GET', '/approvals')).approvals
  await world.must('POST', `/approvals/${approval}/approve`)
  const id = await lost(700)
  expect(await again(id)).toMatchObject({ posts: 1, outcome: 'settled' })
})

test('and so when the approval was also for what was looked up', async () => {
  key = await world.key({ daily_cap_usd: '50.00', approval: { above_usd: '1.00', expires_in: '1h' } })
  await world.must('POST', `/keys/${key.id}/narrow`, { vendors: { stripe: { customers: ['cus_A'] } } })
  const refund = () => world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '300' })
  expect((await refund()).headers['x-spendgate-code']).toBe('approval_required')
  const [{ id: approval }] = (await world.must('GET', '/approvals')).approvals
  await world.must('POST', `/approvals/${approval}/approve`)
  world.stripe.fault('POST /v1/refunds', { do: 'reset', applies: false })
  const id = callIdOf(await refund())
  expect(await rowOf(world, id)).toMatchObject({ state: 'assumed' })
  expect(await again(id)).toMatchObject({ posts: 1, outcome: 'settled' })
})

test('while it is under way, revoking its key names it; afterwards no more', async () => {
  const id = await lost(700)
  const other = await world.key()
  const hang = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const running = again(id)
  await hang.struck
  expect(await world.must('POST', `/keys/${other.id}/revoke`)).toMatchObject({ in_flight: [] })
  expect(await world.must('POST', `/keys/${key.id}/revoke`)).toMatchObject({ in_flight: [id] })
  hang.release()
  await running
  expect(await world.verified()).toEqual([])
})

test('after it, revoking its key names nothing', async () => {
  const id = await lost(700)
  expect(await again(id)).toMatchObject({ outcome: 'settled' })
  expect(await world.must('POST', `/keys/${key.id}/revoke`)).toMatchObject({ in_flight: [] })
})
