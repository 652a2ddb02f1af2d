import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { DAY_MS, movementsOf, spentByKey, subscribe, toldWorld } from './told.js'

/** What an old key began goes on after it: whoever took its place answers for that. */
let world: World
let endpoint: Endpoint
beforeEach(async () => {
  ;({ world, endpoint } = await toldWorld())
  await world.must('POST', '/policies', {
    apiVersion: 'spendgate/v1',
    name: 'narrower',
    daily_cap_usd: '20.00',
    vendors: { stripe: { endpoints: { allow: ['* *'] } } },
  })
})
afterEach(() => world.close())

const reissue = (key: { readonly id: string }): Promise<IssuedKey> =>
  world.must('POST', `/keys/${key.id}/reissue`, { policy: 'narrower' })
const refund = (key: IssuedKey, amount: string): ReturnType<World['call']> =>
  world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount })

test('a renewal of what a reissued key began counts on the last of its successors, and on its cap', async () => {
  const old = await world.key()
  const subscription = await subscribe(world, old.key)
  const last = await reissue(await reissue(old))
  world.clock.aheadMs += 30 * DAY_MS
  world.stripe.byItself.renew(subscription)
  await endpoint.deliver()
  expect(await spentByKey(world)).toEqual({ [old.id]: '15.00', [last.id]: '15.00' })
  expect(await movementsOf(world)).toMatchObject([{ key_id: last.id, counted_usd: '15.00', explained: true }])
  const refused = await refund(last, '501')
  expect(refused.headers['x-spendgate-code']).toBe('daily_cap_exceeded')
  expect((await refund(last, '500')).status).toBe(200)
  // Told again, by the records.
  world.clock.aheadMs += 120_000
  await world.must('POST', '/reconcile', {})
  expect((await spentByKey(world))[last.id]).toBe('20.00')
  expect(await world.verified()).toEqual([])
})

test('what a child of a reissued key began counts on the key in its parent’s place', async () => {
  const old = await world.key()
  const child = await world.must('POST', `/keys/${old.id}/runs`, { run: 'plan' })
  const subscription = await subscribe(world, child.key)
  const anew = await reissue(old)
  world.clock.aheadMs += 30 * DAY_MS
  world.stripe.byItself.renew(subscription)
  await endpoint.deliver()
  expect(await movementsOf(world)).toMatchObject([{ key_id: anew.id, run: 'plan', counted_usd: '15.00' }])
  expect((await refund(anew, '501')).headers['x-spendgate-code']).toBe('daily_cap_exceeded')
  expect(await world.verified()).toEqual([])
})
