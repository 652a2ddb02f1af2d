import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { payment, seenBy, startWorld } from '../pipeline/given.js'

// An agent touches what others made, or takes their run's name, so that undoing its run would undo theirs.

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await world.verified()).toEqual([])
  await world.close()
})

const keyFor = (): Promise<IssuedKey> =>
  world.key({ vendors: { stripe: { endpoints: { allow: ['* *'] }, permit: ['future_spend', 'destructive'] } } })
const inRun = async (key: IssuedKey, run: string, path: string, body: Record<string, string>): Promise<any> => {
  const answer = await world.call(key.key, 'POST', `/stripe${path}`, body, { 'x-agent-run-id': run })
  expect(answer.status, answer.text).toBe(200)
  return answer.body
}
const planOf = (run: string, key?: IssuedKey): Promise<any> =>
  world.must('GET', `/runs/${run}/reversal${key === undefined ? '' : `?key=${key.id}`}`)

test('a cent more on what another run asked for does not put its payment among what is undone', async () => {
  const [honest, other] = [await keyFor(), await keyFor()]
  const { id } = await inRun(honest, 'sells', '/v1/payment_intents', { amount: '9000', currency: 'usd' })
  await inRun(other, 'raises', `/v1/payment_intents/${id}`, { amount: '9001' })
  world.stripe.byItself.payIntent(id)
  const { items } = await planOf('raises')
  expect(items).toMatchObject([{ state: 'impossible', on: id, why: expect.stringContaining(`sells of ${honest.id}`) }])
  expect((await planOf('sells')).items).toMatchObject([{ state: 'open', on: id }])
})

test('a run of the same name under another key is not undone with it', async () => {
  const [first, second] = [await keyFor(), await keyFor()]
  await inRun(first, 'same_name', '/v1/payment_intents', payment(600))
  await inRun(second, 'same_name', '/v1/payment_intents', payment(700))
  const [, theirs] = (await planOf('same_name')).items
  const { result, requests } = await seenBy(world.stripe, () =>
    world.admin('POST', '/runs/same_name/reversal', { items: [theirs.id] }),
  )
  expect(result).toMatchObject({ status: 409, body: { detail: expect.stringContaining(second.id) } })
  expect(requests.filter(({ method }) => method !== 'GET')).toEqual([])
  const body = { items: [theirs.id], key: first.id }
  expect((await world.must('POST', '/runs/same_name/reversal', body)).results).toMatchObject([{ state: 'gone' }])
  const own = { ...body, key: second.id }
  expect((await world.must('POST', '/runs/same_name/reversal', own)).results).toMatchObject([{ state: 'done' }])
})

test('a subscription that a run only changed is not ended, and what it billed before not refunded', async () => {
  const [maker, changer] = [await keyFor(), await keyFor()]
  const { id } = await inRun(maker, 'begins', '/v1/subscriptions', {
    customer: 'cus_A',
    'items[0][price]': 'price_month',
  })
  await inRun(changer, 'changes', `/v1/subscriptions/${id}`, { 'items[0][price]': 'price_month' })
  const { items } = await planOf('changes')
  expect(items.length).toBeGreaterThan(0)
  expect(items.filter(({ state }: any) => state === 'open')).toEqual([])
})
