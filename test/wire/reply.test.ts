import { describe, expect, test } from 'vitest'
import { rewritten } from '../../src/wire/reply.js'

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const drop = (...names: string[]) => ({ drop: new Set(names), leadTo: null })
const HOSTS: Readonly<Record<string, string>> = {
  'api.twilio.com': 'http://127.0.0.1:4242/twilio',
  'verify.twilio.com': 'http://127.0.0.1:4242/twilio/verify.twilio.com',
}
const links = { drop: new Set<string>(), leadTo: (host: string) => HOSTS[host] ?? null }
const after = (value: unknown, rewriting: Parameters<typeof rewritten>[1]): unknown =>
  JSON.parse(rewritten(json(value), rewriting)!.toString('utf8'))

describe('fields that reveal a secret', () => {
  test.each([
    ['at the top', { id: 'we_1', secret: 'whsec_1' }, { id: 'we_1' }],
    ['in a list', { data: [{ id: 1, secret: 's' }, { id: 2 }] }, { data: [{ id: 1 }, { id: 2 }] }],
    ['deep inside', { a: { b: [{ c: { secret: { x: 1 } } }] } }, { a: { b: [{ c: {} }] } }],
    ['whatever they hold', { secret: null, keep: [1, 'two', null, true] }, { keep: [1, 'two', null, true] }],
  ])('go out: %s', (_where, value, left) => {
    expect(after(value, drop('secret'))).toEqual(left)
  })

  test('a list keeps the path it names itself by', () => {
    const list = {
      object: 'list',
      url: '/v1/payment_links',
      data: [{ id: 'plink_1', url: 'https://buy.stripe.com/x' }],
    }
    expect(after(list, drop('url'))).toEqual({ object: 'list', url: '/v1/payment_links', data: [{ id: 'plink_1' }] })
  })

  test('a body without them is passed on byte by byte', () => {
    const body = Buffer.from('{ "amount": 1.50,\n  "id": "x" }')
    expect(rewritten(body, drop('secret'))).toBe(body)
  })

  test('a name escaped in JSON is the same name', () => {
    expect(rewritten(Buffer.from('{"\\u0073ecret":"s","id":1}'), drop('secret'))!.toString()).toBe('{"id":1}')
  })

  test('a body that is no JSON cannot be searched, so there is none to pass on', () => {
    expect(rewritten(Buffer.from('secret=whsec_1'), drop('secret'))).toBeNull()
    expect(rewritten(Buffer.from(''), drop('secret'))!.length).toBe(0)
  })

  test('what is nested beyond all reason is cut off there', () => {
    const deep = `${'['.repeat(80)}{"secret":"s"}${']'.repeat(80)}`
    expect(rewritten(Buffer.from(deep), drop('secret'))!.toString()).not.toContain('secret')
  })

  test('a field named like an inherited one stays a field', () => {
    const body = Buffer.from('{"__proto__":{"x":1},"secret":"s"}')
    expect(rewritten(body, drop('secret'))!.toString()).toBe('{"__proto__":{"x":1}}')
  })
})

describe('links to the vendor lead back', () => {
  test.each([
    [
      'https://verify.twilio.com/v2/Services?Page=1',
      'http://127.0.0.1:4242/twilio/verify.twilio.com/v2/Services?Page=1',
    ],
    ['https://api.twilio.com/2010-04-01/Accounts', 'http://127.0.0.1:4242/twilio/2010-04-01/Accounts'],
    ['https://verify.twilio.com.evil.example/v2', 'https://verify.twilio.com.evil.example/v2'],
    ['https://verify.twilio.com:8443/v2', 'https://verify.twilio.com:8443/v2'],
    ['https://verify.twilio.com', 'https://verify.twilio.com'],
    ['see https://verify.twilio.com/v2', 'see https://verify.twilio.com/v2'],
    ['http://verify.twilio.com/v2', 'http://verify.twilio.com/v2'],
  ])('%s', (from, to) => {
    expect(after({ meta: { next_page_url: from }, links: [from] }, links)).toEqual({
      meta: { next_page_url: to },
      links: [to],
    })
  })

  test('a body that is no JSON stays as it is', () => {
    const body = Buffer.from('<a href="https://verify.twilio.com/v2">')
    expect(rewritten(body, links)).toBe(body)
  })
})
