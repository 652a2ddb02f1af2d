import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Call, Effect, Quote } from '../../src/contracts/call.js'
import { PERMITTED_ONLY } from '../../src/contracts/call.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Policy } from '../../src/contracts/policy.js'
import { judge } from '../../policies/index.js'
import { amountOf, dollars, level, NOW, open, policyOf, usage } from './given.js'

const some = <T>(...values: T[]): fc.Arbitrary<T[]> => fc.uniqueArray(fc.constantFrom(...values), { maxLength: 3 })
const cap = fc.constantFrom('0.00', '1.00', '5.00', '10.00', '100.00')
const patterns = some('* *', 'GET *', 'POST /v1/refunds', 'POST /v1/*', '* /v1/charges*')
const partial = { requiredKeys: [] as [] }

/** A record that has each key one time in four: a document that says everything allows nothing. */
const sparse = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .record(
      Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [
          key,
          fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value }),
        ]),
      ),
    )
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))

const lists = {
  permit: some(...PERMITTED_ONLY),
  max_amount_usd: cap,
  customers: some('cus_A', 'cus_B', 'cus_*'),
  currencies: some('usd', 'eur'),
  recipients: some('+1*', '+1415*', '*@acme.com'),
  senders: some('+14155550100', '+1*'),
  beneficiaries: some('acct_1', 'acct_*'),
  connected_accounts: some('acct_9', '*'),
  callback_hosts: some('hooks.acme.com', '*.acme.com'),
  future: fc.record(
    { recurring_usd_per_month: cap, quantity_max: fc.constantFrom(1, 5), bounded_only: fc.boolean() },
    { requiredKeys: [] },
  ),
}
const deny = some('POST /v1/refunds', 'GET /v1/charges/*', '* *search')
const everything = fc.constant(['* *'])
const block = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: everything }, { weight: 1, arbitrary: patterns }),
    sparse({ deny }),
    sparse(lists),
  )
  .map(([allow, rest, said]) => ({ endpoints: { allow, ...rest }, ...said }))
const blockPatch = sparse({ ...lists, endpoints: fc.record({ allow: patterns, deny }, partial) })

const parts = {
  daily_cap_usd: cap,
  expires_in: fc.constantFrom('1h', '4h', '1d'),
  rate_limit: fc.record({ per_minute: fc.constantFrom(1, 5, 30) }),
  budgets: fc.array(
    fc.record(
      {
        per: fc.constantFrom('run', 'day', 'month'),
        cap_usd: cap,
        vendor: fc.constantFrom('stripe', 'twilio'),
        direction: fc.constantFrom('in', 'out'),
      },
      { requiredKeys: ['per', 'cap_usd'] },
    ),
    { maxLength: 2 },
  ),
  approval: fc.record(
    { above_usd: cap, expires_in: fc.constantFrom('10m', '1h', '4h') },
    { requiredKeys: ['above_usd'] },
  ),
  require_reason: fc.boolean(),
}
const document = fc
  .tuple(
    sparse({ ...parts, mode: fc.constantFrom('enforce', 'observe') }),
    fc.record({ stripe: block, twilio: block }, { requiredKeys: ['stripe'] }),
  )
  .map(([said, vendors]) => ({ ...said, vendors }))
const patch = sparse({
  ...parts,
  mode: fc.constant('enforce'),
  vendors: fc.record({ stripe: blockPatch, twilio: blockPatch }, partial),
})

const subject = (...values: string[]): fc.Arbitrary<string[] | null> =>
  fc.oneof({ weight: 5, arbitrary: some(...values) }, { weight: 1, arbitrary: fc.constant(null) })
const call: fc.Arbitrary<Call> = fc.record({
  vendor: fc.constantFrom('stripe', 'stripe', 'twilio'),
  endpoint: fc.constantFrom(
    'GET /v1/charges',
    'GET /v1/charges/search',
    'POST /v1/refunds',
    'POST /v1/charges',
    'DELETE /v1/x',
  ),
  aliases: some('POST /v1/charges/{charge}/refund', 'GET /v1/charges/ch_1'),
  operation: fc.constant('x.y'),
  effects: fc.oneof(
    fc.constantFrom<Effect[]>(['read'], ['spend']),
    fc.uniqueArray(fc.constantFrom<Effect>('read', 'write', 'spend', ...PERMITTED_ONLY), {
      minLength: 1,
      maxLength: 2,
    }),
  ),
  quote: fc.oneof(
    fc.constant<Quote>({ basis: 'free' }),
    cap.map((text): Quote => ({ basis: 'exact', amount: dollars(text) })),
  ),
  subjects: sparse({
    customers: subject('cus_A', 'cus_B', 'cus_C'),
    recipients: subject('+14155550199', '+442071838750', 'a@acme.com'),
    senders: subject('+14155550100'),
    beneficiaries: subject('acct_1', 'acct_2'),
    accounts: subject('acct_9'),
    urls: subject('https://hooks.acme.com/'),
    currencies: subject('usd', 'gbp'),
  }),
  commits: fc.option(
    fc.record({
      kind: fc.constantFrom('recurring' as const, 'open' as const),
      perMonth: cap.map(dollars),
      dueAt: fc.constant(null),
      quantity: fc.constantFrom(null, 1n, 3n, 10n),
    }),
  ),
  reason: fc.constantFrom(null, 'ticket'),
})

const verdict = (policy: Policy, asked: Call, spent: string, calls: number): string => {
  const budgets = judge.budgets(
    [level(policy)],
    { vendor: asked.vendor, credentialId: 'cred_1', direction: 'out' },
    NOW,
  )
  return judge.decide(
    asked,
    usage(
      { amount: amountOf(asked), recurring: asked.commits?.perMonth ?? ZERO, rate: [{ count: calls, oldestAt: NOW }] },
      budgets,
      spent,
    ),
    [policy],
  ).verdict
}

describe('a narrowing never widens', () => {
  test('whatever passes under the narrowed policy passes under the original', () => {
    let judged = 0
    let passed = 0
    fc.assert(
      fc.property(
        document,
        fc.array(patch, { minLength: 1, maxLength: 3 }),
        fc.array(call, { minLength: 5, maxLength: 10 }),
        cap,
        fc.nat(6),
        (base, patches, calls, spent, recent) => {
          const original = policyOf(base)
          const narrowed = policyOf(base, ...patches)
          for (const asked of calls) {
            judged += 1
            if (verdict(narrowed, asked, spent, recent) === 'deny') continue
            passed += 1
            expect(verdict(original, asked, spent, recent)).not.toBe('deny')
          }
          expect(narrowed.expiresInMs ?? Infinity).toBeLessThanOrEqual(original.expiresInMs ?? Infinity)
          if (original.enforce) expect(narrowed.enforce).toBe(true)
          expect([...narrowed.vendors.keys()]).toEqual([...original.vendors.keys()])
        },
      ),
      { numRuns: 1_200, seed: 20261121 },
    )
    // The property says something only where calls pass.
    expect(passed / judged).toBeGreaterThan(0.05)
  })

  test('and the order of narrowings makes no difference', () => {
    fc.assert(
      fc.property(document, patch, patch, fc.array(call, { maxLength: 5 }), cap, (base, a, b, calls, spent) => {
        for (const asked of calls)
          expect(verdict(policyOf(base, a, b), asked, spent, 0)).toBe(verdict(policyOf(base, b, a), asked, spent, 0))
      }),
      { numRuns: 200 },
    )
  })
})

describe('a narrowed policy', () => {
  const base = open(
    { permit: ['routing', 'future_spend'], max_amount_usd: '50.00', customers: ['cus_A', 'cus_B'] },
    { daily_cap_usd: '100.00', expires_in: '4h', rate_limit: { per_minute: 30 }, approval: { above_usd: '25.00' } },
  )
  test('takes the smaller of everything that has a size', () => {
    const narrowed = policyOf(
      base,
      { expires_in: '8h', rate_limit: { per_minute: 5 } },
      { expires_in: '1h', approval: { above_usd: '5.00' }, vendors: { stripe: { max_amount_usd: '500.00' } } },
    )
    expect(narrowed).toMatchObject({ expiresInMs: 3_600_000, perMinute: 5, approvalAbove: dollars('5.00') })
    expect(narrowed.vendors.get('stripe')!.maxAmount).toBe(dollars('50.00'))
  })
  test('lets the client’s person approve only where every part that speaks of approvals says so', () => {
    const approver = (...said: ({ by?: string } | undefined)[]): string => {
      const [first, ...others] = said.map((by) => (by === undefined ? {} : { approval: { above_usd: '25.00', ...by } }))
      return policyOf(open({}, first), ...others).approvalBy
    }
    const [client, operator, nothing] = [{ by: 'client' }, { by: 'operator' }, {}]
    expect([approver(client), approver(client, undefined), approver(undefined, client)]).toEqual(
      Array(3).fill('client'),
    )
    for (const said of [[undefined], [nothing], [operator], [client, nothing], [client, operator], [operator, client]])
      expect(approver(...said), JSON.stringify(said)).toBe('operator')
  })
  test('lets an approval stand for the shortest of its times, an hour where none is said', () => {
    const times = (...said: (string | undefined)[]): number => {
      const [first, ...others] = said.map((expires_in) => ({
        approval: { above_usd: '25.00', ...(expires_in === undefined ? {} : { expires_in }) },
      }))
      return policyOf(open({}, first), ...others).approvalMs
    }
    const HOUR = 3_600_000
    expect([times(undefined), times('4h'), times('4h', '2h'), times('2h', '4h')]).toEqual([
      HOUR,
      4 * HOUR,
      2 * HOUR,
      2 * HOUR,
    ])
    expect([times(undefined, '4h'), times('10m', undefined), times('4h', undefined)]).toEqual([HOUR, HOUR / 6, HOUR])
  })
  test('holds the smallest of its daily caps and says where it stands', () => {
    const narrowed = policyOf(base, { daily_cap_usd: '500.00' }, { daily_cap_usd: '5.00' })
    const budgets = judge.budgets([level(narrowed)], { vendor: 'stripe', credentialId: null, direction: 'none' }, NOW)
    expect(budgets.map(({ cap: most, rule }) => [most, rule])).toEqual([
      [dollars('5.00'), 'narrowings[1].daily-cap (test@1)'],
    ])
  })
  test('intersects lists and permits', () => {
    const stripe = policyOf(base, {
      vendors: { stripe: { customers: ['cus_B', 'cus_C'], permit: ['routing', 'credential'] } },
    }).vendors.get('stripe')!
    expect(stripe.customers!.entries).toEqual(['cus_B'])
    expect([...stripe.permit]).toEqual(['routing'])
  })
  test('allows only the endpoints that every part allows', () => {
    const stripe = policyOf(
      { vendors: { stripe: { endpoints: { allow: ['GET /v1/*', 'POST /v1/refunds'] } } } },
      { vendors: { stripe: { endpoints: { allow: ['GET /v1/charges', 'POST /v1/*'] } } } },
      { vendors: { stripe: { max_amount_usd: '5.00' } } },
    ).vendors.get('stripe')!
    const asked = ['GET /v1/charges', 'GET /v1/refunds', 'POST /v1/refunds', 'POST /v1/charges']
    expect(asked.filter((endpoint) => stripe.allows(endpoint))).toEqual(['GET /v1/charges', 'POST /v1/refunds'])
  })
  test('keeps a permit only where no part that speaks of them leaves it out', () => {
    const permit = (...patches: object[]): string[] => [
      ...policyOf(base, ...patches.map((each) => ({ vendors: { stripe: each } }))).vendors.get('stripe')!.permit,
    ]
    expect(permit({})).toEqual(['routing', 'future_spend'])
    expect(permit({ max_amount_usd: '5.00' }, { permit: ['routing'] })).toEqual(['routing'])
    expect(permit({ permit: [] })).toEqual([])
  })
  test('opens nothing where the document says nothing', () => {
    const bare = policyOf({ vendors: { stripe: {} } }).vendors.get('stripe')!
    expect([...bare.permit]).toEqual([])
    expect(bare.allows('GET /v1/charges')).toBe(false)
    expect(bare.denies('GET /v1/charges')).toBe(false)
    expect([bare.beneficiaries, bare.accounts, bare.callbackHosts].map(({ entries }) => entries)).toEqual([[], [], []])
    expect([bare.customers, bare.currencies, bare.recipients, bare.senders, bare.maxAmount]).toEqual(
      Array(5).fill(undefined),
    )
  })
  test('enforces as soon as one part says so', () => {
    const enforces = (mode: string | undefined, ...patches: object[]): boolean =>
      policyOf(mode === undefined ? {} : { mode }, ...patches).enforce
    expect([enforces(undefined), enforces('enforce'), enforces('observe')]).toEqual([true, true, false])
    expect([enforces('observe', {}), enforces('observe', {}, { mode: 'enforce' })]).toEqual([false, true])
  })
  test('unites what is denied', () => {
    const stripe = policyOf(
      { vendors: { stripe: { endpoints: { allow: ['* *'], deny: ['POST /v1/payouts'] } } } },
      { vendors: { stripe: { endpoints: { deny: ['POST /v1/refunds'] } } } },
    ).vendors.get('stripe')!
    expect(
      ['POST /v1/payouts', 'POST /v1/refunds', 'POST /v1/charges'].map((endpoint) => stripe.denies(endpoint)),
    ).toEqual([true, true, false])
  })
  test('sets a list where there was none, and opens none that were closed', () => {
    const stripe = policyOf(base, {
      vendors: { stripe: { currencies: ['usd'], beneficiaries: ['acct_1'] } },
    }).vendors.get('stripe')!
    expect(stripe.currencies!.has('eur')).toBe(false)
    expect(stripe.beneficiaries.has('acct_1')).toBe(false)
  })
  test('keeps of what is closed by default only what every part that speaks of it opens', () => {
    const { beneficiaries, accounts, callbackHosts } = policyOf(
      open({ beneficiaries: ['acct_1', 'acct_2'], connected_accounts: ['acct_8', 'acct_9'] }),
      { vendors: { stripe: { beneficiaries: ['acct_2', 'acct_3'], callback_hosts: ['hooks.acme.com'] } } },
      { vendors: { stripe: { connected_accounts: ['acct_9'] } } },
    ).vendors.get('stripe')!
    expect(['acct_1', 'acct_2', 'acct_3'].filter(beneficiaries.has)).toEqual(['acct_2'])
    expect(['acct_8', 'acct_9'].filter(accounts.has)).toEqual(['acct_9'])
    expect(callbackHosts.has('hooks.acme.com')).toBe(false)
  })
  test('guards against duplicates for the longest of its times', () => {
    const guarded = (...times: string[]): number | null => {
      const [first, ...others] = times.map((within) => ({ duplicate_guard: { within } }))
      return policyOf(open({}, first), {}, ...others).duplicateWithinMs
    }
    const MINUTE = 60_000
    expect([guarded(), guarded('10m'), guarded('10m', '1h'), guarded('1h', '10m')]).toEqual([
      null,
      10 * MINUTE,
      60 * MINUTE,
      60 * MINUTE,
    ])
  })
  test('bounds what is still to come more tightly, never less', () => {
    const future = (said: object, ...narrowings: object[]) =>
      policyOf(
        open({ future: said }),
        ...narrowings.map((each) => ({ vendors: { stripe: { future: each } } })),
      ).vendors.get('stripe')!.future
    expect(future({})).toEqual({ quantityMax: undefined, boundedOnly: false })
    expect(future({ quantity_max: 10 }, { quantity_max: 3 }, { quantity_max: 50, bounded_only: true })).toEqual({
      quantityMax: 3n,
      boundedOnly: true,
    })
    expect(future({ bounded_only: true }, { bounded_only: false }).boundedOnly).toBe(true)
  })
  test('gains no vendor', () => {
    expect(policyOf(base, { vendors: { twilio: { endpoints: { allow: ['* *'] } } } }).vendors.has('twilio')).toBe(false)
  })
})

describe('compiling', () => {
  const text = { apiVersion: 'spendgate/v1', name: 'one', daily_cap_usd: '5.00' }
  test('gives equal documents one object', () => {
    expect(judge.compile({ ...text }, 1, [])).toBe(judge.compile({ ...text }, 1, []))
    expect(judge.compile(text, 1, [{ daily_cap_usd: '1.00' }])).toBe(
      judge.compile({ ...text }, 1, [{ daily_cap_usd: '1.00' }]),
    )
  })
  test('tells versions and narrowings apart', () => {
    const first = judge.compile(text, 1, [])
    expect(judge.compile(text, 2, [])).not.toBe(first)
    expect(judge.compile(text, 1, [{}])).not.toBe(first)
  })
  test('writes out a document once, however often it is compiled', () => {
    let written = 0
    const counted = Object.defineProperty({ ...text }, 'toJSON', {
      value() {
        written += 1
        return { ...this }
      },
    })
    expect(judge.compile(counted, 1, [])).toBe(judge.compile(counted, 1, []))
    expect(judge.compile(counted, 2, [])).not.toBe(judge.compile(counted, 1, []))
    expect(written).toBe(1)
  })
  test('forgets all once it knows too many texts, and makes the same policy anew', () => {
    const first = judge.compile(text, 1, [])
    const strangers = Array.from({ length: 20_001 }, (_, i) => i)
    expect(() => judge.compile(null, 1, strangers)).toThrow('policy document')
    const again = judge.compile(text, 1, [])
    expect(again).not.toBe(first)
    expect(again).toEqual(first)
    expect(judge.compile(text, 1, [])).toBe(again)
  })
  test('throws on what parsing refuses', () => {
    expect(() => judge.compile({ ...text, dailycap: '1.00' }, 1, [])).toThrow('unknown key "dailycap"')
    expect(() => judge.compile(text, 1, [{ mode: 'observe' }])).toThrow('can only set mode to "enforce"')
    for (const nothing of [null, undefined, 5])
      expect(() => judge.compile(nothing, 1, [])).toThrow(/^policy document: /)
  })
  test('fills in what the document leaves out', () => {
    expect(judge.compile({ apiVersion: 'spendgate/v1', name: 'bare' }, 7, [])).toMatchObject({
      name: 'bare',
      version: 7,
      enforce: true,
      timeZone: 'UTC',
      expiresInMs: null,
      perMinute: null,
      budgets: [],
      approvalAbove: null,
      approvalMs: 0,
      requireReason: false,
      duplicateWithinMs: null,
    })
    expect(ZERO).toBe(0n)
  })
})
