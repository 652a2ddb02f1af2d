import { afterAll, expect, test, vi } from 'vitest'
import type { Plan } from '../../fixtures/simulators/index.js'
import { REAL } from '../helpers/world.js'
import { encodingsOf, leaks } from './encodings-of.js'
import { basic, onStage, presented, resend, stripe, twilio, type Attack, type VendorName } from './stage.js'

const logged: string[] = []
const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  logged.push(String(text))
  return true
})
afterAll(() => stderr.mockRestore())
const stage = onStage({ SPENDGATE_LOG_LEVEL: 'debug', SPENDGATE_UPSTREAM_TIMEOUT_MS: '300' })

/** Promise 5: a real credential, the master key and admin tokens appear in no reply, log, row, backup or error. */
test('after a busy session no byte anywhere holds a secret, in any of its encodings', async () => {
  const { world } = stage
  const rotated = 'sk_live_CANARY51rotatedKey0123456789abcdefghij'
  const mistyped = 're_CANARY51mistyped/0123456789 abcdefghij'
  const token = 'CANARY51authToken0123456789abcdef'
  const secrets = {
    'Stripe key': REAL.stripe,
    'Stripe key after rotation': rotated,
    'Resend key': REAL.resend,
    'Resend key that was refused': mistyped,
    'Twilio secret': world.twilio.keySecret,
    'Twilio pair': `${world.twilio.keySid}:${world.twilio.keySecret}`,
    'Twilio auth token': world.twilio.authToken,
    'auth token that an agent had': token,
    'master key': REAL.master,
    'master key, its bytes': Buffer.from(REAL.master, 'base64').toString('latin1'),
    'admin token': REAL.admin,
  }
  const replies: string[] = []
  const hear = <T>(reply: T): T => {
    replies.push(JSON.stringify(reply))
    return reply
  }
  const agent = async (vendor: VendorName, key: Awaited<ReturnType<typeof stage.key>>, attack: Attack) =>
    hear(await stage.send(attack, presented(vendor, key)))
  const admin = async (method: string, path: string, body?: unknown) => hear(await world.admin(method, path, body))

  const keys = {
    stripe: await stage.key('stripe'),
    twilio: await stage.key('twilio'),
    resend: await stage.key('resend'),
  }
  const calls = {
    stripe: () => stripe('/v1/refunds', 'charge=ch_A&amount=1'),
    twilio: () => twilio(stage, '/Messages.json', 'To=%2B14155550101&From=%2B14155550100&Body=hi'),
    resend: () => resend('/emails', '{"from":"a@acme.com","to":"b@acme.com","subject":"s","text":"t"}'),
  }

  // Calls that go well, calls that are refused, and every way in which a vendor can go wrong.
  for (const vendor of ['stripe', 'twilio', 'resend'] as const) {
    await agent(vendor, keys[vendor], calls[vendor]())
    await agent(vendor, keys[vendor], { ...calls[vendor](), line: `POST /${vendor}/v1/../x` })
    await agent(vendor, keys[vendor], { ...calls[vendor](), headers: ['Host: a', 'Host: b'] })
    const plans: readonly Plan[] = [
      { do: 'echo' },
      { do: 'echo', status: 500 },
      { do: 'reset', applies: true },
      { do: 'reset-in-body', applies: true },
      { do: 'truncate', applies: true },
      { do: 'gzip' },
      { do: 'hang', applies: true },
      { do: 'redirect', to: 'http://127.0.0.1:1/' },
      { do: 'status', status: 401, applies: false },
      { do: 'status', status: 500, applies: true },
      { do: 'oversize', mib: 9 },
    ]
    for (const plan of plans) {
      world[vendor].fault('POST', plan)
      await agent(vendor, keys[vendor], calls[vendor]())
    }
  }
  // Credentials where they do not belong.
  for (const authorization of [
    `Bearer ${REAL.stripe}`,
    `Bearer ${REAL.resend}`,
    `Bearer ${REAL.admin}`,
    basic(world.twilio.accountSid, token),
    basic(world.twilio.keySid, world.twilio.keySecret),
  ]) {
    hear(await stage.send({ line: 'POST /stripe/v1/refunds', body: 'a=b' }, authorization))
    hear(await stage.send({ line: 'GET /twilio/2010-04-01/Accounts.json' }, authorization))
  }
  // The account with its auth token, which no policy opens.
  await agent('twilio', keys.twilio, {
    vendor: 'twilio',
    line: `GET /twilio/2010-04-01/Accounts/${world.twilio.accountSid}.json`,
  })

  // The operator at work: lists, mistakes, a rotation, a revocation.
  const { stripe: credential } = await world.credentials()
  await admin('POST', '/credentials', { vendor: 'resend', name: 'other', secret: { api_key: mistyped } })
  await admin('POST', '/credentials', { vendor: 'stripe', name: 'stripe-main', secret: { api_key: REAL.stripe } })
  await admin('POST', '/credentials', { vendor: 'nobody', name: 'x', secret: { api_key: REAL.stripe } })
  await admin('POST', '/credentials', { vendor: 'stripe', name: 'x', secret: REAL.stripe })
  await admin('POST', `/credentials/${credential}/rotate`, { secret: { api_key: rotated } })
  await agent('stripe', keys.stripe, calls.stripe())
  await admin('DELETE', `/credentials/${credential}`)
  await admin('POST', `/keys/${keys.resend.id}/revoke`, { reason: 'done' })
  await agent('resend', keys.resend, calls.resend())
  const pages = [
    '/credentials',
    '/keys',
    `/keys/${keys.stripe.id}`,
    '/policies',
    '/calls?limit=500',
    '/runs',
    '/spend?by=key',
    '/spend?by=operation',
    '/rates',
    '/prices/twilio',
    '/freezes',
    '/audit/verify',
    '/nothing',
  ]
  for (const path of pages) await admin('GET', path)
  for (const row of await world.calls()) await admin('GET', `/calls/${row.id}`)
  const headers = { authorization: `Bearer ${REAL.admin}` }
  for (const path of ['/admin/v1/audit/export', '/admin/openapi.json', '/metrics', '/healthz', '/readyz']) {
    hear(await (await fetch(`${world.server.adminUrl}${path}`, { headers })).text())
  }
  const backup = (await admin('POST', '/backup', {})).body
  expect(backup.bytes).toBeGreaterThan(0)

  // The stored bytes with the server running (its write-ahead log) and after it has stopped.
  const stored = [world.files().toString('latin1')]
  await world.server.stop()
  stored.push(world.files().toString('latin1'))
  await world.serve()

  expect(replies.length).toBeGreaterThan(80)
  expect(replies.join('\n')).toContain('[redacted]')
  expect(leaks(secrets, replies.join('\n'))).toEqual([])
  expect(logged.length).toBeGreaterThan(0)
  expect(leaks(secrets, logged.join('\n'))).toEqual([])
  expect(leaks(secrets, stored.join('\n'))).toEqual([])

  // Nor does a vault key lie anywhere but in the reply that issued it.
  const vault = Object.fromEntries(Object.entries(keys).map(([vendor, { key }]) => [`vault key of ${vendor}`, key]))
  expect(leaks(vault, [...replies, ...logged, ...stored].join('\n'))).toEqual([])
})

test('the scan would have found them', () => {
  for (const form of encodingsOf(REAL.resend)) expect(leaks({ it: REAL.resend }, `..${form}..`)).not.toEqual([])
  for (const text of [`x${REAL.stripe}`, `xy${REAL.stripe}`, `xyz${REAL.stripe}`]) {
    expect(leaks({ it: REAL.stripe }, Buffer.from(`${text}:`).toString('base64'))).not.toEqual([])
  }
})
