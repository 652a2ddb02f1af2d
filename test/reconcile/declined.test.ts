import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { movementsOf, reconciled, spentByKey, toldWorld } from './told.js'

let world: World
let endpoint: Endpoint
let key: IssuedKey
beforeEach(async () => {
  ;({ world, endpoint } = await toldWorld())
  key = await world.key()
})
afterEach(async () => {
  expect(await world.verified()).toEqual([])
  await world.close()
})

const DECLINED = { amount: '1200', currency: 'usd', confirm: 'true', payment_method: 'pm_card_chargeDeclined' }
const create = () => world.call(key.key, 'POST', '/stripe/v1/payment_intents', DECLINED)
const counted = { kind: 'charge', amount_usd: '12.00', counted_usd: '12.00', explained: true }

describe('an intent that was declined when it was made', () => {
  test('costs nothing, and counts on its maker once somebody else has paid it', async () => {
    const answer = await create()
    expect(answer.status).toBe(402)
    const intent = answer.body.error.payment_intent.id
    expect(await spentByKey(world)).toEqual({ [key.id]: '0.00' })
    world.stripe.byItself.payIntent(intent)
    await endpoint.deliver()
    expect(await movementsOf(world)).toMatchObject([{ ...counted, key_id: key.id, object: intent }])
    expect(await spentByKey(world)).toEqual({ [key.id]: '12.00' })
  })

  test('and so when only the records tell of it', async () => {
    const answer = await create()
    world.stripe.byItself.payIntent(answer.body.error.payment_intent.id)
    expect(await reconciled(world)).toMatchObject({ unexplained: [], explained_percent: '100.0' })
    expect(await spentByKey(world)).toEqual({ [key.id]: '12.00' })
  })

  test('and so when the refusal itself was lost, and the records told of it', async () => {
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
    await create()
    expect(await reconciled(world)).toMatchObject({ released: 1 })
    expect(await spentByKey(world)).toEqual({ [key.id]: '0.00' })
    const [intent] = [...world.stripe.state.payment_intents.values()].slice(-1)
    world.stripe.byItself.payIntent(intent!.id)
    await endpoint.deliver()
    expect(await movementsOf(world)).toMatchObject([{ ...counted, key_id: key.id }])
    expect(await spentByKey(world)).toEqual({ [key.id]: '12.00' })
  })

  test('counts once when a call of ours pays it', async () => {
    const answer = await create()
    const intent = answer.body.error.payment_intent.id
    const paid = await world.call(key.key, 'POST', `/stripe/v1/payment_intents/${intent}/confirm`, {
      payment_method: 'pm_card_visa',
    })
    expect(paid.status).toBe(200)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '12.00' })
  })
})

test('an intent that somebody else made is not ours for being named by a refusal', async () => {
  const other = await world.key()
  const made = await world.call(other.key, 'POST', '/stripe/v1/payment_intents', { amount: '1200', currency: 'usd' })
  const refused = await world.call(key.key, 'POST', `/stripe/v1/payment_intents/${made.body.id}/confirm`, {
    payment_method: 'pm_card_chargeDeclined',
  })
  expect(refused.status).toBe(402)
  world.stripe.byItself.payIntent(made.body.id)
  await endpoint.deliver()
  expect(await spentByKey(world)).toEqual({ [other.id]: '12.00', [key.id]: '0.00' })
})
