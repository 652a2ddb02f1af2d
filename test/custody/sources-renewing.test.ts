import { afterAll, beforeAll, expect, test } from 'vitest'
import { startResend, type ResendSimulator } from '../../fixtures/simulators/index.js'
import { runtimeOf, type OpenCredential } from '../../src/engine.js'
import { RenewingUpstream } from '../../src/secrets/renewing.js'
import { canonical, upstreamRequest } from '../../src/wire/prepare.js'
import { EMPTY } from '../../src/wire/form.js'
import { Scrubber } from '../../src/wire/scrub.js'
import { vendors } from '../../vendors/index.js'

// The vendor knows the second key alone; the first one was exchanged there.

const [OLD, NEW] = ['re_CANARYold_0123456789', 're_CANARYnew_0123456789'] as const
const clock = { now: () => 0, monotonic: () => performance.now() }
const vendor = vendors.find(({ name }) => name === 'resend')!
let resend: ResendSimulator
let upstream: RenewingUpstream
beforeAll(async () => {
  resend = await startResend({ keys: [NEW] })
  upstream = new RenewingUpstream({ timeoutMs: 2_000, clock })
})
afterAll(async () => {
  await upstream.close()
  await resend.close()
})

function credential(key: string, renewed?: () => Promise<OpenCredential | null>): OpenCredential {
  const open = { authorization: vendor.authorize({ api_key: key }), fixedHeaders: [], scrubber: new Scrubber([key]) }
  return { ...open, record: {} as OpenCredential['record'], ...(renewed && { renewed }) }
}
function request(under: OpenCredential, key: string | null = null) {
  const runtime = runtimeOf(vendor, resend.origin)
  const json = { from: 'a@acme.com', to: ['b@acme.com'], subject: 's', text: 't' }
  const made = canonical(runtime, 'POST', '/emails', { form: EMPTY, json, place: 'json' })
  return upstreamRequest(made, runtime, under, () => undefined, key)
}
const statusOf = (result: { readonly kind: string; readonly status?: number }) => result.status ?? result.kind

test('a refused request goes out once more under the newer secret, with everything else as it was', async () => {
  resend.reset()
  let asked = 0
  const outgoing = request(
    credential(OLD, async () => credential(NEW, async () => null)),
    'sg_the-same-key',
  )
  outgoing.headers.push('traceparent', '00-a1-b2-01')
  // As a hosted tool does it: a request of its own, made from that of the call.
  const derived = { ...outgoing, body: String(outgoing.body).replace('"s"', '"another"') }
  const result = await upstream.send(derived, () => (asked++, null))
  expect([statusOf(result), asked]).toEqual([200, 2])
  const [first, second] = resend.requests
  expect(first!.headers.authorization).toBe(`Bearer ${OLD}`)
  expect(second).toMatchObject({ path: '/emails', body: first!.body, idempotencyKey: 'sg_the-same-key' })
  expect(second!.headers).toEqual({ ...first!.headers, authorization: `Bearer ${NEW}` })
  expect(resend.state.emails.size).toBe(1)
})

test('a second refusal is the answer, and nothing is sent a third time', async () => {
  resend.reset()
  const never = async (): Promise<OpenCredential> => credential(OLD, never)
  expect(statusOf(await upstream.send(request(credential(OLD, never)), () => null))).toBe(403)
  expect(resend.requests).toHaveLength(2)
})

test('what was revoked meanwhile is not sent again', async () => {
  resend.reset()
  let asked = 0
  const outgoing = request(credential(OLD, async () => credential(NEW)))
  const result = await upstream.send(outgoing, () => (asked++ === 0 ? null : 'revoked'))
  expect(result).toEqual({ kind: 'withheld', because: 'revoked' })
  expect(resend.requests).toHaveLength(1)
})

test.each([
  ['the same secret as before', credential(OLD, async () => null), 403, 1],
  ['a secret that is stored here', credential(OLD), 403, 1],
])('%s is not tried twice', async (_, under, status, requests) => {
  resend.reset()
  expect(statusOf(await upstream.send(request(under), () => null))).toBe(status)
  expect(resend.requests).toHaveLength(requests)
})

test('no other answer than a refusal of the key has anything sent again', async () => {
  const renewed = async (): Promise<OpenCredential> => credential(NEW)
  for (const status of [400, 404, 409, 422, 429, 500, 502, 503]) {
    resend.reset()
    resend.fault('POST', { do: 'status', status, applies: false })
    expect(statusOf(await upstream.send(request(credential(NEW, renewed)), () => null))).toBe(status)
    expect(resend.requests).toHaveLength(1)
  }
  resend.reset()
  resend.fault('POST', { do: 'reset', applies: true })
  expect(statusOf(await upstream.send(request(credential(NEW, renewed)), () => null))).toBe('fault')
  expect(resend.requests).toHaveLength(1)
})
