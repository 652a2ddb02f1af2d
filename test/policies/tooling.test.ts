import { describe, expect, test } from 'vitest'
import { judge } from '../../policies/index.js'
import { runtimeOf } from '../../src/engine.js'
import { parseFixtures, runFixtures } from '../../src/rehearsal/fixtures.js'
import { leastKeys } from '../../src/rehearsal/least-keys.js'
import { tryOut, type Tried, type TrialResult } from '../../src/rehearsal/trial.js'
import { vendors } from '../../vendors/index.js'

/** Prices that ship with the vendors are fresh then. */
const AT = Date.parse('2026-11-24T12:00:00.000Z')
const ACCOUNT = `AC${'a1'.repeat(16)}`

const MEANS = {
  judge,
  vendors: new Map(vendors.map((vendor) => [vendor.name, runtimeOf(vendor, null)])),
  clock: { now: () => AT, monotonic: () => 0 },
  unlocked: new Set<string>(),
  setting: () => undefined,
}

const POLICY = {
  apiVersion: 'spendgate/v1',
  name: 'support-refunds',
  daily_cap_usd: '50.00',
  vendors: {
    stripe: {
      endpoints: { allow: ['GET /v1/charges/*', 'POST /v1/refunds', 'POST /v1/payment_intents'] },
      max_amount_usd: '25.00',
      customers: ['cus_A'],
    },
    twilio: {
      endpoints: { allow: ['POST /2010-04-01/Accounts/*/Messages.json'] },
      recipients: ['+1415*'],
    },
  },
}

const CHARGE = { id: 'ch_A', object: 'charge', amount: 10_000, currency: 'usd', customer: 'cus_A', amount_refunded: 0 }
const objects = { '/v1/charges/ch_A': CHARGE }
const ask = (tried: Tried, document: object = POLICY): Promise<TrialResult> =>
  tryOut({ document, version: 0 }, { at: AT, ...tried }, MEANS)

describe('a request that nobody has made', () => {
  const refund = (amount: string): Tried => ({
    request: 'POST /stripe/v1/refunds',
    form: { charge: 'ch_A', amount },
    objects,
  })
  const said: readonly (readonly [string, Tried, string])[] = [
    ['over the limit', refund('4000'), 'amount_over_limit'],
    ['within it', refund('1200'), 'allow'],
    ['beyond what is left of the day', { ...refund('1200'), spent: 40_000_000n as never }, 'daily_cap_exceeded'],
    [
      'of somebody else',
      { ...refund('1200'), objects: { '/v1/charges/ch_A': { ...CHARGE, customer: 'cus_B' } } },
      'customer_not_allowed',
    ],
    [
      'of a charge that there is not',
      { ...refund('1200'), objects: { '/stripe/v1/charges/ch_A': null } },
      'customer_not_allowed',
    ],
    [
      'in the wrong encoding',
      { request: 'POST /stripe/v1/refunds', json: { charge: 'ch_A' }, objects },
      'request_ambiguous',
    ],
    [
      'with its amount twice',
      { request: 'POST /stripe/v1/refunds?amount=1', form: { charge: 'ch_A' }, objects },
      'request_ambiguous',
    ],
    [
      'not in the policy',
      { request: 'POST /stripe/v1/payouts', form: { amount: 100, currency: 'usd' } },
      'operation_not_allowed',
    ],
    [
      'in a currency without a rate',
      { request: 'POST /stripe/v1/payment_intents', form: { amount: 100, currency: 'eur', customer: 'cus_A' } },
      'amount_unknown',
    ],
    ['at no vendor', { request: 'POST /nobody/v1/refunds' }, 'vendor_not_granted'],
    [
      'a message, with the price table of the day',
      {
        request: `POST /twilio/2010-04-01/Accounts/${ACCOUNT}/Messages.json`,
        form: { To: '+14155550123', From: '+14155550100', Body: 'Hello' },
      },
      'allow',
    ],
    [
      'a message to somewhere else',
      {
        request: `POST /twilio/2010-04-01/Accounts/${ACCOUNT}/Messages.json`,
        form: { To: '+442071838750', From: '+14155550100', Body: 'Hello' },
      },
      'recipient_not_allowed',
    ],
    [
      'a read with its query',
      { request: 'GET /stripe/v1/charges/ch_A', form: { expand: ['customer'] }, objects },
      'allow',
    ],
  ]
  test.each(said)('%s: the pipeline that judges agents judges it', async (_what, tried, expected) => {
    const { code } = await ask(tried)
    expect(code ?? 'allow').toBe(expected)
  })

  test('what hangs on an object that is not at hand is not guessed: it is named', async () => {
    const { verdict, code, needs, message } = await ask({ ...refund('1200'), objects: {} })
    expect([verdict, code, needs]).toEqual(['unknown', null, ['GET /stripe/v1/charges/ch_A']])
    expect(message).toContain('GET /stripe/v1/charges/ch_A')
  })

  test('its price and operation come back in the words of a row', async () => {
    expect(await ask(refund('1200'))).toEqual({
      verdict: 'allow',
      code: null,
      rule: null,
      message: null,
      operation: 'refunds.create',
      effect: 'spend',
      quoted: 12_000_000n,
    })
  })

  test('a policy that observes says what it would refuse', async () => {
    const { verdict, code } = await ask(refund('4000'), { ...POLICY, mode: 'observe' })
    expect([verdict, code]).toEqual(['would_deny', 'amount_over_limit'])
  })

  test('a header of its own in the place of the key is no key', async () => {
    expect((await ask({ ...refund('1200'), headers: { Authorization: 'Bearer sk_live_x' } })).code).toBe('key_unknown')
  })
})

describe('fixtures', () => {
  test('each is tried by itself, with the objects of all and its own', async () => {
    const parsed = parseFixtures({
      objects,
      tests: [
        {
          name: 'small',
          request: 'POST /stripe/v1/refunds',
          form: { charge: 'ch_A', amount: 4000 },
          expect: 'amount_over_limit',
        },
        {
          name: 'wrongly hoped',
          request: 'POST /stripe/v1/refunds',
          form: { charge: 'ch_A', amount: 4000 },
          expect: 'allow',
        },
        { name: 'not at hand', request: 'GET /stripe/v1/charges/ch_B', expect: 'customer_not_allowed' },
        {
          name: 'not there',
          request: 'GET /stripe/v1/charges/ch_B',
          objects: { '/v1/charges/ch_B': null },
          expect: 'customer_not_allowed',
        },
      ],
    })
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
    const results = await runFixtures({ document: POLICY, version: 0 }, parsed.fixtures, MEANS)
    expect(results.map(({ name, said, ok }) => [name, said, ok])).toEqual([
      ['small', 'amount_over_limit', true],
      ['wrongly hoped', 'amount_over_limit', false],
      ['not at hand', 'unknown', false],
      ['not there', 'customer_not_allowed', true],
    ])
  })

  const faulty: readonly (readonly [string, unknown, string])[] = [
    [
      'a field that there is not',
      { tests: [{ name: 'a', request: 'GET /stripe/v1/x', expects: 'allow', expect: 'allow' }] },
      'tests[0].expects',
    ],
    [
      'a code that there is not',
      { tests: [{ name: 'a', request: 'GET /stripe/v1/x', expect: 'refused' }] },
      'tests[0].expect',
    ],
    ['a request without its vendor', { tests: [{ name: 'a', request: 'GET', expect: 'allow' }] }, 'tests[0].request'],
    [
      'two bodies',
      { tests: [{ name: 'a', request: 'POST /stripe/v1/x', form: {}, json: {}, expect: 'allow' }] },
      'tests[0].json',
    ],
    ['no expectation', { tests: [{ name: 'a', request: 'GET /stripe/v1/x' }] }, 'tests[0].expect'],
    ['no tests', { tests: [] }, 'tests'],
    ['another document', { rules: [] }, 'tests'],
  ]
  test.each(faulty)('%s is refused at its place', (_what, value, path) => {
    const parsed = parseFixtures(value)
    expect(parsed.ok ? [] : parsed.faults.map((fault) => fault.path)).toContain(path)
  })
})

describe('what one policy says otherwise than another', () => {
  const stripe = (block: object, rest: object = {}): object => ({
    apiVersion: 'spendgate/v1',
    name: 'a',
    ...rest,
    vendors: { stripe: { endpoints: { allow: ['GET /v1/charges/*'] }, ...block } },
  })
  const table: readonly (readonly [string, object, object, readonly (readonly [string, string])[]])[] = [
    ['nothing', stripe({}), stripe({}), []],
    [
      'a lower cap',
      stripe({}, { daily_cap_usd: '200.00' }),
      stripe({}, { daily_cap_usd: '100.00' }),
      [['tighter', 'The cap of a day falls from USD 200.00 to USD 100.00.']],
    ],
    [
      'no cap any more',
      stripe({}, { daily_cap_usd: '200.00' }),
      stripe({}),
      [['wider', 'The cap of a day is gone; it was USD 200.00.']],
    ],
    [
      'only observing',
      stripe({}),
      stripe({}, { mode: 'observe' }),
      [['wider', 'It only observes: what its rules would refuse is let through and recorded.']],
    ],
    [
      'another zone',
      stripe({}),
      stripe({}, { timezone: 'Europe/Berlin' }),
      [['other', 'Days and months begin in Europe/Berlin, and began in UTC: new windows begin with nothing spent.']],
    ],
    [
      'a list where any was allowed',
      stripe({}),
      stripe({ customers: ['cus_A'] }),
      [['tighter', 'stripe: customers: only cus_A, where any was allowed.']],
    ],
    [
      'one more in the list',
      stripe({ customers: ['cus_A'] }),
      stripe({ customers: ['cus_A', 'cus_B'] }),
      [['wider', 'stripe: customers: cus_B added.']],
    ],
    [
      'a destination of money',
      stripe({}),
      stripe({ beneficiaries: ['acct_1'] }),
      [['wider', 'stripe: destinations of money: acct_1 added.']],
    ],
    [
      'an endpoint that a pattern covers already',
      stripe({}),
      stripe({ endpoints: { allow: ['GET /v1/charges/*', 'GET /v1/charges/ch_1'] } }),
      [],
    ],
    [
      'a pattern for what was one path',
      stripe({ endpoints: { allow: ['GET /v1/charges/ch_1'] } }),
      stripe({}),
      [['wider', 'stripe: allowed: GET /v1/charges/* added.']],
    ],
    [
      'a denied endpoint',
      stripe({}),
      stripe({ endpoints: { allow: ['GET /v1/charges/*'], deny: ['GET /v1/charges/*/x'] } }),
      [['tighter', 'stripe: denied: GET /v1/charges/*/x added.']],
    ],
    [
      'a vendor',
      stripe({}),
      { ...stripe({}), vendors: {} },
      [['tighter', 'stripe is closed: nothing is allowed there.']],
    ],
    ['a permit', stripe({}), stripe({ permit: ['routing'] }), [['wider', 'stripe: permitted effects: routing added.']]],
    [
      'a budget',
      stripe({}),
      stripe({}, { budgets: [{ per: 'month', cap_usd: '5.00', scope: 'policy' }] }),
      [['tighter', 'The budget a month (policy) is USD 5.00, where there was none.']],
    ],
    ['the same span otherwise written', stripe({}, { expires_in: '1d' }), stripe({}, { expires_in: '24h' }), []],
    [
      'a longer look back for duplicates',
      stripe({}, { duplicate_guard: { within: '1m' } }),
      stripe({}, { duplicate_guard: { within: '2m' } }),
      [['tighter', 'The span in which an identical write is refused is 2m, and was 1m.']],
    ],
    [
      'an approval by the client',
      stripe({}, { approval: { above_usd: '5.00' } }),
      stripe({}, { approval: { above_usd: '5.00', by: 'client' } }),
      [['wider', 'The person at the client may approve, too.']],
    ],
  ]
  test.each(table)('%s', (_what, from, to, expected) => {
    const documents = [from, to].map((each) => {
      const parsed = judge.parse(JSON.stringify(each), null)
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
      return parsed.document
    })
    const found = judge.differences(documents[0], documents[1])
    expect(found.map(({ direction, sentence }) => [direction, sentence])).toEqual(expected)
  })
})

describe('the smallest vendor key', () => {
  const needs = (policyVendors: object): Record<string, unknown> =>
    Object.fromEntries(
      leastKeys({ apiVersion: 'spendgate/v1', name: 'a', vendors: policyVendors }, judge, vendors).map((each) => [
        each.vendor,
        [each.needs.kind.split(' ')[0], each.needs.permissions, each.needs.unknown],
      ]),
    )

  test('a policy of refunds needs charges and what is looked up for them', () => {
    const stripe = { endpoints: { allow: ['POST /v1/refunds', 'GET /v1/customers/{id}'.replace('{id}', 'cus_A')] } }
    expect(needs({ stripe })).toEqual({
      stripe: ['restricted', ['charge_write', 'customer_read', 'payment_intent_read'], []],
    })
  })

  test('what a policy denies, or permits not, needs nothing', () => {
    const stripe = { endpoints: { allow: ['POST /v1/refunds', 'POST /v1/payment_links'], deny: ['POST /v1/refunds'] } }
    expect(needs({ stripe })).toEqual({})
  })

  test('messages need a restricted Twilio key with one permission, accounts a main one', () => {
    const block = (...allow: string[]): object => ({ endpoints: { allow }, permit: ['credential', 'routing'] })
    expect(needs({ twilio: block('POST /2010-04-01/Accounts/*/Messages.json') })).toEqual({
      twilio: ['Restricted', ['/twilio/messaging/messages/create'], []],
    })
    expect(needs({ twilio: block('GET /2010-04-01/Accounts.json') }).twilio).toEqual(['Main', [], []])
    expect(needs({ twilio: block('* *') }).twilio).toEqual(['Main', [], []])
  })

  test('a policy that only sends mail needs a Resend key that only sends', () => {
    expect(needs({ resend: { endpoints: { allow: ['POST /emails'] } } })).toEqual({
      resend: ['key', ['sending_access'], []],
    })
    expect(needs({ resend: { endpoints: { allow: ['POST /emails', 'GET /emails/*'] } } })).toEqual({
      resend: ['key', ['full_access'], []],
    })
  })
})
