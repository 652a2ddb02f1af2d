import { afterAll, beforeAll, expect, test } from 'vitest'
import { HttpWorld, TOKEN, type Made } from '../vendors/http-world.js'

/* A rule on a path holds for the path that arrives: what a vendor's front end would resolve is refused, not resolved. */

let http: HttpWorld
let key: Made
beforeAll(async () => {
  http = await HttpWorld.start()
  const credential = await http.credential('billing', { scheme: 'bearer' }, { token: TOKEN })
  key = await http.key('billing', [credential], {
    endpoints: { allow: ['POST /v1/refunds*', 'GET /repos/*'], deny: ['* /v1/charges*'] },
    cost_usd: '0.00',
  })
})
afterAll(() => http.close())

test.each([
  '/v1/refunds/../charges',
  '/v1/refunds/./../charges',
  '/v1/refunds/%2e%2e/charges',
  '/v1/refunds/%2E./charges',
  '/v1/refunds/..%2fcharges',
  '/v1/refunds%2f..%2fcharges',
  '/v1/refunds/..%5ccharges',
  '/v1/refunds//charges',
  '/v1/refunds/',
  '/v1/refunds;/../charges',
  '/v1/refunds%00',
  '/v1/refunds%0d%0aX:y',
  '/v1/%72efunds',
  '/v1/refunds/..;/charges',
])('POST %s reaches nobody', async (path) => {
  const reply = await http.world.raw(
    `POST /billing${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key.key}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
  )
  expect(reply).toMatch(/^HTTP\/1\.1 403 /)
  expect(reply).toMatch(/"code":"(?:request_malformed|operation_not_allowed)"/)
  expect(http.github.requests).toEqual([])
})

test.each([
  '/run/a/../billing/v1/refunds',
  '/billing/../stripe/v1/refunds',
  '/./billing/v1/refunds',
  '//billing/v1/refunds',
])('%s does not lead to another vendor', async (path) => {
  const reply = await http.world.raw(
    `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key.key}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
  )
  expect(reply).toMatch(/^HTTP\/1\.1 40[34] /)
  expect(http.github.requests).toEqual([])
  expect(http.world.stripe.requests).toEqual([])
})

test('what is allowed arrives as it was judged', async () => {
  expect((await http.world.call(key.key, 'POST', '/billing/v1/refunds/re_1')).status).toBe(404)
  expect(http.github.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /v1/refunds/re_1'])
})
