import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { PERMITTED_ONLY } from '../../src/contracts/call.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Policy } from '../../src/contracts/policy.js'
import { judge } from '../../policies/index.js'
import { dollars, refund, usage } from './given.js'

const folder = new URL('../../policies/presets/', import.meta.url)
const presets = readdirSync(folder)

function preset(file: string): Policy {
  const parsed = judge.parse(readFileSync(new URL(file, folder), 'utf8'), file)
  if (!parsed.ok) throw new Error(parsed.faults.map(({ at, message }) => `${at} ${message}`).join('\n'))
  return judge.compile(parsed.document, 1, [])
}

describe.each(presets)('%s', (file) => {
  const policy = preset(file)
  test('is valid and named like its file', () => {
    expect(`${policy.name}.yaml`).toBe(file)
  })
  test('caps the day and every call, and expires', () => {
    expect(policy.budgets.some(({ code }) => code === 'daily_cap_exceeded')).toBe(true)
    expect(policy.expiresInMs).toBeGreaterThan(0)
    for (const block of policy.vendors.values()) expect(block.maxAmount).toBeDefined()
  })
  test('opens no more than one effect that wildcards never grant', () => {
    for (const block of policy.vendors.values()) {
      expect(PERMITTED_ONLY.filter((effect) => block.permit.has(effect))).toEqual(
        policy.name === 'billing-invoices' ? ['future_spend'] : [],
      )
    }
  })
  test('lets no money out to a third party, no other account in and no URL through', () => {
    for (const { beneficiaries, accounts, callbackHosts } of policy.vendors.values()) {
      expect([beneficiaries.entries, accounts.entries, callbackHosts.entries]).toEqual([[], [], []])
    }
  })
})

test('there is one for each common start', () => {
  expect(presets.map((file) => file.replace('.yaml', '')).sort()).toEqual([
    'billing-invoices',
    'notifications-sms',
    'observe-everything',
    'read-only',
    'support-refunds',
    'tight-sandbox',
    'transactional-email',
  ])
})

test('read-only spends nothing and writes nothing', () => {
  const policy = preset('read-only.yaml')
  expect(policy.budgets.map(({ cap }) => cap)).toEqual([ZERO])
  for (const [vendor, block] of policy.vendors) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) expect(block.allows(`${method} /v1/x`), vendor).toBe(false)
  }
})

test('observe-everything refuses nothing a policy decides', () => {
  const call = refund({
    effects: ['destructive'],
    quote: { basis: 'exact', amount: dollars('900.00') },
    subjects: { accounts: ['acct_1'] },
  })
  expect(judge.decide(call, usage(), [preset('observe-everything.yaml')]).verdict).toBe('would_deny')
})
