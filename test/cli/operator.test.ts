import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { usd } from '../../src/contracts/money.js'
import { RESEND, SETTLED, START, STRIPE_LIVE, TOKEN, TWILIO, World } from '../admin/world.js'
import { Terminal } from './terminal.js'

/* The command against the real admin API on a real socket over a real ledger. */

let world: World
let terminal: Terminal

beforeEach(async () => {
  world = await World.start()
  terminal = new Terminal({
    SPENDGATE_URL: `http://127.0.0.1:${world.port}`,
    SPENDGATE_ADMIN_TOKEN: TOKEN,
    STRIPE_KEY: STRIPE_LIVE,
  })
})
afterEach(async () => {
  terminal.close()
  await world.close()
})

const file = (name: string, text: string): string => {
  writeFileSync(join(terminal.dir, name), text)
  return name
}

const POLICY_TEXT = `# Kept short.
apiVersion: spendgate/v1
name: support-refunds
daily_cap_usd: "200.00"
expires_in: 4h
budgets:
  - { per: run, cap_usd: "20.00" }
vendors:
  stripe:
    endpoints: { allow: ["GET /v1/charges*", "POST /v1/refunds"] }
    max_amount_usd: "50.00"
`

async function keyMade(): Promise<string> {
  await terminal.run('credential', 'add', 'stripe', '--name', 'main', '--secret-env', 'STRIPE_KEY')
  await terminal.run('policy', 'add', file('policy.yaml', POLICY_TEXT))
  return (await terminal.run('key', 'create', 'bot', '--policy', 'support-refunds', '--credential', 'main', '--json'))
    .json.id as string
}

describe('admin token', () => {
  test('a wrong one ends with 4 and names where it came from', async () => {
    terminal.env.SPENDGATE_ADMIN_TOKEN = 'sgadmin_wrong'
    const { exit, out, err } = await terminal.run('key', 'list')
    expect({ exit, out }).toEqual({ exit: 4, out: '' })
    expect(err).toContain('The admin token from SPENDGATE_ADMIN_TOKEN is not the one of the server')
    expect(err).not.toContain('sgadmin_wrong')
  })

  test('none at all ends with 4 and says where it was looked for', async () => {
    delete terminal.env.SPENDGATE_ADMIN_TOKEN
    const { exit, err } = await terminal.run('key', 'list')
    expect(exit).toBe(4)
    expect(err).toContain(
      `No admin token was found (looked in SPENDGATE_ADMIN_TOKEN, SPENDGATE_ADMIN_TOKEN_FILE, ${join(terminal.dir, 'data', 'admin-token')})`,
    )
  })

  test('is read from the data directory, or from the file a variable names', async () => {
    delete terminal.env.SPENDGATE_ADMIN_TOKEN
    mkdirSync(join(terminal.dir, 'data'))
    writeFileSync(join(terminal.dir, 'data', 'admin-token'), `${TOKEN}\n`)
    expect((await terminal.run('key', 'list')).exit).toBe(0)
    expect((await terminal.run('key', 'list', '--data-dir', join(terminal.dir, 'elsewhere'))).exit).toBe(4)
    terminal.env.SPENDGATE_ADMIN_TOKEN_FILE = join(terminal.dir, 'data', 'admin-token')
    expect((await terminal.run('key', 'list', '--data-dir', join(terminal.dir, 'elsewhere'))).exit).toBe(0)
  })
})

describe('credential', () => {
  test('a secret that comes by prompt is asked for without echo', async () => {
    terminal.answers = [STRIPE_LIVE]
    const { exit, out } = await terminal.run('credential', 'add', 'stripe')
    expect(exit).toBe(0)
    expect(terminal.questions).toEqual([
      { question: 'Stripe key (hidden; a restricted key rk_… is best): ', hidden: true },
    ])
    expect(out).toMatch(/^Stored cred_\w+ {2}stripe\/stripe {2}…cdef {2}fingerprint /)
    expect(out).not.toContain(STRIPE_LIVE)
  })

  test.each([
    ['standard input', ['--secret-stdin']],
    ['a variable', ['--secret-env', 'STRIPE_KEY']],
    ['a file', ['--secret-file', 'secret.txt']],
  ])('a secret comes from %s', async (_where, flags) => {
    terminal.stdin = `${STRIPE_LIVE}\n`
    file('secret.txt', `  ${STRIPE_LIVE}\n`)
    const { exit, json } = await terminal.run('credential', 'add', 'stripe', '--json', ...flags)
    expect(exit).toBe(0)
    expect(json).toMatchObject({ vendor: 'stripe', name: 'stripe', last4: 'cdef', test: false })
  })

  test.each([
    ['two sources', ['--secret-stdin', '--secret-env', 'STRIPE_KEY'], 2, /Give one of/],
    ['a variable that is not set', ['--secret-env', 'NOT_SET'], 2, /there is none of the name given/],
    ['a file that is not there', ['--secret-file', 'nowhere'], 3, /There is no file nowhere/],
    ['an empty input', ['--secret-stdin'], 2, /There is no secret in standard input/],
    ['nobody to ask', [], 2, /There is no terminal to ask at/],
  ])('%s is refused', async (_what, flags, code, sentence) => {
    const { exit, err } = await terminal.run('credential', 'add', 'stripe', ...flags)
    expect(err).toMatch(sentence)
    expect(exit).toBe(code)
    expect(world.ledger.credentials()).toEqual([])
  })

  test('Twilio is asked for three parts, of which only the secret is hidden', async () => {
    terminal.answers = [TWILIO.account_sid, TWILIO.api_key_sid, TWILIO.api_key_secret]
    const { json } = await terminal.run('--json', 'credential', 'add', 'twilio', '--name', 'sms')
    expect(json).toMatchObject({ vendor: 'twilio', name: 'sms', account: TWILIO.account_sid })
    expect(terminal.questions.map(({ hidden }) => hidden)).toEqual([false, false, true])
  })

  test('Twilio without an API key takes the auth token', async () => {
    terminal.stdin = '0123456789abcdef0123456789abcdef'
    const { json } = await terminal.run(
      'credential',
      'add',
      'twilio',
      '--account-sid',
      TWILIO.account_sid,
      '--secret-stdin',
      '--json',
    )
    expect(world.vault.open({ id: json.id, vendor: 'twilio' }, world.ledger.credential(json.id)!.sealed)).toEqual({
      account_sid: TWILIO.account_sid,
      auth_token: terminal.stdin,
    })
  })

  test('all parts may come as one JSON object', async () => {
    terminal.stdin = JSON.stringify(TWILIO)
    const { exit } = await terminal.run('credential', 'add', 'twilio', '--secret-stdin')
    expect(exit).toBe(0)
    expect(world.ledger.credentials()).toHaveLength(1)
  })

  test('is listed, shown by name, rotated and removed', async () => {
    await terminal.run('credential', 'add', 'stripe', '--name', 'main', '--secret-env', 'STRIPE_KEY')
    const listed = await terminal.run('credential', 'list')
    expect(listed.out.split('\n')[0]).toMatch(/^ID +VENDOR +NAME +ACCOUNT +MODE +LAST4 +FINGERPRINT +CREATED \(UTC\)$/)
    expect(listed.out).toMatch(/cred_\w+ +stripe +main .* live +cdef .* 2026-11-21 12:00:00\n$/)
    expect((await terminal.run('credential', 'show', 'main', '--json')).json).toMatchObject({
      vendor: 'stripe',
      rotated_at: null,
    })
    terminal.stdin = 'rk_live_CANARYother456789abcdef9999'
    expect((await terminal.run('credential', 'rotate', 'stripe/main', '--secret-stdin')).out).toContain('…9999')
    expect((await terminal.run('credential', 'remove', 'main', '--json')).json).toMatchObject({ removed: true })
    expect((await terminal.run('credential', 'list', '--json')).json).toEqual({ credentials: [], next_cursor: null })
    expect((await terminal.run('credential', 'show', 'main')).exit).toBe(3)
  })

  test('a refusal of the server ends with 1 and lists what is wrong', async () => {
    terminal.stdin = 'no-key-at-all'
    const { exit, out, err } = await terminal.run('credential', 'add', 'resend', '--secret-stdin')
    expect({ exit, out }).toEqual({ exit: 1, out: '' })
    expect(err).toContain('api_key must begin with re_.')
    terminal.stdin = RESEND
    expect((await terminal.run('credential', 'add', 'resend', '--secret-stdin')).exit).toBe(0)
    const twice = await terminal.run('credential', 'add', 'resend', '--secret-stdin', '--json')
    expect(twice.exit).toBe(1)
    expect(JSON.parse(twice.err)).toMatchObject({ error: { code: 'conflict', exit: 1 } })
  })
})

describe('policy', () => {
  test('is stored, listed, shown and versioned', async () => {
    expect((await terminal.run('policy', 'add', file('p.yaml', POLICY_TEXT))).out).toMatch(
      /^Stored support-refunds@1 {2}pol_/,
    )
    const second = file('p2.yaml', POLICY_TEXT.replace('200.00', '100.00'))
    expect((await terminal.run('policy', 'add', second, '--json')).json).toMatchObject({
      name: 'support-refunds',
      version: 2,
    })
    expect((await terminal.run('policy', 'list')).out).toMatch(/support-refunds +2 /)
    expect((await terminal.run('policy', 'versions', 'support-refunds', '--json')).json.versions).toHaveLength(2)
    expect((await terminal.run('policy', 'show', 'support-refunds@1')).out).toContain('daily_cap_usd: "200.00"')
    expect((await terminal.run('policy', 'show', 'support-refunds')).out).toContain('daily_cap_usd: "100.00"')
  })

  test('what is shown can be added again', async () => {
    await terminal.run('policy', 'add', file('p.yaml', POLICY_TEXT))
    const { out } = await terminal.run('policy', 'show', 'support-refunds')
    expect((await terminal.run('policy', 'add', file('again.yaml', out), '--json')).json).toMatchObject({ version: 1 })
  })

  test('a typo is shown with file, line and column', async () => {
    const { exit, out, err } = await terminal.run(
      'policy',
      'add',
      file('refunds.yaml', POLICY_TEXT.replace('daily_cap_usd', 'dailycap')),
    )
    expect({ exit, out }).toEqual({ exit: 1, out: '' })
    expect(err).toMatch(/^spendgate: refunds\.yaml has faults\. Nothing was stored/)
    expect(err).toMatch(/^ {2}refunds\.yaml:4:1 .*dailycap.*daily_cap_usd/m)
  })

  test('a document may come from standard input', async () => {
    terminal.stdin = JSON.stringify({ apiVersion: 'spendgate/v1', name: 'tiny', daily_cap_usd: '1.00', vendors: {} })
    expect((await terminal.run('policy', 'add', '-', '--json')).json).toMatchObject({ name: 'tiny', version: 1 })
  })

  test('one that is not there ends with 3', async () => {
    expect((await terminal.run('policy', 'show', 'nobody')).exit).toBe(3)
    expect((await terminal.run('policy', 'versions', 'nobody')).exit).toBe(3)
    expect((await terminal.run('policy', 'add', 'nowhere.yaml')).exit).toBe(3)
  })
})

describe('key', () => {
  test('is shown once, with the forms that clients need', async () => {
    await keyMade()
    const { exit, out, err } = await terminal.run(
      'key',
      'create',
      'refunds-bot',
      '--policy',
      'support-refunds',
      '--credential',
      'main',
      '--expires',
      '90m',
    )
    expect(exit).toBe(0)
    expect(out).toMatch(/^Created key_\w+ {2}refunds-bot {2}expires 2026-11-21 13:30:00 UTC \(in 1 h 30 m\)\n/)
    expect(out).toMatch(/ {2}key +vault_live_\w+\n {2}stripe clients +rk_vault_live_\w+ {2}or {2}sk_vault_live_\w+\n$/)
    expect(err).toContain('Shown once')
    const [, key = ''] = /key +(vault_live_\w+)/.exec(out) ?? []
    for (const verb of [['list'], ['show', 'refunds-bot'], ['list', '--json'], ['show', 'refunds-bot', '--json']]) {
      expect((await terminal.run('key', ...verb)).out).not.toContain(key)
    }
  })

  test('a life asked for holds over the one the policy gives; a child ends with its parent, and that is said', async () => {
    const made = ['--policy', 'support-refunds', '--credential', 'main']
    await keyMade()
    const { out } = await terminal.run('key', 'create', 'long', ...made, '--expires', '8h')
    expect(out).toContain('(in 8 h)')
    const { id } = JSON.parse((await terminal.run('--json', 'key', 'create', 'parent', ...made)).out) as { id: string }
    const child = await terminal.run('key', 'run', id, '--run', 'run_1', '--expires', '9h')
    expect(child.out).toContain('(in 4 h)')
    expect(child.err).toContain('It ends sooner than the 9h asked for')
  })

  test('a child key is bound to its run', async () => {
    const id = await keyMade()
    const { json } = await terminal.run('key', 'run', 'bot', '--run', 'run_42', '--cap', '5', '--json')
    expect(json).toMatchObject({ run: 'run_42', parent_id: id })
    expect((await terminal.run('key', 'show', json.id as string)).out).toMatch(/cap of the run +\$5\.00/)
  })

  test('show draws how the budgets stand', async () => {
    const id = await keyMade()
    await world.call(id, 50_000_000n)
    terminal.tty = true
    terminal.env.NO_COLOR = '1'
    const { out } = await terminal.run('key', 'show', 'bot')
    expect(out).toContain('active')
    expect(out).toMatch(/\$200\.00 {2}[█░]{20} +\d+%/)
  })

  test('narrowing takes part of a policy, and a fault in it is placed in the file', async () => {
    const id = await keyMade()
    const ok = await terminal.run(
      'key',
      'narrow',
      'bot',
      file('less.yaml', 'vendors:\n  stripe:\n    max_amount_usd: 12.50\n'),
    )
    expect({ exit: ok.exit, out: ok.out }).toEqual({
      exit: 0,
      out: `Narrowed ${id} and its children; this cannot be widened again\n`,
    })
    expect(JSON.stringify(world.ledger.key(id)!.narrowings)).toContain('"12.50"')
    const wrong = await terminal.run(
      'key',
      'narrow',
      id,
      file('wrong.yaml', 'vendors:\n  stripe:\n    max_amont_usd: "1.00"\n'),
    )
    expect(wrong.exit).toBe(1)
    expect(wrong.err).toMatch(/wrong\.yaml:\d+:\d+ /)
  })

  test('revoking by name says that nothing more leaves', async () => {
    const id = await keyMade()
    const { exit, out } = await terminal.run('key', 'revoke', 'bot', '--reason', 'loop')
    expect(exit).toBe(0)
    expect(out).toBe(`Revoked ${id} and its children at 2026-11-21 12:00:00 UTC. Nothing more leaves under them.\n`)
    expect((await terminal.run('key', 'list')).out).toMatch(new RegExp(`${id} +bot +support-refunds@1 +revoked`))
    expect((await terminal.run('key', 'revoke', id, '--json')).json).toMatchObject({ id, in_flight: [] })
  })

  test('what is still to come is shown, and a revoke that leaves some of it standing ends with 1', async () => {
    const id = await keyMade()
    expect((await terminal.run('key', 'pending', 'bot')).err).toContain(`Nothing of ${id} is still to come.`)
    const commits = { kind: 'recurring', perMonth: usd(30_000_000n), dueAt: null, quantity: 1n } as const
    const call = await world.call(
      id,
      0n,
      { ...SETTLED, object: 'sub_1' },
      { operation: 'subscriptions.create', commits },
    )
    const listed = await terminal.run('key', 'pending', 'bot')
    expect(listed.exit).toBe(0)
    expect(listed.out).toMatch(new RegExp(`${call} +stripe +subscriptions.create +sub_1 +recurring +\\$30.00 +– +–`))
    const plain = await terminal.run('key', 'revoke', 'bot')
    expect(plain.exit).toBe(0)
    expect(plain.err).toContain(`spendgate key revoke ${id} --cancel-pending`)
    const { exit, out, err } = await terminal.run('key', 'revoke', id, '--cancel-pending')
    expect(exit).toBe(1)
    expect(out).toMatch(/sub_1 .* stands\n$/)
    expect(err).toContain(`${call}: This server cannot reach vendors from here.`)
    expect((await terminal.run('key', 'revoke', id, '--cancel-pending', '--json')).exit).toBe(1)
    await world.ledger.takenBack(call, 'test')
    expect((await terminal.run('key', 'revoke', id, '--cancel-pending')).exit).toBe(0)
  })

  test('a name that two living keys have must be made plain', async () => {
    await keyMade()
    await terminal.run('key', 'create', 'bot', '--policy', 'support-refunds', '--credential', 'main')
    const { exit, err } = await terminal.run('key', 'revoke', 'bot')
    expect(exit).toBe(1)
    expect(err).toMatch(/2 keys go by bot: key_\w+, key_\w+\. Name one by its id\./)
  })

  test('one that is not there ends with 3', async () => {
    expect((await terminal.run('key', 'show', 'key_none')).exit).toBe(3)
    expect((await terminal.run('key', 'show', 'nobody')).exit).toBe(3)
    expect((await terminal.run('key', 'create', 'x', '--policy', 'p', '--credential', 'nobody')).exit).toBe(3)
  })
})

describe('reports', () => {
  test('spend by key names the keys and adds up', async () => {
    const id = await keyMade()
    await world.call(id, 41_800_000n)
    await world.call(id, 1n, null)
    const { out, err } = await terminal.run('spend')
    expect(err).toBe('the beginning to now\n')
    expect(out).toMatch(/^KEY +SPENT +HELD +CALLS +DENIED +SHARE\n/)
    expect(out).toMatch(new RegExp(`bot \\(${id}\\) +\\$41\\.80 +– +\\d+ +1 +100%\\ntotal +\\$41\\.80`))
    expect((await terminal.run('spend', '--by', 'vendor', '--json')).json).toMatchObject({
      rows: [{ vendor: 'stripe', spent_usd: '41.80' }],
      total: { spent_usd: '41.80' },
    })
  })

  test('spend before the first call is nothing', async () => {
    await world.call(await keyMade(), 41_800_000n)
    expect((await terminal.run('spend', '--to', '24h', '--json')).json).toMatchObject({
      rows: [],
      total: { spent_usd: '0.00' },
    })
    expect(
      (await terminal.run('spend', '--from', '2026-11-21', '--to', '2026-11-22', '--json')).json.total.spent_usd,
    ).toBe('41.80')
  })

  test('calls are filtered, limited and continued', async () => {
    const id = await keyMade()
    for (let i = 0; i < 3; i += 1) await world.call(id, 1_000_000n)
    await world.call(id, 60_000_000n, null)
    const denied = await terminal.run('calls', '--state', 'denied', '--key', 'bot')
    expect(denied.out).toMatch(/POST \/v1\/refunds +\$60\.00 +– +denied +– +amount_over_limit\n$/)
    const page = (await terminal.run('calls', '--limit', '2', '--json')).json
    expect(page.calls).toHaveLength(2)
    const rest = (await terminal.run('calls', '--cursor', page.next_cursor as string, '--json')).json
    expect(rest.calls).toHaveLength(2)
    expect(rest.next_cursor).toBeNull()
  })

  test('a run is listed and shown with its calls', async () => {
    await world.call(await keyMade(), 12_000_000n)
    expect((await terminal.run('runs', 'list')).out).toMatch(/run_1 +key_\w+ +\$12\.00 +– +1 +0 /)
    const { out } = await terminal.run('runs', 'show', 'run_1')
    expect(out).toMatch(/by vendor +stripe \$12\.00/)
    expect(out).toContain('POST /v1/refunds')
    expect((await terminal.run('runs', 'show', 'run_9')).exit).toBe(3)
  })

  test('explain gives the sentence the agent got and the rule that spoke', async () => {
    const id = await world.call(await keyMade(), 60_000_000n, null)
    const { exit, out } = await terminal.run('explain', id)
    expect(exit).toBe(0)
    expect(out).toMatch(/^DENIED {2}amount_over_limit\nUSD 60\.00 is over the limit\.\n {2}rule +max-amount\n/)
    expect((await terminal.run('explain', id, '--json')).json).toMatchObject({
      id,
      state: 'denied',
      decision: { code: 'amount_over_limit' },
    })
    expect((await terminal.run('explain', 'call_0000000zzz')).exit).toBe(3)
  })

  test('text that an agent chose cannot move the cursor', async () => {
    const id = await keyMade()
    const call = await world.call(id, 1n, null, { path: '/v1/\u001b[2Jrefunds\u202e', reason: 'fine\r\nALLOWED' })
    for (const argv of [['calls'], ['explain', call], ['runs', 'show', 'run_1']]) {
      const { out } = await terminal.run(...argv)
      expect(out).not.toMatch(/[\u001b\u202e\r]/)
      expect(out).not.toMatch(/^ALLOWED/m)
    }
    const { out, json } = await terminal.run('calls', '--json')
    expect(out).not.toMatch(/[\u001b\u202e]/)
    expect(json.calls[0].path).toBe('/v1/\u001b[2Jrefunds\u202e')
  })
})

describe('freeze', () => {
  test('stops one key by name and lets it go again', async () => {
    const id = await keyMade()
    expect((await terminal.run('freeze', '--key', 'bot', '--reason', 'loop')).out).toContain(`Frozen: key ${id}.`)
    expect((await terminal.run('key', 'list', '--json')).json.keys[0].status).toBe('frozen')
    expect((await terminal.run('unfreeze', '--key', id, '--json')).json.freezes).toEqual([])
  })

  test('all is one word', async () => {
    expect((await terminal.run('freeze', '--all', '--json')).json.freezes).toMatchObject([{ scope: 'all' }])
    expect((await terminal.run('unfreeze', '--all')).out).toBe('No longer frozen: everything.\n')
  })

  test('a key that is not there ends with 3 and freezes nothing', async () => {
    expect((await terminal.run('freeze', '--key', 'key_none')).exit).toBe(3)
    expect(world.ledger.freezes()).toEqual([])
  })
})

describe('rates', () => {
  test('set dates them today, keeps those of the same day, and asks before a leap', async () => {
    expect(
      (await terminal.run('rates', 'set', 'eur=1.09', '--haircut', '0.03', '--max-age-days', '30', '--json')).json,
    ).toMatchObject({
      as_of: '2026-11-21',
      usd_per: { eur: '1.09' },
      haircut: '0.03',
      max_age_days: 30,
    })
    expect((await terminal.run('rates', 'set', 'gbp=1.27', '--json')).json.usd_per).toEqual({
      eur: '1.09',
      gbp: '1.27',
    })
    const leap = await terminal.run('rates', 'set', 'eur=2')
    expect(leap.exit).toBe(1)
    expect(leap.err).toContain('--confirm')
    expect((await terminal.run('rates', 'set', 'eur=2', '--confirm', '--json')).json.usd_per.eur).toBe('2')
  })

  test('an old rate is not made fresh by setting another', async () => {
    await terminal.run('rates', 'set', 'eur=1.09', '--as-of', '2026-11-01')
    const { exit, err } = await terminal.run('rates', 'set', 'gbp=1.27')
    expect(exit).toBe(1)
    expect(err).toContain('These rates are of 2026-11-01 and would be dated 2026-11-21: eur.')
    expect((await terminal.run('rates', 'set', 'gbp=1.27', '--replace', '--json')).json).toMatchObject({
      as_of: '2026-11-21',
      usd_per: { gbp: '1.27' },
    })
  })

  test('a file replaces the table, and no rate passes through a float', async () => {
    const name = file(
      'rates.yaml',
      'as_of: 2026-11-20\nusd_per: { eur: 1.090000000001, jpy: 0.0066, gbp: 1 }\nhaircut: 0.03\nmax_age_days: 30\n',
    )
    expect((await terminal.run('rates', 'import', name, '--json')).json).toEqual({
      as_of: '2026-11-20',
      usd_per: { eur: '1.090000000001', jpy: '0.0066', gbp: '1' },
      haircut: '0.03',
      max_age_days: 30,
    })
  })
})

describe('prices', () => {
  test('are shown and replaced by a file', async () => {
    expect((await terminal.run('prices', 'show', 'twilio')).out).toMatch(/sms +\+1 +iso US,CA, seg 0\.0083/)
    const name = file(
      'twilio.yaml',
      'as_of: 2026-11-21\nmax_age_days: 90\nsafety: 1.2\nprefixes:\n  sms:\n    "+44": { iso: GB, seg: 0.0524 }\nflat: {}\n',
    )
    expect((await terminal.run('prices', 'import', 'twilio', name, '--json')).json).toMatchObject({
      safety: '1.2',
      prefixes: { sms: { '+44': { iso: 'GB', seg: '0.0524' } } },
    })
    const wrong = await terminal.run(
      'prices',
      'import',
      'twilio',
      file('bad.yaml', 'as_of: 2026-11-21\nmax_age_days: 90\nflat:\n  verify: -1\n'),
    )
    expect(wrong.exit).toBe(1)
    expect(wrong.err).toMatch(/bad\.yaml:4:3 /)
  })
})

describe('audit', () => {
  test('an export proves itself, and a changed one does not', async () => {
    await world.call(await keyMade(), 12_345_678n)
    const { exit, out } = await terminal.run('audit', 'export')
    expect(exit).toBe(0)
    const lines = out.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(3)
    const sound = await terminal.run('audit', 'verify', file('audit.ndjson', out), '--json')
    expect(sound.json).toMatchObject({
      ok: true,
      faults: [],
      entries: lines.length,
      head: JSON.parse(lines.at(-1) ?? '{}').hash,
    })
    const changed = await terminal.run('audit', 'verify', file('changed.ndjson', out.replace('12.345678', '2.345678')))
    expect(changed.exit).toBe(1)
    expect(changed.out).toMatch(/changed\.ndjson:\d+ entry \d+ does not match its hash/)
    const cut = await terminal.run('audit', 'verify', file('cut.ndjson', lines.toSpliced(1, 1).join('\n')))
    expect(cut.exit).toBe(1)
    expect(cut.out).toContain('entries before it are missing or out of order')
  })

  test('the server proves its own book', async () => {
    await world.call(await keyMade(), 1n)
    expect((await terminal.run('audit', 'verify', '--json')).json).toEqual({ ok: true, faults: [] })
  })

  test('an export to a file overwrites nothing', async () => {
    expect((await terminal.run('audit', 'export', '--output', 'a.ndjson')).exit).toBe(0)
    const { exit, err } = await terminal.run('audit', 'export', '--output', 'a.ndjson')
    expect(exit).toBe(1)
    expect(err).toContain('does not overwrite')
  })
})

describe('backup', () => {
  test('is written by the server and overwrites nothing', async () => {
    const { json } = await terminal.run('backup', 'copy.db', '--json')
    expect(json.file).toBe(join(terminal.dir, 'copy.db'))
    expect(readFileSync(join(terminal.dir, 'copy.db')).subarray(0, 15).toString()).toBe('SQLite format 3')
    expect((await terminal.run('backup', 'copy.db')).exit).toBe(1)
  })
})

/** Books calls one after the other, until it is told to stop; that waits for the last of them. */
function bookOn(book: () => Promise<unknown>): () => Promise<void> {
  let going = true
  const all = (async () => {
    while (going) {
      await book()
      await pause(20)
    }
  })()
  return () => {
    going = false
    return all
  }
}

describe('tail', () => {
  test('prints a line a call, denials with their sentence, until interrupted', async () => {
    const id = await keyMade()
    const seen = new Promise<void>((resolve) => terminal.onOut((text) => text.includes('DENY') && resolve()))
    const following = terminal.run('tail')
    const stop = bookOn(() => world.call(id, 60_000_000n, null))
    await seen
    await stop()
    terminal.interrupt()
    const { exit, out } = await following
    expect(exit).toBe(0)
    expect(out).toMatch(
      /^12:00:00 {2}bot {2}run_1 {2}stripe {2}POST \/v1\/refunds {2}\$60\.00 {2}DENY .*amount_over_limit: USD 60\.00 is over the limit\.$/m,
    )
  })

  test('--denied passes over what was allowed; --json writes a line each', async () => {
    const id = await keyMade()
    const seen = new Promise<void>((resolve) => terminal.onOut((text) => text.split('\n').length > 2 && resolve()))
    const following = terminal.run('tail', '--denied', '--json')
    const stop = bookOn(() => world.call(id, 1n).then(() => world.call(id, 1n, null)))
    await seen
    await stop()
    terminal.interrupt()
    const { out } = await following
    const states = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).state as string)
    expect(new Set(states)).toEqual(new Set(['denied']))
  })
})

describe('init', () => {
  test('goes from a vendor key to a vault key by questions', async () => {
    terminal.answers = ['stripe', '50', 'cus_A cus_B', STRIPE_LIVE]
    const { exit, out, err } = await terminal.run('init')
    expect(err).toContain('✔ credential')
    expect(exit).toBe(0)
    expect(out).toMatch(/key +vault_live_\w+/)
    expect(out).toContain('http://127.0.0.1:4242/stripe')
    const written = readFileSync(join(terminal.dir, 'support-refunds.yaml'), 'utf8')
    expect(written).toContain('daily_cap_usd: "50.00"')
    expect(written).toContain('customers: [ "cus_A", "cus_B" ]')
    expect(world.ledger.policies()[0]?.document).toMatchObject({
      daily_cap_usd: '50.00',
      vendors: { stripe: { customers: ['cus_A', 'cus_B'] } },
    })
    expect(out + err).not.toContain(STRIPE_LIVE)
  })

  test('needs nobody at the terminal when everything is given', async () => {
    terminal.env.RESEND_KEY = RESEND
    const { exit, json } = await terminal.run(
      'init',
      '--vendor',
      'stripe',
      '--vendor',
      'resend',
      '--daily-cap',
      '10',
      '--name',
      'helper',
      '--expires',
      '2h',
      '--json',
      '--secret-env',
      'stripe=STRIPE_KEY',
      '--secret-env',
      'resend=RESEND_KEY',
      '--sender',
      'a@acme.com',
      '--recipient',
      '*@acme.com',
    )
    expect(exit).toBe(0)
    expect(json).toMatchObject({
      policy: { name: 'helper', version: 1 },
      key: { expires_at: new Date(START + 7_200_000).toISOString() },
    })
    expect(json.key.presentations).toHaveProperty('resend')
    expect(world.ledger.policies()[0]?.document).toMatchObject({
      vendors: { resend: { senders: ['a@acme.com'], recipients: ['*@acme.com'] } },
    })
    expect(Object.keys((world.ledger.policies()[0]?.document as { vendors: object }).vendors).sort()).toEqual([
      'resend',
      'stripe',
    ])
  })

  test('uses a credential that is stored already', async () => {
    await terminal.run('credential', 'add', 'stripe', '--secret-env', 'STRIPE_KEY')
    expect((await terminal.run('init', '--vendor', 'stripe', '--json')).exit).toBe(0)
    expect(world.ledger.credentials()).toHaveLength(1)
  })

  test('a file that is there is not overwritten, and nothing is stored', async () => {
    file('support-refunds.yaml', 'mine')
    const { exit, err } = await terminal.run('init', '--vendor', 'stripe', '--secret-env', 'STRIPE_KEY')
    expect(exit).toBe(2)
    expect(err).toContain('support-refunds.yaml is there already')
    expect(world.ledger.credentials()).toEqual([])
  })

  test('without a server it ends with 6 before anything is asked', async () => {
    terminal.answers = []
    expect((await terminal.run('init', '--url', 'http://127.0.0.1:9')).exit).toBe(6)
    expect(terminal.questions).toEqual([])
  })
})

describe('doctor', () => {
  test('finds a running server in order, and says what it cannot find out', async () => {
    const { exit, out } = await terminal.run('doctor')
    expect(out).toMatch(/✔ +node +\d+/)
    expect(out).toMatch(/✔ +admin token +is accepted/)
    expect(out).toMatch(/! +agents +An agent that runs as this operating-system user can read the data directory/)
    expect(exit).toBe(0)
  })

  test('a data directory open to others is a failure', async () => {
    mkdirSync(join(terminal.dir, 'data'), { mode: 0o755 })
    const { exit, json } = await terminal.run('doctor', '--json')
    expect(exit).toBe(1)
    expect(json.findings).toContainEqual({
      check: 'data directory',
      status: 'fail',
      message: `${join(terminal.dir, 'data')} is open to other users. Fix: chmod 700 ${join(terminal.dir, 'data')}`,
    })
  })
})

test('nothing that any command said holds a real credential or the admin token', async () => {
  terminal.answers = ['stripe', '50', '', STRIPE_LIVE]
  const heard = [await terminal.run('init')]
  for (const argv of [
    ['credential', 'list'],
    ['key', 'list'],
    ['policy', 'show', 'support-refunds'],
    ['doctor'],
    ['audit', 'export'],
    ['spend'],
    ['calls'],
  ]) {
    heard.push(await terminal.run(...argv), await terminal.run(...argv, '--json'))
  }
  expect(heard.map(({ out, err }) => out + err).join('')).not.toContain('CANARY')
  world.expectNoSecrets()
})

test('a name that children share means the key they hang under, living or dead', async () => {
  const id = await keyMade()
  await terminal.run('key', 'run', 'bot', '--run', 'job')
  expect((await terminal.run('key', 'pending', 'bot', '--json')).exit).toBe(0)
  expect((await terminal.run('key', 'revoke', 'bot', '--json')).json.id).toBe(id)
  expect((await terminal.run('key', 'pending', 'bot', '--json')).exit).toBe(0)
})
