import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyRecord } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { openSqlite, type SqliteLedger } from '../../src/ledger/sqlite.js'
import { budget, capped, dollars, done, draft, newKey, reply, StandingClock } from '../ledger/book.js'

let dir: string
let ledger: SqliteLedger
let key: KeyRecord
const open = (): SqliteLedger => openSqlite({ file: join(dir, 'spendgate.db'), clock: new StandingClock() })
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-days-'))
  ledger = open()
  key = await newKey(ledger)
})
afterEach(async () => {
  expect(await ledger.verify()).toEqual([])
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

const day = (window: string, cap = '10.00') =>
  budget('key:a|day|*|UTC', cap, { window, since: Date.parse(window), resetsAt: Date.parse(window) + 86_400_000 })
const spend = async (window: string, amount: string): Promise<string> => {
  const call = draft(key, amount, { budgets: [day(window)] })
  const { callId, decision } = await ledger.admit(call, capped)
  if (decision.verdict === 'deny') return decision.denial!.code
  ledger.mayLeave(callId)
  ledger.settle(callId, reply('settled'))
  await ledger.flushed()
  return 'allow'
}
const restart = async (): Promise<void> => {
  await ledger.close()
  ledger = open()
}

describe.each([
  ['at once', async () => {}],
  ['after a restart', restart],
])('once money was counted on a day, %s', (_when, meanwhile) => {
  test('the day before takes no more: what is asked of it counts on the later day', async () => {
    expect(await spend('2026-11-20', '4.00')).toBe('allow')
    expect(await spend('2026-11-21', '7.00')).toBe('allow')
    await meanwhile()
    expect(await spend('2026-11-20', '3.01')).toBe('daily_cap_exceeded')
    expect(await spend('2026-11-20', '3.00')).toBe('allow')
    expect(await spend('2026-11-21', '0.01')).toBe('daily_cap_exceeded')
    expect(await ledger.usage([day('2026-11-20'), day('2026-11-21')])).toEqual([
      { spent: dollars('10.00'), held: ZERO },
      { spent: dollars('10.00'), held: ZERO },
    ])
  })

  test('and only asked about on a later one, it goes on', async () => {
    expect(await spend('2026-11-20', '4.00')).toBe('allow')
    expect(await spend('2026-11-22', '0.00')).toBe('allow')
    await meanwhile()
    expect(await spend('2026-11-20', '6.00')).toBe('allow')
    expect(await spend('2026-11-22', '10.00')).toBe('allow')
  })
})

test('what was counted on an earlier day and is given back goes back to that day', async () => {
  const call = (window: string) => draft(key, '5.00', { budgets: [day(window)] })
  const held = await ledger.admit(call('2026-11-20'), capped)
  ledger.mayLeave(held.callId)
  await done(ledger, call('2026-11-21'), reply('settled'))
  ledger.settle(held.callId, reply('released'))
  await ledger.flushed()
  expect(await ledger.usage([day('2026-11-21')])).toEqual([{ spent: dollars('5.00'), held: ZERO }])
})

test('a month takes no part in what its days do, nor one counter in what another does', async () => {
  await spend('2026-11-21', '7.00')
  const other = { ...day('2026-11-20'), counter: 'key:b|day|*|UTC' }
  await done(ledger, draft(key, '2.00', { budgets: [other] }), reply('settled'))
  expect(await ledger.usage([other, day('2026-11-21')])).toEqual([
    { spent: dollars('2.00'), held: ZERO },
    { spent: dollars('7.00'), held: ZERO },
  ])
})

test('budgets that have no span are told apart by their names alone', async () => {
  const run = (name: string) => budget('run:r', '10.00', { window: name, since: null })
  await done(ledger, draft(key, '9.00', { budgets: [run('z')] }), reply('settled'))
  expect(await ledger.usage([run('a')])).toEqual([{ spent: ZERO, held: ZERO }])
})

test('in whatever order days come, none is spent beyond its cap and none after a later one', async () => {
  const days = ['2026-11-20', '2026-11-21', '2026-11-22', '2026-11-23']
  let counter = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 0, max: 6 })), { maxLength: 25 }),
      async (asked) => {
        const family = `key:p${++counter}|day|*|UTC`
        const model = new Map<string, number>()
        for (const [at, amount] of asked) {
          const spent = [...model].filter(([, total]) => total > 0).map(([label]) => label)
          const label = [days[at]!, ...spent].sort().at(-1)!
          const total = model.get(label) ?? 0
          const call = draft(key, `${amount}.00`, { budgets: [{ ...day(days[at]!), counter: family }] })
          const { callId, decision } = await ledger.admit(call, capped)
          expect(decision.verdict).toBe(total + amount > 10 ? 'deny' : 'allow')
          if (decision.verdict === 'deny') continue
          model.set(label, total + amount)
          ledger.mayLeave(callId)
          ledger.settle(callId, reply('settled'))
        }
      },
    ),
    { numRuns: 40 },
  )
})
