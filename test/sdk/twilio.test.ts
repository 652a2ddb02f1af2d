import twilio, { type Twilio } from 'twilio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { twilioClient, type TwilioClientOptions } from '../../fixtures/simulators/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, HOUR, refusals, seenBy, startWorld, travel } from '../pipeline/given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const FROM = '+14155550100'
const TO = '+14155550123'
/** One SMS part to the United States by the shipped table: (0.0083 + 0.0062) × 1.15. */
const PART_USD = '0.016675'
const TEXT = { to: TO, from: FROM, body: 'Your parcel is here.' }
const all = (block: object = {}): Record<string, unknown> => ({
  vendors: { twilio: { endpoints: { allow: ['* *'] }, ...block } },
})

/** A client that knows nothing but the vault key, in one of the two skins Twilio's clients have. */
function clientOf(
  { presentations, key }: IssuedKey,
  skin: 'AC' | 'SK' = 'SK',
  options: TwilioClientOptions = {},
): Promise<Twilio> {
  const { account_sid: account, api_key_sid: sid, api_key_secret: secret } = presentations.twilio!
  expect({ account, secret }).toEqual({ account: world.twilio.accountSid, secret: key })
  return twilioClient(world.url, account, skin === 'SK' ? sid : null, secret, { prefix: '/twilio', ...options })
}

const realKey = (): string =>
  `Basic ${Buffer.from(`${world.twilio.keySid}:${world.twilio.keySecret}`).toString('base64')}`

describe('the real twilio package through the proxy', () => {
  test.each(['AC', 'SK'] as const)('a message goes out once with the real key, presented as %s:vault', async (skin) => {
    const key = await world.key({}, { vendors: ['twilio'], run: `run_${skin}` })
    const client = await clientOf(key, skin)
    const { result, requests } = await seenBy(world.twilio, () => client.messages.create(TEXT))
    expect(result.sid).toMatch(/^SM/)
    expect(requests).toHaveLength(1)
    expect(requests[0]!.headers.authorization).toBe(realKey())
    expect(requests[0]!.path).toBe(`/2010-04-01/Accounts/${world.twilio.accountSid}/Messages.json`)
    expect(JSON.stringify(requests)).not.toContain('vault_')
    expect(await world.spent(`run_${skin}`)).toMatchObject({ spent_usd: PART_USD, calls: 1, denied: 0 })
  })

  test('a long text is counted by its parts', async () => {
    const client = await clientOf(await world.key({}, { vendors: ['twilio'], run: 'run_parts' }))
    await client.messages.create({ ...TEXT, body: 'x'.repeat(400) })
    expect(world.twilio.moved().at(-1)).toMatchObject({ kind: 'message', units: 3 })
    expect(await world.spent('run_parts')).toMatchObject({ spent_usd: '0.050025' })
  })

  test('a call gets a time limit, and that is what is counted', async () => {
    const client = await clientOf(await world.key({}, { vendors: ['twilio'], run: 'run_call' }))
    const { requests } = await seenBy(world.twilio, async () => {
      await client.calls.create({ to: TO, from: FROM, twiml: '<Response><Say>Hello</Say></Response>' })
      await client.calls.create({ to: TO, from: FROM, twiml: '<Response><Say>Hello</Say></Response>', timeLimit: 60 })
    })
    expect(requests.map(({ body }) => new URLSearchParams(body).getAll('TimeLimit'))).toEqual([['600'], ['60']])
    // Eleven minutes at 0.014, with the safety of 1.15.
    expect(await world.spent('run_call')).toMatchObject({ spent_usd: '0.1771' })
  })

  test('other products are reached by their host name behind the prefix, and Twilio sees it as Host', async () => {
    const client = await clientOf(await world.key({}, { vendors: ['twilio'], run: 'run_products' }))
    const service = client.verify.v2.services(world.twilio.serviceSid)
    const { requests } = await seenBy(world.twilio, async () => {
      expect((await service.verifications.create({ to: TO, channel: 'sms' })).status).toBe('pending')
      expect((await service.verificationChecks.create({ to: TO, code: '000000' })).status).toBe('pending')
      expect((await client.lookups.v2.phoneNumbers(TO).fetch()).valid).toBe(true)
      await client.lookups.v2.phoneNumbers(TO).fetch({ fields: 'line_type_intelligence' })
    })
    // The check of a code first reads how the code was sent, which says whether its fee is held already.
    expect(requests.map(({ headers }) => headers.host)).toEqual([
      'verify.twilio.com',
      'verify.twilio.com',
      'verify.twilio.com',
      'lookups.twilio.com',
      'lookups.twilio.com',
    ])
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(Array(5).fill(realKey()))
    // One part and the fee for a success (0.0145 + 0.05), and one look-up field (0.008), each with the safety of 1.15.
    expect(await world.spent('run_products')).toMatchObject({ spent_usd: '0.083375', calls: 4, denied: 0 })
  })

  test('an error of the vendor stays the vendor’s error, and nothing is counted', async () => {
    const client = await clientOf(await world.key({}, { vendors: ['twilio'], run: 'run_incapable' }))
    world.twilio.fault('POST', { do: 'decline' })
    await expect(client.messages.create(TEXT)).rejects.toMatchObject({ status: 400, code: 21610 })
    expect(await world.spent('run_incapable')).toMatchObject({
      spent_usd: '0.00',
      held_usd: '0.00',
      calls: 1,
      denied: 0,
    })
  })
})

interface Refusal {
  readonly code: string
  readonly when?: string
  readonly status?: number
  readonly policy?: Record<string, unknown>
  readonly expires?: string
  before?(key: IssuedKey, client: Twilio): Promise<unknown>
  act(client: Twilio): Promise<unknown>
}

const send = (client: Twilio, more: object = {}): Promise<unknown> => client.messages.create({ ...TEXT, ...more })

const REFUSALS: readonly Refusal[] = [
  { code: 'key_revoked', status: 401, before: ({ id }) => world.must('POST', `/keys/${id}/revoke`), act: send },
  { code: 'key_expired', status: 401, expires: '1h', before: async () => travel(world, HOUR), act: send },
  { code: 'key_frozen', before: ({ id }) => world.must('POST', '/freeze', { key: id }), act: send },
  { code: 'request_malformed', act: (client) => send(client, { to: '0415 555 0123' }) },
  {
    code: 'request_ambiguous',
    act: (client) => client.calls.create({ to: TO, from: FROM, twiml: '<Response/>', url: 'https://a.example/' }),
  },
  {
    code: 'operation_unknown',
    act: inventLoan,
  },
  { code: 'operation_not_allowed', policy: all({ endpoints: { allow: ['GET *'] } }), act: send },
  {
    code: 'operation_not_allowed',
    when: 'another product is another host',
    policy: all({ endpoints: { allow: ['POST /*'] } }),
    act: (client) =>
      client.verify.v2.services(world.twilio.serviceSid).verifications.create({ to: TO, channel: 'sms' }),
  },
  {
    code: 'effect_not_permitted',
    act: (client) =>
      send(client, {
        messagingServiceSid: `MG${'0'.repeat(32)}`,
        scheduleType: 'fixed',
        sendAt: new Date(world.clock.now() + HOUR),
      }),
    policy: all({ permit: [] }),
  },
  {
    code: 'account_not_allowed',
    act: (client) => client.api.v2010.accounts(`AC${'9'.repeat(32)}`).messages.create(TEXT),
  },
  { code: 'recipient_not_allowed', policy: all({ recipients: ['+1628*'] }), act: send },
  { code: 'sender_not_allowed', policy: all({ senders: ['+16285550100'] }), act: send },
  { code: 'url_not_allowed', act: (client) => send(client, { statusCallback: 'https://elsewhere.example/hook' }) },
  { code: 'amount_unknown', act: (client) => send(client, { to: '+447400123456' }) },
  { code: 'amount_over_limit', policy: all({ max_amount_usd: '0.016674' }), act: send },
  { code: 'run_cap_exceeded', policy: { budgets: [{ per: 'run', cap_usd: '0.01' }] }, act: send },
  { code: 'daily_cap_exceeded', policy: { daily_cap_usd: '0.01' }, act: send },
  { code: 'budget_exceeded', policy: { budgets: [{ per: 'day', vendor: 'twilio', cap_usd: '0.01' }] }, act: send },
  {
    code: 'duplicate_call',
    policy: { duplicate_guard: { within: '10m' } },
    before: (_key, client) => send(client),
    act: send,
  },
  { code: 'reason_required', policy: { require_reason: true }, act: send },
  { code: 'approval_required', policy: { approval: { above_usd: '0.01' } }, act: send },
  {
    code: 'rate_limited',
    policy: { rate_limit: { per_minute: 1 } },
    before: (_key, client) => client.messages.list({ limit: 1 }),
    act: send,
  },
]

/** The SDK has no method for what nobody has described; its raw request hands back the reply, which its own error reads. */
async function inventLoan(client: Twilio): Promise<never> {
  const uri = 'https://api.twilio.com/2010-04-01/Loans.json'
  throw new twilio.RestException(await client.request({ method: 'post', uri }))
}

describe('a refusal is a RestException, which autoRetry does not send again, and Twilio hears nothing', () => {
  test.each(
    REFUSALS.map((refusal) => ({ ...refusal, title: refusal.code + (refusal.when ? `: ${refusal.when}` : '') })),
  )('$title', async ({ code, status = 403, policy = {}, expires, before, act }) => {
    const key = await world.key(policy, { vendors: ['twilio'], ...(expires && { expires_in: expires }) })
    const client = await clientOf(key, 'SK', { autoRetry: true })
    await before?.(key, client)
    const { result, requests, connections } = await seenBy(world.twilio, () =>
      act(client).catch((cause: unknown) => cause),
    )
    const number = status === 401 ? 20003 : 20403
    expect(result).toMatchObject({ status, code: number, details: { code }, moreInfo: expect.stringContaining(code) })
    expect((result as Error).message.startsWith(`${code}: `)).toBe(true)
    expect((result as Error).constructor.name).toBe('RestException')
    const rows = await world.calls(`&key=${key.id}&state=denied`)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ vendor: 'twilio', count: 1, look_ups: 0, decision: { verdict: 'deny', code } })
    expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })
  })

  test('vendor_not_granted: a key without a Twilio credential', async () => {
    const key = await world.key({}, { vendors: ['resend'] })
    const client = await twilioClient(world.url, world.twilio.accountSid, null, key.key, { prefix: '/twilio' })
    const { result, requests } = await seenBy(world.twilio, () => send(client).catch((cause: unknown) => cause))
    expect(result).toMatchObject({ status: 403, details: { code: 'vendor_not_granted' } })
    expect(await world.calls(`&key=${key.id}`)).toHaveLength(1)
    expect(requests).toHaveLength(0)
  })

  test.each([
    { code: 'key_unknown', when: 'the SK is another key’s', sid: `SK${'ab'.repeat(16)}`, secret: null },
    {
      code: 'real_key_presented',
      when: 'the secret is Twilio’s own',
      sid: `SK${'ab'.repeat(16)}`,
      secret: 'AgentsOwnTwilioSecret0123456789',
    },
    { code: 'real_key_presented', when: 'an auth token', sid: null, secret: '7d1c09f3a4be55027d1c09f3a4be5502' },
  ])('$code: $when', async ({ code, sid, secret }) => {
    const known = await world.key({}, { vendors: ['twilio'] })
    const before = await refusals(world, code)
    const client = await twilioClient(world.url, world.twilio.accountSid, sid, secret ?? known.key, {
      prefix: '/twilio',
      autoRetry: true,
    })
    const { result, requests, connections } = await seenBy(world.twilio, () =>
      send(client).catch((cause: unknown) => cause),
    )
    expect(result).toMatchObject({ status: 401, code: 20003, details: { code } })
    expect((await refusals(world, code)) - before).toBe(1)
    expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })
    expect(await world.calls(`&key=${known.id}`)).toHaveLength(0)
    if (secret !== null) expect(world.files().includes(secret)).toBe(false)
  })
})
