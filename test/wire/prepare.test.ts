import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { runtimeOf, type VendorRuntime } from '../../src/engine.js'
import type { Content } from '../../src/exchange.js'
import { EMPTY, Form, parseForm } from '../../src/wire/form.js'
import { canonical, upstreamRequest } from '../../src/wire/prepare.js'
import { vendors } from '../../vendors/index.js'
import { LONG, runs } from './runs.js'

const runtime = (name: string, override: string | null = null, mcpOverride: string | null = null): VendorRuntime =>
  runtimeOf(
    vendors.find((each) => each.name === name)!,
    override,
    mcpOverride,
  )
const stripe = runtime('stripe')
const twilio = runtime('twilio')
const none: Content = { form: EMPTY, json: undefined, place: 'none' }
const form = (text: string, place: 'form' | 'query' = 'form'): Content => ({
  form: parseForm(text) as Form,
  json: undefined,
  place,
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

describe('the canonical request', () => {
  test('is the form written out again', () => {
    expect(canonical(stripe, 'POST', '/v1/refunds', form('%61mount=1+0&metadata%5Ba%5D=%C3%A9'))).toMatchObject({
      method: 'POST',
      origin: 'https://api.stripe.com',
      host: 'api.stripe.com',
      target: '/v1/refunds',
      body: 'amount=1%200&metadata[a]=%C3%A9',
      contentType: 'application/x-www-form-urlencoded',
    })
  })

  test('is the query written out again', () => {
    const request = canonical(stripe, 'GET', '/v1/charges', form('limit=%31', 'query'))
    expect(request).toMatchObject({ target: '/v1/charges?limit=1', body: null, contentType: null })
  })

  test('is JSON without anything between its parts', () => {
    const request = canonical(runtime('resend'), 'POST', '/emails', { form: EMPTY, json: { to: ['a'] }, place: 'json' })
    expect(request).toMatchObject({ body: '{"to":["a"]}', contentType: 'application/json' })
  })

  test('has no body and no type when there was none', () => {
    expect(canonical(stripe, 'POST', '/v1/refunds', none)).toMatchObject({ body: null, contentType: null })
  })

  test('goes to the host its path names', () => {
    expect(canonical(twilio, 'POST', '/2010-04-01/Accounts.json', none)).toMatchObject({
      origin: 'https://api.twilio.com',
      target: '/2010-04-01/Accounts.json',
    })
    expect(canonical(twilio, 'GET', 'verify.twilio.com/v2/Services', none)).toMatchObject({
      origin: 'https://verify.twilio.com',
      host: 'verify.twilio.com',
      target: '/v2/Services',
    })
  })

  test('keeps the name of the product behind an override, where there are several', () => {
    const override = 'http://127.0.0.1:1234'
    expect(canonical(runtime('twilio', override), 'GET', 'verify.twilio.com/v2/Services', none)).toMatchObject({
      origin: override,
      host: 'verify.twilio.com',
    })
    expect(canonical(runtime('stripe', override), 'GET', '/v1/balance', none)).toMatchObject({
      origin: override,
      host: '127.0.0.1:1234',
    })
  })

  test('goes where the vendor was led, and its MCP server where that was led, if anywhere', () => {
    const origins = (...led: (string | null)[]): string[] =>
      ['/v1/balance', 'mcp.stripe.com/v1/mcp'].map(
        (path) => canonical(runtime('stripe', ...led), 'POST', path, none).origin,
      )
    expect(origins(null, null)).toEqual(['https://api.stripe.com', 'https://mcp.stripe.com'])
    expect(origins('http://127.0.0.1:1', null)).toEqual(['http://127.0.0.1:1', 'http://127.0.0.1:1'])
    expect(origins(null, 'http://127.0.0.1:2')).toEqual(['https://api.stripe.com', 'http://127.0.0.1:2'])
    expect(origins('http://127.0.0.1:1', 'http://127.0.0.1:2')).toEqual(['http://127.0.0.1:1', 'http://127.0.0.1:2'])
  })

  test('goes to another host of the vendor when its path names none and the operation has one', () => {
    const at = canonical(stripe, 'POST', '/v1/files', none, [], 'files.stripe.com')
    expect(at).toMatchObject({ origin: 'https://files.stripe.com', host: 'files.stripe.com', target: '/v1/files' })
    expect(at.hash).not.toBe(canonical(stripe, 'POST', '/v1/files', none).hash)
  })

  test('escapes the one character of a path that servers read as another', () => {
    expect(canonical(twilio, 'GET', 'lookups.twilio.com/v2/PhoneNumbers/+14155550100', none).target).toBe(
      '/v2/PhoneNumbers/%2B14155550100',
    )
  })
})

describe('two requests have one hash', () => {
  const hash = (...of: Parameters<typeof canonical>): string => canonical(...of).hash

  test('when they are written differently and mean the same', () => {
    expect(hash(stripe, 'POST', '/v1/refunds', form('a=x+y&%62=1'))).toBe(
      hash(stripe, 'POST', '/v1/refunds', form('a=x%20y&b=1')),
    )
    expect(hash(stripe, 'POST', '/v1/refunds', form('a=1'))).toBe(
      hash(runtime('stripe', 'http://127.0.0.1:1'), 'POST', '/v1/refunds', form('a=1')),
    )
  })

  test('and different ones when method, host, path, query or body differ', () => {
    const hashes = [
      hash(stripe, 'POST', '/v1/refunds', form('a=1')),
      hash(stripe, 'POST', '/v1/refunds', form('a=2')),
      hash(stripe, 'POST', '/v1/refunds', form('a=1&b=')),
      hash(stripe, 'POST', '/v1/refunds', none),
      hash(stripe, 'GET', '/v1/refunds', form('a=1', 'query')),
      hash(stripe, 'GET', '/v1/refunds', none),
      hash(stripe, 'DELETE', '/v1/refunds', none),
      hash(stripe, 'POST', '/v1/refunds/a', form('a=1')),
      hash(twilio, 'POST', '/v2/Services', none),
      hash(twilio, 'POST', 'verify.twilio.com/v2/Services', none),
    ]
    expect(new Set(hashes).size).toBe(hashes.length)
    for (const each of hashes) expect(each).toMatch(/^[0-9a-f]{64}$/)
  })

  test('and different ones on different accounts, none being one of them', () => {
    const on = (...accounts: string[]): string => hash(stripe, 'POST', '/v1/refunds', form('a=1'), accounts)
    expect(on()).toBe(hash(stripe, 'POST', '/v1/refunds', form('a=1')))
    expect(new Set([on(), on('acct_1'), on('acct_2'), on('acct_1', 'acct_2')]).size).toBe(4)
  })

  test('which stays the same from one version to the next: rows of long ago are compared with it', () => {
    expect(hash(stripe, 'POST', '/v1/refunds', form('a=1'), ['acct_1'])).toBe(
      sha256('POST api.stripe.com/v1/refunds\nacct_1\na=1'),
    )
    expect(hash(stripe, 'GET', '/v1/refunds', none)).toBe(sha256('GET api.stripe.com/v1/refunds\n\n'))
  })

  test(
    'exactly when their canonical texts are one',
    () => {
      const pairs = fc.uniqueArray(
        fc.tuple(
          fc.constantFrom('a', 'b', 'c'),
          fc.string({ unit: fc.constantFrom('1', '&', '=', '\n', ' ', 'é'), maxLength: 3 }),
        ),
        {
          selector: ([key]) => key,
          maxLength: 3,
        },
      )
      fc.assert(
        fc.property(pairs, pairs, (one, other) => {
          const [left, right] = [one, other].map((each) =>
            canonical(stripe, 'POST', '/v1/refunds', { form: new Form(each), json: undefined, place: 'form' }),
          )
          expect(left!.hash === right!.hash).toBe(left!.body === right!.body)
          expect(left!.body === right!.body).toBe(JSON.stringify(one) === JSON.stringify(other))
        }),
        runs(1000),
      )
    },
    LONG,
  )
})

describe('the request that leaves', () => {
  const sent: Record<string, string> = {
    authorization: 'Bearer rk_vault_live_x',
    host: 'evil.example',
    'stripe-account': 'acct_1',
    'stripe-version': '2020-08-27',
    'user-agent': 'agent/1',
    'idempotency-key': 'mine',
    cookie: 'a=b',
    'x-forwarded-for': '1.2.3.4',
    'accept-encoding': 'gzip',
    'content-type': 'text/plain',
    'content-length': '999',
    connection: 'close',
  }
  const headersOf = (list: readonly string[]): [string, string][] =>
    list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]!] as [string, string]] : []))

  test('has headers from a list, each once, and the real credential', () => {
    const request = canonical(stripe, 'POST', '/v1/refunds', form('a=1'))
    const { headers, ...rest } = upstreamRequest(
      request,
      stripe,
      { authorization: 'Bearer sk_live_real', fixedHeaders: ['stripe-version', '2026-10-28.endive'] },
      (name) => sent[name],
      'sg_key',
    )
    expect(rest).toEqual({ origin: 'https://api.stripe.com', method: 'POST', target: '/v1/refunds', body: 'a=1' })
    expect(headersOf(headers)).toEqual([
      ['host', 'api.stripe.com'],
      ['authorization', 'Bearer sk_live_real'],
      ['accept-encoding', 'identity'],
      ['stripe-account', 'acct_1'],
      ['user-agent', 'agent/1'],
      ['stripe-version', '2026-10-28.endive'],
      ['content-type', 'application/x-www-form-urlencoded'],
      ['idempotency-key', 'sg_key'],
    ])
  })

  test('says who it is when the agent does not, and has no type without a body', () => {
    for (const name of ['stripe', 'twilio', 'resend']) {
      const of = runtime(name)
      const names = headersOf(
        upstreamRequest(
          canonical(of, 'GET', '/v1/x', none),
          of,
          { authorization: 'Bearer x', fixedHeaders: [] },
          () => undefined,
          null,
        ).headers,
      )
      expect(names).toContainEqual(['user-agent', 'spendgate'])
      expect(names.map(([header]) => header)).not.toContain('content-type')
      expect(names.map(([header]) => header)).not.toContain('idempotency-key')
      expect(new Set(names.map(([header]) => header)).size).toBe(names.length)
    }
  })

  test('says who it is beside other headers of an agent that does not, and only then', () => {
    const agents = (...given: string[]): string[] =>
      headersOf(
        upstreamRequest(
          canonical(stripe, 'POST', '/v1/refunds', none),
          stripe,
          { authorization: 'Bearer x', fixedHeaders: [] },
          (name) => (given.includes(name) ? sent[name] : undefined),
          null,
        ).headers,
      ).flatMap(([name, value]) => (name === 'user-agent' ? [value] : []))
    expect(agents('stripe-account')).toEqual(['spendgate'])
    expect(agents('user-agent')).toEqual(['agent/1'])
  })
})
