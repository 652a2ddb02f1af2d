import { createCipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { bypassesOf } from '../../src/import/janee/bypasses.js'
import { planFor, type Plan } from '../../src/import/janee/index.js'
import { letsThrough, type Rules } from '../../src/import/janee/rules.js'

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/clients/janee/${name}`, import.meta.url), 'utf8')
const README = fixture('readme.yaml')
const EVERY_PART = fixture('every-part.yaml')

const MASTER = Buffer.alloc(32, 7)

/** As Janee seals: IV, tag, ciphertext. */
function sealed(text: string): string {
  const iv = Buffer.alloc(12, 3)
  const cipher = createCipheriv('aes-256-gcm', MASTER, iv)
  const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), bytes]).toString('base64')
}
const stored = (secrets: object, masterKey = MASTER): string =>
  JSON.stringify({ masterKey: masterKey.toString('base64'), secrets })

function plan(text: string, credentials: string | null = null, limits: { dailyCap?: string } = {}): Plan {
  const beside = credentials === null ? null : { text: credentials, name: 'credentials.json' }
  return planFor({ text, name: 'config.yaml', credentials: beside }, limits)
}
const EVERY = plan(EVERY_PART, stored({ cloudflare: { key: sealed('cf-token') } }))

const policy = (from: Plan, capability: string) => from.policies.find((each) => each.capability === capability)!
const credential = (from: Plan, service: string) => from.credentials.find((each) => each.service === service)!
const revealed = (from: Plan, service: string): Record<string, string> =>
  Object.fromEntries(Object.entries(credential(from, service).secret).map(([part, text]) => [part, text.reveal()]))
/** What is said of a line, without its place. */
const said = (remarks: readonly { readonly message: string }[], about: string): string[] =>
  remarks.flatMap(({ message }) => (message.startsWith(about) ? [message.slice(about.length).trim()] : []))

describe("Janee's rules", () => {
  test.each<[Rules | null, string, string, boolean]>([
    [null, 'DELETE', '/v1/customers/cus_A', true],
    [{}, 'POST', '/anything', true],
    [{ allow: [] }, 'GET', '/v1/balance', false],
    [{ allow: ['GET *'] }, 'GET', '/v1/balance', true],
    [{ allow: ['GET *'] }, 'POST', '/v1/balance', false],
    [{ allow: ['get /v1/*'] }, 'GET', '/v1/balance', true],
    [{ allow: ['GET /v1/balance'] }, 'GET', '/v1/balance?x=1', false],
    [{ deny: ['POST /v1/payouts'] }, 'POST', '/v1/payouts', false],
    [{ deny: ['POST /v1/payouts'] }, 'POST', '/v1/payouts?x=1', true],
    [{ deny: ['POST /v1/payouts'] }, 'POST', 'v1/payouts', true],
    [{ deny: ['DELETE'] }, 'DELETE', '/v1/customers/cus_A', true],
    [{ allow: ['* *'], deny: ['POST /v1/charges/*'] }, 'POST', '/v1/charges', true],
    [{ allow: ['POST /v1/refunds/*'] }, 'POST', '/v1/refunds/../charges', true],
    [{ allow: ['GET /repos/*/issues/*'] }, 'GET', '/repos/a/b/issues/1', true],
    [{ allow: ['GET /a.b'] }, 'GET', '/aXb', false],
  ])('are read as Janee reads them: %j, %s %s: %s', (rules, method, path, passes) => {
    expect(letsThrough(rules, method, path)).toBe(passes)
  })

  test.each<[string, Rules, string, readonly string[]]>([
    [
      'an allowed folder leads out of itself, to what is denied first',
      { allow: ['GET *', 'POST /v1/refunds/*'], deny: ['POST /v1/charges/*'] },
      'https://api.stripe.com',
      ['POST /v1/refunds/../charges -> POST /v1/charges'],
    ],
    [
      'what is denied is written otherwise',
      { deny: ['POST /v1/payouts'] },
      'https://api.stripe.com',
      [
        'POST /v1/payouts?x=1 -> POST /v1/payouts',
        'POST v1/payouts -> POST /v1/payouts',
        'POST /x/../v1/payouts -> POST /v1/payouts',
      ],
    ],
    [
      'the way leads out of the address of the service',
      { allow: ['GET /zones/*'] },
      'https://api.cloudflare.com/client/v4',
      ['GET /zones/../../../anything -> GET /anything', 'GET /zones/../anything -> GET /client/v4/anything'],
    ],
    [
      'nor do no rules keep it in',
      {},
      'https://api.cloudflare.com/client/v4',
      ['GET /../../anything -> GET /anything'],
    ],
    ['reads of everything have no other side', { allow: ['GET *'], deny: ['POST *'] }, 'https://api.stripe.com', []],
    ['one exact path leads nowhere else', { allow: ['GET /v1/balance'] }, 'https://api.stripe.com', []],
  ])('%s', (_, rules, address, ways) => {
    expect(bypassesOf(rules, new URL(address)).map(({ request, arrives }) => `${request} -> ${arrives}`)).toEqual(ways)
  })
})

describe("the configuration of Janee's README", () => {
  const readme = plan(README)

  test('becomes one credential a service and one policy a capability, and nothing is left out', () => {
    expect(readme.leftOut).toEqual([])
    expect(readme.credentials.map(({ vendor, name, generic }) => [vendor, name, generic])).toEqual([
      ['stripe', 'stripe', null],
      ['github', 'github', { baseUrl: 'https://api.github.com', auth: { scheme: 'bearer' } }],
    ])
    expect(revealed(readme, 'stripe')).toEqual({ api_key: 'sk_live_xxx' })
    expect(policy(readme, 'stripe_billing').document).toEqual({
      apiVersion: 'spendgate/v1',
      name: 'stripe_billing',
      expires_in: '15m',
      require_reason: true,
      vendors: {
        stripe: {
          endpoints: {
            allow: ['GET /*', 'POST /v1/refunds/*', 'POST /v1/invoices/*'],
            deny: ['POST /v1/charges/*', 'DELETE /*'],
          },
        },
      },
    })
    expect(policy(readme, 'github').document.vendors).toEqual({
      github: { endpoints: { allow: ['* /*'], deny: [] }, cost_usd: '0.00' },
    })
  })

  test('what its rules let through is told with requests, and with the capability that went round them', () => {
    expect(readme.letThrough.filter(({ capability }) => capability === 'stripe_billing')).toEqual([
      expect.objectContaining({ at: 'config.yaml:41:3', request: 'POST /v1/refunds/../charges' }),
      expect.objectContaining({ at: 'config.yaml:41:3', request: 'POST /v1/invoices/../charges' }),
      expect.objectContaining({ message: expect.stringContaining('whoever named stripe or stripe_sensitive') }),
    ])
  })

  test('what is different is said once, or where it stands', () => {
    expect(readme.changed.map(({ at, message }) => `${at} ${message.split(' (')[0]}`)).toEqual([
      'config.yaml:19:1 ttl is the life of a key here, from when it is made',
      'config.yaml:19:1 There is no limit on money, which Janee does not know',
      'config.yaml:19:1 What would spend later, hand out access, route money elsewhere or destroy needs permit here',
      'config.yaml:19:1 Every call counts as USD 0.00, because Janee knows no cost',
      "config.yaml:19:1 Headers of the agent's own go no further",
      'config.yaml:20:3 capabilities.stripe has no rules, so Janee let everything through; the policy says so: allow «* /*»',
      'config.yaml:25:3 capabilities.stripe_sensitive has no rules, so Janee let everything through; the policy says so: allow «* /*»',
      'config.yaml:48:11 capabilities.stripe_billing.rules.allow.1 does not allow «POST /v1/refunds» itself, here as in Janee. Add it if it is meant',
      'config.yaml:49:11 capabilities.stripe_billing.rules.allow.2 does not allow «POST /v1/invoices» itself, here as in Janee. Add it if it is meant',
      'config.yaml:54:3 capabilities.github has no rules, so Janee let everything through; the policy says so: allow «* /*»',
    ])
    const capped = plan(README, null, { dailyCap: '50' })
    expect(policy(capped, 'stripe').document.daily_cap_usd).toBe('50')
    expect(capped.changed.some(({ message }) => message.startsWith('There is no limit'))).toBe(false)
  })
})

describe('every part of a configuration', () => {
  test.each([
    ['cloudflare', 'cloudflare', { scheme: 'bearer' }, { token: 'cf-token' }],
    ['my_notes', 'my-notes', { scheme: 'header', name: 'x-api-key' }, { token: 'notes-secret-1' }],
    ['mixpanel', 'mixpanel', { scheme: 'basic' }, { username: 'user', password: 'password-123' }],
    ['wiki', 'wiki', { scheme: 'basic' }, { username: 'agent', password: 'wiki-secret' }],
    ['tokens', 'tokens', { scheme: 'header', name: 'authorization', prefix: 'token ' }, { token: 'abc-123' }],
    ['payments', 'stripe', undefined, { api_key: 'rk_live_payments' }],
    ['verify', 'twilio', undefined, { account_sid: 'AC5e1f0a7742c9d3b85e1f0a7742c9d3b8', auth_token: 'twilio-secret' }],
  ])('the service %s is a credential of %s', (service, vendor, auth, secret) => {
    const found = credential(EVERY, service)
    expect([found.vendor, found.generic?.auth]).toEqual([vendor, auth])
    expect(revealed(EVERY, service)).toEqual(secret)
  })

  test('what Bybit wants signed is signed', () => {
    expect(credential(EVERY, 'bybit').generic).toEqual({
      baseUrl: 'https://api.bybit.com',
      auth: expect.objectContaining({ scheme: 'hmac', payload: '{timestamp}bybit-key5000{query}{body}' }),
      headers: { 'x-bapi-recv-window': '5000' },
    })
    expect(revealed(EVERY, 'bybit')).toEqual({ token: 'bybit-secret', key_id: 'bybit-key' })
  })

  test('a path of the address goes in front of the patterns of a vendor with a catalogue', () => {
    expect(policy(EVERY, 'invoices').document.vendors).toEqual({
      stripe: { endpoints: { allow: ['* /v1/*'], deny: ['POST /v1/payouts', 'DELETE /v1/customers/*'] } },
    })
    expect(policy(EVERY, 'codes').document.vendors.twilio!.endpoints.allow).toEqual([
      'POST verify.twilio.com/v2/Services/*/Verifications',
    ])
    expect(policy(EVERY, 'zones').document.vendors.cloudflare!.endpoints.allow).toEqual(['GET /zones/*', 'GET /user'])
  })

  test('an exact pattern says that a query passes, which Janee refused', () => {
    expect(EVERY.changed.map(({ message }) => message)).toContain(
      'A query is no part of a pattern here: what is allowed without one passes with any (zones, codes). In Janee it did not',
    )
  })

  test('whoever Janee let use a capability gets a key, and nobody else', () => {
    expect(EVERY.policies.map(({ capability, keys }) => [capability, keys])).toEqual([
      ['zones', ['zones']],
      ['notes', ['notes-writer', 'notes-reader']],
      ['invoices', ['invoices-billing', 'invoices-audit']],
      ['codes', []],
    ])
  })

  test('what one agent is kept from by rules is told only where it could name another capability', () => {
    const told = (agents: string): string[] =>
      said(
        plan(`services:
  notes: { baseUrl: 'https://notes.example.com', auth: { type: bearer, key: k } }
capabilities:
  open: { service: notes, ttl: 1h${agents} }
  read: { service: notes, ttl: 1h, allowedAgents: [reader], rules: { allow: [GET *] } }
`).letThrough,
        'Janee let everything through at notes',
      )
    expect(told('')).toEqual(['for whoever named open in place of read. Here a key has one policy'])
    expect(told(', allowedAgents: [reader, writer]')).toHaveLength(1)
    expect(told(', allowedAgents: [writer]')).toEqual([])
    expect(told(', access: restricted')).toEqual([])
  })

  test.each([
    ['services.okx.auth.type', 'is hmac-okx, which sends a passphrase beside its signature'],
    ['services.mexc.auth.type', 'is hmac-mexc, which puts its signature into the query'],
    ['services.google.auth.type', 'is service-account, which trades a signed assertion'],
    ['services.github-app.auth.type', 'is github-app, which signs in as a GitHub App'],
    ['services.twitter.auth.type', 'is oauth1a-twitter, which signs each request with OAuth 1.0a'],
    ['services.aws-ses.auth.type', 'is aws-sigv4, which signs each request with AWS Signature 4'],
    ['services.several.auth.type', 'sends 2 headers, and which of them are secret is not said: api-key, api-secret'],
    ['services.stripe', 'is called like a vendor that spendgate knows, and stripe.example.com is another'],
    [
      'services.keyless.auth.type',
      'has no secret for bearer, here or in credentials.json; no command of Janee’s prints it',
    ],
    ['services.template.baseUrl', 'is no address'],
    ['services.later.egress', 'is unknown to Janee 0.16 and may be a restriction'],
    ['capabilities.zones.rules.allow.2', '«GET /search?q=*» speaks of the query'],
    ['capabilities.zones.rules.allow.3', '«GET» is not "METHOD PATH", so Janee never matched it. The rule is left out'],
    ['capabilities.half-denied.rules.deny.0', '«DELETE» is not "METHOD PATH"'],
    ['capabilities.half-denied.rules.deny.1', '«PUT /pages?draft=*» speaks of the query'],
    ['capabilities.shell.mode', 'gives a program the key itself'],
    ['capabilities.orphan.service', 'is okx, which is not among the services that can be had here'],
    ['capabilities.forever.ttl', 'must be a span such as 1h'],
    ['capabilities.newer.maxCalls', 'is unknown to Janee 0.16 and may be a restriction'],
  ])('%s is left out, with its line', (about, why) => {
    const [sentence = 'nothing'] = said(EVERY.leftOut, about)
    expect(sentence).toContain(why)
  })

  test('everything that is left out is said, and the lines are those of the file', () => {
    expect(EVERY.leftOut).toHaveLength(19)
    const lines = EVERY_PART.split('\n')
    for (const { at, message } of EVERY.leftOut) {
      const [, line, column] = /^config\.yaml:(\d+):(\d+)$/.exec(at)!
      const words = message.split(' ')[0]!.split('.')
      const there = lines[Number(line) - 1]!.slice(Number(column) - 1)
      expect(there, message).toMatch(/^['"]?(?:\w|-)+/)
      expect(words.some((word) => there.startsWith(word)) || /^['"]?(?:GET|DELETE|PUT)/.test(there), message).toBe(true)
    }
  })

  test('no secret is said or printed', () => {
    const secrets = [
      'cf-token',
      'notes-secret-1',
      'password-123',
      'wiki-secret',
      'twilio-secret',
      'rk_live_payments',
      'bybit-secret',
      'abc-123',
      'llm-secret',
    ]
    const printed = JSON.stringify(EVERY)
    expect(secrets.filter((secret) => printed.includes(secret))).toEqual([])
  })
})

describe('what cannot be read', () => {
  const service = (auth: string): string =>
    `services:\n  notes:\n    baseUrl: https://notes.example.com\n    auth: ${auth}\n`

  test.each([
    ['no YAML', 'services: {a', /is where this stops being YAML/],
    ['a list', '- a', /the file must be a map/],
    [
      'the JSON of the first versions',
      '{"masterKey":"x","services":[{"name":"a"}]}',
      /services is a list, as in the JSON/,
    ],
    ['capabilities as a list', 'capabilities:\n  - name: a', /capabilities must be a map/],
    ['a section nobody knows', 'vault: {}', /vault is unknown to Janee 0.16/],
    [
      'an address with a query',
      'services: {a: {baseUrl: "https://a.example?x=1", auth: {type: bearer, key: k}}}',
      /baseUrl has a query/,
    ],
    [
      'an address with a climbing path',
      'services: {a: {baseUrl: "https://a.example/a%2e%2e", auth: {type: bearer, key: k}}}',
      /baseUrl has a path that can be read in two ways/,
    ],
    [
      'two services of one name here',
      'services: {a_b: {baseUrl: "https://a.example", auth: {type: bearer, key: k}}, a-b: {baseUrl: "https://b.example", auth: {type: bearer, key: k}}}',
      /would be called a-b like services.a_b/,
    ],
    ['a secret of several lines', service('{ type: bearer, key: "a\\nb" }'), /characters that no key has/],
    [
      'a type that JavaScript knows',
      service('{ type: constructor, key: k }'),
      /is constructor, which Janee 0.16 does not know/,
    ],
    [
      'more rules than anybody writes',
      `${service('{ type: bearer, key: k }')}capabilities:\n  c:\n    service: notes\n    ttl: 1h\n    rules: { allow: [${Array.from({ length: 1001 }, (_, i) => `GET /a${i}/*`).join(', ')}] }`,
      /capabilities\.c\.rules are 1001, more than the 1000/,
    ],
    [
      'an alias bomb',
      `a: &a [x]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [*${i === 0 ? 'a' : `b${i - 1}`}, *${i === 0 ? 'a' : `b${i - 1}`}, *${i === 0 ? 'a' : `b${i - 1}`}, *${i === 0 ? 'a' : `b${i - 1}`}]`).join('\n')}`,
      /has anchors that stand for too much/,
    ],
  ])('%s', (_, text, sentence) => {
    const found = plan(text)
    expect(found.policies).toEqual([])
    expect(found.leftOut.map(({ message }) => message).join('\n')).toMatch(sentence)
  })

  test('a name that JavaScript knows is a name like any other', () => {
    const text = service('{ type: bearer }').replace('notes:', 'constructor:')
    expect(plan(text, stored({})).leftOut[0]!.message).toMatch(/has no secret for bearer/)
    expect(revealed(plan(text, stored({ constructor: { key: sealed('k') } })), 'constructor')).toEqual({ token: 'k' })
    expect(plan(text.replace('constructor:', '__proto__:')).leftOut).toHaveLength(1)
  })

  test('a secret that the master key does not open is no secret', () => {
    const text = service('{ type: bearer }')
    expect(revealed(plan(text, stored({ notes: { key: sealed('right') } })), 'notes')).toEqual({ token: 'right' })
    for (const bad of [
      stored({ notes: { key: sealed('right') } }, Buffer.alloc(32, 8)),
      stored({ notes: { key: sealed('right') } }, Buffer.alloc(16, 7)),
      stored({ notes: { key: `${sealed('right').slice(0, -6)}AAAA==` } }),
      stored({ notes: { key: 'plain' } }),
    ])
      expect(plan(text, bad).leftOut).toEqual([
        expect.objectContaining({ message: expect.stringContaining('a secret that the master key does not open') }),
      ])
  })

  test('in a file of before 0.3 the sealed secrets stand in the file, and plain text passes only where it is let', () => {
    const legacy = (value: string, more = ''): Plan =>
      plan(`masterKey: ${MASTER.toString('base64')}\n${more}${service(`{ type: bearer, key: "${value}" }`)}`)
    expect(revealed(legacy(sealed('inline')), 'notes')).toEqual({ token: 'inline' })
    expect(legacy('plain').credentials).toEqual([])
    expect(revealed(legacy('plain', 'server: { strictDecryption: false }\n'), 'notes')).toEqual({ token: 'plain' })
  })

  test('a file that is no credentials.json is said to be none', () => {
    expect(plan(README, 'not JSON').leftOut[0]).toEqual({
      at: 'credentials.json',
      message: 'is no credentials.json of Janee, so no secret is read from it',
    })
  })
})
