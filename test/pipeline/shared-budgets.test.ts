import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, moved, pay, startWorld } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const issue = async (policy: string): Promise<IssuedKey> =>
  world.must('POST', '/keys', { name: policy, policy, credentials: [(await world.credentials()).stripe] })
const policy = (name: string, more: Record<string, unknown>): Promise<void> =>
  world.must('POST', '/policies', {
    apiVersion: 'spendgate/v1',
    name,
    vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents'] } } },
    ...more,
  })
interface Standing {
  readonly label: string
  readonly cap_usd: string
  readonly spent_usd: string
}
const budgetsOf = async ({ id }: IssuedKey): Promise<Standing[]> => (await world.must('GET', `/keys/${id}`)).budgets

const CALLS = 1_000

test(`${CALLS} racing calls of 20 keys pass the cap of no level, and fill the one above all`, async () => {
  // Four policies of five keys, two projects of two policies, one team. No level below can hold the team back.
  const keys: IssuedKey[] = []
  for (const [name, project] of Object.entries({ a: 'web', b: 'web', c: 'shop', d: 'shop' })) {
    await policy(name, {
      daily_cap_usd: '10.00',
      budgets: [
        { per: 'day', cap_usd: '35.00', scope: 'policy' },
        { per: 'day', cap_usd: '60.00', scope: `project:${project}` },
        { per: 'month', cap_usd: '100.00', scope: 'team:growth' },
      ],
    })
    for (let i = 0; i < 5; i++) keys.push(await issue(name))
  }
  // Key after key, so that the lower levels are reached before the team's.
  const answers = await Promise.all(
    Array.from({ length: CALLS }, (_, i) => pay(world, keys[Math.floor(i / 50)]!.key, 100)),
  )
  const refused = answers.filter(({ status }) => status !== 200)
  for (const answer of refused) expect(['daily_cap_exceeded', 'budget_exceeded']).toContain(codeOf(answer))
  expect(answers.length - refused.length).toBe(100)
  expect(formatUsd(moved(world))).toBe('100.00')
  const standings = (await Promise.all(keys.map(budgetsOf))).flat()
  expect(standings).toHaveLength(80)
  for (const { cap_usd: cap, spent_usd: spent, label } of standings)
    expect(Number(spent), label).toBeLessThanOrEqual(Number(cap))
  const team = standings.filter(({ label }) => label.endsWith('shared by all keys of team growth'))
  expect(team.map(({ spent_usd: spent }) => spent)).toEqual(Array(20).fill('100.00'))
})

test('keys of different policies share by the name, each up to the cap its own policy says', async () => {
  const shared = (cap: string): object => ({ budgets: [{ per: 'day', cap_usd: cap, scope: 'team:ops' }] })
  await policy('small', { ...shared('5.00'), timezone: 'Asia/Tokyo' })
  await policy('large', { ...shared('8.00'), timezone: 'America/Los_Angeles' })
  const [small, large] = [await issue('small'), await issue('large')]
  expect((await pay(world, small.key, 400)).status).toBe(200)
  expect((await pay(world, large.key, 200)).status).toBe(200)
  const full = await pay(world, small.key, 1)
  expect(codeOf(full)).toBe('budget_exceeded')
  expect(full.body.error.message).toContain('USD 5.00 a day (UTC), shared by all keys of team ops')
  expect((await pay(world, large.key, 200)).status).toBe(200)
  expect(codeOf(await pay(world, large.key, 1))).toBe('budget_exceeded')
})

test('a reissued key goes on with what its team has left', async () => {
  await policy('first', { budgets: [{ per: 'month', cap_usd: '5.00', scope: 'team:sales' }] })
  const old = await issue('first')
  expect((await pay(world, old.key, 400)).status).toBe(200)
  const next: IssuedKey = await world.must('POST', `/keys/${old.id}/reissue`, { policy: 'first' })
  expect((await pay(world, next.key, 100)).status).toBe(200)
  expect(codeOf(await pay(world, next.key, 1))).toBe('budget_exceeded')
  // Counted once, though the old key spent part of it.
  expect((await budgetsOf(next)).map(({ spent_usd: spent }) => spent)).toEqual(['5.00'])
})
