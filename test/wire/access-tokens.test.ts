import { beforeEach, describe, expect, test } from 'vitest'
import { AccessTokens, type Access } from '../../src/wire/access-tokens.js'
import type { Upstream, UpstreamFault, UpstreamReply, UpstreamRequest, Withheld } from '../../src/wire/upstream.js'

type Result = UpstreamReply | UpstreamFault | Withheld<unknown>

const clock = { at: 0, now: () => 0, monotonic: () => clock.at }
let asked: UpstreamRequest[]
let called: string[]
let grant: () => Result | Promise<Result>
let answer: () => Result
const reply = (status: number, body: unknown): UpstreamReply => ({
  kind: 'reply',
  status,
  headers: [],
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  ms: 1,
})
/** What leaves passes the gate first, as on the wire. */
const send = async (request: UpstreamRequest, gate: () => unknown): Promise<Result> => {
  const because = gate()
  if (because !== null) return { kind: 'withheld', because }
  if (request.target === '/token') {
    asked.push(request)
    return grant()
  }
  called.push(request.headers.at(-1)!)
  return answer()
}
let tokens: AccessTokens
const learned: string[] = []
const access: Access = {
  id: 'cred_1',
  grant: {
    tokenUrl: 'https://auth.example/token',
    headers: ['authorization', 'Basic x'],
    form: [['grant_type', 'client_credentials']],
    header: 'authorization',
    prefix: 'Bearer ',
  },
  learn: (token) => void learned.push(token),
}
const request: UpstreamRequest = { origin: 'https://api.example', method: 'GET', target: '/x', headers: [], body: null }
const call = (gate: () => unknown = () => null): Promise<Result> => tokens.send(request, access, gate)
const token = (life: number | undefined): (() => Result) => {
  let count = 0
  return () => reply(200, { access_token: `token-${++count}`, token_type: 'bearer', expires_in: life })
}

beforeEach(() => {
  clock.at = 0
  asked = []
  called = []
  answer = () => reply(200, {})
  grant = token(3600)
  tokens = new AccessTokens({ send } as unknown as Pick<Upstream, 'send'>, clock)
})

describe('a token', () => {
  test('is asked for once, kept, and renewed a minute before it ends', async () => {
    await call()
    clock.at = 3600_000 - 61_000
    await call()
    clock.at = 3600_000 - 59_000
    await call()
    expect(called).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2'])
    expect(learned).toEqual(['token-1', 'token-1', 'token-2'])
    expect(asked[0]).toMatchObject({ method: 'POST', body: 'grant_type=client_credentials', guarded: true })
  })

  test('that lives briefly is used for nine tenths of that, and one without a life for five minutes', async () => {
    grant = token(10)
    await call()
    clock.at = 8_900
    await call()
    clock.at = 9_100
    await call()
    expect(asked).toHaveLength(2)
    grant = token(undefined)
    clock.at = 100_000
    await call()
    clock.at = 100_000 + 300_000 - 31_000
    await call()
    clock.at = 100_000 + 300_000
    await call()
    expect(asked).toHaveLength(4)
  })

  test('that the vendor refuses is dropped, and the call is not repeated', async () => {
    answer = () => reply(401, {})
    expect(await call()).toMatchObject({ status: 401 })
    expect(called).toEqual(['Bearer token-1'])
    answer = () => reply(200, {})
    await call()
    expect(called).toEqual(['Bearer token-1', 'Bearer token-2'])
  })

  test('waited for by a call that may still leave is asked for by it when the one before may not', async () => {
    let release!: () => void
    const held = new Promise<void>((resolve) => (release = resolve))
    grant = async () => {
      await held
      return { kind: 'withheld', because: 'revoked' }
    }
    const first = call()
    const second = call()
    grant = token(3600)
    release()
    expect(await first).toEqual({ kind: 'withheld', because: 'revoked' })
    expect(await second).toMatchObject({ kind: 'reply', status: 200 })
    expect(asked).toHaveLength(2)
  })

  test('is not asked for by a call that may not leave', async () => {
    expect(await call(() => 'revoked')).toEqual({ kind: 'withheld', because: 'revoked' })
    expect([asked.length, called.length]).toEqual([0, 0])
  })
})

test.each<[string, () => Result]>([
  ['refused', () => reply(401, { error: 'invalid_client' })],
  ['redirected', () => reply(302, '')],
  ['no JSON', () => reply(200, 'access_token=x')],
  ['none', () => reply(200, { token_type: 'bearer' })],
  ['of another type', () => reply(200, { access_token: 'x', token_type: 'mac' })],
  ['with a line break', () => reply(200, { access_token: 'x\r\ny' })],
  ['already over', () => reply(200, { access_token: 'x', expires_in: 0 })],
  ['too long', () => reply(200, { access_token: 'x'.repeat(70_000) })],
  ['never heard of', () => ({ kind: 'fault', sent: true, timedOut: true, message: 'late', ms: 1 })],
])('a grant that is %s leaves the call unsent, and its words are not told', async (_, made) => {
  grant = made
  const result = await call()
  expect(result).toMatchObject({ kind: 'fault', sent: false })
  expect((result as UpstreamFault).message).toMatch(/^no access token: /)
  expect((result as UpstreamFault).message).not.toContain('invalid_client')
  expect(called).toEqual([])
})
