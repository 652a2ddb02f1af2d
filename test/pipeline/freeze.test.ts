import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, pay, rowOf, callIdOf, seenBy, startWorld } from './given.js'

let world: World
let key: IssuedKey
let other: IssuedKey
let child: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  key = await world.key({}, { vendors: ['stripe', 'resend'] })
  other = await world.key()
  child = await world.must('POST', `/keys/${key.id}/runs`, { run: 'run_child' })
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const read = (token: string, run = 'run_free'): Promise<string | null> =>
  world.call(token, 'GET', '/stripe/v1/customers/cus_A', undefined, { 'x-agent-run-id': run }).then(codeOf)
const mail = (token: string): Promise<string | null> => world.call(token, 'GET', '/resend/emails').then(codeOf)

const SCOPES = [
  { scope: () => ({ scope: 'all' }), stopped: { key: true, run: true, child: true, other: true, mail: true } },
  { scope: () => ({ key: key.id }), stopped: { key: true, run: true, child: true, other: false, mail: true } },
  { scope: () => ({ key: child.id }), stopped: { key: false, run: false, child: true, other: false, mail: false } },
  { scope: () => ({ run: 'run_hot' }), stopped: { key: false, run: true, child: false, other: false, mail: false } },
  { scope: () => ({ run: 'run_child' }), stopped: { key: false, run: false, child: true, other: false, mail: false } },
  { scope: () => ({ vendor: 'stripe' }), stopped: { key: true, run: true, child: true, other: true, mail: false } },
  { scope: () => ({ vendor: 'resend' }), stopped: { key: false, run: false, child: false, other: false, mail: true } },
]

test.each(SCOPES)(
  'a freeze stops what it covers and nothing else, until it is lifted ($stopped)',
  async ({ scope, stopped }) => {
    const state = async (): Promise<Record<string, string | null>> => ({
      key: await read(key.key),
      run: await read(key.key, 'run_hot'),
      child: await read(child.key),
      other: await read(other.key),
      mail: await mail(key.key),
    })
    const expected = (frozen: Record<string, boolean>): Record<string, string | null> =>
      Object.fromEntries(Object.entries(frozen).map(([name, stops]) => [name, stops ? 'key_frozen' : null]))
    await world.must('POST', '/freeze', { ...scope(), reason: 'looking into it' })
    expect(await state()).toEqual(expected(stopped))
    await world.must('POST', '/unfreeze', scope())
    expect(await state()).toEqual(expected(Object.fromEntries(Object.keys(stopped).map((name) => [name, false]))))
  },
)

test('two freezes that cover a call must both be lifted', async () => {
  await world.must('POST', '/freeze', { scope: 'all' })
  await world.must('POST', '/freeze', { key: key.id })
  await world.must('POST', '/unfreeze', { scope: 'all' })
  expect(await read(key.key)).toBe('key_frozen')
  await world.must('POST', '/unfreeze', { key: key.id })
  expect(await read(key.key)).toBeNull()
})

test('what has left comes back and is counted; what waits for a look-up does not leave', async () => {
  const late = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const lookUp = world.stripe.fault('GET /v1/charges', { do: 'hang', applies: true })
  const { result, requests } = await seenBy(world.stripe, async () => {
    const paying = pay(world, other.key, 100)
    const refunding = world.call(other.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '100' })
    await Promise.all([late.struck, lookUp.struck])
    await world.must('POST', '/freeze', { scope: 'all' })
    late.release()
    lookUp.release()
    return Promise.all([paying, refunding])
  })
  await world.must('POST', '/unfreeze', { scope: 'all' })
  expect(result.map(codeOf)).toEqual([null, 'key_frozen'])
  expect(requests.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
    'GET /v1/charges/ch_A',
    'POST /v1/payment_intents',
  ])
  expect(await rowOf(world, callIdOf(result[0]))).toMatchObject({ state: 'settled', settled_usd: '1.00' })
})
