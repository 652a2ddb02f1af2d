import { Agent, request } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { World } from '../helpers/world.js'

let world: World
afterEach(() => world.close())

test('a stop lets the call under way finish, refuses new ones on open connections, and leaves a sound book', async () => {
  world = await World.start({ SPENDGATE_DRAIN_MS: '5000' })
  world.stripe.seed()
  const { key } = await world.key()
  const dispatcher = new Agent({ connections: 2, keepAliveTimeout: 60_000 })
  const refund = (amount: number) =>
    request(`${world.url}/v1/refunds`, {
      method: 'POST',
      dispatcher,
      headers: { authorization: `Bearer rk_${key}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: `charge=ch_A&amount=${amount}`,
    })
  // Two connections are open and idle before the stop begins.
  await Promise.all([refund(100), refund(101)].map(async (reply) => (await reply).body.text()))
  const late = world.stripe.fault('POST /v1/refunds', { do: 'hang', applies: true })
  const slow = refund(102)
  await late.struck
  const stopped = world.server.stop()
  const meanwhile = await refund(103).then(
    async (reply) => ({ status: reply.statusCode, text: await reply.body.text() }),
    () => 'refused',
  )
  if (meanwhile !== 'refused') expect(meanwhile).toMatchObject({ status: 503 })
  late.release()
  expect((await slow).statusCode).toBe(200)
  await stopped
  await world.serve()
  expect((await world.calls()).map((call) => [call.state, call.settled_usd]).sort()).toEqual([
    ['settled', '1.00'],
    ['settled', '1.01'],
    ['settled', '1.02'],
  ])
  expect(await world.verified()).toEqual([])
})

test('a call that outlives the drain is assumed at once, and its client is told', async () => {
  world = await World.start({ SPENDGATE_DRAIN_MS: '50' })
  world.stripe.seed()
  const { key } = await world.key()
  const hang = world.stripe.fault('POST /v1/refunds', { do: 'hang', applies: true })
  const slow = world.call(`rk_${key}`, 'POST', '/v1/refunds', { charge: 'ch_A', amount: '700' })
  await hang.struck
  await world.server.stop()
  const answer = await slow
  expect([answer.status, answer.body.error.code]).toEqual([502, 'upstream_unavailable'])
  await world.serve()
  expect(await world.calls()).toMatchObject([{ state: 'assumed', quoted_usd: '7.00' }])
  expect(await world.verified()).toEqual([])
})
