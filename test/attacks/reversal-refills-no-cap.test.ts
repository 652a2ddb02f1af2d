import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { HOUR, travel, startWorld } from '../pipeline/given.js'

// What an operator undoes gives nothing back to an agent's caps that had been used, and ends nothing but what was named.

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  key = await world.key({
    vendors: { stripe: { endpoints: { allow: ['* *'] }, permit: ['future_spend', 'destructive'] } },
  })
})
afterAll(async () => {
  expect(await world.verified()).toEqual([])
  await world.close()
})

const inRun = async (run: string, path: string, body: Record<string, string>): Promise<any> => {
  const answer = await world.call(key.key, 'POST', `/stripe${path}`, body, { 'x-agent-run-id': run })
  expect(answer.status, answer.text).toBe(200)
  return answer.body
}
const planOf = (run: string): Promise<any> => world.must('GET', `/runs/${run}/reversal`)
const undo = async (run: string, ...items: string[]): Promise<any[]> =>
  (await world.must('POST', `/runs/${run}/reversal`, { items })).results
const spent = async (): Promise<string> => (await world.must('GET', `/keys/${key.id}`)).spent_usd
const pending = async (): Promise<any[]> => (await world.must('GET', `/keys/${key.id}/pending`)).pending

test('the refund of an intent that a customer paid ends what stood of it and fills no cap', async () => {
  const before = Number(await spent())
  const { id } = await inRun('waits', '/v1/payment_intents', { amount: '700', currency: 'usd' })
  expect(Number(await spent())).toBe(before + 7)
  world.stripe.byItself.payIntent(id)
  const plan = await planOf('waits')
  expect(plan.items).toMatchObject([{ state: 'open', on: id, request: { path: '/v1/refunds' } }])
  expect(await undo('waits', plan.items[0].id)).toMatchObject([{ state: 'done', amount_usd: '7.00' }])
  expect(Number(await spent())).toBe(before + 7)
  expect((await pending()).filter(({ object }) => object === id)).toEqual([])
  travel(world, HOUR)
  await world.must('POST', '/reconcile', {})
  expect(Number(await spent())).toBeGreaterThanOrEqual(before + 7)
})

test('the refund of what a subscription billed leaves the subscription standing, in the books as at the vendor', async () => {
  const before = Number(await spent())
  const { id } = await inRun('subscribes', '/v1/subscriptions', { customer: 'cus_A', 'items[0][price]': 'price_month' })
  const counted = Number(await spent())
  expect(counted).toBeGreaterThan(before)
  const plan = await planOf('subscribes')
  const [end, refund] = plan.items
  expect([end, refund]).toMatchObject([{ on: id }, { request: { path: '/v1/refunds' } }])
  expect(await undo('subscribes', refund.id)).toMatchObject([{ state: 'done' }])
  expect(await pending()).toMatchObject([{ object: id }])
  expect(Number(await spent())).toBe(counted)
  expect(await undo('subscribes', end.id)).toMatchObject([{ state: 'done' }])
  expect(await pending()).toEqual([])
  expect(Number(await spent())).toBe(counted)
})

test('a cancellation of two days ago gives nothing back for what was paid and refunded since', async () => {
  const { id } = await inRun('late', '/v1/payment_intents', { amount: '500', currency: 'usd' })
  const [item] = (await planOf('late')).items
  world.stripe.fault(`POST /v1/payment_intents/${id}/cancel`, { do: 'reset', applies: false })
  expect(await undo('late', item.id)).toMatchObject([{ state: 'unknown' }])
  world.stripe.byItself.payIntent(id)
  world.stripe.byItself.refundAtDashboard(world.stripe.state.payment_intents.get(id)!.latest_charge as string, 500)
  travel(world, 48 * HOUR)
  expect(await undo('late', item.id)).toMatchObject([{ state: 'done', why: 'The vendor shows that it is done.' }])
  expect(await world.must('GET', '/runs/late')).toMatchObject({ spent_usd: '5.00' })
})
