import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { REAL, type Answer, type IssuedKey, type World } from '../helpers/world.js'
import { allCalls, callIdOf, HOUR, pay, payment, rowOf, seenBy, startWorld, travel } from '../pipeline/given.js'

/** Records that may be another account’s: what they do not hold proves nothing, and nothing is sent there. */
let world: World
beforeEach(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
})
afterEach(() => world.close())

const CONNECTED = {
  daily_cap_usd: '50.00',
  vendors: { stripe: { endpoints: { allow: ['* *'] }, connected_accounts: ['acct_1'], permit: ['future_spend'] } },
}
const reconcile = (body: object = {}): Promise<any> => world.must('POST', '/reconcile', body)

async function lost(key: IssuedKey, applies: boolean, headers: Record<string, string> = {}): Promise<Answer> {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies })
  const answer = await pay(world, key.key, 700, headers)
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed' })
  return answer
}

test('a call in the context of a connected account is not released because the own account has no event of it', async () => {
  const key = await world.key(CONNECTED)
  await lost(key, false, { 'stripe-context': 'acct_1' })
  travel(world, 26 * HOUR)
  expect((await reconcile()).calls).toMatchObject([
    { outcome: 'still_assumed', why: expect.stringMatching(/context of another account/) },
  ])
})

test('a key that was narrowed after a crash says nothing of the account that its call acted on before', async () => {
  const key = await world.key(CONNECTED)
  const hang = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: false })
  const answer = world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(700), { 'stripe-account': 'acct_1' })
  await hang.struck
  const [data, left] = [join(world.dir, 'data'), join(world.dir, 'left')]
  cpSync(data, left, { recursive: true })
  hang.release()
  await answer
  await world.server.stop()
  rmSync(data, { recursive: true })
  cpSync(left, data, { recursive: true })
  await world.serve()
  expect(await allCalls(world)).toMatchObject([{ state: 'assumed' }])
  await world.must('POST', `/keys/${key.id}/narrow`, { vendors: { stripe: { connected_accounts: [] } } })
  travel(world, 26 * HOUR)
  expect((await reconcile()).calls).toMatchObject([
    { outcome: 'still_assumed', why: expect.stringMatching(/connected account/) },
  ])
})

test('nothing is sent again under a credential that was exchanged since: another account does not know the key', async () => {
  const key = await world.key({ daily_cap_usd: '50.00' })
  await lost(key, true)
  world.stripe.lateEvents(HOUR)
  const { stripe } = await world.credentials()
  await world.must('POST', `/credentials/${stripe}/rotate`, { secret: { api_key: REAL.stripe } })
  const { result, requests } = await seenBy(world.stripe, () => reconcile({ replay: true }))
  expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
  expect(result.calls).toMatchObject([{ outcome: 'still_assumed', why: expect.stringMatching(/exchanged since/) }])
})
