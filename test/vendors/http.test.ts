import { request } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { PRESETS as known } from '../../src/cli/bindings.js'
import { PRESETS } from '../../vendors/http/presets.js'
import { Terminal } from '../cli/terminal.js'
import { REAL } from '../helpers/world.js'
import { HttpWorld, TOKEN, type Made } from './http-world.js'

let http: HttpWorld
let credential: string
const HMAC_KEY = 'CANARYhmacSigningKey0123456789'
const CLIENT = { id: 'client 1', secret: 'CANARY/clientSecret+0123456789', lifeS: 3600 }

beforeAll(async () => {
  http = await HttpWorld.start({ hmacKey: HMAC_KEY, client: CLIENT })
  credential = await http.credential('github', { scheme: 'bearer' }, { token: TOKEN })
})
afterAll(() => http.close())
afterEach(() => http.github.reset())

const TRIAGE = {
  endpoints: { allow: ['GET /repos/*', 'POST /repos/*/issues', 'PATCH /repos/*'], deny: ['* /repos/acme/secret*'] },
  conditions: [
    { endpoint: 'POST /repos/*/issues', field: 'labels', one_of: ['bug', 'good *'] },
    { endpoint: 'PATCH /repos/*', field: 'state', one_of: ['open'], optional: true },
  ],
  cost_usd: { 'POST /repos/*/issues': '0.02', 'PATCH *': '0.00' },
}

describe('under a policy', () => {
  let key: Made
  beforeAll(async () => {
    key = await http.key('github', [credential], TRIAGE)
  })

  test('what is not allowed or is denied is refused before anything leaves', async () => {
    for (const [method, path, why] of [
      ['DELETE', '/github/repos/acme/app', 'is not in policy'],
      ['GET', '/github/user', 'is not in policy'],
      ['GET', '/github/repos/acme/secret-plans', 'is denied by policy'],
      ['GET', '/github/repos/Acme/SECRET-plans', 'is denied by policy'],
    ] as const) {
      const refused = await http.world.call(key.key, method, path)
      expect(refused).toMatchObject({ status: 403, body: { code: 'operation_not_allowed', status: 403 } })
      expect(refused.body.message).toMatch(new RegExp(`^operation_not_allowed: .*${why}`))
      expect(refused.body.error).toMatchObject({ code: 'operation_not_allowed', message: refused.body.message })
      expect(refused.headers).toMatchObject({ 'x-spendgate-code': 'operation_not_allowed', 'x-should-retry': 'false' })
    }
    expect(http.github.requests).toEqual([])
  })

  test('a condition on the body holds for every value, and its refusal says where it stands', async () => {
    for (const labels of [['bug', 'urgent'], [], [{ name: 'bug' }], undefined, 7]) {
      const refused = await http.json(key, 'POST', '/github/repos/acme/app/issues', { title: 't', labels })
      expect(refused).toMatchObject({ status: 403, body: { code: 'operation_not_allowed' } })
      expect(refused.body.message).toContain('vendors.github.conditions[0]')
    }
    expect(http.github.requests).toEqual([])
    const made = await http.json(key, 'POST', '/github/repos/acme/app/issues', {
      title: 't',
      labels: ['bug', 'good first issue'],
    })
    expect(made).toMatchObject({ status: 201, body: { labels: ['bug', 'good first issue'] } })
    const formed = await http.world.call(key.key, 'POST', '/github/repos/acme/app/issues', 'title=t&labels[]=bug')
    expect(formed.status).toBe(201)
  })

  test('an optional field may be left out, and not be wrong', async () => {
    await http.json(key, 'POST', '/github/repos/acme/app/issues', { title: 't', labels: ['bug'] })
    const named = await http.json(key, 'PATCH', '/github/repos/acme/app/issues/1', { title: 'new' })
    expect(named).toMatchObject({ status: 200, body: { title: 'new' } })
    const closed = await http.json(key, 'PATCH', '/github/repos/acme/app/issues/1', { state: 'closed' })
    expect(closed.body.message).toContain('state is "closed", which is none of open')
  })

  test('the policy suggested of a run says what its calls cost, and passes them again', async () => {
    const wide = await http.key('github', [credential], { endpoints: { allow: ['* *'] }, cost_usd: '0.03' })
    const issue = { title: 't', labels: ['bug'] }
    await http.json(wide, 'POST', '/run/learned/github/repos/acme/app/issues', issue)
    const { document } = await http.world.must('POST', '/policies/suggest', { run: 'learned', name: 'learned' })
    expect(document.vendors.github).toEqual({
      endpoints: { allow: ['POST /repos/acme/app/issues'] },
      max_amount_usd: '0.03',
      cost_usd: { 'POST /repos/acme/app/issues': '0.03' },
    })
    const least = await http.key('github', [credential], document.vendors.github)
    expect((await http.json(least, 'POST', '/github/repos/acme/app/issues', issue)).status).toBe(201)
    const other = await http.json(least, 'POST', '/github/repos/acme/other/issues', issue)
    expect(other.body.code).toBe('operation_not_allowed')
  })

  test('what a write costs must be said, and reads are free', async () => {
    const silent = await http.key('github', [credential], { endpoints: { allow: ['* *'] } })
    const refused = await http.json(silent, 'POST', '/github/repos/acme/app/issues', { title: 't' })
    expect(refused).toMatchObject({ status: 403, body: { code: 'amount_unknown' } })
    expect(refused.body.message).toContain('vendors.github.cost_usd')
    const read = await http.world.call(silent.key, 'GET', '/run/free/github/repos/acme/app')
    expect(read.status).toBe(200)
    expect(await http.world.spent('free')).toMatchObject({ calls: 1, spent_usd: '0.00' })
  })

  test('its cost counts in the same run as what is spent at Stripe', async () => {
    const { stripe } = await http.world.credentials()
    const both = await http.key(
      'github',
      [credential, stripe],
      { ...TRIAGE, conditions: [] },
      {
        vendors: { stripe: { endpoints: { allow: ['* *'] } } },
        budgets: [{ per: 'run', cap_usd: '5.03' }],
      },
    )
    const refund = () =>
      http.world.call(both.key, 'POST', '/run/mixed/stripe/v1/refunds', { charge: 'ch_A', amount: '500' })
    const issue = () => http.json(both, 'POST', '/run/mixed/github/repos/acme/app/issues', { title: 't' })
    http.world.stripe.seed()
    expect((await refund()).status).toBe(200)
    expect((await issue()).status).toBe(201)
    expect(await http.world.must('GET', '/runs/mixed')).toMatchObject({
      spent_usd: '5.02',
      by_vendor: { stripe: '5.00', github: '0.02' },
    })
    expect((await issue()).body).toMatchObject({ code: 'run_cap_exceeded' })
    expect(await http.world.verified()).toEqual([])
  })

  test('a cost in the reply settles what was reserved, and the reservation is the bound', async () => {
    const metered = { endpoints: { allow: ['* *'] }, max_amount_usd: '2.00', cost_from: 'usage.cost' }
    const spender = await http.key('github', [credential], metered, { daily_cap_usd: '3.00' })
    const infer = (tokens: number) =>
      http.json(spender, 'POST', '/run/metered/github/inference/chat/completions', {
        max_tokens: tokens,
        temperature: 0.7,
      })
    expect((await infer(250)).body.usage.cost).toBe(0.25)
    expect(http.github.requests[0]!.body).toBe('{"max_tokens":250,"temperature":0.7}')
    expect((await http.world.spent('metered')).spent_usd).toBe('0.25')
    expect((await infer(900)).status).toBe(200)
    expect((await infer(1)).body).toMatchObject({ code: 'daily_cap_exceeded' })
    // A read whose reply names no cost has none.
    const read = await http.key('github', [credential], metered)
    expect((await http.world.call(read.key, 'GET', '/run/told/github/user')).status).toBe(200)
    expect((await http.world.spent('told')).spent_usd).toBe('0.00')
    const { max_amount_usd: _, ...unbounded } = metered
    const blind = await http.key('github', [credential], unbounded)
    const refused = await http.json(blind, 'POST', '/github/inference/chat/completions', { max_tokens: 1 })
    expect(refused).toMatchObject({ status: 403, body: { code: 'amount_unknown' } })
  })

  test('a success that is no JSON is one: it costs what is stated, or what was reserved', async () => {
    for (const cost of [{ cost_usd: '0.01' }, { cost_from: 'usage.cost', max_amount_usd: '0.01' }]) {
      const mailer = await http.key('github', [credential], { endpoints: { allow: ['* *'] }, ...cost })
      const run = `mail-${Object.keys(cost).length}`
      const sent = await http.json(mailer, 'POST', `/run/${run}/github/mail/send`, { to: 'a@acme.com' })
      expect([sent.status, sent.text]).toEqual([202, ''])
      expect((await http.world.calls(`&run=${run}`))[0]).toMatchObject({ state: 'settled', settled_usd: '0.01' })
    }
  })

  test('a lost reply keeps what the call would cost', async () => {
    http.github.fault('POST', { do: 'reset', applies: true })
    const lost = await http.json(key, 'POST', '/run/lost/github/repos/acme/app/issues', { title: 't', labels: ['bug'] })
    expect(lost).toMatchObject({ status: 502, body: { code: 'upstream_unavailable' } })
    expect(lost.headers['x-should-retry']).toBe('false')
    const [call] = await http.world.calls('&run=lost')
    expect(call).toMatchObject({ state: 'assumed', quoted_usd: '0.02' })
    expect((await http.world.spent('lost')).spent_usd).toBe('0.02')
  })

  test('an allowlist of subjects that nobody here can find lets nothing through, reads included', async () => {
    const listed = await http.key('github', [credential], { endpoints: { allow: ['* *'] }, recipients: ['*@acme.com'] })
    expect((await http.world.call(listed.key, 'GET', '/github/user')).body.code).toBe('recipient_not_allowed')
  })

  test('reconciling, prices, metrics and freezing know of it or leave it alone', async () => {
    http.github.fault('POST', { do: 'reset', applies: true })
    await http.json(key, 'POST', '/run/around/github/repos/acme/app/issues', { title: 't', labels: ['bug'] })
    const report = await http.world.must('POST', '/reconcile', {})
    expect(report.still_assumed).toBeGreaterThan(0)
    expect((await http.world.admin('GET', '/prices/github')).status).toBeLessThan(500)
    expect((await http.world.metrics()).text).toContain('vendor="github"')
    const frozen = await http.world.admin('POST', '/freeze', { vendor: 'github' })
    expect(frozen.status).toBeLessThan(300)
    expect((await http.world.call(key.key, 'GET', '/github/repos/acme/app')).body.code).toBe('key_frozen')
    await http.world.must('POST', '/unfreeze', { vendor: 'github' })
  })

  test('what nobody here could judge is refused: other media types, two places, odd methods', async () => {
    const at = '/github/repos/acme/app/issues'
    const multipart = await http.world.call(key.key, 'POST', at, '--x', {
      'content-type': 'multipart/form-data; boundary=x',
    })
    expect(multipart.body).toMatchObject({ code: 'request_ambiguous' })
    expect(multipart.body.message).toContain('application/json or application/x-www-form-urlencoded')
    expect((await http.json(key, 'POST', `${at}?title=other`, { title: 't' })).body.code).toBe('request_ambiguous')
    expect(
      (await http.world.call(key.key, 'POST', at, '{"title":"a","title":"b"}', { 'content-type': 'application/json' }))
        .body.code,
    ).toBe('request_ambiguous')
    expect((await http.world.call(key.key, 'PURGE', at)).body.code).toBe('operation_unknown')
    expect(http.github.requests).toEqual([])
  })
})

describe('the address', () => {
  let key: Made
  beforeAll(async () => {
    key = await http.key('github', [credential], { endpoints: { allow: ['GET *'] } })
  })

  test('is a prefix, a prefix under a run, or a host name', async () => {
    expect((await http.world.call(key.key, 'GET', '/github/user')).body.login).toBe('octo-agent')
    expect((await http.world.call(key.key, 'GET', '/run/r7/github/user')).status).toBe(200)
    expect((await http.world.spent('r7')).calls).toBe(1)
    const named = await http.world.call(key.key, 'GET', '/v1/user', undefined, { host: 'github.localhost:4242' })
    expect(named.status).toBe(404)
    expect(http.github.requests.map(({ path }) => path)).toEqual(['/user', '/user', '/v1/user'])
    const both = await http.world.call(key.key, 'GET', '/github/user', undefined, { host: 'stripe.localhost' })
    expect(both.body.code).toBe('request_ambiguous')
  })

  test('of no vendor is nobody’s, and a vendor without a credential of the key’s is not granted', async () => {
    expect((await http.world.call(key.key, 'GET', '/gitlab/user')).status).toBe(404)
    await http.credential('gitea', { scheme: 'bearer' }, { token: TOKEN })
    const foreign = await http.world.call(key.key, 'GET', '/gitea/user')
    expect(foreign).toMatchObject({ status: 403, body: { code: 'vendor_not_granted' } })
  })

  test('belongs to the credential: two of one vendor go two ways, below their own paths', async () => {
    const below = await http.credential(
      'github',
      { scheme: 'bearer' },
      { token: TOKEN },
      { base_url: `${http.github.origin}/repos/acme/` },
    )
    const inner = await http.key('github', [below], { endpoints: { allow: ['GET /app*'] } })
    expect((await http.world.call(inner.key, 'GET', '/github/app/issues')).body).toEqual([])
    expect(http.github.requests.map(({ path }) => path)).toEqual(['/repos/acme/app/issues'])
  })

  test('survives a restart and a rotation', async () => {
    const rotated = await http.world.must('POST', `/credentials/${credential}/rotate`, { secret: { token: TOKEN } })
    expect(rotated).toMatchObject({ vendor: 'github', account: http.github.origin })
    await http.world.server.stop()
    await http.world.serve()
    expect((await http.world.call(key.key, 'GET', '/github/user')).status).toBe(200)
    expect((await http.world.call(key.key, 'GET', '/run/again/github/user')).status).toBe(200)
  })
})

describe('registering', () => {
  const wish = {
    vendor: 'acme',
    name: 'x',
    base_url: 'https://api.acme.example',
    auth: { scheme: 'bearer' },
    secret: { token: 'CANARYtoken0123' },
  }

  test.each([
    ['a name of ours', { vendor: 'mcp' }, 'vendor'],
    ['a root of another vendor', { vendor: 'emails' }, 'vendor'],
    ['a name that is none', { vendor: 'Acme_1' }, 'vendor'],
    ['an address for Stripe', { vendor: 'stripe', secret: { api_key: 'sk_live_CANARY0123456789' } }, 'base_url'],
    ['no address', { base_url: undefined }, 'base_url'],
    ['no scheme', { auth: undefined }, 'auth'],
    ['a private address', { base_url: 'https://10.0.0.1' }, 'base_url'],
    ['another way to write one', { base_url: 'https://2130706433' }, 'base_url'],
    ['http to anyone', { base_url: 'http://api.acme.example' }, 'base_url'],
    [
      'tokens from a private address',
      {
        auth: { scheme: 'oauth2', token_url: 'https://169.254.169.254/token' },
        secret: { client_id: 'a', client_secret: 'CANARYsecret01' },
      },
      'auth.token_url',
    ],
    ['a header that is ours to write', { headers: { Host: 'x' } }, 'headers'],
    ['a header where the key stands', { headers: { Authorization: 'x' } }, 'headers'],
    ['parts of another scheme', { auth: { scheme: 'basic' } }, 'secret'],
    ['settings in the secret', { secret: { token: 'CANARYtoken0123', base_url: 'https://evil.example' } }, 'secret'],
    [
      'settings that are kept elsewhere',
      { secret: undefined, secret_ref: { base_url: 'vault://secret/data/x#y' } },
      'secret',
    ],
    ['a vault key for the real one', { secret: { token: `vault_live_${'a'.repeat(49)}` } }, 'secret'],
    ['a signature over nothing of the body', { auth: { scheme: 'hmac', payload: '{timestamp}' } }, 'auth.payload'],
  ])('%s is refused at its field, and no secret is quoted', async (_, part, path) => {
    const refused = await http.world.admin('POST', '/credentials', { ...wish, ...part })
    expect(refused.status, refused.text).toBe(400)
    expect(refused.body.errors[0].path).toBe(path)
    expect(refused.text).not.toContain('CANARY')
  })

  test('takes what is known of a vendor, and shows no secret', async () => {
    const made = await http.world.must('POST', '/credentials', {
      vendor: 'anthropic',
      name: 'main',
      secret: { api_key: 'sk-ant-CANARY0123456789' },
    })
    expect(made).toMatchObject({ vendor: 'anthropic', account: 'https://api.anthropic.com', last4: '6789' })
    expect(JSON.stringify(await http.world.must('GET', '/credentials'))).not.toContain('CANARY')
    expect(Object.keys(PRESETS).sort()).toEqual(known)
  })
})

describe('on the command line', () => {
  const terminal = new Terminal()
  const run = (...words: string[]) => {
    terminal.env.SPENDGATE_URL = http.world.server.adminUrl
    terminal.env.SPENDGATE_ADMIN_TOKEN = REAL.admin
    return terminal.run('credential', ...words)
  }
  afterAll(() => terminal.close())

  test('a vendor is added by its address and scheme, its secret from standard input, and works', async () => {
    terminal.stdin = TOKEN
    const at = ['--base-url', http.github.origin, '--auth', 'header:X-Api-Key', '--header', 'X-Version=1']
    const added = await run('add', 'typed', ...at, '--secret-stdin', '--json')
    expect(added.json).toMatchObject({ vendor: 'typed', name: 'typed', account: http.github.origin })
    const key = await http.key('typed', [added.json.id], { endpoints: { allow: ['GET *'] } })
    expect((await http.world.call(key.key, 'GET', '/typed/user')).status).toBe(200)
    expect(http.github.requests[0]!.headers).toMatchObject({ 'x-api-key': TOKEN, 'x-version': '1' })
    terminal.stdin = 'another-CANARY-token'
    expect((await run('rotate', 'typed/typed', '--secret-stdin', '--json')).json).toMatchObject({ last4: 'oken' })
    expect((await http.world.call(key.key, 'GET', '/typed/user')).status).toBe(401)
  })

  test('a known one needs its key alone, and the parts of a scheme are asked for, secrets without echo', async () => {
    terminal.answers = ['ghp_CANARYtyped0123456789']
    expect((await run('add', 'github', '--name', 'typed', '--json')).json.account).toBe('https://api.github.com')
    terminal.answers = ['bot', 'CANARYpassword0123']
    const basic = await run('add', 'wiki', '--base-url', 'https://wiki.example', '--auth', 'basic', '--json')
    expect(basic.json).toMatchObject({ vendor: 'wiki', last4: '0123' })
    expect(terminal.questions.map(({ hidden }) => hidden)).toEqual([true, false, true])
    terminal.answers = null
  })

  test.each([
    [['add', 'unheard'], /knows no vendor "unheard".*--base-url/s],
    [['add', 'stripe', '--base-url', 'https://x.example'], /has addresses and ways of its own/],
    [['add', 'x', '--base-url', 'https://x.example', '--auth', 'header'], /header:NAME/],
    [['add', 'x', '--base-url', 'https://x.example', '--auth', 'digest'], /must be bearer, basic/],
    [['add', 'x', '--base-url', 'https://x.example', '--auth', 'oauth2'], /needs --grant-url/],
    [
      ['add', 'x', '--base-url', 'https://x.example', '--header', 'X-Key=ghp_0123456789012345678901234'],
      /on the command line/,
    ],
  ])('%j is refused before anything is sent', async (words, why) => {
    const refused = await run(...words)
    expect([refused.exit, refused.err]).toEqual([2, expect.stringMatching(why)])
  })
})

describe('every scheme', () => {
  const READS = { endpoints: { allow: ['* *'] } }

  test.each([
    ['bearer', { scheme: 'bearer' }, { token: TOKEN }, { authorization: `Bearer ${TOKEN}` }],
    [
      'basic',
      { scheme: 'basic' },
      { username: 'bot', password: TOKEN },
      { authorization: `Basic ${Buffer.from(`bot:${TOKEN}`).toString('base64')}` },
    ],
    ['header', { scheme: 'header', name: 'X-Api-Key' }, { token: TOKEN }, { 'x-api-key': TOKEN }],
    [
      'header-with-prefix',
      { scheme: 'header', name: 'Authorization', prefix: 'Token ' },
      { token: TOKEN },
      { authorization: `Token ${TOKEN}` },
    ],
  ])('%s puts the key where the vendor reads it, and nothing of the agent’s', async (name, auth, secret, expected) => {
    const vendor = `via-${name}`
    const key = await http.key(vendor, [await http.credential(vendor, auth, secret)], READS)
    expect((await http.world.call(key.key, 'GET', `/${vendor}/user?page=2`)).status).toBe(200)
    const [seen] = http.github.requests
    expect(seen!.headers).toMatchObject(expected)
    expect(seen!.path).toBe('/user?page=2')
    expect(JSON.stringify(seen)).not.toContain('vault_')
  })

  test('agents show the vault key as the vendor’s own clients show theirs', async () => {
    const id = await http.credential('forms', { scheme: 'header', name: 'X-Api-Key' }, { token: TOKEN })
    const { key } = await http.key('forms', [id], READS)
    const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
    for (const headers of [
      { 'x-api-key': key },
      basic(`${key}:`),
      basic(`x:${key}`),
      { authorization: `token ${key}` },
      { authorization: key },
    ]) {
      const reply = await request(`${http.world.url}/forms/user`, { headers })
      await reply.body.dump()
      expect(reply.statusCode, JSON.stringify(headers)).toBe(200)
    }
    const none = await request(`${http.world.url}/forms/user`, { headers: { 'x-api-key': 'nothing-known' } })
    expect([none.statusCode, ((await none.body.json()) as { code: string }).code]).toEqual([401, 'key_unknown'])
    const real = await request(`${http.world.url}/github/user`, { headers: { authorization: `token ${TOKEN}` } })
    expect([real.statusCode, ((await real.body.json()) as { code: string }).code]).toEqual([401, 'real_key_presented'])
    expect(http.github.requests).toHaveLength(5)
  })

  test('hmac signs what leaves: time, method, target and body', async () => {
    const id = await http.credential('signed', { scheme: 'hmac' }, { token: HMAC_KEY, key_id: 'k1' }, { headers: {} })
    const key = await http.key('signed', [id], { ...READS, cost_usd: '0.00' })
    expect((await http.world.call(key.key, 'GET', '/signed/user?a=b')).status).toBe(200)
    expect((await http.json(key, 'POST', '/signed/repos/acme/app/issues', { title: 'täglich' })).status).toBe(201)
    expect(http.github.requests[0]!.headers).toMatchObject({
      'x-key-id': 'k1',
      'x-timestamp': expect.stringMatching(/^\d{10}$/),
    })
    expect(http.github.requests[0]!.headers).not.toHaveProperty('authorization')
  })

  test('oauth2 asks for one token however many calls wait, uses it until it is refused, and shows it to nobody', async () => {
    const auth = { scheme: 'oauth2', token_url: `${http.github.origin}/login/oauth/access_token`, scope: 'repo' }
    const id = await http.credential('granted', auth, { client_id: CLIENT.id, client_secret: CLIENT.secret })
    const key = await http.key('granted', [id], READS)
    const call = () => http.world.call(key.key, 'GET', '/granted/user')
    const first = await Promise.all([call(), call(), call(), call()])
    expect(first.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const asked = () => http.github.requests.filter(({ method }) => method === 'POST')
    expect(asked()).toHaveLength(1)
    expect(asked()[0]!.body).toBe('grant_type=client_credentials&scope=repo')
    http.github.fault('GET', { do: 'echo', times: 1 })
    const echoed = await call()
    expect(echoed.text).toContain('[redacted]')
    expect(echoed.text).not.toContain('ghs_granted')
    // Taken back by the vendor: the call that finds out is refused, and the next one asks again.
    http.github.state.granted.clear()
    expect((await call()).status).toBe(401)
    expect((await call()).status).toBe(200)
    expect(asked()).toHaveLength(2)
  })

  test('without a token nothing of the call leaves, and nothing is counted', async () => {
    const grant = { scheme: 'oauth2', token_url: `${http.github.origin}/login/oauth/access_token`, client: 'body' }
    const auth = { ...grant, header: 'X-Api-Key' }
    const own = { client_id: CLIENT.id, client_secret: CLIENT.secret }
    const inHeader = await http.key('headed', [await http.credential('headed', auth, own)], READS)
    expect((await http.world.call(inHeader.key, 'GET', '/headed/user')).status).toBe(200)
    expect(http.github.requests[1]!.headers['x-api-key']).toMatch(/^ghs_granted/)
    http.github.reset()
    const id = await http.credential('refused', auth, { client_id: CLIENT.id, client_secret: 'CANARYwrong0123' })
    const key = await http.key('refused', [id], { ...READS, cost_usd: '0.05' })
    const refused = await http.world.call(key.key, 'GET', '/run/no-token/refused/user')
    expect(refused).toMatchObject({ status: 502, body: { code: 'upstream_unavailable' } })
    expect(http.github.requests.map(({ path }) => path)).toEqual(['/login/oauth/access_token'])
    expect(await http.world.must('GET', '/runs/no-token')).toMatchObject({ spent_usd: '0.00', held_usd: '0.00' })
  })
})
