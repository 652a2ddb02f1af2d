import { describe, expect, test } from 'vitest'
import { onStage } from './stage.js'

/*
 * Brokers before this one matched the path of `execute` as the agent wrote it and sent what a URL parser made of it. So
 * an allowed folder led anywhere, and what was denied had only to be written otherwise.
 */

const stage = onStage()
const POLICY = {
  vendors: {
    stripe: {
      endpoints: { allow: ['* /*'], deny: ['POST /v1/payouts', 'POST /v1/charges/*', 'GET /v1/balance'] },
    },
  },
}

async function execute(path: string, method: string): Promise<{ readonly text: string; readonly sent: string[] }> {
  const { key } = await stage.key('stripe', POLICY)
  const before = stage.world.stripe.requests.length
  const call = { name: 'execute', arguments: { method, path, reason: 'a good one' } }
  const { status, text } = await stage.world.call(
    key,
    'POST',
    '/mcp',
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: call }),
    { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  )
  expect(status, text).toBe(200)
  const { result } = JSON.parse(text.replace(/^event:.*\ndata: /, ''))
  const sent = stage.world.stripe.requests.slice(before).map((request) => `${request.method} ${request.path}`)
  return { text: result.content[0].text, sent }
}

describe('a path of execute has one reading', () => {
  test.each([
    ['out of a folder', 'POST', '/v1/refunds/../payouts', 'request_malformed'],
    ['out of a folder, encoded', 'POST', '/v1/refunds/%2e%2e/payouts', 'request_malformed'],
    ['out of a folder, without the first slash', 'POST', 'v1/refunds/../payouts', 'request_malformed'],
    ['a segment that means itself', 'POST', '/v1/./payouts', 'request_malformed'],
    ['an empty segment', 'POST', '/v1//payouts', 'request_malformed'],
    ['a slash at the end', 'POST', '/v1/payouts/', 'request_malformed'],
    ['an encoded letter', 'POST', '/v1/%70ayouts', 'request_malformed'],
    ['a back slash', 'POST', '/v1\\payouts', 'request_malformed'],
    ['a fragment', 'POST', '/v1/payouts#x', 'request_malformed'],
    ['another host', 'POST', 'https://api.stripe.com.evil.example/v1/payouts', 'request_malformed'],
    ['another host by slashes', 'POST', '//evil.example/v1/payouts', 'request_malformed'],
    ['another scheme', 'POST', 'data:/v1/payouts', 'request_malformed'],
    ['what is denied, without the first slash', 'POST', 'v1/payouts', 'operation_not_allowed'],
    ['what is denied, with a query', 'GET', '/v1/balance?x=1', 'operation_not_allowed'],
    ['what is denied, in small letters', 'post', '/v1/payouts', 'operation_not_allowed'],
    ['what is denied, at the main host by name', 'POST', '/api.stripe.com/v1/payouts', 'operation_not_allowed'],
    ['an alias of what is denied', 'POST', '/v1/charges/ch_A/refund', 'operation_not_allowed'],
  ])('%s: %s %s', async (_, method, path, code) => {
    const { text, sent } = await execute(path, method)
    expect(text).toMatch(new RegExp(`^${code}: `))
    expect(sent).toEqual([])
    const [row] = await stage.world.calls('&state=denied')
    expect(row).toMatchObject({ state: 'denied', reason: 'a good one', decision: { code } })
  })

  test('and what is allowed passes as it is meant', async () => {
    expect((await execute('v1/customers?limit=1', 'get')).sent).toEqual(['GET /v1/customers?limit=1'])
  })
})

describe('a name opens nothing that the key has not', () => {
  test.each(['twilio', 'resend', 'another-policy', '*', '', 'stripe/main', '__proto__'])('«%s»', async (capability) => {
    const { key } = await stage.key('stripe', POLICY)
    const call = { name: 'execute', arguments: { capability, method: 'GET', path: '/v1/customers' } }
    const { text } = await stage.world.call(
      key,
      'POST',
      '/mcp',
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: call }),
      { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    )
    expect(JSON.parse(text.replace(/^event:.*\ndata: /, '')).result.content[0].text).toMatch(/^vendor_not_granted: /)
  })
})
