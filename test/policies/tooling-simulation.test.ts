import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { judge } from '../../policies/index.js'
import type { Denial } from '../../src/contracts/call.js'
import type { CallDraft, KeyRecord, Settlement } from '../../src/contracts/ledger.js'
import { parseUsd, usd } from '../../src/contracts/money.js'
import { runtimeOf } from '../../src/engine.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { simulate, type Simulation } from '../../src/rehearsal/simulation.js'
import { vendors } from '../../vendors/index.js'

/* What a record shows and does not show of its calls, on a ledger without a server. */

const RUNTIMES = new Map(vendors.map((vendor) => [vendor.name, runtimeOf(vendor, null)]))
const NOON = Date.parse('2026-11-24T12:00:00.000Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR

let directory: string
let now: number
let ledger: ReturnType<typeof openSqlite>
let key: KeyRecord
let calls: number

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'spendgate-simulation-'))
  now = NOON
  calls = 0
  ledger = openSqlite({ file: join(directory, 'spendgate.db'), clock: { now: () => now, monotonic: () => now } })
  key = await keyUnder({ customers: ['cus_A', 'cus_B'] })
})
afterEach(async () => {
  await ledger.close()
  rmSync(directory, { recursive: true, force: true })
})

const document = (block: object = {}, more: object = {}): object => ({
  apiVersion: 'spendgate/v1',
  name: 'agents',
  ...more,
  vendors: { stripe: { endpoints: { allow: ['* *'] }, ...block } },
})

async function keyUnder(block: object, more: object = {}): Promise<KeyRecord> {
  const policy = await ledger.addPolicy('agents', document(block, more), 'test')
  const id = `key_${policy.version}`
  return ledger.addKey({
    id,
    publicId: String(policy.version).padStart(32, '0'),
    digest: id,
    last4: '0000',
    name: id,
    parentId: null,
    policyId: policy.id,
    narrowings: [],
    credentialIds: [],
    run: null,
    runCap: null,
    test: false,
    expiresAt: null,
    createdAt: now,
    actor: 'test',
  })
}

const SETTLED: Settlement = { outcome: 'settled', status: 200, requestId: null, ms: 1 }

/** A refund of the past; `refusal` is what its policy said then. */
async function refunded(
  dollars: string,
  {
    settlement = SETTLED,
    refusal,
    ...changes
  }: Partial<CallDraft> & { settlement?: Settlement | null; refusal?: string } = {},
): Promise<string> {
  const hash = String(++calls).padStart(64, '0')
  const draft: CallDraft = {
    key,
    credentialId: null,
    run: 'run_1',
    runSource: 'header',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/refunds',
    operation: 'refunds.create',
    effect: 'spend',
    direction: 'out',
    customer: 'cus_A',
    reason: null,
    quoted: parseUsd(dollars)!,
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: hash,
    idempotencyHash: null,
    guarded: false,
    budgets: [],
    lookUps: 0,
    rateCounted: false,
    perMinute: [],
    ...changes,
  }
  const denial = { code: refusal as Denial['code'], message: 'No.', rule: 'some-rule (agents@1)' }
  const { callId } = await ledger.admit(draft, () =>
    refusal === undefined ? { verdict: 'allow', denial: null } : { verdict: 'deny', denial },
  )
  if (refusal === undefined && settlement !== null) {
    expect(ledger.mayLeave(callId)).toBe(true)
    ledger.settle(callId, settlement)
    await ledger.flushed()
  }
  return callId
}

const play = (block: object = {}, more: object = {}, from = NOON - HOUR): Promise<Simulation> =>
  simulate(
    { policy: { document: document(block, more), version: 0 }, from, to: now + 1, run: null, key: null, under: null },
    { ledger, judge, vendors: RUNTIMES },
  )

const codes = ({ newlyRefused }: Simulation): unknown => newlyRefused.byRule.map(({ code, calls: n }) => [code, n])

describe('budgets along the time of the calls', () => {
  test('a day is over at midnight, and what it held with it', async () => {
    for (let day = 0; day < 3; day++) {
      await refunded('40.00')
      await refunded('20.00')
      now += DAY
    }
    const { newlyRefused, caps } = await play({}, { daily_cap_usd: '50.00' })
    expect([newlyRefused.calls, newlyRefused.amount]).toEqual([3, parseUsd('60.00')])
    expect(caps).toMatchObject([{ cap: parseUsd('50.00'), most: parseUsd('40.00'), refused: 3 }])
  })

  test('what was spent in a month before the span counts in it', async () => {
    now = Date.parse('2026-11-02T00:00:00.000Z')
    await refunded('90.00')
    now = NOON
    await refunded('20.00')
    expect(codes(await play({}, { budgets: [{ per: 'month', cap_usd: '100.00' }] }))).toEqual([['budget_exceeded', 1]])
    expect(codes(await play({}, { budgets: [{ per: 'month', cap_usd: '120.00' }] }))).toEqual([])
  })

  test('a call counts at what it reserved until its outcome was known, then at what it cost', async () => {
    await refunded('40.00', { settlement: { ...SETTLED, outcome: 'released' } })
    now += 1000
    await refunded('40.00')
    expect(codes(await play({}, { daily_cap_usd: '50.00' }))).toEqual([])
    await refunded('5.00', { settlement: null })
    expect((await play({}, { daily_cap_usd: '42.00' })).newlyRefused.calls).toBe(1)
  })

  test('a cap that is shared counts the calls of all its keys', async () => {
    await refunded('40.00')
    key = await keyUnder({ customers: ['cus_A'] })
    now += 1000
    await refunded('40.00')
    expect(codes(await play({}, { daily_cap_usd: '50.00' }))).toEqual([])
    const shared = { budgets: [{ per: 'day', cap_usd: '50.00', scope: 'policy' }] }
    expect(codes(await play({}, shared))).toEqual([['budget_exceeded', 1]])
  })

  test('a rate counts the calls of any minute', async () => {
    for (let i = 0; i < 4; i++) {
      await refunded('1.00')
      now += 10_000
    }
    expect(codes(await play({}, { rate_limit: { per_minute: 3 } }))).toEqual([['rate_limited', 1]])
    expect(codes(await play({}, { rate_limit: { per_minute: 4 } }))).toEqual([])
  })
})

describe('what a row shows', () => {
  test('its customer: a list without it refuses the call', async () => {
    await refunded('1.00')
    expect(codes(await play({ customers: ['cus_B'] }))).toEqual([['customer_not_allowed', 1]])
    expect(codes(await play({ customers: ['cus_A'] }))).toEqual([])
  })

  test('a second call with the very same parameters is a duplicate where the policy wants none', async () => {
    await refunded('1.00', { requestHash: 'ab'.repeat(32) })
    now += 1000
    await refunded('1.00', { requestHash: 'ab'.repeat(32) })
    expect(codes(await play({}, { duplicate_guard: { within: '10m' } }))).toEqual([['duplicate_call', 1]])
  })

  test('a call that was refused for its amount is allowed where that is no limit, and counts', async () => {
    await refunded('60.00', { refusal: 'amount_over_limit' })
    now += 1000
    await refunded('50.00')
    const { newlyAllowed, newlyRefused } = await play({ customers: ['cus_A', 'cus_B'] }, { daily_cap_usd: '100.00' })
    expect([newlyAllowed, newlyRefused.calls]).toEqual([{ calls: 1, amount: parseUsd('60.00') }, 1])
  })

  test('above the limit for approvals of then, what was let through had been approved', async () => {
    key = await keyUnder({}, { approval: { above_usd: '25.00' } })
    await refunded('30.00')
    expect(codes(await play({}, { approval: { above_usd: '25.00' } }))).toEqual([])
    expect(codes(await play({}, { approval: { above_usd: '10.00' } }))).toEqual([])
    key = await keyUnder({})
    await refunded('30.00')
    expect(codes(await play({}, { approval: { above_usd: '25.00' } }))).toEqual([['approval_required', 1]])
  })

  test('what follows on an object that a refused call had made follows it', async () => {
    const intent = {
      method: 'POST',
      path: '/v1/payment_intents',
      operation: 'payment_intents.create',
      direction: 'in' as const,
    }
    await refunded('80.00', { ...intent, settlement: { ...SETTLED, object: 'pi_1', total: parseUsd('80.00')! } })
    now += 1000
    await refunded('80.00', {
      ...intent,
      path: '/v1/payment_intents/pi_1/confirm',
      operation: 'payment_intents.confirm',
      object: 'pi_1',
    })
    const { newlyRefused, following } = await play({ max_amount_usd: '50.00' })
    expect([newlyRefused.calls, following.calls]).toEqual([1, 1])
  })
})

describe('what a row does not show is not guessed', () => {
  const why = ({ notJudged }: Simulation): unknown => notJudged.byReason.map((each) => each.why.split(':')[0])

  test('a list that is not known to hold what the old one held', async () => {
    key = await keyUnder({ currencies: ['usd', 'eur'] })
    await refunded('1.00')
    expect(why(await play({ currencies: ['usd'] }))).toEqual(['currencies'])
    expect(why(await play({ currencies: ['usd', 'eur', 'gbp'] }))).toEqual([])
    expect(why(await play({}))).toEqual([])
  })

  test('a customer whom nobody had to look up', async () => {
    key = await keyUnder({})
    await refunded('1.00', { customer: null })
    expect(why(await play({ customers: ['cus_A'] }))).toEqual(['customers'])
  })

  test('what was refused before it was priced', async () => {
    await refunded('0.00', { refusal: 'operation_not_allowed', requestHash: '', quoted: usd(0n), customer: null })
    const { notJudged, newlyAllowed } = await play({})
    expect([notJudged.calls, newlyAllowed.calls]).toEqual([1, 0])
    expect(codes(await play({ endpoints: { allow: [] } }))).toEqual([])
  })

  test('whom a refused call concerned, unless the old list held all of the new', async () => {
    key = await keyUnder({ recipients: ['+1415*'] })
    await refunded('1.00', { refusal: 'recipient_not_allowed', customer: null })
    expect(why(await play({ recipients: ['+1628*'] }))).toEqual(['recipients'])
    const { notJudged, newlyAllowed, simulated } = await play({ recipients: ['+14155550123'] })
    expect([notJudged.calls, newlyAllowed.calls, simulated.refused.calls]).toEqual([0, 0, 1])
  })
})

test('the dearest changes are kept, however many there are', async () => {
  for (let i = 0; i < 130; i++) await refunded(`${10 + (i % 65)}.00`)
  const { changes, newlyRefused } = await play({ max_amount_usd: '5.00' })
  expect(newlyRefused.calls).toBe(130)
  expect(changes).toHaveLength(50)
  expect(changes.slice(0, 3).map(({ amount }) => amount)).toEqual(
    ['74.00', '74.00', '73.00'].map((each) => parseUsd(each)),
  )
})
