import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { unifiedDiff } from '../../src/cli/clients/diff.js'
import { CLIENTS, filesOf, type Surroundings } from '../../src/cli/clients/index.js'
import { parseJsonText, withMembers } from '../../src/cli/clients/json-text.js'
import { disarmed, keyless, shortened } from '../../src/cli/clients/shapes.js'
import { tomlFormat } from '../../src/cli/clients/toml.js'
import { connect, connectHttp } from '../clients/stdio.js'
import { clientFile, installClients } from '../helpers/clients.js'
import { built } from '../helpers/process.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { startWorld } from '../pipeline/given.js'
import { Terminal } from './terminal.js'

/* The configuration files of MCP clients, changed and proved against the whole product. */

const golden = (name: string): string => fileURLToPath(new URL(`golden/connect/${name}`, import.meta.url))
const missing = installClients()
if (missing !== null) console.log(`Skipped: MCP servers. ${missing}`)

let world: World
let key: IssuedKey
let terminal: Terminal
beforeAll(async () => {
  world = await startWorld()
  key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
})
afterAll(() => world.close())
beforeEach(() => {
  terminal = new Terminal({
    PATH: process.env.PATH,
    SPENDGATE_URL: world.server.adminUrl,
    SPENDGATE_ADMIN_TOKEN: REAL.admin,
    SPENDGATE_PORT: new URL(world.url).port,
  })
})
afterEach(() => terminal.close())

const place = (name: string): string => join(terminal.dir, name)
function file(name: string, text: string): string {
  mkdirSync(dirname(place(name)), { recursive: true })
  writeFileSync(place(name), text)
  return place(name)
}
/** Without what differs from one machine, port or key to the next. */
const plain = (text: string): string =>
  keyless(text)
    .replaceAll(world.url, 'http://127.0.0.1:4242')
    .replaceAll(world.server.adminUrl, 'http://127.0.0.1:4243')
    .replaceAll(terminal.dir, '~')
    .replace(/"SPENDGATE_PORT": "\d+"/g, '"SPENDGATE_PORT": "4242"')
    .replace(/key_[A-Za-z0-9]+/g, 'key_…')
const children = async (run: string): Promise<any[]> =>
  (await world.must('GET', '/keys?limit=500')).keys.filter((each: any) => each.run === run)

test('files are looked for where each client keeps them', async () => {
  const machines: readonly Surroundings[] = [
    { platform: 'darwin', home: '/u/ann', cwd: '/srv/shop', env: {} },
    { platform: 'linux', home: '/u/ann', cwd: '/srv/shop', env: {} },
    {
      platform: 'linux',
      home: '/u/ann',
      cwd: '/srv/shop',
      env: { XDG_CONFIG_HOME: '/c', CODEX_HOME: '/x', CLAUDE_CONFIG_DIR: '/cl' },
    },
    { platform: 'win32', home: 'C:\\u\\ann', cwd: 'D:\\shop', env: { APPDATA: 'C:\\u\\ann\\AppData\\Roaming' } },
  ]
  const lines = machines.flatMap((at) =>
    CLIENTS.map((client) => `${at.platform}  ${client.id}  ${filesOf(client, at).join('  ')}\n`),
  )
  await expect(lines.join('')).toMatchFileSnapshot(golden('paths.txt'))
})

describe('what would change, and what stands there then', () => {
  test.each([
    ['claude-desktop', 'npx'],
    ['claude-desktop', 'run'],
    ['claude-code', 'url'],
    ['cursor', 'url'],
    ['vscode', 'url'],
    ['vscode', 'npx'],
    ['windsurf', 'url'],
    ['codex', 'url'],
    ['codex', 'npx'],
  ])('%s by %s', async (client, mode) => {
    const before = readFileSync(golden(`${client}.before.txt`), 'utf8')
    const path = file('config', before)
    const { exit, out, err } = await terminal.run('connect', client, '--mode', mode, '--file', path, '--key', key.id)
    expect(err).toContain('Nothing was written.')
    expect(exit).toBe(0)
    await expect(plain(out)).toMatchFileSnapshot(golden(`${client}.${mode}.diff`))
    expect(out + err).not.toMatch(/CANARY|vault_live_\w/)
    expect(readFileSync(path, 'utf8')).toBe(before)
  })

  test.each(['claude-code', 'cursor', 'vscode', 'windsurf', 'codex'])('%s, written and proved', async (client) => {
    const before = readFileSync(golden(`${client}.before.txt`), 'utf8')
    const path = file('config', before)
    const { exit, out, err } = await terminal.run('connect', client, '--file', path, '--key', key.id, '--write')
    expect(err).toContain(`Wrote ${path}`)
    expect(exit).toBe(0)
    for (const vendor of ['stripe', 'twilio', 'resend'])
      expect(out).toMatch(new RegExp(`✔ \\w+  \\d+ tools at ${world.url}/mcp/${vendor}, answered by spendgate`))
    const after = readFileSync(path, 'utf8')
    await expect(plain(after)).toMatchFileSnapshot(golden(`${client}.after.txt`))
    expect(after).not.toMatch(/CANARY51/)
    expect(out + err).not.toMatch(/CANARY|vault_live_\w/)
    expect(statSync(path).mode & 0o077).toBe(0)

    expect((await terminal.run('connect', client, '--file', path, '--undo')).exit).toBe(0)
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(existsSync(`${path}.spendgate-backup`)).toBe(false)
    expect(existsSync(`${path}.spendgate-undone`)).toBe(false)
  })
})

describe('the key', () => {
  test('is a child of its own, bound to a run of the client’s name, and made unique', async () => {
    const first = await terminal.run('connect', 'cursor', '--vendor', 'stripe', '--key', key.id, '--write', '--json')
    const second = await terminal.run('connect', 'cursor', '--vendor', 'stripe', '--key', key.id, '--write', '--json')
    expect(first.json.key.run).toMatch(/^cursor(-\d+)?$/)
    expect(second.json.key.run).not.toBe(first.json.key.run)
    const [made] = await children(second.json.key.run)
    expect(made).toMatchObject({ id: second.json.key.id, parent_id: key.id, status: 'active' })
    expect(first.out + second.out).not.toMatch(/vault_live_\w/)
  })

  test('revoked, the client is out, and the next connect gives it another', async () => {
    const path = place('.cursor/mcp.json')
    const first = await terminal.run('connect', 'cursor', '--vendor', 'stripe', '--write', '--json')
    await world.must('POST', `/keys/${first.json.key.id}/revoke`)
    const shown = await terminal.run('connect', 'cursor', '--vendor', 'stripe')
    expect(shown.exit).toBe(1)
    expect(shown.out).toMatch(/✘ stripe {2}key_revoked: .*spendgate key list/)
    const { exit, json } = await terminal.run('connect', 'cursor', '--vendor', 'stripe', '--write', '--json')
    expect(exit).toBe(0)
    expect(json.key.id).not.toBe(first.json.key.id)
    expect(json.proofs).toEqual([expect.objectContaining({ name: 'stripe', ok: true })])
    // The backup is still from before spendgate: there was no file.
    expect((await terminal.run('connect', 'cursor', '--undo')).out).toContain('there was none before')
    expect(existsSync(path)).toBe(false)
  })

  test('that works is kept: nothing is written a second time', async () => {
    await terminal.run('connect', 'windsurf', '--write')
    const before = readFileSync(place('.codeium/windsurf/mcp_config.json'), 'utf8')
    const { exit, err, out } = await terminal.run('connect', 'windsurf', '--write')
    expect(exit).toBe(0)
    expect(err).toContain('connected already')
    expect(out).toContain('✔ twilio')
    expect(readFileSync(place('.codeium/windsurf/mcp_config.json'), 'utf8')).toBe(before)
  })

  test('of several is asked for, and a vendor it does not serve is refused', async () => {
    const other = await world.key()
    const unnamed = await terminal.run('connect', 'cursor', '--write')
    expect(unnamed.exit).toBe(2)
    expect(unnamed.err).toContain('choose one with --key')
    const { exit, err } = await terminal.run('connect', 'cursor', '--key', other.id, '--vendor', 'twilio,stripe')
    expect(exit).toBe(2)
    expect(err).toContain('has no credential for twilio')
    await world.must('POST', `/keys/${other.id}/revoke`)
    expect(existsSync(place('.cursor'))).toBe(false)
  })
})

describe('the file', () => {
  test('that cannot be understood is left alone', async () => {
    const path = file('.cursor/mcp.json', '{ "mcpServers": { "a": {}, "a": {} } }')
    const { exit, err } = await terminal.run('connect', 'cursor', '--write')
    expect(exit).toBe(1)
    expect(err).toContain('line 1: "a" stands twice')
    expect(readFileSync(path, 'utf8')).toContain('"a": {}, "a"')
  })

  test('changed after the fact, undo keeps what was added aside', async () => {
    const path = file('.cursor/mcp.json', '{}\n')
    await terminal.run('connect', 'cursor', '--write')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"mcpServers"', '"note": 1,\n  "mcpServers"'))
    const { err } = await terminal.run('connect', 'cursor', '--undo')
    expect(readFileSync(path, 'utf8')).toBe('{}\n')
    expect(err).toContain('.spendgate-undone')
    expect(readFileSync(`${path}.spendgate-undone`, 'utf8')).toContain('"note": 1')
  })

  test('of a project goes before the user’s when a vendor stands in it, and is to stay out of version control', async () => {
    const path = file('.mcp.json', '{ "mcpServers": { "stripe": { "command": "npx", "args": ["@stripe/mcp"] } } }\n')
    const { exit, err } = await terminal.run('connect', 'claude-code', '--vendor', 'stripe', '--write')
    expect(exit).toBe(0)
    expect(err).toContain('out of version control')
    expect(readFileSync(path, 'utf8')).toContain(`"url":"${world.url}/mcp/stripe"`)
    expect(existsSync(place('.claude.json'))).toBe(false)
  })

  test('servers the key does not serve stay, and the operator hears of their real keys', async () => {
    file(
      '.cursor/mcp.json',
      JSON.stringify({
        mcpServers: { mail: { command: 'npx', args: ['resend-mcp'], env: { RESEND_API_KEY: REAL.resend } } },
      }),
    )
    const { err, out } = await terminal.run('connect', 'cursor', '--vendor', 'stripe')
    expect(err).toContain('Left as it is: "mail" is for resend')
    expect(err).toContain('It holds a real key and goes past spendgate.')
    expect(out + err).not.toContain('CANARY')
  })

  test('nothing to undo is said', async () => {
    const { exit, err } = await terminal.run('connect', 'vscode', '--undo')
    expect(exit).toBe(3)
    expect(err).toContain('There is nothing to undo')
  })

  test('Claude Desktop takes no address', async () => {
    const { exit, err } = await terminal.run('connect', 'claude-desktop', '--mode', 'url')
    expect(exit).toBe(2)
    expect(err).toContain('use --mode npx')
  })
})

describe('when the route does not work', () => {
  test('the proof says what to do, and the exit code is 1', async () => {
    terminal.env.SPENDGATE_PORT = '9'
    const { exit, out, err } = await terminal.run('connect', 'cursor', '--vendor', 'stripe', '--write')
    expect(exit).toBe(1)
    expect(out).toMatch(/✘ stripe {2}nothing answers at http:\/\/127\.0\.0\.1:9 .*SPENDGATE_PORT/)
    expect(err).toContain('Undo with:  spendgate connect cursor --undo')
  })
})

describe.skipIf(missing !== null)('a real client, from the file alone', () => {
  const entry = (path: string, name: string): any => JSON.parse(readFileSync(path, 'utf8')).mcpServers[name]

  test('reaches Stripe through an address', async () => {
    const { json } = await terminal.run('connect', 'cursor', '--vendor', 'stripe', '--write', '--json')
    const { url, headers } = entry(place('.cursor/mcp.json'), 'stripe')
    const client = await connectHttp(url, headers)
    const refund = await client.call('create_refund', { charge: 'ch_A', amount: 100 })
    expect(refund.error, refund.text).toBe(false)
    await client.close()
    expect((await world.calls(`&key=${json.key.id}`)).map((call) => call.operation)).toContain('refunds.create')
  })

  test('reaches Stripe through its own server and NODE_OPTIONS, from a home with a space in its name', async () => {
    terminal.env.HOME = place('home of ann')
    // Somebody else's option in npm's settings would take the place of NODE_OPTIONS.
    file('home of ann/.npmrc', 'node-options=--no-deprecation\n')
    const path = file(
      'config.json',
      JSON.stringify({
        mcpServers: {
          // Where the package is installed, so that npx need not fetch it.
          stripe: {
            command: 'npx',
            args: ['-y', '@stripe/mcp'],
            cwd: dirname(dirname(clientFile('x'))),
            env: { STRIPE_SECRET_KEY: REAL.stripe },
          },
        },
      }),
    )
    const { exit, out, err } = await terminal.run(
      'connect',
      'claude-desktop',
      '--file',
      path,
      '--vendor',
      'stripe',
      '--write',
    )
    expect(out + err).toMatch(/✔ stripe {2}\d+ tools from npx -y @stripe\/mcp; its call of \w+ came through spendgate/)
    expect(err).toContain('held a real stripe key (STRIPE_SECRET_KEY)')
    expect(exit).toBe(0)
    const written = entry(path, 'stripe')
    expect(JSON.stringify(written)).not.toContain('CANARY')
    const client = await connect({ ...written, env: { ...written.env, HOME: terminal.env.HOME! } })
    const refund = await client.call('create_refund', { charge: 'ch_A', amount: 100 })
    expect(refund.error, refund.text).toBe(false)
    await client.close()
  })

  test('reaches it under spendgate run, with a key that is made at the start', async () => {
    mkdirSync(place('bin'))
    writeFileSync(place('bin/spendgate'), `#!/bin/sh\nexec "${process.execPath}" "${built('src/cli/index.js')}" "$@"\n`)
    chmodSync(place('bin/spendgate'), 0o755)
    terminal.env.PATH = `${place('bin')}:${process.env.PATH}`
    mkdirSync(place('data'), { mode: 0o700 })
    writeFileSync(place('data/admin-token'), REAL.admin, { mode: 0o600 })
    const path = file(
      'config.json',
      JSON.stringify({
        mcpServers: { stripe: { command: process.execPath, args: [clientFile('@stripe', 'mcp', 'dist', 'index.js')] } },
      }),
    )
    const { exit, out, err } = await terminal.run(
      'connect',
      'claude-desktop',
      '--file',
      path,
      '--vendor',
      'stripe',
      '--mode',
      'run',
      '--write',
    )
    expect(out + err).toContain('came through spendgate')
    expect(exit).toBe(0)
    expect(readFileSync(path, 'utf8')).not.toMatch(/vault_live|CANARY/)
  })

  test.each([
    ['twilio', '@twilio-alpha', 'mcp', 'build', 'index.js'],
    ['resend', 'resend-mcp', 'dist', 'index.js'],
  ] as const)('reaches %s through its own server', async (vendor, ...parts) => {
    const path = file(
      'config.json',
      JSON.stringify({ mcpServers: { [vendor]: { command: process.execPath, args: [clientFile(...parts)] } } }),
    )
    const { exit, out, err } = await terminal.run(
      'connect',
      'claude-desktop',
      '--file',
      path,
      '--vendor',
      vendor,
      '--write',
    )
    expect(out + err).toContain('came through spendgate')
    expect(exit).toBe(0)
  })
})

describe('text that is changed in place', () => {
  const set = (text: string, wanted: Record<string, unknown>, ...dropped: string[]): string =>
    withMembers(text, parseJsonText(text), Object.entries(wanted), new Set(dropped))

  test.each([
    ['an empty object', '{}', { a: 1 }, [], '{"a":1}'],
    ['an empty object on two lines', '{\n}\n', { a: 1 }, [], '{\n  "a": 1\n}\n'],
    ['one line', '{"a":1}', { b: [1] }, [], '{"a":1,"b":[1]}'],
    ['one line, the last taken out', '{"a":1, "b":2}', {}, ['b'], '{"a":1 }'],
    ['a comment behind the last', '{\n\t"a": 1 // why\n}', { b: 2 }, [], '{\n\t"a": 1, // why\n\t"b": 2\n}'],
    ['a comma behind the last', '{\n  "a": 1,\n}', { b: 2 }, [], '{\n  "a": 1,\n  "b": 2,\n}'],
    ['all but the first taken out', '{\n  "a": 1,\n  "b": 2, // x\n  "c": 3\n}', {}, ['b', 'c'], '{\n  "a": 1\n}'],
    ['everything taken out and one put in', '{\n  "a": 1,\n  "b": 2\n}', { c: 3 }, ['a', 'b'], '{\n  "c": 3\n}'],
    ['a value in place', '{ "a": /* one */ 1, "b": 2 }', { a: 'x' }, [], '{ "a": /* one */ "x", "b": 2 }'],
    ['line breaks of Windows', '{\r\n  "a": 1\r\n}', { b: {} }, [], '{\r\n  "a": 1,\r\n  "b": {}\r\n}'],
  ])('%s', (_what, text, wanted, dropped, after) => {
    expect(set(text, wanted, ...dropped)).toBe(after)
    expect(parseJsonText(set(text, wanted, ...dropped)).value).toMatchObject(wanted)
  })

  test.each(['{"a":1', '{"a" 1}', '[1 2]', '{} x', '{"a":1,"a":2}', '"\\q"', '{"a":01x}'])('%s is refused', (text) => {
    expect(() => parseJsonText(text)).toThrow(/line 1/)
  })

  test.each([
    ['a table in another form', 'mcp_servers.stripe.command = "npx"\n', /does not stand under a header/],
    ['all as one value', 'mcp_servers = { other = { command = "x" } }\n', /written as one value/],
    ['no TOML', '[mcp_servers.stripe\n', /line 1: ] was expected/],
  ])('TOML that is %s is refused', (_what, text, sentence) => {
    const put = (): string =>
      tomlFormat.put(
        text,
        ['mcp_servers'],
        'stripe',
        { kind: 'url', url: 'http://x', headers: {} },
        CLIENTS.at(-1)!.spelling,
      )
    expect(put).toThrow(sentence)
  })

  test('TOML with the line breaks of Windows keeps them', () => {
    const before = '[mcp_servers.stripe]\r\ncommand = "npx" # why\r\n\r\n[mcp_servers.stripe.env]\r\nA = "b"\r\n'
    const wanted = { kind: 'stdio', command: 'node', args: ['x'], env: {} } as const
    expect(tomlFormat.put(before, ['mcp_servers'], 'stripe', wanted, CLIENTS.at(-1)!.spelling)).toBe(
      '[mcp_servers.stripe]\r\nargs = ["x"]\r\ncommand = "node" # why\r\n',
    )
  })

  test('a diff has the lines that differ and three around them', () => {
    const lines = (change: string): string => ['a', 'b', 'c', 'd', change, 'f', 'g', 'h', 'i', ''].join('\n')
    const diff = unifiedDiff('f', lines('e'), lines('E\nee'), { before: lines('e'), after: lines('E\nee') })
    expect(diff).toBe('--- f\n+++ f\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n+ee\n f\n g\n h\n')
  })
})

const VAULT_SHAPED = `rk_vault_live_${'a1'.repeat(20)}`

describe('keys in what is shown and tried out', () => {
  test.each([
    [REAL.stripe, 'sk_live_…'],
    [`Bearer rk_vault_live_${'a1'.repeat(20)}`, 'Bearer rk_vault_live_…'],
    [REAL.resend, 're_…'],
    [`${REAL.twilioAccount}/${REAL.twilioKey}:${REAL.twilioSecret}`, 'AC…/SK…:…'],
    ['postgres://u:hunter2@db/x', 'postgres://u:…@db/x'],
    ['@stripe/mcp', '@stripe/mcp'],
    ['http://127.0.0.1:4242/mcp/stripe', 'http://127.0.0.1:4242/mcp/stripe'],
  ])('%s is shown as %s', (text, shown) => {
    expect(shortened(text)).toBe(shown)
  })

  test.each(CLIENTS)('nothing of a file of $title is shown that could be a secret', ({ id, format }) => {
    const before = readFileSync(golden(`${id}.before.txt`), 'utf8')
    const shown = format.shown(before)
    expect(shown).not.toContain('CANARY')
    expect(shown.split('\n')).toHaveLength(before.split('\n').length)
  })

  test('under env and headers all but a few names are shortened', () => {
    expect(shortened('short', { name: 'DB', guarded: true })).toBe('…')
    expect(shortened('http://x', { name: 'STRIPE_API_BASE', guarded: true })).toBe('http://x')
    expect(shortened('${input:key}', { name: 'KEY', guarded: true })).toBe('${input:key}')
  })

  test.each([REAL.stripe, REAL.resend, VAULT_SHAPED, `Basic ${REAL.stripeTest}`])(
    '%s is disarmed into its own shape',
    (text) => {
      const worthless = disarmed(text)
      expect(worthless).not.toMatch(/CANARY|a1a1/)
      expect(worthless.slice(0, 3)).toBe(text.slice(0, 3))
    },
  )
})
