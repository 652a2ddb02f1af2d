import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { World } from '../helpers/world.js'

/* What policies would have said to calls that agents really made, against the server and the vendors' simulators. */

const RUN = 'run_refunds'
/** As in the demo: every wall is met once, and one call is far dearer than the others. */
const OBSERVING = {
  mode: 'observe',
  daily_cap_usd: '60.00',
  vendors: {
    stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '50.00', customers: ['cus_A', 'cus_B'] },
    twilio: {
      endpoints: { allow: ['POST /2010-04-01/Accounts/*/Messages.json'] },
      recipients: ['+1415*'],
      senders: ['+14155550100'],
    },
  },
}

let world: World
let name: string
let key: { readonly id: string; readonly key: string; readonly presentations: any }

beforeAll(async () => {
  world = await World.start()
  world.stripe.seed()
  key = await world.key(OBSERVING, { vendors: ['stripe', 'twilio'] })
  name = (await world.must('GET', '/policies')).policies[0].name
  for (const amount of ['1200', '900', '6000', '500'])
    await world.call(key.key, 'POST', `/run/${RUN}/stripe/v1/refunds`, { charge: 'ch_A', amount })
  await world.call(key.key, 'GET', `/run/${RUN}/stripe/v1/charges/ch_A`)
  const { account_sid: account } = key.presentations.twilio
  await world.call(key.key, 'POST', `/run/${RUN}/twilio/2010-04-01/Accounts/${account}/Messages.json`, {
    To: '+14155550123',
    From: '+14155550100',
    Body: 'Your refund is on its way.',
  })
  // Nobody knows such an operation, whatever a policy says.
  await world.call(key.key, 'POST', `/run/${RUN}/stripe/v1/instant_loans`, { amount: '1000' })
})
afterAll(() => world.close())

const draft = (stripe: object, more: object = {}): object => ({
  apiVersion: 'spendgate/v1',
  name: 'draft',
  vendors: { ...OBSERVING.vendors, stripe: { ...OBSERVING.vendors.stripe, ...stripe } },
  ...more,
})
const play = async (body: object): Promise<any> => world.must('POST', '/policies/simulate', body)

describe('calls of the past under another policy', () => {
  test('the planted expensive call is found, with its dollars and the rule', async () => {
    const found = await play({ policy: draft({ max_amount_usd: '25.00' }) })
    expect(found.newly_refused).toMatchObject({
      calls: 1,
      usd: '60.00',
      by_rule: [{ code: 'amount_over_limit', rule: 'max-amount (draft@0)', usd: '60.00' }],
    })
    expect(found.changes[0]).toMatchObject({
      path: '/v1/refunds',
      usd: '60.00',
      was: { verdict: 'would_deny', code: 'amount_over_limit' },
      becomes: { verdict: 'deny', code: 'amount_over_limit' },
    })
    expect(found).toMatchObject({
      policy: 'draft (draft)',
      keys_under: null,
      complete: true,
      recorded: { admitted: { calls: 6 }, refused: { calls: 1 } },
      not_judged: { calls: 0 },
    })
  })

  test('budgets count along the time of the calls, and the first that did not fit is named', async () => {
    const found = await play({ policy: draft({ max_amount_usd: '100.00' }, { daily_cap_usd: '75.00' }) })
    // 12 + 9 stand when 60 come: too many. The 5 after them fit again, and so does the message.
    expect(found.newly_refused).toMatchObject({ calls: 1, usd: '60.00' })
    expect(found.caps).toMatchObject([
      { rule: 'daily-cap (draft@0)', cap_usd: '75.00', refused: 1, first: { call: found.changes[0].call } },
    ])
    expect(Number(found.caps[0].most_usd)).toBeGreaterThan(26)
  })

  test('what was refused whatever the policy stays refused, and what only the policy refused may be allowed', async () => {
    const all = draft({ max_amount_usd: '100.00', customers: ['cus_A', 'cus_B'] })
    const found = await play({ policy: all })
    expect(found.simulated.refused.calls).toBe(1)
    const strict = await world.key({
      vendors: { stripe: { endpoints: { allow: ['POST /v1/refunds'] }, max_amount_usd: '1.00' } },
    })
    await world.call(strict.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '300' })
    expect(await play({ policy: all, key: strict.id })).toMatchObject({
      keys: 1,
      newly_allowed: { calls: 1, usd: '3.00' },
      changes: [{ was: { code: 'amount_over_limit' }, becomes: { verdict: 'allow' } }],
    })
  })

  test('whom a message went to is not on record: a narrower list is not judged, a wider one is', async () => {
    const to = (recipients: string[]): object =>
      draft(
        { max_amount_usd: '100.00' },
        { vendors: { ...OBSERVING.vendors, twilio: { ...OBSERVING.vendors.twilio, recipients } } },
      )
    const narrower = await play({ policy: to(['+14155550123']), run: RUN })
    expect(narrower.not_judged).toMatchObject({ calls: 1 })
    expect(narrower.not_judged.by_reason[0].why).toMatch(/^recipients: the record does not say/)
    expect((await play({ policy: to(['+1*']), run: RUN })).not_judged.calls).toBe(0)
  })

  test('an operation that is closed is refused, and a key is told from the others', async () => {
    const found = await play({
      policy: draft({ endpoints: { allow: ['POST /v1/refunds'] }, max_amount_usd: '100.00' }),
      run: RUN,
    })
    expect(found.newly_refused.by_rule).toMatchObject([{ code: 'operation_not_allowed', calls: 1, usd: '0.00' }])
    expect(
      (await world.admin('POST', '/policies/simulate', { policy: draft({}), key: 'key_none' })).body.errors[0].path,
    ).toBe('key')
  })

  test('a stored policy is played over the keys that have it, and as if it enforced', async () => {
    const found = await play({ policy: name, enforce: true })
    expect(found).toMatchObject({ policy: `${name}@1`, keys_under: name, keys: 1 })
    expect(found.newly_refused).toMatchObject({ calls: 1, usd: '60.00' })
    expect((await play({ policy: name })).newly_refused.calls).toBe(0)
  })

  test('a faulty policy or span is refused at its place', async () => {
    const refused = async (body: object): Promise<unknown> => {
      const { status, body: problem } = await world.admin('POST', '/policies/simulate', body)
      return [status, problem.errors[0]?.path]
    }
    expect(await refused({ policy: { name: 'x' } })).toEqual([400, 'apiVersion'])
    expect(await refused({ policy: draft({}), since: 'yesterday' })).toEqual([400, 'since'])
    expect(await refused({ policy: draft({}), since: '2030-01-01' })).toEqual([400, 'since'])
    expect(await refused({ policy: draft({}), run: 'run_none' })).toEqual([400, 'run'])
  })
})

describe('a policy that only observes', () => {
  test('says in dollars what it would have refused, by rule', async () => {
    const found = await world.must('GET', `/observed?run=${RUN}`)
    expect(found.all.calls).toBe(7)
    // After the dear call each further one is over the cap of the day, too.
    expect(found.would_deny.by_rule[0]).toMatchObject({ code: 'amount_over_limit', calls: 1, usd: '60.00' })
    expect(found.would_deny.by_rule.map((each: any) => each.code)).toContain('daily_cap_exceeded')
  })
})

describe('the policy that was needed', () => {
  test('lets the recorded run through and refuses every variation of it', async () => {
    const {
      yaml,
      document,
      calls,
      left_out: leftOut,
    } = await world.must('POST', '/policies/suggest', {
      run: RUN,
      name: 'least',
    })
    expect(calls).toBe(6)
    expect(yaml).toContain('# The least that lets through 6 recorded calls')
    expect(document.vendors.stripe).toEqual({
      endpoints: { allow: ['GET /v1/charges/ch_A', 'POST /v1/refunds'] },
      max_amount_usd: '60.00',
      customers: ['cus_A'],
    })
    expect(document.vendors.twilio).toMatchObject({ recipients: ['+1415*'], senders: ['+14155550100'] })
    expect(leftOut).toEqual(['1 refused calls are not covered.'])
    const again = await play({ policy: document, run: RUN })
    expect([again.newly_refused.calls, again.not_judged.calls]).toEqual([0, 0])

    const { account_sid: account } = key.presentations.twilio
    const message = (to: string): object => ({
      request: `POST /twilio/2010-04-01/Accounts/${account}/Messages.json`,
      form: { To: to, From: '+14155550100', Body: 'Your refund is on its way.' },
    })
    const refund = (charge: string, amount: string): object => ({
      request: 'POST /stripe/v1/refunds',
      form: { charge, amount },
    })
    const tests = [
      { name: 'the refund', ...refund('ch_A', '1200'), expect: 'allow' },
      { name: 'the read', request: 'GET /stripe/v1/charges/ch_A', expect: 'allow' },
      { name: 'the message', ...message('+14155550123'), expect: 'allow' },
      { name: 'a larger refund', ...refund('ch_A', '6100'), expect: 'amount_over_limit' },
      { name: "another customer's", ...refund('ch_B', '1200'), expect: 'customer_not_allowed' },
      { name: 'another charge', request: 'GET /stripe/v1/charges/ch_B', expect: 'operation_not_allowed' },
      {
        name: 'a payout',
        request: 'POST /stripe/v1/payouts',
        form: { amount: '1', currency: 'usd' },
        expect: 'operation_not_allowed',
      },
      { name: 'a message elsewhere', ...message('+442071838750'), expect: 'recipient_not_allowed' },
      { name: 'one day too long', ...refund('ch_A', '1200'), spent_usd: '95.00', expect: 'daily_cap_exceeded' },
    ]
    const { ok, results } = await world.must('POST', '/policies/test', { policy: document, tests })
    expect(results.filter((each: any) => !each.ok)).toEqual([])
    expect(ok).toBe(true)
  })

  test('says which calls it is to be made of, or is refused', async () => {
    const { status, body } = await world.admin('POST', '/policies/suggest', {})
    expect([status, body.errors[0].path]).toEqual([400, 'run'])
    expect((await world.must('POST', '/policies/suggest', { observed: true })).calls).toBeGreaterThanOrEqual(6)
  })
})

describe('one request', () => {
  test('is looked up with the only credential of its vendor, unless that is not wanted', async () => {
    const before = world.stripe.requests.length
    const request = { vendor: 'stripe', method: 'POST', path: '/v1/refunds', form: { charge: 'ch_A', amount: '7000' } }
    const policy = draft({ max_amount_usd: '25.00' })
    expect(await world.must('POST', '/policies/test', { policy, request })).toMatchObject({
      verdict: 'deny',
      code: 'amount_over_limit',
      quoted_usd: '70.00',
      operation: 'refunds.create',
    })
    const asked = world.stripe.requests.slice(before)
    expect(asked.map(({ method }) => method)).toEqual(['GET'])
    expect(await world.must('POST', '/policies/test', { policy, request, look_ups: false })).toMatchObject({
      verdict: 'unknown',
      needs: ['GET /stripe/v1/charges/ch_A'],
    })
    expect(world.stripe.requests.length).toBe(before + 1)
  })

  test('of a vendor by configuration is judged by what its credential says, and nothing is sent', async () => {
    await world.must('POST', '/credentials', {
      vendor: 'github',
      name: 'github',
      base_url: 'https://api.github.com',
      auth: { scheme: 'bearer' },
      secret: { token: `ghp_${'A1b2'.repeat(9)}` },
    })
    const policy = {
      apiVersion: 'spendgate/v1',
      name: 'reader',
      vendors: { github: { endpoints: { allow: ['GET /user'] } } },
    }
    const tests = [
      { name: 'who it is', request: 'GET /github/user', expect: 'allow' },
      { name: 'a deletion', request: 'DELETE /github/repos/a/b', expect: 'operation_not_allowed' },
    ]
    expect(await world.must('POST', '/policies/test', { policy, tests })).toMatchObject({ ok: true, passed: 2 })
  })

  test('needs a request or tests, and the policy says which vendor keys it needs', async () => {
    expect((await world.admin('POST', '/policies/test', { policy: name })).status).toBe(400)
    const { vendors } = await world.must('GET', `/policies/${name}/permissions`)
    expect(vendors.find((each: any) => each.vendor === 'twilio')).toMatchObject({
      permissions: ['/twilio/messaging/messages/create'],
    })
  })
})
