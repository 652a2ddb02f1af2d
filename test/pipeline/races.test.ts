import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { formatUsd, usd } from '../../src/contracts/money.js'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, moved, pay, startWorld } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const CALLS = 1_000
const cents = (minor: number): string => formatUsd(usd(BigInt(minor) * 10_000n))
const policy = async (name: string, more: Record<string, unknown>): Promise<void> =>
  world.must('POST', '/policies', {
    apiVersion: 'spendgate/v1',
    name,
    daily_cap_usd: '100000.00',
    vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents', 'POST /v1/refunds'] } } },
    ...more,
  })
const issue = async (under: string): Promise<IssuedKey> =>
  world.must('POST', '/keys', { name: under, policy: under, credentials: [(await world.credentials()).stripe] })

/** Repeatable amounts: a linear congruential generator, because a failure must come back under its seed. */
function amounts(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
}

let paidBefore = 0n
beforeEach(() => {
  paidBefore = moved(world)
})

/** The calls let through, and that every other was refused with the one code. */
function admitted(answers: readonly Answer[], code: string): number {
  const through = answers.filter((answer) => answer.status === 200).length
  expect(answers.filter((answer) => codeOf(answer) === code)).toHaveLength(answers.length - through)
  return through
}

const race = (keys: readonly IssuedKey[], minor: number): Promise<Answer[]> =>
  Promise.all(Array.from({ length: CALLS }, (_, i) => pay(world, keys[i % keys.length]!.key, minor)))

describe(`of ${CALLS} calls at once exactly as many arrive as the last dollars pay for`, () => {
  test.each([1, 2, 3])('a key’s daily cap, seed %i', async (seed) => {
    const next = amounts(seed)
    const [amount, fits, earlier] = [1 + next(400), 1 + next(60), 1 + next(500)]
    const cap = earlier + amount * fits + next(amount)
    const key = await world.key({ daily_cap_usd: cents(cap) })
    expect((await pay(world, key.key, earlier)).status).toBe(200)
    expect(admitted(await race([key], amount), 'daily_cap_exceeded')).toBe(fits)
    expect(moved(world) - paidBefore).toBe(BigInt(earlier + fits * amount) * 10_000n)
  })

  test('a budget that two keys share by their policy', async () => {
    await policy('shared', { budgets: [{ per: 'day', cap_usd: '20.10', scope: 'policy' }] })
    const keys = [await issue('shared'), await issue('shared')]
    expect(admitted(await race(keys, 67), 'budget_exceeded')).toBe(30)
    expect(moved(world) - paidBefore).toBe(20_100_000n)
  })

  test('a budget that keys of two policies share by their credential', async () => {
    await policy('one-side', { budgets: [{ per: 'month', cap_usd: '12.34', scope: 'credential' }] })
    await policy('other-side', { budgets: [{ per: 'month', cap_usd: '12.34', scope: 'credential' }] })
    const keys = [await issue('one-side'), await issue('other-side')]
    expect(admitted(await race(keys, 100), 'budget_exceeded')).toBe(12)
    expect(moved(world) - paidBefore).toBe(12_000_000n)
  })

  test('the cap of a run', async () => {
    const parent = await world.key()
    const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_race', cap_usd: '7.77' })
    expect(admitted(await race([child], 30), 'run_cap_exceeded')).toBe(25)
    expect(await world.spent('run_race')).toMatchObject({
      spent_usd: '7.50',
      held_usd: '0.00',
      calls: CALLS,
      denied: CALLS - 25,
    })
  })

  test('a parent and its children spend one cap', async () => {
    const parent = await world.key({ daily_cap_usd: '9.99' })
    const children: IssuedKey[] = [
      await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_one' }),
      await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_two' }),
    ]
    expect(admitted(await race([parent, ...children], 25), 'daily_cap_exceeded')).toBe(39)
    expect(moved(world) - paidBefore).toBe(9_750_000n)
  })

  test.each([7, 8])(
    'amounts that differ: nothing passes the cap, and nothing that fitted was refused, seed %i',
    async (seed) => {
      const next = amounts(seed)
      const key = await world.key({ daily_cap_usd: '50.00' })
      const asked = Array.from({ length: CALLS }, () => 1 + next(999))
      const answers = await Promise.all(asked.map((minor) => pay(world, key.key, minor)))
      admitted(answers, 'daily_cap_exceeded')
      const sum = asked.filter((_, i) => answers[i]!.status === 200).reduce((total, minor) => total + minor, 0)
      expect(sum).toBeLessThanOrEqual(5_000)
      expect(moved(world) - paidBefore).toBe(BigInt(sum) * 10_000n)
      for (const [i, minor] of asked.entries())
        if (answers[i]!.status !== 200) expect(minor).toBeGreaterThan(5_000 - sum)
    },
  )
})

test('calls that look something up first race no differently', async () => {
  const { id } = world.stripe.addCharge({ customer: 'cus_A', amount: 100_000 })
  const key = await world.key({
    daily_cap_usd: '3.50',
    vendors: { stripe: { endpoints: { allow: ['POST /v1/refunds'] }, customers: ['cus_A'] } },
  })
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: id, amount: '100' })),
  )
  expect(admitted(answers, 'daily_cap_exceeded')).toBe(3)
  expect(world.stripe.state.charges.get(id)!.amount_refunded).toBe(300)
})
