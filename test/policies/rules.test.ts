import { describe, expect, test } from 'vitest'
import type { Call, Denial } from '../../src/contracts/call.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Approval, Policy, Usage } from '../../src/contracts/policy.js'
import { judge } from '../../policies/index.js'
import { dollars, level, NOW, open, policyOf, refund, usage } from './given.js'

const asked = (state: Approval['state'], over: Partial<Approval> = {}): Approval => ({
  id: 'appr_1',
  state,
  ceiling: dollars('10.00'),
  expiresAt: NOW + 3_600_000,
  reason: null,
  ...over,
})
const denialOf = (call: Call, state: Usage, ...policies: Policy[]): Denial | null =>
  judge.decide(call, state, policies).denial
const messageOf = (call: Call, policy: Policy, state = usage()): string | undefined =>
  denialOf(call, state, policy)?.message

describe('when several rules apply, the order of the contract decides who speaks', () => {
  const strict = policyOf({
    rate_limit: { per_minute: 1 },
    daily_cap_usd: '1.00',
    require_reason: true,
    approval: { above_usd: '1.00' },
    budgets: [
      { per: 'run', cap_usd: '1.00' },
      { per: 'month', cap_usd: '1.00' },
    ],
    vendors: {
      stripe: {
        endpoints: { allow: ['POST /v1/refunds'] },
        max_amount_usd: '1.00',
        customers: [],
        recipients: [],
        senders: [],
        currencies: [],
      },
    },
  })
  const key = { id: 'key_1', name: 'bot', revokedAt: NOW, revokeReason: null, expiresAt: NOW }
  let call = refund({
    endpoint: 'POST /v1/other',
    effects: ['spend', 'credential'],
    quote: { basis: 'unpriceable', why: 'No price.' },
    subjects: {
      accounts: ['a'],
      customers: ['c'],
      recipients: ['r'],
      senders: ['s'],
      beneficiaries: ['b'],
      urls: ['u'],
      currencies: ['x'],
    },
  })
  let state = usage(
    {
      keys: [key],
      frozen: { scope: 'all', at: NOW, reason: null },
      rate: [{ count: 1, oldestAt: NOW }],
      earlier: { callId: 'call_0', sameRequest: false, stands: true },
    },
    judge.budgets([level(strict)], { vendor: 'stripe', credentialId: null, direction: 'out' }, NOW),
  )
  const mend = (subject: string): void => {
    const { [subject as 'urls']: _gone, ...subjects } = call.subjects
    call = { ...call, subjects }
  }
  const steps: [string, () => void][] = [
    [
      'key_revoked',
      () => {
        state = { ...state, keys: [{ ...key, revokedAt: null }] }
      },
    ],
    [
      'key_expired',
      () => {
        state = { ...state, keys: [{ ...key, revokedAt: null, expiresAt: NOW + 1 }] }
      },
    ],
    [
      'key_frozen',
      () => {
        state = { ...state, frozen: null }
      },
    ],
    [
      'operation_not_allowed',
      () => {
        call = { ...call, endpoint: 'POST /v1/refunds' }
      },
    ],
    // Reading only, so that the next rules see no subject to miss.
    [
      'effect_not_permitted',
      () => {
        call = { ...call, effects: ['read'] }
      },
    ],
    [
      'rate_limited',
      () => {
        state = { ...state, rateCounted: true }
      },
    ],
    ['account_not_allowed', () => mend('accounts')],
    ['customer_not_allowed', () => mend('customers')],
    ['recipient_not_allowed', () => mend('recipients')],
    ['sender_not_allowed', () => mend('senders')],
    ['beneficiary_not_allowed', () => mend('beneficiaries')],
    ['url_not_allowed', () => mend('urls')],
    ['currency_not_allowed', () => mend('currencies')],
    [
      'reason_required',
      () => {
        call = { ...call, reason: 'ticket 7' }
      },
    ],
    [
      'amount_unknown',
      () => {
        call = { ...call, quote: { basis: 'exact', amount: dollars('10.00') } }
      },
    ],
    [
      'amount_over_limit',
      () => {
        call = { ...call, quote: { basis: 'exact', amount: dollars('1.00') } }
      },
    ],
    [
      'run_cap_exceeded',
      () => {
        state = { ...state, budgets: state.budgets.filter(({ code }) => code !== 'run_cap_exceeded') }
      },
    ],
    [
      'daily_cap_exceeded',
      () => {
        state = { ...state, budgets: state.budgets.filter(({ code }) => code !== 'daily_cap_exceeded') }
      },
    ],
    [
      'budget_exceeded',
      () => {
        state = { ...state, budgets: [] }
      },
    ],
    [
      'idempotency_mismatch',
      () => {
        state = { ...state, earlier: null }
      },
    ],
  ]
  const speakers: Readonly<Record<string, string>> = {
    key_revoked: 'standing',
    key_expired: 'standing',
    key_frozen: 'standing',
    operation_not_allowed: 'endpoints (test@1)',
    effect_not_permitted: 'effects (test@1)',
    rate_limited: 'rate (test@1)',
    account_not_allowed: 'accounts (test@1)',
    customer_not_allowed: 'customers (test@1)',
    recipient_not_allowed: 'recipients (test@1)',
    sender_not_allowed: 'senders (test@1)',
    beneficiary_not_allowed: 'beneficiaries (test@1)',
    url_not_allowed: 'urls (test@1)',
    currency_not_allowed: 'currencies (test@1)',
    reason_required: 'reason (test@1)',
    amount_unknown: 'amount-known',
    amount_over_limit: 'max-amount (test@1)',
    run_cap_exceeded: 'budgets[0] (test@1)',
    daily_cap_exceeded: 'daily-cap (test@1)',
    budget_exceeded: 'budgets[1] (test@1)',
    idempotency_mismatch: 'idempotency',
  }
  test('one after the other, as each is mended, each under its name', () => {
    for (const [code, mended] of steps) {
      const denial = denialOf(call, state, strict)
      expect([denial?.code, denial?.rule]).toEqual([code, speakers[code]])
      mended()
    }
    expect(judge.decide(call, state, [strict])).toEqual({ verdict: 'allow', denial: null })
  })
  test('and an approval comes last', () => {
    const asking = policyOf(open({}, { approval: { above_usd: '1.00' } }))
    expect(
      denialOf(refund(), usage({ earlier: { callId: 'call_0', sameRequest: false, stands: true } }), asking)?.code,
    ).toBe('idempotency_mismatch')
    expect(denialOf(refund(), usage(), asking)?.code).toBe('approval_required')
  })
})

describe('an amount above which a person must approve', () => {
  const earlier = { callId: 'call_0', sameRequest: true, stands: true }
  const priced = (amount: string) => refund({ quote: { basis: 'exact', amount: dollars(amount) } })
  test.each<[string, string, Partial<Usage>, boolean]>([
    ['the amount itself is still free', '5.00', {}, true],
    ['above it nothing passes by itself', '5.000001', {}, false],
    ['nor while the question is open', '10.00', { approval: asked('open') }, false],
    ['an approval lets it through', '10.00', { approval: asked('approved') }, true],
    ['for less too', '9.00', { approval: asked('approved') }, true],
    ['for more not', '10.000001', { approval: asked('approved') }, false],
    ['nor once it has expired', '10.00', { approval: asked('approved', { expiresAt: NOW }) }, false],
    ['a denial does not', '10.00', { approval: asked('denied') }, false],
    ['a retry of what was let through needs none', '10.00', { earlier }, true],
    ['a retry of what was refused does', '10.00', { earlier: { ...earlier, stands: false } }, false],
  ])('%s', (_what, amount, state, passes) => {
    const policy = policyOf(open({}, { approval: { above_usd: '5.00' } }))
    expect(denialOf(priced(amount), usage(state), policy)?.code ?? null).toBe(passes ? null : 'approval_required')
  })

  test('a call that costs nothing needs none, and an approval lifts no other rule', () => {
    const policy = policyOf(open({ max_amount_usd: '8.00' }, { approval: { above_usd: '5.00' } }))
    expect(denialOf(refund({ quote: { basis: 'free', why: 'A test.' } }), usage(), policy)).toBeNull()
    expect(denialOf(refund(), usage({ approval: asked('approved') }), policy)?.code).toBe('amount_over_limit')
  })

  test('one yes covers all policies of a key and its ancestors, for the shortest of their times', () => {
    const [parent, child] = ['4h', '30m'].map((expires_in) =>
      policyOf(open({}, { name: `for-${expires_in}`, approval: { above_usd: '5.00', expires_in } })),
    )
    expect([parent!.approvalMs, child!.approvalMs]).toEqual([4 * 3_600_000, 1_800_000])
    expect(denialOf(refund(), usage({ approval: asked('approved') }), child!, parent!)).toBeNull()
    expect(denialOf(refund(), usage(), child!, parent!)?.rule).toBe('approval (for-30m@1)')
  })
})

describe('sentences', () => {
  const stripe = policyOf(open({ customers: ['cus_A'], max_amount_usd: '5.00' }, { name: 'support-refunds' }))
  test('a foreign, a missing and an unresolved customer look alike', () => {
    const of = (customers: readonly string[] | null): string | undefined =>
      messageOf(refund({ subjects: { customers } }), stripe)
    expect(of(['cus_B'])).toBe(
      'This call cannot be tied to a customer that policy support-refunds@1 lists (vendors.stripe.customers). Do not retry.',
    )
    expect(new Set([of(['cus_B']), of(null), of([]), messageOf(refund(), stripe)]).size).toBe(1)
  })
  test('a call whose effects nobody named is tied to a customer like a write', () => {
    expect(denialOf(refund({ effects: [] }), usage(), stripe)?.code).toBe('customer_not_allowed')
    expect(denialOf(refund({ effects: ['read'], quote: { basis: 'free' } }), usage(), stripe)).toBeNull()
  })
  test('a foreign recipient or sender is named as what it is', () => {
    const policy = policyOf(open({ recipients: ['+1415*'], senders: ['+14155550100'] }))
    expect(messageOf(refund({ subjects: { recipients: ['+44'], senders: ['+44'] } }), policy)).toBe(
      'This call cannot be tied to a recipient that policy test@1 lists (vendors.stripe.recipients). Do not retry.',
    )
    expect(messageOf(refund({ subjects: { recipients: ['+14155550199'], senders: ['+44'] } }), policy)).toBe(
      'This call cannot be tied to a sender that policy test@1 lists (vendors.stripe.senders). Do not retry.',
    )
  })
  test('a reason of nothing but spaces is none', () => {
    const policy = policyOf(open({}, { require_reason: true }))
    const codes = [null, '', ' \t', 'ticket 7'].map((reason) => denialOf(refund({ reason }), usage(), policy)?.code)
    expect(codes).toEqual(['reason_required', 'reason_required', 'reason_required', undefined])
  })
  test('an operator who gave no reason is not quoted', () => {
    const policy = policyOf(open())
    const key = { ...usage().keys[0]!, revokedAt: NOW }
    expect(messageOf(refund(), policy, usage({ keys: [key] }))).toBe(
      'key_1 (bot) was revoked at 2026-11-21T09:00:00.000Z. Do not retry.',
    )
    expect(messageOf(refund(), policy, usage({ frozen: { scope: 'all', at: NOW, reason: null } }))).toBe(
      'Frozen by the operator since 2026-11-21T09:00:00.000Z (scope: all). Do not retry.',
    )
  })
  test('an amount over the limit names both', () => {
    expect(messageOf(refund({ subjects: { customers: ['cus_A'] } }), stripe)).toBe(
      'USD 10.00 is over the limit of USD 5.00 a call (policy support-refunds@1, vendors.stripe.max_amount_usd). Do not retry.',
    )
  })
  test('what has no limit in number is told where one goes, and too many are told the limit', () => {
    const policy = policyOf(open({ permit: ['future_spend'], future: { quantity_max: 3 } }))
    const link = (quantity: bigint | null) =>
      refund({
        operation: 'payment_links.create',
        effects: ['future_spend'],
        quote: { basis: 'free' },
        commits: { kind: 'open', perMonth: ZERO, dueAt: null, quantity },
      })
    expect(messageOf(link(null), policy)).toBe(
      'payment_links.create would make something without a limit in number, and policy test@1 wants one ' +
        '(vendors.stripe.future.quantity_max). Restrict it in the request, a payment link by ' +
        'restrictions[completed_sessions][limit]. Do not retry.',
    )
    expect(messageOf(link(4n), policy)).toBe(
      'A quantity of 4 is over the limit of 3 a call (policy test@1, vendors.stripe.future.quantity_max). Do not retry.',
    )
    expect(messageOf(link(3n), policy)).toBeUndefined()
    expect([null, 4n].map((many) => denialOf(link(many), usage(), policy)?.rule)).toEqual([
      'bounded (test@1)',
      'quantity (test@1)',
    ])
    const boundedOnly = policyOf(open({ permit: ['future_spend'], future: { bounded_only: true } }))
    expect(messageOf(link(null), boundedOnly)).toContain('(vendors.stripe.future.bounded_only)')
    expect(messageOf(link(1_000n), boundedOnly)).toBeUndefined()
    expect(messageOf(link(null), policyOf(open({ permit: ['future_spend'] })))).toBeUndefined()
  })
  test('a denied route is named, and which other route of the operation it is denied as', () => {
    const policy = policyOf({
      vendors: { stripe: { endpoints: { allow: ['* *'], deny: ['POST /v1/refunds', '* /v1/charges/*/refund'] } } },
    })
    expect(messageOf(refund(), policy)).toBe(
      'POST /v1/refunds is denied by policy test@1 (vendors.stripe.endpoints.deny). Do not retry.',
    )
    const alias = refund({ endpoint: 'POST /v1/other', aliases: ['POST /v1/free', 'POST /v1/charges/{charge}/refund'] })
    expect(messageOf(alias, policy)).toBe(
      'POST /v1/other is denied by policy test@1 as POST /v1/charges/{charge}/refund, another route of the same ' +
        'operation (vendors.stripe.endpoints.deny). Do not retry.',
    )
  })
  test('what is held is taken off what is left', () => {
    const policy = policyOf(open({}, { daily_cap_usd: '100.00' }))
    const budgets = judge.budgets([level(policy)], { vendor: 'stripe', credentialId: null, direction: 'out' }, NOW)
    expect(messageOf(refund(), policy, usage({}, budgets, '60.00', '35.00'))).toContain(
      'USD 60.00 spent, USD 35.00 held, USD 5.00 left, resets 2026-11-22T00:00:00.000Z.',
    )
  })
  test('a cap that no day ends says so', () => {
    const policy = policyOf(open({}, { budgets: [{ per: 'run', cap_usd: '5.00' }] }))
    const budgets = judge.budgets([level(policy)], { vendor: 'stripe', credentialId: null, direction: 'out' }, NOW)
    expect(messageOf(refund(), policy, usage({}, budgets))).toMatch(
      /USD 5\.00 left, it does not reset\. Do not retry\.$/,
    )
  })
  test('an endpoint is named with the policy that does not list it', () => {
    expect(messageOf(refund({ vendor: 'twilio' }), stripe)).toBe(
      'POST /v1/refunds: policy support-refunds@1 has no block vendors.twilio, so it allows nothing there. Do not retry.',
    )
    expect(messageOf(refund(), policyOf({ vendors: { stripe: {} } }))).toBe(
      'POST /v1/refunds is not in policy test@1 (vendors.stripe.endpoints.allow). Do not retry.',
    )
  })
  test('an approval names the request that waits, or what was denied and why', () => {
    const policy = policyOf(open({}, { approval: { above_usd: '5.00' } }))
    const needed = 'USD 10.00 is above USD 5.00 (policy test@1, approval.above_usd), so a person must approve it'
    const of = (approval: Approval | null, approvalsFull = false): Denial =>
      denialOf(refund(), usage({ approval, approvalsFull }), policy)!
    expect(of(null)).toEqual({
      code: 'approval_required',
      rule: 'approval (test@1)',
      message: `${needed}.`,
    })
    expect(of(asked('open'))).toEqual({
      code: 'approval_required',
      rule: 'approval (test@1)',
      approval: 'appr_1',
      message: `${needed}: appr_1 (expires 2026-11-21T10:00:00.000Z). Ask the operator, then send the very same request again.`,
    })
    expect(of(asked('open', { ceiling: dollars('9.99') })).message).toBe(`${needed}.`)
    expect(of(asked('denied', { reason: 'Twice already.' })).message).toBe(
      `${needed}, and appr_1 was denied (Twice already.). Do not retry.`,
    )
    expect(of(asked('denied')).message).toBe(`${needed}, and appr_1 was denied. Do not retry.`)
    expect(of(null, true).message).toBe(
      `${needed}, and too many requests of this key wait for that already. Ask the operator to decide on those first.`,
    )
  })
  test('what a request brought is shown on one line and cut', () => {
    const policy = policyOf(open())
    const message = messageOf(refund({ subjects: { accounts: [`acct\n\u202e${'x'.repeat(500)}`] } }), policy)!
    expect(message).toMatch(/^acct\?\?x+\.\.\. is not an account/)
    expect(message.length).toBeLessThan(300)
    const shown = (length: number) => messageOf(refund({ subjects: { accounts: ['x'.repeat(length)] } }), policy)!
    expect(shown(120)).toMatch(/^x{120} is not an account/)
    expect(shown(121)).toMatch(/^x{120}\.\.\. is not an account/)
  })
  test('only a rate limit says when to retry', () => {
    const policy = policyOf(open({}, { rate_limit: { per_minute: 5 } }))
    const denial = denialOf(refund(), usage({ rate: [{ count: 5, oldestAt: NOW - 30_500 }] }), policy)
    expect(denial).toEqual({
      code: 'rate_limited',
      message: '5 calls in the last 60 s reach the limit of 5 a minute (policy test@1). Retry after 30 s.',
      rule: 'rate (test@1)',
      retryAfterS: 30,
    })
    expect(denialOf(refund(), usage({ rate: [{ count: 5, oldestAt: NOW - 59_999 }] }), policy)?.retryAfterS).toBe(1)
  })
})

describe('a key', () => {
  const policy = policyOf(open())
  const living = usage().keys[0]!
  test('dies with its ancestor', () => {
    const parent = { ...living, id: 'key_0', name: 'parent', revokedAt: NOW, revokeReason: 'loop' }
    expect(messageOf(refund(), policy, usage({ keys: [living, parent] }))).toBe(
      'key_0 (parent) was revoked at 2026-11-21T09:00:00.000Z: "loop". Do not retry.',
    )
  })
  test('expires at the instant, not after it', () => {
    expect(denialOf(refund(), usage({ keys: [{ ...living, expiresAt: NOW + 1 }] }), policy)).toBe(null)
    expect(denialOf(refund(), usage({ keys: [{ ...living, expiresAt: NOW }] }), policy)?.code).toBe('key_expired')
  })
  test('stays refused under a policy that observes', () => {
    const observing = policyOf(open({}, { mode: 'observe' }))
    expect(
      judge.decide(refund(), usage({ frozen: { scope: 'vendor stripe', at: NOW, reason: 'audit' } }), [observing]),
    ).toEqual({
      verdict: 'deny',
      denial: {
        code: 'key_frozen',
        message: 'Frozen by the operator since 2026-11-21T09:00:00.000Z (scope: vendor stripe): "audit". Do not retry.',
        rule: 'standing',
      },
    })
  })
})

describe('a key that observes below one that enforces', () => {
  const observing = policyOf(open({ max_amount_usd: '1.00' }, { name: 'child', mode: 'observe' }))
  const enforcing = (limit: string): Policy => policyOf(open({ max_amount_usd: limit }, { name: 'parent' }))
  test('is refused by the one above, by the same rule', () => {
    const { verdict, denial } = judge.decide(refund(), usage(), [observing, enforcing('5.00')])
    expect([verdict, denial?.rule]).toEqual(['deny', 'max-amount (parent@1)'])
  })
  test('is refused by the one above, by a later rule', () => {
    const parent = policyOf(open({}, { name: 'parent', approval: { above_usd: '5.00' } }))
    expect(judge.decide(refund(), usage(), [observing, parent]).denial?.code).toBe('approval_required')
  })
  test('is otherwise let through and recorded', () => {
    const { verdict, denial } = judge.decide(refund(), usage(), [observing, enforcing('50.00')])
    expect([verdict, denial?.rule]).toEqual(['would_deny', 'max-amount (child@1)'])
  })
  test('has an enforced budget behind an observed one', () => {
    const budget = {
      counter: 'c',
      window: 'all',
      cap: dollars('1.00'),
      code: 'budget_exceeded',
      label: 'USD 1.00',
      rule: 'observed',
      since: null,
      resetsAt: null,
      vendor: null,
      direction: null,
      measure: 'spent',
      enforce: false,
    } as const
    const state = usage({}, [budget, { ...budget, counter: 'd', rule: 'enforced', enforce: true }])
    expect(judge.decide(refund(), state, [policyOf(open())])).toMatchObject({
      verdict: 'deny',
      denial: { rule: 'enforced' },
    })
  })
})

describe('a URL among the parameters', () => {
  const policy = policyOf(open({ callback_hosts: ['hooks.acme.com', '*.acme.dev', 'odd.acme.com:8443'] }))
  const passes = (url: string): boolean => denialOf(refund({ subjects: { urls: [url] } }), usage(), policy) === null
  test.each([
    ['https://hooks.acme.com', true],
    ['https://hooks.acme.com/a?b=c#d', true],
    ['HTTPS://Hooks.ACME.com/', true],
    ['http://hooks.acme.com:80/', true],
    ['https://hooks.acme.com:443/', true],
    ['ws://hooks.acme.com:80/', true],
    ['wss://hooks.acme.com:443/', true],
    ['wss://a.b.acme.dev', true],
    ['https://odd.acme.com:8443/', true],
    ['https://odd.acme.com/', false],
    ['https://hooks.acme.com:80/', false],
    ['http://hooks.acme.com:443/', false],
    ['ws://hooks.acme.com:443/', false],
    ['wss://hooks.acme.com:80/', false],
    ['https://evil.example/', false],
    ['https://evil.example/https://hooks.acme.com/', false],
    ['evil:https://hooks.acme.com/', false],
    ['https://user@hooks.acme.com/', false],
    ['https://hooks.acme.com\\@evil.example/', false],
    ['https://hooks.acme.com/ ', false],
    ['https://hooks.acme.com/\u00e9', false],
    ['//hooks.acme.com/', false],
    ['ftp://hooks.acme.com/', false],
    ['', false],
  ])('%j is for a listed host: %s', (url, listed) => expect(passes(url)).toBe(listed))

  test('of which the host is not certain is refused under patterns too, and shown', () => {
    expect(messageOf(refund({ subjects: { urls: ['mailto:a@a.acme.dev'] } }), policy)).toBe(
      '"mailto:a@a.acme.dev" is not a plain absolute URL of http, https, ws or wss, so its host is not certain. ' +
        'Do not retry.',
    )
    expect(messageOf(refund({ subjects: { urls: ['https://evil.example/'] } }), policy)).toBe(
      'evil.example is not a host that policy test@1 lists (vendors.stripe.callback_hosts). Do not retry.',
    )
    expect(messageOf(refund({ subjects: { urls: null } }), policy)).toBe(
      'A URL of this call could not be read, and policy test@1 allows only listed hosts ' +
        '(vendors.stripe.callback_hosts). Do not retry.',
    )
  })
})

describe('an identical write', () => {
  const guarded = policyOf(open({}, { duplicate_guard: { within: '10m' } }))
  const MINUTES = 60_000
  const before = (minutes: number): Partial<Usage> => ({
    duplicate: { callId: 'call_7', at: NOW - minutes * MINUTES },
  })
  const codeOf = (state: Partial<Usage>, call = refund(), policy = guarded): string | undefined =>
    denialOf(call, usage(state), policy)?.code

  test('is refused until the time has passed, and told which one came before', () => {
    expect(messageOf(refund(), guarded, usage(before(2)))).toBe(
      'refunds.create was sent with exactly these parameters 120 s ago in this run (call_7), ' +
        'and policy test allows an identical write only after 600 s. Do not retry.',
    )
    expect([codeOf(before(0)), codeOf(before(9.999)), codeOf(before(10)), codeOf(before(11))]).toEqual([
      'duplicate_call',
      'duplicate_call',
      undefined,
      undefined,
    ])
  })
  test('is refused in the name of its rule', () => {
    expect(denialOf(refund(), usage(before(2)), guarded)?.rule).toBe('duplicate (test@1)')
  })
  test('passes where no policy asks, or none came before', () => {
    expect(codeOf(before(2), refund(), policyOf(open()))).toBeUndefined()
    expect(codeOf({ duplicate: null })).toBeUndefined()
  })
  test('is none when it only reads, and is one when it does anything beside', () => {
    expect(codeOf(before(2), refund({ effects: ['read'] }))).toBeUndefined()
    expect(codeOf(before(2), refund({ effects: ['read', 'spend'] }))).toBe('duplicate_call')
  })
  test('is none as a retry under its own idempotency key, if what it repeats was let through', () => {
    const earlier = { callId: 'call_7', sameRequest: true, stands: true }
    expect(codeOf({ ...before(2), earlier })).toBeUndefined()
    expect(codeOf({ ...before(2), earlier: { ...earlier, stands: false } })).toBe('duplicate_call')
  })
})

describe('the rate', () => {
  const policy = policyOf(open({}, { rate_limit: { per_minute: 5 } }))
  test('holds each policy against the fullest key', () => {
    expect(
      denialOf(
        refund(),
        usage({
          rate: [
            { count: 1, oldestAt: NOW },
            { count: 5, oldestAt: NOW },
          ],
        }),
        policy,
      )?.code,
    ).toBe('rate_limited')
  })
  test('is not asked again once counted', () => {
    expect(denialOf(refund(), usage({ rate: [{ count: 5, oldestAt: NOW }], rateCounted: true }), policy)).toBe(null)
  })
})

describe('screening, before any look-up', () => {
  test('asks standing, endpoint, effect and rate, and nothing else', () => {
    const policy = policyOf(
      open({ customers: [], max_amount_usd: '0.00' }, { rate_limit: { per_minute: 5 }, require_reason: true }),
    )
    const call = refund({ quote: { basis: 'unpriceable', why: 'No price.' } })
    expect(judge.screen(call, usage(), [policy])).toBe(null)
    expect(judge.screen(refund({ vendor: 'twilio' }), usage(), [policy])?.code).toBe('operation_not_allowed')
    expect(judge.screen(refund({ effects: ['routing'] }), usage(), [policy])?.code).toBe('effect_not_permitted')
    expect(judge.screen(call, usage({ rate: [{ count: 5, oldestAt: NOW }] }), [policy])?.code).toBe('rate_limited')
    expect(judge.screen(call, usage({ frozen: { scope: 'all', at: NOW, reason: null } }), [policy])?.code).toBe(
      'key_frozen',
    )
  })
  test('lets through what is only observed', () => {
    expect(judge.screen(refund({ vendor: 'twilio' }), usage(), [policyOf(open({}, { mode: 'observe' }))])).toBe(null)
  })
})

test('no policy is a bug, not a permission', () => {
  expect(() => judge.decide(refund(), usage(), [])).toThrow('at least one policy')
})
