import { afterEach, beforeEach, expect, test } from 'vitest'
import { done, reply, refuse, SECOND } from '../ledger/book.js'
import { Desk } from './desk.js'

const MINUTE = 60 * SECOND
let desk: Desk
beforeEach(async () => {
  desk = await Desk.open()
})
afterEach(() => desk.close())

async function refused(
  key: Awaited<ReturnType<Desk['key']>>,
  times: number,
  code = 'rate_limited' as const,
): Promise<void> {
  for (let i = 0; i < times; i++) await desk.ledger.admit(desk.call(key, '1.00'), refuse(code))
  await desk.alerts.look()
}

test('a few refusals are no burst, twenty within a minute are one', async () => {
  const key = await desk.key()
  await refused(key, 19)
  desk.clock.at += MINUTE
  await refused(key, 19)
  expect(desk.told()).toEqual([])
  await refused(key, 1)
  expect(desk.told()).toEqual([
    `denials.burst: 20 calls of the key ${key.name} were refused within a minute, most of them with rate_limited. If this is no mistake in a policy, revoke the key or freeze it.`,
  ])
})

test('refusals that share a row are counted one by one', async () => {
  const key = await desk.key()
  await Promise.all(Array.from({ length: 60 }, () => desk.ledger.admit(desk.call(key, '1.00'), refuse('rate_limited'))))
  expect((await desk.ledger.calls({}, { limit: 100 })).rows.length).toBeLessThan(60)
  await desk.alerts.look()
  expect(desk.kinds()).toEqual(['denials.burst'])
})

test('a burst that goes on is told again after a quarter of an hour, and another key at once', async () => {
  const [key, other] = [await desk.key(), await desk.key()]
  await refused(key, 40)
  desk.clock.at += 14 * MINUTE
  await refused(key, 40)
  expect(desk.receiver.heard).toHaveLength(1)
  await refused(other, 20)
  expect(desk.receiver.heard).toHaveLength(2)
  desk.clock.at += MINUTE
  await refused(key, 40)
  expect(desk.receiver.heard).toHaveLength(3)
})

test('a call of unknown outcome is told with its amount, and the vendor not again for a while', async () => {
  const key = await desk.key({ daily_cap_usd: '1000.00' })
  const id = await done(desk.ledger, desk.call(key, '12.34'), reply('assumed'))
  await desk.alerts.look()
  await done(desk.ledger, desk.call(key, '5.00'), reply('assumed'))
  await desk.alerts.look()
  expect(desk.receiver.heard.map(({ body }) => body)).toMatchObject([
    { type: 'call.assumed', data: { call: id, assumed_usd: '12.34', vendor: 'stripe', operation: 'refunds.create' } },
  ])
})

test('calls left over by a server that died are told at the next start, once', async () => {
  const key = await desk.key({ daily_cap_usd: '1000.00' })
  await desk.alerts.stop(1_000)
  const id = await done(desk.ledger, desk.call(key, '3.00'), reply('assumed'))
  for (let starts = 0; starts < 2; starts++) {
    desk.hire()
    await desk.ledger.flushed()
    await desk.alerts.look()
    await desk.alerts.look()
    await desk.alerts.stop(1_000)
  }
  expect(desk.receiver.heard.map(({ body }) => body.data.call)).toEqual([id])
})

test('a vendor that does not accept the credential is told once an hour', async () => {
  const key = await desk.key({ daily_cap_usd: '1000.00' })
  for (let i = 0; i < 3; i++) {
    await done(desk.ledger, desk.call(key, '1.00'), reply('released', { status: 401 }))
    await desk.alerts.look()
  }
  expect(desk.receiver.heard.map(({ body }) => body)).toMatchObject([
    { type: 'credential.refused', data: { credential: 'cred_1', credential_name: 'main', vendor: 'stripe' } },
  ])
  desk.clock.at += 60 * MINUTE
  await done(desk.ledger, desk.call(key, '1.00'), reply('released', { status: 401 }))
  await desk.alerts.look()
  expect(desk.kinds()).toEqual(['credential.refused', 'credential.refused'])
})

test('a call that waits for approval is told with the link, and without a word of the agent', async () => {
  const key = await desk.key()
  const asks = refuse('approval_required')
  const call = desk.call(key, '60.00', { approvalMs: 60 * MINUTE, requestHash: 'the same', reason: 'CANARY reason' })
  await desk.ledger.admit(call, asks)
  await desk.ledger.admit(call, asks)
  await desk.alerts.look()
  const [{ id }] = (await desk.ledger.approvals({}, { limit: 1 })).rows as unknown as [{ id: string }]
  expect(desk.told()).toEqual([
    `approval.waiting: A call waits for your approval: refunds.create at stripe for at most USD 60.00, by the key ${key.name} in the run run_1. Decide at http://127.0.0.1:4243/approvals/${id}`,
  ])
  expect(desk.receiver.heard[0]!.text).not.toContain('CANARY')
})

test('events of the log that need somebody are told, and no others', async () => {
  const { alerts } = desk
  alerts.heard('started', {})
  alerts.heard('constructor', {})
  for (let i = 0; i < 2; i++) {
    alerts.heard('ledger_fault', { kind: 'full', message: 'The disk is full.', stack: 'CANARY stack' })
    alerts.heard('ledger_fault', { message: 'The ledger could not write.' })
    alerts.heard('unexplained_spend', {
      vendor: 'stripe',
      credential: 'main',
      moved_usd: '100.00',
      unexplained_usd: '40.00',
    })
    alerts.heard('movement_over_cap', {
      vendor: 'stripe',
      movement: 'txn_1',
      key: 'key_1',
      rule: 'daily-cap',
      limit: 'USD 5.00 a day',
    })
    alerts.heard('table_goes_stale', {
      table: 'rates',
      as_of: '2026-11-01',
      stale_in_days: 6,
      renew: 'spendgate rates set',
    })
    alerts.heard('disk_little_room', { message: 'The disk of the ledger has 900 MiB left.' })
    await alerts.look()
  }
  expect(desk.kinds()).toEqual(['ledger.fault', 'reconciliation.drift', 'budget.passed', 'table.stale', 'disk.room'])
  expect(desk.told()[1]).toBe(
    'reconciliation.drift: USD 40.00 of the USD 100.00 that moved at stripe under the credential main came from no call through spendgate. Somebody else has the key, or something went around.',
  )
  expect(desk.receiver.heard.some(({ text }) => text.includes('CANARY'))).toBe(false)
})
