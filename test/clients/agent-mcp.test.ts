import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seenBy, startWorld } from '../pipeline/given.js'
import type { IssuedKey, World } from '../helpers/world.js'

/*
 * spendgate's own tools at /mcp: they say what a key may do and what is left, run calls through the same pipeline as
 * REST, and show nobody anything but their own.
 */

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

interface Result {
  readonly isError?: true
  readonly text: string
  readonly value: any
  readonly meta: any
}

async function tool(key: string, name: string, args: object = {}, path = '/mcp'): Promise<Result> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } })
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  const { status, text } = await world.call(key, 'POST', path, body, headers)
  expect(status, text).toBe(200)
  const { result } = JSON.parse(text.replace(/^event:.*\ndata: /, ''))
  expect(result, text).toBeDefined()
  return { isError: result.isError, text: result.content[0].text, value: result.structuredContent, meta: result._meta }
}

const POLICY = {
  daily_cap_usd: '20.00',
  budgets: [{ per: 'month', cap_usd: '100.00' }],
  rate_limit: { per_minute: 60 },
  vendors: {
    stripe: {
      endpoints: { allow: ['GET /v1/*', 'POST /v1/refunds', 'POST /v1/customers'], deny: ['GET /v1/events*'] },
      permit: ['future_spend'],
      max_amount_usd: '15.00',
      customers: ['cus_A'],
    },
  },
}
const issued = (options?: { run?: string }): Promise<IssuedKey> => world.key(POLICY, options)
const refund = (amount: number) => ({
  service: 'stripe',
  method: 'POST',
  path: '/v1/refunds',
  params: { charge: 'ch_A', amount },
})

describe('what a key may do', () => {
  test('list_services names the vendors granted, with patterns and permits as they hold', async () => {
    const key = await issued()
    await world.must('POST', `/keys/${key.id}/narrow`, {
      vendors: { stripe: { max_amount_usd: '12.00', endpoints: { allow: ['POST /v1/refunds'] }, permit: [] } },
    })
    const { value } = await tool(key.key, 'list_services')
    expect(value.services).toHaveLength(1)
    expect(value.services[0]).toMatchObject({
      service: 'stripe',
      credential: 'stripe-main',
      test: false,
      address: '/stripe',
      permit: [],
      max_amount_usd: '12.00',
    })
    expect(value.services[0].endpoints.map(({ allow, deny }: any) => [allow, deny])).toEqual([
      [['GET /v1/*', 'POST /v1/refunds', 'POST /v1/customers'], ['GET /v1/events*']],
      [['POST /v1/refunds'], []],
    ])
  })

  test('describe_policy says the rules in words', async () => {
    const { value } = await tool((await issued()).key, 'describe_policy')
    const [{ rules, mode }] = value.policies
    expect(mode).toBe('enforce')
    expect(rules).toEqual(
      expect.arrayContaining([
        'stripe: Only GET /v1/*, POST /v1/refunds, POST /v1/customers; never GET /v1/events*.',
        'At most USD 20.00 a day (UTC).',
        'At most USD 100.00 a month (UTC).',
        'At most 60 calls a minute.',
        'stripe: At most USD 15.00 a call.',
        'stripe: Only these customers: cus_A.',
        'stripe: No destinations of money.',
      ]),
    )
    expect(rules.join()).toContain('credential, routing, destructive')
  })

  test('get_remaining_budget tells every budget of key and parent, after what was spent', async () => {
    const parent = await issued()
    const child = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_1', cap_usd: '5' })
    expect((await tool(child.key, 'execute', refund(200))).isError).toBeUndefined()
    const { value } = await tool(child.key, 'get_remaining_budget')
    expect(value.remaining_usd).toBe('3.00')
    const left = value.budgets.map(({ label, cap_usd, spent_usd, left_usd }: any) => [
      label,
      cap_usd,
      spent_usd,
      left_usd,
    ])
    expect(left.filter(([label]: string[]) => /day/.test(label!)).map((row: string[]) => row.slice(1))).toContainEqual([
      '20.00',
      '2.00',
      '18.00',
    ])
    expect(left.some(([, cap, spent, rest]: string[]) => cap === '5.00' && spent === '2.00' && rest === '3.00')).toBe(
      true,
    )
    const day = value.budgets.find(({ label }: any) => /day/.test(label))
    expect(day.resets_at).toBe('2026-11-25T00:00:00.000Z')
    // The parent sees the child's spending in its own.
    expect((await tool(parent.key, 'get_remaining_budget')).value.remaining_usd).toBe('18.00')
  })
})

describe('execute', () => {
  test('is the same governed call as over REST, and answers with the vendor’s reply', async () => {
    const key = await issued()
    const over = await tool(key.key, 'execute', refund(1600))
    expect(over.isError).toBe(true)
    expect(over.text).toMatch(/^amount_over_limit: USD 16\.00/)
    const done = await tool(key.key, 'execute', { ...refund(150), reason: 'broken on arrival' })
    expect(done.value).toMatchObject({ decision: 'allow', status: 200, reply: { object: 'refund', amount: 150 } })
    expect(done.value.remaining_usd).toBe('18.50')
    const [row, denied] = await world.calls(`&key=${key.id}`)
    expect(row).toMatchObject({
      id: done.value.call_id,
      surface: 'mcp',
      operation: 'refunds.create',
      settled_usd: '1.50',
      customer: 'cus_A',
      reason: 'broken on arrival',
    })
    expect(denied.decision.code).toBe('amount_over_limit')
  })

  test('takes what users of other brokers send: capability, a body as text, an idempotency key among headers', async () => {
    const key = await issued()
    const args = {
      capability: 'stripe-main',
      method: 'POST',
      path: '/v1/refunds',
      body: 'charge=ch_A&amount=120',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Idempotency-Key': 'once' },
    }
    const first = await tool(key.key, 'execute', args)
    const again = await tool(key.key, 'execute', args)
    expect(again.value.reply.id).toBe(first.value.reply.id)
    const rows = await world.calls(`&key=${key.id}`)
    expect(rows.map((row) => row.replay_of)).toEqual([first.value.call_id, null])
    const asJson = await tool(key.key, 'execute', { ...args, headers: {}, body: '{"charge":"ch_A","amount":130}' })
    expect(asJson.value.reply.amount).toBe(130)
  })

  test('reads with a query in the path, and refuses a second reading of it', async () => {
    const key = await issued()
    const path = '/v1/charges?customer=cus_A'
    expect((await tool(key.key, 'execute', { method: 'GET', path })).value.reply.data.length).toBeGreaterThan(0)
    const twice = await tool(key.key, 'execute', { method: 'GET', path, params: { customer: 'cus_B' } })
    expect(twice.text).toMatch(/^request_ambiguous: /)
    const both = await tool(key.key, 'execute', {
      method: 'POST',
      path: '/v1/refunds?amount=1',
      params: { charge: 'ch_A' },
    })
    expect(both.text).toMatch(/^request_ambiguous: /)
  })

  test('fills in Twilio’s account, reaches its other products, and refuses another account', async () => {
    const key = await world.key({}, { vendors: ['twilio'] })
    const account = key.presentations.twilio!.account_sid
    const sent = await tool(key.key, 'execute', {
      method: 'POST',
      path: '/2010-04-01/Accounts/{AccountSid}/Messages.json',
      params: { To: '+14155550100', From: '+14155550111', Body: 'hello' },
    })
    expect(sent.value?.reply, sent.text).toMatchObject({ account_sid: account })
    const looked = await tool(key.key, 'execute', {
      service: 'twilio',
      method: 'GET',
      path: '/lookups.twilio.com/v2/PhoneNumbers/+14155550100',
    })
    expect(looked.isError, looked.text).toBeUndefined()
    const other = await tool(key.key, 'execute', {
      method: 'GET',
      path: `/2010-04-01/Accounts/AC${'1'.repeat(32)}/Balance.json`,
    })
    expect(other.text).toMatch(/^account_not_allowed: /)
    const paths = (await world.calls(`&key=${key.id}`)).map((row) => row.path)
    expect(paths[2]).toBe(`/2010-04-01/Accounts/${account}/Messages.json`)
    expect(paths[1]).toBe('lookups.twilio.com/v2/PhoneNumbers/+14155550100')
  })

  test('a key for several vendors must say which', async () => {
    const key = await world.key({}, { vendors: ['stripe', 'resend'] })
    const silent = await tool(key.key, 'execute', { method: 'GET', path: '/v1/balance' })
    expect(silent.text).toMatch(/^vendor_not_granted: .*It has: stripe, resend/)
    const two = await tool(key.key, 'execute', {
      service: 'stripe',
      capability: 'resend',
      method: 'GET',
      path: '/v1/balance',
    })
    expect(two.text).toMatch(/^request_ambiguous: /)
    expect((await world.calls(`&key=${key.id}`)).length).toBe(2)
  })

  test('a header that is not the vendor’s to read is not taken', async () => {
    const key = await issued()
    const { text } = await tool(key.key, 'execute', { ...refund(100), headers: { Authorization: 'Bearer sk_live_x' } })
    expect(text).toMatch(/^request_malformed: The header Authorization/)
  })
})

describe('preview_call', () => {
  test('says what execute would answer, sends nothing but look-ups and leaves nothing behind', async () => {
    const key = await issued()
    const { result, requests } = await seenBy(world.stripe, () => tool(key.key, 'preview_call', refund(150)))
    expect(result.value, result.text).toMatchObject({
      verdict: 'allow',
      code: null,
      operation: 'refunds.create',
      effect: 'spend',
      quoted_usd: '1.50',
      adds_usd: '1.50',
      look_ups: requests.length,
    })
    expect(requests.map(({ method }) => method)).toEqual(['GET'])
    expect(result.value.budgets).toContainEqual(
      expect.objectContaining({ left_usd: '20.00', left_after_usd: '18.50', resets_at: '2026-11-25T00:00:00.000Z' }),
    )
    expect(await world.calls(`&key=${key.id}`)).toEqual([])
    expect((await tool(key.key, 'get_remaining_budget')).value.remaining_usd).toBe('20.00')
    const done = await tool(key.key, 'execute', refund(150))
    expect(done.value.remaining_usd).toBe('18.50')
  })

  test.each([
    ['over the limit of a call', refund(1600)],
    ['of a foreign customer', { ...refund(100), params: { charge: 'ch_B', amount: 100 } }],
    [
      'of an endpoint that is not allowed',
      { method: 'POST', path: '/v1/payouts', params: { amount: 1, currency: 'usd' } },
    ],
    ['of what nobody knows', { method: 'POST', path: '/v1/moon' }],
    ['with an amount that is none', { ...refund(100), params: { charge: 'ch_A', amount: 'much' } }],
    ['with a path that climbs', { method: 'GET', path: '/v1/charges/../refunds' }],
    ['at a vendor the key has not', { service: 'twilio', method: 'GET', path: '/x' }],
  ])('a call %s gets the very sentence of the refusal, without a row', async (_what, args) => {
    const key = await issued()
    const { value } = await tool(key.key, 'preview_call', args)
    expect(value.verdict).toBe('deny')
    expect(await world.calls(`&key=${key.id}`)).toEqual([])
    const refused = await tool(key.key, 'execute', args)
    expect(refused.text).toBe(`${value.code}: ${value.message}`)
    const [row] = await world.calls(`&key=${key.id}`)
    expect(row.decision).toEqual({ verdict: 'deny', code: value.code, rule: value.rule, message: value.message })
  })

  test('a policy that only observes: what it would have refused', async () => {
    const key = await world.key({ ...POLICY, mode: 'observe' })
    expect((await tool(key.key, 'preview_call', refund(1600))).value).toMatchObject({
      verdict: 'would_deny',
      code: 'amount_over_limit',
      quoted_usd: '16.00',
    })
  })

  test('takes a place in the rate window for its look-ups, and none without', async () => {
    const one = { rate_limit: { per_minute: 1 } }
    const free = await world.key(one)
    const intent = { method: 'POST', path: '/v1/payment_intents', params: { amount: 100, currency: 'usd' } }
    for (let i = 0; i < 3; i++) expect((await tool(free.key, 'preview_call', intent)).value.verdict).toBe('allow')
    expect((await tool(free.key, 'execute', intent)).isError).toBeUndefined()
    const looking = await world.key({ ...POLICY, ...one })
    expect((await tool(looking.key, 'preview_call', refund(100))).value.verdict).toBe('allow')
    const { result, requests } = await seenBy(world.stripe, () => tool(looking.key, 'preview_call', refund(100)))
    expect(result.value.code).toBe('rate_limited')
    expect(requests).toEqual([])
  })

  test('a revoked key is refused, with a row', async () => {
    const key = await issued()
    await world.must('POST', `/keys/${key.id}/revoke`)
    expect((await tool(key.key, 'preview_call', refund(100))).text).toMatch(/^key_revoked: /)
    expect((await world.calls(`&key=${key.id}`)).map((row) => row.decision.code)).toEqual(['key_revoked'])
  })
})

describe('what was done', () => {
  test('explain and list_my_calls show a key its own and its descendants’ calls and nothing else', async () => {
    const parent = await issued()
    const child = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_2' })
    const stranger = await issued()
    const ids: Record<string, string> = {}
    for (const [who, key] of Object.entries({ parent, child, stranger })) {
      const { value } = await tool(key.key, 'execute', refund(100))
      ids[who] = value.call_id
    }
    const seen = async (key: IssuedKey): Promise<string[]> =>
      (await tool(key.key, 'list_my_calls')).value.calls.map(({ id }: any) => id)
    expect(await seen(parent)).toEqual([ids.child, ids.parent])
    expect(await seen(child)).toEqual([ids.child])
    expect(await seen(stranger)).toEqual([ids.stranger])

    const told = await tool(parent.key, 'explain', { id: ids.child })
    expect(told.value.explanation).toBe('It was admitted at USD 1.00 and cost USD 1.00.')
    for (const [key, id] of [
      [child, ids.parent],
      [stranger, ids.child],
      [parent, 'call_9999999999'],
    ] as const) {
      const hidden = await tool(key.key, 'explain', { id })
      expect(hidden.text).toBe(`request_malformed: There is no call ${id} of this key. Do not retry.`)
    }
  })

  test('explain says which rule refused a call', async () => {
    const key = await issued()
    const { meta } = await tool(key.key, 'execute', refund(9900))
    const { value } = await tool(key.key, 'explain', { id: meta['spendgate/call-id'] })
    expect(value.call).toMatchObject({ state: 'denied', quoted_usd: '99.00', decision: { code: 'amount_over_limit' } })
    expect(value.explanation).toMatch(/^max-amount .* refused it: amount_over_limit: /)
  })

  test('pages of list_my_calls over several keys hold every call once, newest first', async () => {
    const parent = await issued()
    const children = await Promise.all(
      [1, 2].map((n) => world.must('POST', `/keys/${parent.id}/runs`, { run: `run_p${n}` })),
    )
    const made: string[] = []
    for (const key of [parent, children[0], children[1], parent, children[0], parent, children[1]])
      made.unshift((await tool(key.key, 'execute', { method: 'GET', path: '/v1/balance' })).value.call_id)
    const found: string[] = []
    let cursor: string | null = null
    do {
      const page: any = (await tool(parent.key, 'list_my_calls', { limit: 2, ...(cursor ? { cursor } : {}) })).value
      found.push(...page.calls.map(({ id }: any) => id))
      // What comes in between does not disturb the pages that follow.
      await tool(children[1].key, 'execute', { method: 'GET', path: '/v1/balance' })
      cursor = page.next_cursor
    } while (cursor !== null)
    expect(found).toEqual(made)
    expect((await tool(parent.key, 'list_my_calls', { run: 'run_p1' })).value.calls).toHaveLength(2)
    expect((await tool(parent.key, 'list_my_calls', { cursor: 'nonsense' })).text).toMatch(/^request_malformed: /)
  })
})

describe('end_run', () => {
  test('revokes a key that is bound to a run, at once', async () => {
    const parent = await issued()
    const child = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_3' })
    const { value } = await tool(child.key, 'end_run')
    expect(value).toMatchObject({ revoked: true, run: 'run_3', in_flight: [] })
    const { requests } = await seenBy(world.stripe, async () => {
      expect((await tool(child.key, 'execute', refund(100))).text).toMatch(/^key_revoked: /)
    })
    expect(requests).toEqual([])
    expect((await tool(parent.key, 'execute', refund(100))).isError).toBeUndefined()
    expect((await world.must('GET', `/keys/${child.id}`)).revoke_reason).toBe('ended by the agent')
  })

  test('has nothing to revoke where the run is only a label', async () => {
    const key = await issued()
    const { value } = await tool(key.key, 'end_run', {}, '/run/run_4/mcp')
    expect(value).toMatchObject({ revoked: false, run: 'run_4' })
    expect((await tool(key.key, 'execute', refund(100))).isError).toBeUndefined()
  })
})

test('reading about oneself is no call: no row, nothing sent, no place in the rate window', async () => {
  const key = await world.key({ ...POLICY, rate_limit: { per_minute: 1 } })
  const { requests } = await seenBy(world.stripe, async () => {
    for (const name of ['list_services', 'describe_policy', 'get_remaining_budget', 'list_my_calls', 'end_run'])
      expect((await tool(key.key, name)).isError, name).toBeUndefined()
  })
  expect(requests).toEqual([])
  expect(await world.calls(`&key=${key.id}`)).toEqual([])
  expect((await tool(key.key, 'execute', { method: 'GET', path: '/v1/balance' })).isError).toBeUndefined()
})

/** The operation each named tool of a vendor is governed as, and what it was sent to the vendor with. */
async function governedAs(key: IssuedKey, vendor: 'twilio' | 'resend', name: string, args: object): Promise<any> {
  const result = await tool(key.key, name, args, `/mcp/${vendor}`)
  const [row] = await world.calls(`&key=${key.id}`)
  return { result, row, sent: world[vendor].requests.at(-1)! }
}

const MAIL = { from: 'billing@acme.com', to: ['ann@acme.com'], subject: 'hello', text: 'hello' }

describe('named tools', () => {
  test('of Twilio: every one is the operation it says, under the credential’s account', async () => {
    const key = await world.key({}, { vendors: ['twilio'] })
    const account = key.presentations.twilio!.account_sid
    const to = '+14155550100'
    const from = '+14155550111'
    const message = await governedAs(key, 'twilio', 'send_message', { to, from, body: 'hello' })
    expect(message.result.value, message.result.text).toMatchObject({ account_sid: account, to })
    expect(message.row).toMatchObject({ operation: 'messages.create', quoted_usd: expect.not.stringMatching(/^0.00$/) })
    const call = await governedAs(key, 'twilio', 'create_call', {
      to,
      from,
      twiml: '<Response><Say>hi</Say></Response>',
      time_limit: 60,
    })
    expect(call.result.value, call.result.text).toMatchObject({ to })
    const service_sid = world.twilio.serviceSid
    for (const [name, args, operation] of [
      ['list_messages', { to, limit: 5 }, 'messages.list'],
      ['get_message', { sid: message.result.value.sid }, 'messages.get'],
      ['cancel_message', { sid: message.result.value.sid }, 'messages.update'],
      ['list_calls', { to }, 'calls.list'],
      ['get_call', { sid: call.result.value.sid }, 'calls.get'],
      ['end_call', { sid: call.result.value.sid }, 'calls.update'],
      ['lookup_number', { phone_number: to }, 'lookups.get'],
      ['start_verification', { service_sid, to, channel: 'sms' }, 'verify.verifications.create'],
      ['check_verification', { service_sid, to, code: '000000' }, 'verify.check'],
      ['get_balance', {}, 'account.balance'],
    ] as const) {
      const { row, result } = await governedAs(key, 'twilio', name, args)
      expect([name, row.operation, row.decision.code], result.text).toEqual([name, operation, null])
    }
  })

  test('and the general ones of Twilio fill in the credential’s account, unless another is named', async () => {
    const key = await world.key({}, { vendors: ['twilio'] })
    const args = { twilio_api_operation_id: 'account.balance' }
    expect((await tool(key.key, 'twilio_api_read', args, '/mcp/twilio')).isError).toBeUndefined()
    const named = { ...args, parameters: { AccountSid: `AC${'1'.repeat(32)}` } }
    expect((await tool(key.key, 'twilio_api_read', named, '/mcp/twilio')).text).toMatch(/^account_not_allowed: /)
    const one = { twilio_api_operation_id: 'messages.get', parameters: { id: `SM${'1'.repeat(32)}` } }
    await tool(key.key, 'twilio_api_read', one, '/mcp/twilio')
    const [row] = await world.calls(`&key=${key.id}`)
    expect(row).toMatchObject({ operation: 'messages.get', decision: { verdict: 'allow' } })
  })

  test('of Twilio: two pictures are two parameters, a later time is a scheduled message', async () => {
    const key = await world.key(
      {
        vendors: { twilio: { endpoints: { allow: ['* *'] }, permit: ['future_spend'], callback_hosts: ['a.example'] } },
      },
      { vendors: ['twilio'] },
    )
    const { result, sent } = await governedAs(key, 'twilio', 'send_message', {
      to: '+14155550100',
      messaging_service_sid: `MG${'1'.repeat(32)}`,
      body: 'hello',
      media_url: ['https://a.example/1.png', 'https://a.example/2.png'],
      send_at: '2026-11-24T14:00:00Z',
    })
    expect(result.isError, result.text).toBeUndefined()
    const form = new URLSearchParams(sent.body)
    expect(form.getAll('MediaUrl')).toEqual(['https://a.example/1.png', 'https://a.example/2.png'])
    expect(form.get('ScheduleType')).toBe('fixed')
  })

  test('of Resend: arguments in camel case are the API’s fields, and each is the operation it says', async () => {
    const key = await world.key({}, { vendors: ['resend'] })
    const args = { ...MAIL, replyTo: ['help@acme.com'], scheduledAt: '2026-11-24T18:00:00Z', idempotencyKey: 'once' }
    const mail = await governedAs(key, 'resend', 'send-email', args)
    expect(mail.row, mail.result.text).toMatchObject({ operation: 'emails.send', effect: 'future_spend' })
    expect(JSON.parse(mail.sent.body)).toEqual({
      ...MAIL,
      reply_to: ['help@acme.com'],
      scheduled_at: '2026-11-24T18:00:00Z',
    })
    const again = await governedAs(key, 'resend', 'send-email', args)
    expect(again.row.replay_of).toBe(mail.row.id)
    const { id } = mail.result.value
    for (const [name, given, operation] of [
      ['send-batch-emails', { emails: [MAIL, { ...MAIL, reply_to: 'help@acme.com' }] }, 'emails.batch'],
      ['list-emails', { limit: 5 }, 'emails.list'],
      ['get-email', { id }, 'emails.get'],
      ['update-email', { id, scheduledAt: '2026-11-24T19:00:00Z' }, 'emails.update'],
      ['cancel-email', { id }, 'emails.cancel'],
      ['list-domains', {}, 'domains.list'],
      ['get-domain', { id: 'd_1' }, 'domains.get'],
      ['create-contact', { email: 'ann@acme.com', firstName: 'Ann' }, 'contacts.create'],
      ['list-contacts', {}, 'contacts.list'],
      ['list-broadcasts', {}, 'broadcasts.list'],
      ['create-broadcast', { name: 'n', segmentId: 's_1', subject: 's', from: MAIL.from }, 'broadcasts.create'],
      ['send-broadcast', { broadcastId: 'b_1' }, 'broadcasts.send'],
    ] as const) {
      const { row, result } = await governedAs(key, 'resend', name, given)
      expect([name, row.operation], result.text).toEqual([name, operation])
      expect(result.text, name).not.toMatch(/^request_/)
    }
    const batch = (await world.calls(`&key=${key.id}`)).find(({ operation }) => operation === 'emails.batch')
    expect(batch.quoted_usd).toBe('0.0018')
  })

  test('refuse over a policy’s limits like REST does', async () => {
    const key = await world.key(
      { vendors: { resend: { endpoints: { allow: ['* *'] }, recipients: ['*@acme.com'] } } },
      { vendors: ['resend'] },
    )
    const outside = { ...MAIL, to: ['eve@evil.example'] }
    expect((await tool(key.key, 'send-email', outside, '/mcp/resend')).text).toMatch(/^recipient_not_allowed: /)
    const hidden = { emails: [MAIL, outside] }
    expect((await tool(key.key, 'send-batch-emails', hidden, '/mcp/resend')).text).toMatch(/^recipient_not_allowed: /)
    const camel = { emails: [{ ...MAIL, replyTo: ['x@acme.com'] }] }
    expect((await tool(key.key, 'send-batch-emails', camel, '/mcp/resend')).text).toMatch(/^request_malformed: /)
  })
})

describe('request_approval', () => {
  const POLICED = { approval: { above_usd: '1.00' }, daily_cap_usd: '20.00' }
  const ask = (key: IssuedKey, amount: number): Promise<Result> => tool(key.key, 'request_approval', refund(amount))

  test('asks the operator about one exact call, which then passes once', async () => {
    const key = await world.key(POLICED)
    const { result: asked, requests } = await seenBy(world.stripe, () => ask(key, 300))
    expect(asked.value).toMatchObject({ state: 'open', quoted_usd: '3.00', code: 'approval_required' })
    expect(asked.value.link).toContain(`/approvals/${asked.value.approval_id}`)
    expect(requests.every(({ method }) => method === 'GET')).toBe(true)
    expect((await ask(key, 300)).value.approval_id).toBe(asked.value.approval_id)

    await world.must('POST', `/approvals/${asked.value.approval_id}/approve`)
    expect((await ask(key, 300)).value.state).toBe('not_needed')
    expect((await tool(key.key, 'execute', refund(301))).text).toMatch(/^approval_required: /)
    expect((await tool(key.key, 'execute', refund(300))).isError).toBeUndefined()
    expect((await tool(key.key, 'execute', refund(300))).text).toMatch(/^approval_required: /)
  })

  test('says when none is needed, and when none would help; nobody is asked then', async () => {
    const key = await world.key(POLICED)
    expect((await ask(key, 50)).value).toMatchObject({ state: 'not_needed', approval_id: null })
    expect((await ask(key, 2001)).value).toMatchObject({
      state: 'refused',
      code: 'daily_cap_exceeded',
      approval_id: null,
    })
    expect((await world.must('GET', `/approvals?key=${key.id}`)).approvals).toEqual([])
  })

  test('a call that was denied is not asked about again', async () => {
    const key = await world.key(POLICED)
    const { approval_id: id } = (await ask(key, 400)).value
    await world.must('POST', `/approvals/${id}/deny`, { reason: 'not today' })
    expect((await ask(key, 400)).value).toMatchObject({ state: 'denied', approval_id: id })
  })
})
