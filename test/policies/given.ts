import { parseUsd, ZERO } from '../../src/contracts/money.js'
import type { Usd } from '../../src/contracts/money.js'
import type { Call } from '../../src/contracts/call.js'
import type { Budget, Level, Policy, Usage } from '../../src/contracts/policy.js'
import { judge } from '../../policies/index.js'

/** 2026-11-21 09:00 UTC. */
export const NOW = Date.UTC(2026, 10, 21, 9)

export const dollars = (text: string): Usd => {
  const amount = parseUsd(text)
  if (amount === null) throw new Error(`not an amount: ${text}`)
  return amount
}

/** A compiled policy: the header is filled in, `vendors` as given. */
export const policyOf = (document: Record<string, unknown>, ...narrowings: unknown[]): Policy =>
  judge.compile({ apiVersion: 'spendgate/v1', name: 'test', ...document }, 1, narrowings)

/** A refund of USD 10.00 to nobody in particular. */
export const refund = (over: Partial<Call> = {}): Call => ({
  vendor: 'stripe',
  endpoint: 'POST /v1/refunds',
  aliases: [],
  operation: 'refunds.create',
  effects: ['spend'],
  quote: { basis: 'exact', amount: dollars('10.00') },
  subjects: {},
  commits: null,
  reason: null,
  ...over,
})

export const level = (policy: Policy, over: Partial<Level> = {}): Level => ({
  keyId: 'key_1',
  rootId: 'key_1',
  run: null,
  runCap: null,
  policy,
  ...over,
})

/** A living key with nothing spent; `spent` and `held` count on every budget given. */
export const usage = (
  over: Partial<Usage> = {},
  budgets: readonly Budget[] = [],
  spent = '0.00',
  held = '0.00',
): Usage => ({
  nowMs: NOW,
  keys: [{ id: 'key_1', name: 'bot', revokedAt: null, revokeReason: null, expiresAt: null }],
  frozen: null,
  budgets: budgets.map((budget) => ({ ...budget, spent: dollars(spent), held: dollars(held) })),
  amount: dollars('10.00'),
  recurring: ZERO,
  earlier: null,
  rate: [{ count: 0, oldestAt: NOW }],
  duplicate: null,
  approval: null,
  approvalsFull: false,
  rateCounted: false,
  ...over,
})

export const amountOf = (call: Call): Usd =>
  call.quote.basis === 'exact' || call.quote.basis === 'ceiling' ? call.quote.amount : ZERO

/** A policy document that allows everything at Stripe, for tests of one rule. */
export const open = (
  block: Record<string, unknown> = {},
  document: Record<string, unknown> = {},
): Record<string, unknown> => ({ vendors: { stripe: { endpoints: { allow: ['* *'] }, ...block } }, ...document })
