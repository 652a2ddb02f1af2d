import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigFault, readConfig } from '../../src/config.js'
import { type IssuedKey, type World } from '../helpers/world.js'
import { callIdOf, codeOf, pay, startWorld } from '../pipeline/given.js'
import { SECRET } from './desk.js'
import { Receiver } from './receiver.js'

let receiver: Receiver
let world: World
let key: IssuedKey
beforeAll(async () => {
  receiver = await Receiver.start()
  world = await startWorld({
    SPENDGATE_ALERT_URLS: `${receiver.origin}/standard, ${receiver.origin}/slack?format=slack`,
    SPENDGATE_ALERT_SECRET: SECRET,
  })
  key = await world.key({ daily_cap_usd: '100.00', approval: { above_usd: '90.00' } })
})
afterAll(async () => {
  await world.close()
  await receiver.close()
})

const told = async (type: string): Promise<any> =>
  (await receiver.first(({ path, body }) => path === '/standard' && body.type === type)).body.data

test('whoever keeps the server is told when a cap fills, in each shape', async () => {
  expect((await pay(world, key.key, 8_000)).status).toBe(200)
  expect(await told('budget.threshold')).toMatchObject({ percent: 80, used_usd: '80.00', key: key.id })
  const slack = await receiver.first(({ path, body }) => path === '/slack' && body.text.includes('budget.threshold'))
  expect(slack.body.text).toMatch(/^spendgate budget\.threshold: 80 % of USD 100\.00 a day/)
})

test('when a vendor does not accept its credential', async () => {
  world.stripe.fault('POST /v1/payment_intents', { do: 'status', status: 401, applies: false, times: 1 })
  const refused = await pay(world, key.key, 100)
  expect(await told('credential.refused')).toMatchObject({ vendor: 'stripe', call: callIdOf(refused) })
})

test('when nobody knows what became of a call', async () => {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true, times: 1 })
  const lost = await pay(world, key.key, 125)
  expect(await told('call.assumed')).toMatchObject({ call: callIdOf(lost), assumed_usd: '1.25' })
})

test('when a call waits for a person, with the request that the refusal names', async () => {
  const other = await world.key({ daily_cap_usd: '1000.00', approval: { above_usd: '25.00' } })
  const refused = await pay(world, other.key, 5_000)
  expect(codeOf(refused)).toBe('approval_required')
  const { approval, link } = await told('approval.waiting')
  expect(refused.body.error.message).toContain(approval)
  expect(link).toBe(`${world.server.adminUrl}/approvals/${approval}`)
})

test('a restart repeats nothing of it', async () => {
  const other = await world.key({ daily_cap_usd: '10.00' })
  await pay(world, other.key, 600)
  await receiver.first(({ body }) => body.data?.key === other.id && body.data.percent === 50)
  await world.server.stop()
  await world.serve()
  await pay(world, other.key, 10)
  await pay(world, other.key, 200)
  await receiver.first(({ body }) => body.data?.key === other.id && body.data.percent === 80)
  const percents = receiver.heard
    .filter(({ path, body }) => path === '/standard' && body.data?.key === other.id)
    .map(({ body }) => body.data.percent)
  expect(percents).toEqual([50, 80])
  expect(await world.verified()).toEqual([])
  expect((await world.metrics()).text).toMatch(/^spendgate_alerts_total\{kind="budget\.threshold",outcome="sent"\} 1$/m)
})

test('settings that cannot be used stop the start, and no message shows what they hold', () => {
  const faults = (env: Record<string, string>): string => {
    try {
      readConfig(env)
      return ''
    } catch (fault) {
      expect(fault).toBeInstanceOf(ConfigFault)
      return (fault as Error).message
    }
  }
  const all = [
    faults({ SPENDGATE_ALERT_URLS: 'https://ops.test/CANARY' }),
    faults({ SPENDGATE_ALERT_URLS: 'http://ops.test/CANARY', SPENDGATE_ALERT_SECRET: SECRET }),
    faults({ SPENDGATE_ALERT_SECRET: 'CANARY' }),
    faults({ SPENDGATE_METRICS_TOKEN: 'CANARY' }),
    faults({ SPENDGATE_METRICS_TOKEN: 'CANARY', SPENDGATE_METRICS_TOKEN_FILE: '/nowhere' }),
    faults({ OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://CANARY:4317' }),
    faults({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', OTEL_EXPORTER_OTLP_HEADERS: 'CANARY' }),
    faults({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', OTEL_EXPORTER_OTLP_HEADERS: 'a=CANARY%0d%0ab' }),
  ]
  expect(all.filter((message) => message === '')).toEqual([])
  expect(all.join()).not.toContain('CANARY')
  expect(all[0]).toContain('SPENDGATE_ALERT_SECRET is needed')
  expect(faults({ SPENDGATE_ALERT_URLS: 'https://hooks.slack.com/services/x' })).toBe('')
  const config = readConfig({ SPENDGATE_ALERT_URLS: 'https://ops.test/CANARY', SPENDGATE_ALERT_SECRET: SECRET })
  expect(JSON.stringify({ ...config, upstreams: null })).not.toMatch(/CANARY|whsec_/)
})
