import type { Resend } from 'resend'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resendClient } from '../../fixtures/simulators/clients.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { books, HOUR, refusals, seenBy, startWorld, travel } from '../pipeline/given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const MAIL = { from: 'Acme <billing@acme.com>', to: 'ann@acme.com', subject: 'Your invoice', text: 'Thank you.' }
const all = (block: object = {}): Record<string, unknown> => ({
  vendors: { resend: { endpoints: { allow: ['* *'] }, ...block } },
})
const clientOf = ({ presentations }: IssuedKey): Promise<Resend> =>
  resendClient(`${world.url}/resend`, presentations.resend!)

describe('the real resend package through the proxy', () => {
  test('an e-mail goes out once with the real key, and each address in to, cc and bcc is counted', async () => {
    const client = await clientOf(await world.key({}, { vendors: ['resend'], run: 'run_mail' }))
    const { result, requests } = await seenBy(world.resend, () =>
      client.emails.send({ ...MAIL, to: ['ann@acme.com', 'bob@acme.com'], cc: 'cy@acme.com', bcc: ['di@acme.com'] }),
    )
    expect(result.error).toBeNull()
    expect(result.data!.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(requests).toHaveLength(1)
    expect(requests[0]!.headers.authorization).toBe(`Bearer ${REAL.resend}`)
    expect(requests[0]!.path).toBe('/emails')
    expect(JSON.stringify(requests)).not.toContain('vault_')
    expect(world.resend.moved().at(-1)).toMatchObject({ kind: 'email', units: 4 })
    expect(await world.spent('run_mail')).toMatchObject({ spent_usd: '0.0036', calls: 1, denied: 0 })
  })

  test('a batch counts every e-mail in it, and one that is not allowed stops the whole batch', async () => {
    const key = await world.key(all({ recipients: ['*@acme.com'] }), { vendors: ['resend'], run: 'run_batch' })
    const client = await clientOf(key)
    const sent = await client.batch.send([MAIL, { ...MAIL, to: ['bob@acme.com', 'cy@acme.com'] }])
    expect(sent.data!.data).toHaveLength(2)
    const { result, requests } = await seenBy(world.resend, () =>
      client.batch.send([MAIL, { ...MAIL, to: 'eve@evil.example' }]),
    )
    expect(result.error).toMatchObject({ name: 'recipient_not_allowed', statusCode: 403 })
    expect(requests).toHaveLength(0)
    expect(await world.spent('run_batch')).toMatchObject({ spent_usd: '0.0027', calls: 2, denied: 1 })
  })

  test('a scheduled e-mail counts at once and comes back when it is cancelled', async () => {
    const key = await world.key(all({ permit: ['future_spend'] }), { vendors: ['resend'], run: 'run_later' })
    const client = await clientOf(key)
    const { data } = await client.emails.send({ ...MAIL, scheduledAt: 'in 2 hours' })
    expect(await world.spent('run_later')).toMatchObject({ spent_usd: '0.0009' })
    expect((await client.emails.cancel(data!.id)).error).toBeNull()
    expect(await world.spent('run_later')).toMatchObject({ spent_usd: '0.00', held_usd: '0.00' })
    travel(world, 3 * HOUR)
    expect(world.resend.moved().filter(({ id }) => id === data!.id)).toEqual([])
  })

  test('the same idempotency key sends once and is counted once', async () => {
    const client = await clientOf(await world.key({}, { vendors: ['resend'], run: 'run_twice' }))
    const first = await client.emails.send(MAIL, { idempotencyKey: 'invoice-7' })
    const second = await client.emails.send(MAIL, { idempotencyKey: 'invoice-7' })
    expect(second.data!.id).toBe(first.data!.id)
    const rows = await world.calls('&run=run_twice')
    expect(rows.map(({ replay_of: replayOf, quoted_usd: quoted }) => [replayOf, quoted])).toEqual([
      [rows[1]!.id, '0.00'],
      [null, '0.0009'],
    ])
    expect(await world.spent('run_twice')).toMatchObject({ spent_usd: '0.0009', calls: 2 })
  })

  test('an error of the vendor stays the vendor’s error, and nothing is counted', async () => {
    const client = await clientOf(await world.key({}, { vendors: ['resend'], run: 'run_unverified' }))
    world.resend.fault('POST', { do: 'decline' })
    expect((await client.emails.send(MAIL)).error).toMatchObject({ name: 'validation_error', statusCode: 403 })
    expect(await world.spent('run_unverified')).toMatchObject({
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
  before?(key: IssuedKey, client: Resend): Promise<unknown>
  act(client: Resend): Promise<{ readonly error: unknown }>
}

const send = (client: Resend, more: object = {}): Promise<{ readonly error: unknown }> =>
  client.emails.send({ ...MAIL, ...more })

const REFUSALS: readonly Refusal[] = [
  { code: 'key_revoked', status: 401, before: ({ id }) => world.must('POST', `/keys/${id}/revoke`), act: send },
  { code: 'key_expired', status: 401, expires: '1h', before: async () => travel(world, HOUR), act: send },
  { code: 'key_frozen', before: ({ id }) => world.must('POST', '/freeze', { key: id }), act: send },
  { code: 'request_malformed', act: (client) => send(client, { to: 'ann@acme.com, eve@evil.example' }) },
  { code: 'operation_unknown', act: (client) => client.post('/inventions', {}) },
  {
    code: 'operation_not_allowed',
    policy: all({ endpoints: { allow: ['POST /emails'] } }),
    act: (client) => client.batch.send([MAIL]),
  },
  { code: 'effect_not_permitted', policy: all(), act: (client) => send(client, { scheduledAt: 'in 1 hour' }) },
  {
    code: 'recipient_not_allowed',
    when: 'hidden in bcc',
    policy: all({ recipients: ['*@acme.com'] }),
    act: (client) => send(client, { bcc: 'eve@evil.example' }),
  },
  { code: 'sender_not_allowed', policy: all({ senders: ['support@acme.com'] }), act: send },
  {
    code: 'url_not_allowed',
    act: (client) => send(client, { attachments: [{ filename: 'a.pdf', path: 'https://elsewhere.example/a.pdf' }] }),
  },
  {
    code: 'amount_over_limit',
    policy: all({ max_amount_usd: '0.001' }),
    act: (client) => send(client, { cc: 'bob@acme.com' }),
  },
  { code: 'run_cap_exceeded', policy: { budgets: [{ per: 'run', cap_usd: '0.0008' }] }, act: send },
  { code: 'daily_cap_exceeded', policy: { daily_cap_usd: '0.0008' }, act: send },
  { code: 'budget_exceeded', policy: { budgets: [{ per: 'month', cap_usd: '0.0008' }] }, act: send },
  {
    code: 'idempotency_mismatch',
    before: (_key, client) => client.emails.send(MAIL, { idempotencyKey: 'once' }),
    act: (client) => client.emails.send({ ...MAIL, to: 'bob@acme.com' }, { idempotencyKey: 'once' }),
  },
  {
    code: 'duplicate_call',
    policy: { duplicate_guard: { within: '10m' } },
    before: (_key, client) => send(client),
    act: send,
  },
  { code: 'reason_required', policy: { require_reason: true }, act: send },
  { code: 'approval_required', policy: { approval: { above_usd: '0.0005' } }, act: send },
  {
    code: 'rate_limited',
    status: 429,
    policy: { rate_limit: { per_minute: 1 } },
    before: (_key, client) => client.domains.list(),
    act: send,
  },
]

describe('a refusal is the error the SDK returns, sent once, and Resend hears nothing', () => {
  test.each(
    REFUSALS.map((refusal) => ({ ...refusal, title: refusal.code + (refusal.when ? `: ${refusal.when}` : '') })),
  )('$title', async ({ code, status = 403, policy = {}, expires, before, act }) => {
    const key = await world.key(policy, { vendors: ['resend'], ...(expires && { expires_in: expires }) })
    const client = await clientOf(key)
    await before?.(key, client)
    const { result, requests, connections } = await seenBy(world.resend, () => act(client))
    expect(result.error).toMatchObject({ name: code, statusCode: status, message: expect.stringMatching(`^${code}: `) })
    const rows = await world.calls(`&key=${key.id}&state=denied`)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ vendor: 'resend', count: 1, look_ups: 0, decision: { verdict: 'deny', code } })
    expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })
  })

  test('vendor_not_granted: a key without a Resend credential', async () => {
    const key = await world.key({}, { vendors: ['twilio'] })
    const client = await resendClient(`${world.url}/resend`, `re_${key.key}`)
    expect((await send(client)).error).toMatchObject({ name: 'vendor_not_granted', statusCode: 403 })
    expect(await world.calls(`&key=${key.id}`)).toHaveLength(1)
  })

  test.each([
    { code: 'key_unknown', key: 're_vault_live_0000000000000000000000000000000000000000000000000' },
    { code: 'real_key_presented', key: 're_AgentHasARealKey_ofItsOwn' },
  ])('$code', async ({ code, key }) => {
    const rows = (await world.calls()).length
    const before = await refusals(world, code)
    const client = await resendClient(`${world.url}/resend`, key)
    const { result, requests, connections } = await seenBy(world.resend, () => send(client))
    expect(result.error).toMatchObject({ name: code, statusCode: 401 })
    expect((await refusals(world, code)) - before).toBe(1)
    expect(await world.calls()).toHaveLength(rows)
    expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })
  })
})
