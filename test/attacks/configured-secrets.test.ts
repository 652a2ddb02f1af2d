import { request } from 'undici'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { HttpWorld } from '../vendors/http-world.js'
import { encodingsOf, leaks } from './encodings-of.js'
import { Hostile } from './hostile.js'

/* Neither the real key nor the vault key comes out where it does not belong, whatever the vendor sends back. */

const REAL = 'CANARY+real/key=of~an API-0123456789'.replace(' ', '_')
let http: HttpWorld
let hostile: Hostile
beforeAll(async () => {
  hostile = await Hostile.open()
  http = await HttpWorld.start({ tokens: [REAL] })
})
afterAll(async () => {
  await http.close()
  await hostile.close()
})
afterEach(() => http.github.reset())

const READS = { endpoints: { allow: ['GET *'] } }

test('a vendor that echoes its headers shows no key, under any scheme, whatever the status', async () => {
  for (const [vendor, auth, secret] of [
    ['echo-bearer', { scheme: 'bearer' }, { token: REAL }],
    ['echo-header', { scheme: 'header', name: 'x-api-key' }, { token: REAL }],
    ['echo-query', { scheme: 'query', name: 'api_key' }, { token: REAL }],
    ['echo-basic', { scheme: 'basic' }, { username: 'bot', password: REAL }],
  ] as const) {
    const key = await http.key(vendor, [await http.credential(vendor, auth, secret)], READS)
    for (const status of [200, 401, 500]) {
      http.github.fault('GET', { do: 'echo', status, times: 1 })
      const reply = await http.world.call(key.key, 'GET', `/${vendor}/user`)
      expect(reply.status).toBe(status)
      expect(leaks({ REAL }, JSON.stringify(reply))).toEqual([])
      expect(reply.headers).not.toHaveProperty('x-echo-authorization')
    }
  }
})

test('nor in any encoding, in a header or in a body that is no JSON', async () => {
  const id = await http.credential('hostile', { scheme: 'bearer' }, { token: REAL }, { base_url: hostile.origin })
  const { key } = await http.key('hostile', [id], READS)
  for (const form of encodingsOf(REAL)) {
    hostile.answer = (_, response) => {
      response.writeHead(200, {
        'content-type': 'text/plain',
        'x-request-id': form,
        location: `/x?${form}`,
        'x-other': form,
      })
      response.end(`<p>${form}</p>`)
    }
    const reply = await request(`${http.world.url}/hostile/page`, { headers: { authorization: `Bearer ${key}` } })
    const text = await reply.body.text()
    expect(text).toBe('<p>[redacted]</p>')
    expect(leaks({ REAL }, JSON.stringify(reply.headers) + text)).toEqual([])
    expect(reply.headers).not.toHaveProperty('x-other')
  }
})

test('a vault key in a query goes nowhere: not to the vendor, not into a row, a file or a log', async () => {
  const id = await http.credential('queried', { scheme: 'query', name: 'api_key' }, { token: REAL })
  const { key } = await http.key('queried', [id], READS)
  const ask = async (target: string, headers: Record<string, string> = {}) => {
    const reply = await request(`${http.world.url}${target}`, { headers })
    return { status: reply.statusCode, text: await reply.body.text() }
  }
  expect((await ask(`/queried/user?page=2&api_key=${key}&sort=x`)).status).toBe(200)
  expect((await ask(`/queried/user?%61pi_key=${encodeURIComponent(key)}`)).status).toBe(200)
  // A second one beside it is the agent's own: it is dropped, and ours stands alone.
  expect((await ask(`/queried/user?api_key=mine`, { authorization: `Bearer ${key}` })).status).toBe(200)
  expect(http.github.requests.map(({ path }) => path)).toEqual([
    `/user?page=2&sort=x&api_key=${encodeURIComponent(REAL)}`,
    `/user?api_key=${encodeURIComponent(REAL)}`,
    `/user?api_key=${encodeURIComponent(REAL)}`,
  ])
  const twice = await ask(`/queried/user?api_key=${key}&api_key=${key}`)
  expect([twice.status, twice.text.includes(key)]).toEqual([401, false])
  const refused = await ask(`/queried/../x?api_key=${key}`)
  expect(refused.text).not.toContain(key)
  for (const kept of [JSON.stringify(await http.world.calls()), http.world.files().toString('latin1')]) {
    expect(kept.includes(key)).toBe(false)
    expect(leaks({ REAL }, kept)).toEqual([])
  }
})

test('a redirect is not followed, and the key does not go along', async () => {
  const id = await http.credential('moved', { scheme: 'query', name: 'api_key' }, { token: REAL })
  const { key } = await http.key('moved', [id], READS)
  hostile.seen.length = 0
  http.github.fault('GET', { do: 'redirect', to: `${hostile.origin}/steal`, times: 1 })
  const reply = await http.world.call(key, 'GET', '/moved/user')
  expect(reply).toMatchObject({ status: 502, body: { code: 'upstream_unavailable' } })
  expect(leaks({ REAL }, JSON.stringify(reply))).toEqual([])
  expect(hostile.seen).toEqual([])
})
