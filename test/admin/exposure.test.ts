import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CallDraft, Settlement } from '../../src/contracts/ledger.js'
import { usd, ZERO } from '../../src/contracts/money.js'
import { capsLeft, type Limit } from '../../src/exposure/caps-left.js'
import { SETTLED, World } from './world.js'

let world: World
beforeEach(async () => {
  world = await World.start()
})
afterEach(async () => {
  world.expectNoSecrets()
  expect(await world.ledger.verify()).toEqual([])
  await world.close()
})

type Kind = 'open' | 'recurring' | 'scheduled'
const committed = (
  keyId: string,
  object: string,
  kind: Kind,
  changes: Partial<CallDraft> = {},
  settlement: Settlement = { ...SETTLED, object, total: usd(10_000_000n) },
): Promise<string> =>
  world.call(keyId, 10_000_000n, settlement, {
    operation: 'payment_links.create',
    commits: {
      kind,
      perMonth: kind === 'recurring' ? usd(30_000_000n) : ZERO,
      dueAt: kind === 'scheduled' ? world.nowMs + 3_600_000 : null,
      quantity: kind === 'open' ? null : 1n,
    },
    ...changes,
  })
const DAILY = {
  window: '2026-11-21',
  cap: usd(20_000_000n),
  code: 'daily_cap_exceeded',
  label: '',
  rule: '',
  since: null,
  resetsAt: null,
  vendor: null,
  direction: null,
  measure: 'spent',
  enforce: true,
} as const
const exposure = async (): Promise<any> => (await world.get('/exposure')).body
const lossOf = async (): Promise<readonly [string | null, ...(string | null)[]]> => {
  const { max_loss_usd, by_key } = await exposure()
  return [max_loss_usd, ...by_key.map((line: any) => line.max_loss_usd)]
}

describe('what may still be lost', () => {
  test('is what caps leave, what is held, and what stands', async () => {
    expect(await exposure()).toEqual({
      max_loss_usd: '0.00',
      caps_left_usd: '0.00',
      held_usd: '0.00',
      why: null,
      by_key: [],
    })
    const { id } = await world.key()
    const budgets = [
      { ...DAILY, counter: `key:${id}|day|*|UTC` },
      { ...DAILY, counter: `key:${id}:run|run|*`, window: 'all' },
    ]
    await committed(id, 'plink_1', 'open', { budgets })
    await committed(id, 'sub_1', 'recurring')
    await committed(id, 'SM1', 'scheduled')
    const line = {
      caps_left_usd: '10.00',
      held_usd: '0.00',
      scheduled_usd: '10.00',
      recurring_usd: '30.00',
      open_usd: '10.00',
      unlimited_open: 1,
    }
    expect(await exposure()).toMatchObject({
      max_loss_usd: '60.00',
      by_key: [{ key_id: id, max_loss_usd: '60.00', ...line }],
    })
    // A call under way leaves less of the caps, and may be lost itself.
    const key = world.ledger.key(id)!
    const held = await world.ledger.admit(
      { ...DRAFT, key, credentialId: key.credentialIds[0]!, quoted: usd(4_000_000n), budgets },
      () => ({ verdict: 'allow', denial: null }),
    )
    expect(await exposure()).toMatchObject({
      max_loss_usd: '60.00',
      held_usd: '4.00',
      by_key: [{ caps_left_usd: '6.00', held_usd: '4.00' }],
    })
    world.ledger.settle(held.callId, SETTLED)
    await world.ledger.flushed()
    expect((await exposure()).max_loss_usd).toBe('56.00')
  })

  test('counts no caps of keys that cannot be used, and what they left behind', async () => {
    const { id } = await world.key()
    await committed(id, 'plink_1', 'open')
    expect(await lossOf()).toEqual(['30.00', '30.00'])
    for (const scope of [{ key: id }, { scope: 'all' }, { vendor: 'stripe' }]) {
      await world.post('/freeze', scope)
      expect(await lossOf()).toEqual(['10.00', '10.00'])
      await world.post('/unfreeze', scope)
    }
    expect(await lossOf()).toEqual(['30.00', '30.00'])
    world.nowMs += 4 * 3_600_000
    expect(await lossOf()).toEqual(['10.00', '10.00'])
    const { id: other } = await world.key()
    await world.post(`/keys/${other}/revoke`)
    expect(await lossOf()).toEqual(['10.00', '10.00'])
  })

  test('counts a budget that keys share once, and what is their own beneath it', async () => {
    await world.policy({
      name: 'team',
      daily_cap_usd: '8.00',
      budgets: [{ per: 'month', cap_usd: '20.00', scope: 'policy' }],
    })
    await world.policy({
      name: 'wide',
      daily_cap_usd: '50.00',
      budgets: [{ per: 'month', cap_usd: '90.00', scope: 'credential' }],
    })
    for (let i = 0; i < 4; i++) await world.key({ policy: 'team' })
    expect(await lossOf()).toEqual(['20.00', '8.00', '8.00', '8.00', '8.00'])
    await world.key({ policy: 'wide' })
    expect((await exposure()).max_loss_usd).toBe('70.00')
    await world.key({ policy: 'wide' })
    expect((await exposure()).max_loss_usd).toBe('110.00')
  })

  test('follows a shared counter whose cap another version of the policy has lowered', async () => {
    const shared = (cap_usd: string) => ({
      name: 'team',
      daily_cap_usd: undefined,
      budgets: [{ per: 'month', cap_usd, scope: 'policy' }],
    })
    await world.policy(shared('30.00'))
    await world.key({ policy: 'team' })
    await world.policy(shared('12.00'))
    await world.key({ policy: 'team' })
    await world.key({ policy: 'team' })
    expect(await lossOf()).toEqual(['30.00', '12.00', '12.00', '30.00'])
  })

  test('has no bound where no cap bounds a key, and says whom', async () => {
    await world.policy({ name: 'open', daily_cap_usd: undefined, budgets: undefined })
    await world.policy({
      name: 'capped',
      daily_cap_usd: undefined,
      budgets: [
        { per: 'day', vendor: 'stripe', cap_usd: '7.00' },
        { per: 'month', direction: 'in', cap_usd: '1.00' },
      ],
    })
    await world.policy({
      name: 'both-ways',
      daily_cap_usd: undefined,
      budgets: [
        { per: 'day', direction: 'out', cap_usd: '2.00' },
        { per: 'month', direction: 'in', cap_usd: '1.00' },
      ],
    })
    await world.policy({ name: 'watched', mode: 'observe' })
    await world.policy()
    const bound = await world.key({ policy: 'capped' })
    const ways = await world.key({ policy: 'both-ways' })
    expect(await lossOf()).toEqual(['10.00', '3.00', '7.00'])
    const free = await world.key({ policy: 'open', name: 'free' })
    await world.key({ policy: 'watched', name: 'only-watched' })
    const body = await exposure()
    expect(body).toMatchObject({
      max_loss_usd: null,
      why: 'Nothing bounds only-watched, free: give each policy a cap over everything (daily_cap_usd), or one for each of its vendors.',
    })
    const lines = new Map(body.by_key.map((line: any) => [line.key_id, line.max_loss_usd]))
    expect([bound, ways, free].map(({ id }) => lines.get(id))).toEqual(['7.00', '3.00', null])
  })

  test('keys of several pages are summed up', async () => {
    await world.key()
    const [like] = (await world.ledger.keys({ limit: 1 })).rows
    await Promise.all(
      Array.from({ length: 519 }, (_, i) => {
        const id = `key_${String(i).padStart(16, '0')}`
        const publicId = String(i).padStart(32, '0')
        return world.ledger.addKey({ ...like!, id, publicId, digest: `digest-${i}`, actor: 'test' })
      }),
    )
    const { max_loss_usd, by_key } = await exposure()
    expect([max_loss_usd, by_key.length]).toEqual(['10400.00', 520])
  })
})

const DRAFT = {
  run: 'run_1',
  runSource: 'header',
  vendor: 'stripe',
  surface: 'rest',
  method: 'POST',
  path: '/v1/refunds',
  operation: 'refunds.create',
  effect: 'spend',
  direction: 'out',
  customer: null,
  reason: null,
  basis: 'exact',
  object: null,
  commits: null,
  requestHash: 'cd'.repeat(32),
  idempotencyHash: null,
  guarded: false,
  lookUps: 0,
  rateCounted: false,
  perMinute: [],
} as const

describe('the bound', () => {
  const limit = fc.record({
    ways: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
    left: fc.bigInt({ min: 0n, max: 4n }),
    scope: fc.constantFrom('key', 'policy', 'cred'),
    only: fc.subarray(['vendor', 'direction'] as const),
  })

  /** By trying every spending. */
  function worst(limits: readonly Limit[]): bigint {
    let most = 0n
    const spend = (way: number, spent: readonly bigint[]): void => {
      if (limits.some(({ ways, left }) => ways.reduce((sum, at) => sum + (spent[at] ?? 0n), 0n) > left)) return
      if (way === 4) most = [most, spent.reduce((sum, one) => sum + one, 0n)].reduce((a, b) => (a > b ? a : b))
      else for (let one = 0n; one <= 4n; one++) spend(way + 1, [...spent, one])
    }
    spend(0, [])
    return most
  }

  test('is never below what can be spent', () => {
    const covering = (left: bigint): Limit => ({ ways: [0, 1, 2, 3], left, scope: 'key', only: [] })
    fc.assert(
      fc.property(fc.array(limit, { maxLength: 6 }), fc.bigInt({ min: 0n, max: 8n }), (limits, whole) => {
        const all = [...limits, covering(whole)]
        expect(capsLeft(4, all)).toBeGreaterThanOrEqual(worst(all))
      }),
      { numRuns: 200 },
    )
  })

  test('is exact where limits contain one another, and where those of one vendor cross those of a key', () => {
    const own = (ways: number[], left: bigint): Limit => ({ ways, left, scope: 'key', only: [] })
    const vendor = (ways: number[], left: bigint, scope = 'key'): Limit => ({ ways, left, scope, only: ['vendor'] })
    const nested = [own([0, 1], 5n), own([2, 3], 4n), vendor([0], 2n), own([0, 1, 2, 3], 8n)]
    expect([capsLeft(4, nested), worst(nested)]).toEqual([8n, 8n])
    const crossing = [own([0, 1], 9n), own([2, 3], 9n), vendor([0], 1n), vendor([2], 1n), vendor([1, 3], 3n, 'policy')]
    expect([capsLeft(4, crossing), worst(crossing)]).toEqual([5n, 5n])
    expect(capsLeft(4, [own([0, 1, 2], 9n)])).toBeNull()
    expect(capsLeft(0, [])).toBe(0n)
  })
})
