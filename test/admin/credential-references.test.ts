import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startVault, type VaultSimulator } from '../../fixtures/simulators/vault.js'
import { REAL, World, type IssuedKey } from '../helpers/world.js'

const TOKEN = 'hvs.CANARYvaultToken0123456789'
const KEYS = {
  first: 'sk_live_CANARYfirst0123456789abcdefgh',
  second: 'sk_live_CANARYsecond0123456789abcdefg',
  third: 'sk_live_CANARYthird0123456789abcdefgh',
}
const REFERENCE = 'vault://secret/data/agents/stripe#api_key'

const home = mkdtempSync(join(tmpdir(), 'spendgate-references-'))
let vault: VaultSimulator
let world: World
let id: string
let key: IssuedKey
let aheadMs = 0

beforeAll(async () => {
  vault = await startVault({ tokens: [TOKEN] })
  vault.put('agents/stripe', { api_key: KEYS.first })
  const file = join(home, 'resend')
  writeFileSync(file, REAL.resend, { mode: 0o600 })
  const config = join(home, 'spendgate.yaml')
  writeFileSync(
    config,
    `secrets:
  vault: { address: "${vault.origin}" }
  allow: ["vault://secret/data/agents/*"]
credentials:
  - { vendor: resend, name: resend-main, secret_ref: "file:${file}" }
`,
    { mode: 0o600 },
  )
  world = await World.start({ SPENDGATE_CONFIG: config, VAULT_TOKEN: TOKEN })
  Object.defineProperty(world.clock, 'monotonic', { value: () => performance.now() + aheadMs })
})
afterAll(async () => {
  await world.close()
  await vault.close()
  rmSync(home, { recursive: true, force: true })
})

const charge = (headers: Record<string, string> = {}) =>
  world.call(key.key, 'GET', '/stripe/v1/charges', undefined, headers)
const sentWith = (): (string | undefined)[] => world.stripe.requests.map(({ headers }) => headers.authorization)
const record = async () => (await world.admin('GET', `/credentials/${id}`)).body
const audited = async (): Promise<[kind: string, actor: string][]> => {
  const reply = await world.admin('GET', '/audit/export')
  return reply.text
    .split('\n')
    .filter((line) => line.includes('"credential.') && line.includes(id))
    .map((line) => JSON.parse(line))
    .map(({ kind, detail }) => [kind, JSON.parse(detail).actor])
}

describe('a credential by reference', () => {
  test('is stored as the reference and used as the secret', async () => {
    const made = await world.must('POST', '/credentials', { vendor: 'stripe', name: 'main', secret_ref: REFERENCE })
    id = made.id
    expect(made).toMatchObject({ vendor: 'stripe', last4: 'efgh', secret_ref: REFERENCE, test: false })
    expect(vault.requests.map(({ path }) => path)).toEqual(['/v1/secret/data/agents/stripe'])
    await world.must('POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name: 'reading',
      daily_cap_usd: '10.00',
      vendors: { stripe: { endpoints: { allow: ['* *'] } }, resend: { endpoints: { allow: ['* *'] } } },
    })
    key = await world.must('POST', '/keys', { name: 'agent', policy: 'reading', credentials: [id] })
    // Not a key of the simulated account: what was sent is what shows.
    expect((await charge()).status).toBe(401)
    expect(sentWith()).toEqual([`Bearer ${KEYS.first}`])
    const everything = world.files().toString('latin1') + JSON.stringify(made)
    for (const secret of [KEYS.first, TOKEN]) expect(everything).not.toContain(secret)
  })

  test('is asked for once more when the vendor refuses it, and at most every ten seconds', async () => {
    // The call above had it asked for: once when it was stored, once when it was refused.
    expect(vault.requests).toHaveLength(2)
    await Promise.all(Array.from({ length: 5 }, () => charge()))
    expect(vault.requests).toHaveLength(2)
    aheadMs += 11_000
    await Promise.all(Array.from({ length: 5 }, () => charge()))
    expect(vault.requests).toHaveLength(3)
    expect(new Set(sentWith())).toEqual(new Set([`Bearer ${KEYS.first}`]))
  })

  test('that was exchanged at the vendor first costs no call: the refused one goes out again under the new key', async () => {
    aheadMs += 11_000
    vault.put('agents/stripe', { api_key: REAL.stripe })
    const before = world.stripe.requests.length
    const trace = { traceparent: `00-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01` }
    const replies = await Promise.all(Array.from({ length: 8 }, () => charge(trace)))
    expect(replies.map(({ status }) => status)).toEqual(Array(8).fill(200))
    const sent = world.stripe.requests.slice(before)
    expect(sent.filter(({ headers }) => headers.authorization === `Bearer ${REAL.stripe}`)).toHaveLength(8)
    expect(sent.every(({ headers }) => headers.traceparent?.includes('a1'.repeat(16)))).toBe(true)
    expect(vault.requests).toHaveLength(4)
    expect(await record()).toMatchObject({ last4: REAL.stripe.slice(-4), rotated_at: expect.any(String) })
    expect(await audited()).toEqual([
      ['credential.added', 'admin'],
      ['credential.rotated', 'secret backend'],
    ])
    const rows = (await world.calls()).slice(0, 8)
    expect(rows.map(({ upstream }) => upstream.status)).toEqual(Array(8).fill(200))
  })

  test('has neither the old secret nor the new one in replies that echo them', async () => {
    world.stripe.fault('GET', { do: 'echo', status: 200 })
    const before = world.stripe.requests.length
    const reply = await charge({ 'user-agent': `${KEYS.first} ${REAL.stripe}` })
    expect(reply.status).toBe(200)
    expect(world.stripe.requests[before]!.headers['user-agent']).toContain(KEYS.first)
    for (const secret of [KEYS.first, REAL.stripe]) expect(reply.text).not.toContain(secret)
    expect(reply.text).toContain('[redacted]')
  })

  test('is asked for again when it is rotated without a body', async () => {
    vault.put('agents/stripe', { api_key: KEYS.second })
    const rotated = await world.admin('POST', `/credentials/${id}/rotate`)
    expect(rotated.body).toMatchObject({ id, last4: 'defg', secret_ref: REFERENCE })
    await charge()
    expect(sentWith().at(-1)).toBe(`Bearer ${KEYS.second}`)
    expect((await audited()).at(-1)).toEqual(['credential.rotated', 'admin'])
    vault.put('agents/stripe', { api_key: REAL.stripe })
    await world.must('POST', `/credentials/${id}/rotate`)
    expect((await charge()).status).toBe(200)
  })

  test('may not become a key of the other mode', async () => {
    vault.put('agents/stripe', { api_key: REAL.stripeTest })
    const refused = await world.admin('POST', `/credentials/${id}/rotate`)
    expect(refused).toMatchObject({ status: 503, body: { code: 'secret_unavailable' } })
    expect(refused.body.detail).toMatch(/another account or mode/)
    expect((await charge()).status).toBe(200)
    vault.put('agents/stripe', { api_key: REAL.stripe })
    await world.must('POST', `/credentials/${id}/rotate`)
  })
})

describe('while its backend is away', () => {
  test('calls go on with the last value, and then are refused before anything is reserved', async () => {
    vault.accept([])
    const asked = await world.admin('POST', `/credentials/${id}/rotate`)
    expect(asked).toMatchObject({ status: 503, body: { code: 'secret_unavailable' } })
    expect(asked.text).not.toContain(TOKEN)
    aheadMs += 59 * 60_000
    expect((await charge()).status).toBe(200)
    aheadMs += 2 * 60_000
    const before = world.stripe.requests.length
    const refused = await charge()
    expect(refused.status).toBe(502)
    expect(refused.headers['x-spendgate-code']).toBe('upstream_unavailable')
    expect(refused.body.error.message).toMatch(/^upstream_unavailable: The operator keeps the key for stripe/)
    expect(refused.text).not.toContain('vault')
    expect(world.stripe.requests).toHaveLength(before)
    const [row] = await world.calls()
    expect(row).toMatchObject({ state: 'denied', quoted_usd: '0.00', decision: { code: 'upstream_unavailable' } })
  })

  test('and they go on when it is back', async () => {
    vault.accept([TOKEN])
    await world.must('POST', `/credentials/${id}/rotate`)
    expect((await charge()).status).toBe(200)
  })

  test('none is stored whose secret cannot be had', async () => {
    const missing = { vendor: 'stripe', name: 'other', secret_ref: 'vault://secret/data/agents/none#api_key' }
    const refused = await world.admin('POST', '/credentials', missing)
    expect(refused).toMatchObject({ status: 503, body: { code: 'secret_unavailable' } })
    expect((await world.admin('GET', '/credentials')).body.credentials).toHaveLength(2)
  })
})

describe('a credential of the configuration file', () => {
  const configured = async () =>
    (await world.admin('GET', '/credentials')).body.credentials.find((each: any) => each.vendor === 'resend')

  test('is there when the server listens, and again after a restart', async () => {
    const first = await configured()
    expect(first).toMatchObject({ name: 'resend-main', secret_ref: 'configuration', last4: REAL.resend.slice(-4) })
    await world.server.stop()
    await world.serve()
    expect(await configured()).toEqual(first)
    // What the API stored by reference is had again before the first call.
    expect((await charge()).status).toBe(200)
    expect(world.files().toString('latin1')).not.toContain(REAL.resend)
  })

  test('is changed there and not over the API', async () => {
    const { id: own } = await configured()
    const refused = await world.admin('POST', `/credentials/${own}/rotate`, {
      secret: { api_key: 're_other_0123456789' },
    })
    expect(refused).toMatchObject({ status: 409 })
    expect(refused.body.detail).toMatch(/stands in the configuration file, under credentials: resend\/resend-main/)
    const next = 're_CANARYnextKey_0123456789'
    writeFileSync(join(home, 'resend'), next, { mode: 0o600 })
    expect((await world.must('POST', `/credentials/${own}/rotate`)).last4).toBe('6789')
  })
})

describe('rotation under load', () => {
  const KEYS_IN_TURN = ['re_CANARYnextKey_0123456789', 're_CANARYthirdKey_abcdefghij', 're_CANARYfourthKey_klmnopqr']

  test('fails no call: those under way finish with the old key, later ones go with the new', async () => {
    const { id: own } = (await world.admin('GET', '/credentials')).body.credentials.find(
      (each: any) => each.vendor === 'resend',
    )
    const agent: IssuedKey = await world.must('POST', '/keys', { name: 'load', policy: 'reading', credentials: [own] })
    const call = () => world.call(agent.key, 'GET', '/resend/domains')
    const late = world.resend.fault('GET', { do: 'late', ms: 60_000, times: 5 })
    const underWay = Array.from({ length: 5 }, () => call())
    await expect.poll(() => late.hits).toBe(5)
    const others: Promise<{ status: number }>[] = []
    for (const next of KEYS_IN_TURN.slice(1)) {
      others.push(...Array.from({ length: 20 }, () => call()))
      writeFileSync(join(home, 'resend'), next, { mode: 0o600 })
      await world.must('POST', `/credentials/${own}/rotate`)
      others.push(...Array.from({ length: 20 }, () => call()))
      expect((await call()).status).toBe(200)
      expect(world.resend.requests.at(-1)!.headers.authorization).toBe(`Bearer ${next}`)
    }
    late.release()
    const statuses = (await Promise.all([...underWay, ...others])).map(({ status }) => status)
    expect(statuses).toEqual(Array(85).fill(200))
    const used = new Set(world.resend.requests.map(({ headers }) => headers.authorization))
    expect(used).toEqual(new Set(KEYS_IN_TURN.map((each) => `Bearer ${each}`)))
    expect(await world.verified()).toEqual([])
  })

  test('of a secret that is stored here fails none either', async () => {
    const kept = { vendor: 'resend', name: 'kept', secret: { api_key: KEYS_IN_TURN[0] } }
    const { id: own } = await world.must('POST', '/credentials', kept)
    const agent: IssuedKey = await world.must('POST', '/keys', { name: 'kept', policy: 'reading', credentials: [own] })
    const calls: Promise<{ status: number }>[] = []
    for (const api_key of KEYS_IN_TURN.slice(1)) {
      calls.push(...Array.from({ length: 20 }, () => world.call(agent.key, 'GET', '/resend/domains')))
      await world.must('POST', `/credentials/${own}/rotate`, { secret: { api_key } })
      calls.push(...Array.from({ length: 20 }, () => world.call(agent.key, 'GET', '/resend/domains')))
    }
    expect((await Promise.all(calls)).every(({ status }) => status === 200)).toBe(true)
    const refused = await world.admin('POST', `/credentials/${own}/rotate`)
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: 'secret' }] } })
  })

  test('from a stored secret to a reference and back keeps the credential', async () => {
    vault.put('agents/resend', { key: KEYS_IN_TURN[1] })
    const { credentials } = (await world.admin('GET', '/credentials')).body
    const { id: own } = credentials.find((each: any) => each.name === 'kept')
    const there = await world.must('POST', `/credentials/${own}/rotate`, {
      secret_ref: { api_key: 'vault://secret/data/agents/resend#key' },
    })
    expect(there).toMatchObject({ secret_ref: { api_key: 'vault://secret/data/agents/resend#key' }, last4: 'ghij' })
    const back = await world.must('POST', `/credentials/${own}/rotate`, { secret: { api_key: KEYS_IN_TURN[2] } })
    expect(back).toMatchObject({ id: own, last4: 'nopqr'.slice(-4) })
    expect(back).not.toHaveProperty('secret_ref')
  })
})
