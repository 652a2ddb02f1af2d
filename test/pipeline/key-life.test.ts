import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, codeOf, HOUR, pay, rowOf, seenBy, startWorld, travel } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

describe('a key expires', () => {
  test('to the millisecond, and after that nothing is sent', async () => {
    const key = await world.key({}, { expires_in: '4h' })
    const expiresAt = Date.parse((await world.must('GET', `/keys/${key.id}`)).expires_at)
    travel(world, expiresAt - world.clock.now() - 60_000)
    expect((await pay(world, key.key, 100)).status).toBe(200)
    travel(world, expiresAt - world.clock.now())
    const { result, connections, requests } = await seenBy(world.stripe, () => pay(world, key.key, 100))
    expect([result.status, codeOf(result)]).toEqual([401, 'key_expired'])
    expect(await rowOf(world, callIdOf(result))).toMatchObject({ state: 'denied', decision: { code: 'key_expired' } })
    expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })
  })

  test('by its policy when nobody said otherwise, and else when the operator said', async () => {
    const expiry = async (options: { expires_in?: string }): Promise<number> => {
      const key = await world.key({ expires_in: '2h' }, options)
      const { created_at: created, expires_at: expires } = await world.must('GET', `/keys/${key.id}`)
      return Math.round((Date.parse(expires) - Date.parse(created)) / 1000) * 1000
    }
    expect(await expiry({})).toBe(2 * HOUR)
    expect(await expiry({ expires_in: '1h' })).toBe(HOUR)
    expect(await expiry({ expires_in: '9h' })).toBe(9 * HOUR)
  })

  test('and its children with it', async () => {
    const parent = await world.key({}, { expires_in: '1h' })
    const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, { expires_in: '9h' })
    expect((await pay(world, child.key, 100)).status).toBe(200)
    travel(world, HOUR)
    expect(codeOf(await pay(world, child.key, 100))).toBe('key_expired')
  })

  test('while its look-up runs: the call does not leave', async () => {
    const key = await world.key({}, { expires_in: '1h' })
    const fault = world.stripe.fault('GET /v1/charges', { do: 'hang', applies: true })
    const { result, requests } = await seenBy(world.stripe, async () => {
      const call = world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '100' })
      await fault.struck
      travel(world, HOUR)
      fault.release()
      return call
    })
    expect(codeOf(result)).toBe('key_expired')
    expect(requests.map(({ method }) => method)).toEqual(['GET'])
  })
})

describe('a key is narrowed', () => {
  const refund = (key: string, amount: number): Promise<Answer> =>
    world.call(key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: String(amount) })

  test('at once, with its children, and what it has spent counts against the new cap', async () => {
    const parent = await world.key({ daily_cap_usd: '20.00' })
    const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_narrow' })
    expect((await refund(parent.key, 400)).status).toBe(200)
    await world.must('POST', `/keys/${parent.id}/narrow`, {
      daily_cap_usd: '5.00',
      vendors: { stripe: { max_amount_usd: '2.00' } },
    })
    expect(codeOf(await refund(parent.key, 201))).toBe('amount_over_limit')
    expect(codeOf(await refund(child.key, 201))).toBe('amount_over_limit')
    expect(codeOf(await refund(child.key, 101))).toBe('daily_cap_exceeded')
    expect((await refund(child.key, 100)).status).toBe(200)
  })

  test('never wider', async () => {
    const key = await world.key({
      daily_cap_usd: '5.00',
      vendors: { stripe: { endpoints: { allow: ['POST /v1/refunds'] }, customers: ['cus_A'] } },
    })
    await world.must('POST', `/keys/${key.id}/narrow`, {
      daily_cap_usd: '500.00',
      vendors: { stripe: { endpoints: { allow: ['* *'] }, customers: ['cus_A', 'cus_B'] } },
    })
    expect(codeOf(await pay(world, key.key, 100))).toBe('operation_not_allowed')
    expect(codeOf(await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_B', amount: '100' }))).toBe(
      'customer_not_allowed',
    )
    expect(codeOf(await refund(key.key, 501))).toBe('daily_cap_exceeded')
  })

  test('while its look-up runs: the call is judged by the narrower policy', async () => {
    const key = await world.key()
    const fault = world.stripe.fault('GET /v1/charges', { do: 'hang', applies: true })
    const { result, requests } = await seenBy(world.stripe, async () => {
      const call = refund(key.key, 300)
      await fault.struck
      await world.must('POST', `/keys/${key.id}/narrow`, { daily_cap_usd: '1.00' })
      fault.release()
      return call
    })
    expect(codeOf(result)).toBe('daily_cap_exceeded')
    expect(requests.map(({ method }) => method)).toEqual(['GET'])
  })

  test('a key keeps the policy version it was issued with', async () => {
    const document = (cap: string): object => ({
      apiVersion: 'spendgate/v1',
      name: 'versions',
      daily_cap_usd: cap,
      vendors: { stripe: { endpoints: { allow: ['* *'] } } },
    })
    const issue = async (): Promise<IssuedKey> =>
      world.must('POST', '/keys', { name: 'v', policy: 'versions', credentials: [(await world.credentials()).stripe] })
    await world.must('POST', '/policies', document('1.00'))
    const old = await issue()
    await world.must('POST', '/policies', document('2.00'))
    const young = await issue()
    expect(codeOf(await pay(world, old.key, 150))).toBe('daily_cap_exceeded')
    expect((await pay(world, young.key, 150)).status).toBe(200)
  })
})

test('a key reissued twice in a day carries what both before it have spent', async () => {
  const first = await world.key({ daily_cap_usd: '10.00' })
  const { policy } = await world.must('GET', `/keys/${first.id}`)
  const reissued = (id: string): Promise<IssuedKey> => world.must('POST', `/keys/${id}/reissue`, { policy })
  await pay(world, first.key, 400)
  const second = await reissued(first.id)
  await pay(world, second.key, 300)
  const third = await reissued(second.id)
  expect(codeOf(await pay(world, third.key, 301))).toBe('daily_cap_exceeded')
  expect((await pay(world, third.key, 300)).status).toBe(200)
})
