import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { preloadFile } from '../../src/cli/child-env.js'
import { clientFile, installClients } from '../helpers/clients.js'
import { alive, built } from '../helpers/process.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { startWorld } from '../pipeline/given.js'
import { Terminal, type Heard } from './terminal.js'

/* Which way the MCP servers of a machine's clients go, found out without a key that is worth anything. */

const SERVER = fileURLToPath(new URL('doctor-server.mjs', import.meta.url))
const PRELOAD = `--require ${JSON.stringify(preloadFile())}`
const missing = installClients()
if (missing !== null) console.log(`Skipped: MCP servers. ${missing}`)

let world: World
let key: IssuedKey
let terminal: Terminal
beforeAll(async () => {
  built('src/cli/clients/watch.cjs')
  world = await startWorld()
  key = await world.key()
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
function configure(servers: Record<string, unknown>, name = '.cursor/mcp.json'): void {
  mkdirSync(dirname(place(name)), { recursive: true })
  writeFileSync(place(name), JSON.stringify({ mcpServers: servers }))
}

interface Finding {
  readonly check: string
  readonly status: string
  readonly message: string
}
/** What the doctor says of the one server there is. */
async function found(entry: unknown): Promise<Heard & Finding> {
  configure({ stripe: entry })
  const heard = await terminal.run('doctor', '--client', 'cursor', '--json')
  const finding = heard.json.findings.find(({ check }: Finding) => check === 'cursor: stripe') as Finding
  expect(finding, heard.err).toBeDefined()
  expect(heard.out + heard.err).not.toMatch(/CANARY|vault_live_\w/)
  return { ...heard, json: heard.json, ...finding }
}

const base = (): Record<string, string> => ({ STRIPE_API_BASE: `${world.url}/stripe` })
const own = (way: string, env: Record<string, string>, ...more: string[]): unknown => ({
  command: process.execPath,
  args: [SERVER, way, ...more],
  env,
})

describe('a server of somebody’s own', () => {
  test('with the preload reaches the proxy; what it was given was worth nothing', async () => {
    const given = place('given')
    const { status, message, exit } = await found(
      own('plain', { ...base(), STRIPE_SECRET_KEY: `rk_${key.key}`, NODE_OPTIONS: PRELOAD }, given),
    )
    expect({ status, message }).toEqual({
      status: 'ok',
      message: `reaches the proxy by STRIPE_API_BASE (GET /stripe/v1/balance came there) (${place('.cursor/mcp.json')})`,
    })
    expect(exit).toBe(0)
    const text = readFileSync(given, 'utf8')
    expect(text).not.toContain(key.key)
    expect(text).not.toMatch(/CANARY/)
    expect(JSON.parse(text).env.STRIPE_SECRET_KEY).toMatch(/^rk_vault_live_SpendgateDoctor/)
    expect(await world.calls(`&key=${key.id}`)).toEqual([])
  })

  test('without it goes past, to a host that is not reached, and the remedy is connect', async () => {
    const { status, message, exit } = await found(own('plain', { ...base(), STRIPE_SECRET_KEY: `rk_${key.key}` }))
    expect(status).toBe('fail')
    expect(message).toContain('goes past spendgate to the vendor: it calls api.stripe.com. Nothing loads the preload')
    expect(message).toContain('Govern it: spendgate connect cursor --write')
    expect(exit).toBe(1)
  })

  test('that makes sockets of its own goes past the preload, and the remedy is the address', async () => {
    const { status, message } = await found(
      own('raw', { ...base(), STRIPE_SECRET_KEY: key.key, NODE_OPTIONS: PRELOAD }),
    )
    expect(status).toBe('fail')
    expect(message).toContain('it calls api.stripe.com. The preload does not reach that part of it.')
    expect(message).toContain('spendgate connect cursor --mode url --write')
  })

  test('with a real key and no base goes past, and the key does not leave', async () => {
    const given = place('given')
    const { status, message } = await found(own('plain', { STRIPE_SECRET_KEY: REAL.stripe }, given))
    expect(status).toBe('fail')
    expect(message).toContain('It has no STRIPE_API_BASE. Govern it: spendgate connect cursor --write')
    const { env } = JSON.parse(readFileSync(given, 'utf8'))
    expect(env.STRIPE_SECRET_KEY).toMatch(/^sk_live_Spendgate/)
  })

  test('with a real key beside a base is told so', async () => {
    const { status, message } = await found(
      own('plain', { ...base(), STRIPE_SECRET_KEY: REAL.stripe, NODE_OPTIONS: PRELOAD }),
    )
    expect(status).toBe('fail')
    expect(message).toContain('a real key stands beside STRIPE_API_BASE (STRIPE_SECRET_KEY)')
  })

  test('whose base is the vendor itself is not even started', async () => {
    const given = place('given')
    const { status, message } = await found(own('plain', { STRIPE_API_BASE: 'https://api.stripe.com' }, given))
    expect(status).toBe('fail')
    expect(message).toContain('STRIPE_API_BASE is https://api.stripe.com')
    expect(existsSync(given)).toBe(false)
  })

  test.each([
    ['silent', 'it called nobody while it was tried out'],
    ['dies', 'it ended by itself (3). It said: cannot work with rk_vault_live_…'],
  ])('that is %s cannot be told', async (way, why) => {
    const { status, message, exit } = await found(
      own(way, { ...base(), STRIPE_SECRET_KEY: `rk_${key.key}`, NODE_OPTIONS: PRELOAD }),
    )
    expect({ status, exit }).toEqual({ status: 'warn', exit: 0 })
    expect(message).toContain(`cannot be told: ${why}`)
  })

  test('at the base of some other spendgate is told apart', async () => {
    const { status, message } = await found(
      own('plain', { STRIPE_API_BASE: 'http://127.0.0.1:9/stripe', STRIPE_SECRET_KEY: key.key, NODE_OPTIONS: PRELOAD }),
    )
    expect(status).toBe('warn')
    expect(message).toContain(`http://127.0.0.1:9; this environment has spendgate's agent port at ${world.url}`)
  })

  test('is ended with all it started', async () => {
    const given = place('given')
    const env = { ...base(), STRIPE_SECRET_KEY: key.key, NODE_OPTIONS: PRELOAD }
    expect((await found(own('family', env, given))).message).toContain('reaches the proxy')
    const { child } = JSON.parse(readFileSync(given, 'utf8'))
    expect(child).toBeGreaterThan(0)
    // Whoever inherits it may take its time to bury it.
    await expect.poll(() => alive(child), { timeout: 15_000 }).toBe(false)
  })

  test('under spendgate run reaches the proxy, and no key is made for it', async () => {
    const before = (await world.must('GET', '/keys?limit=500')).keys.length
    const { status, message } = await found({
      command: 'spendgate',
      args: ['run', '--key', key.id, '--', process.execPath, SERVER, 'plain'],
      env: base(),
    })
    expect(message).toContain('reaches the proxy by spendgate run')
    expect(status).toBe('ok')
    expect((await world.must('GET', '/keys?limit=500')).keys).toHaveLength(before)
  })
})

describe('what the hook does not reach is not started', () => {
  test.each([
    ['bunx', 'Bun does not load the hook of Node'],
    ['docker', 'A container does not load'],
    ['uvx', 'Python does not load'],
    ['no-such-program', 'no-such-program is not found on the PATH'],
    ['/bin/cat', "is no program of Node's"],
  ])('%s', async (command, why) => {
    const { status, message } = await found({ command, args: ['@stripe/mcp'], env: { STRIPE_SECRET_KEY: REAL.stripe } })
    expect(status).toBe('warn')
    expect(message).toContain(why)
  })
})

describe('an address', () => {
  const bearer = (text: string): Record<string, string> => ({ Authorization: `Bearer ${text}` })

  test('at the agent port is answered by spendgate, which is shown no key of its own', async () => {
    const { status, message } = await found({ url: `${world.url}/mcp/stripe`, headers: bearer(key.key) })
    expect(message).toContain(`reaches the proxy at ${world.url}/mcp/stripe`)
    expect(status).toBe('ok')
    expect((await world.must('GET', `/keys/${key.id}`)).last_used_at).toBeNull()
  })

  test.each([
    ['https://mcp.stripe.com', 'fail', 'goes past spendgate to the vendor: its address is at mcp.stripe.com'],
    ['https://gate.example/mcp/stripe', 'warn', 'cannot be told: it leads to https://gate.example'],
  ])('%s: %s', async (url, status, why) => {
    const seen = await found({ url, headers: bearer(REAL.stripe), env: { STRIPE_SECRET_KEY: REAL.stripe } })
    expect(seen.message).toContain(why)
    expect(seen.status).toBe(status)
  })

  test('of a proxy that is down, or with a real key, is told so', async () => {
    expect(await found({ url: `${world.url}/mcp/stripe`, headers: bearer(REAL.stripe) })).toMatchObject({
      status: 'fail',
    })
    terminal.env.SPENDGATE_PORT = '9'
    const { message } = await found({ url: 'http://127.0.0.1:9/mcp/stripe', headers: bearer(key.key) })
    expect(message).toContain('nothing answers at http://127.0.0.1:9')
  })
})

describe('the files', () => {
  test('of every client that has one are looked at, servers of others and switched-off ones are not tried', async () => {
    configure({ stripe: { command: 'bunx', args: ['@stripe/mcp'] }, tickets: { command: 'tickets' } })
    mkdirSync(place('.codex'))
    writeFileSync(
      place('.codex/config.toml'),
      '[mcp_servers.stripe]\nurl = "https://mcp.stripe.com"\nenabled = false\n',
    )
    const { json, exit } = await terminal.run('doctor', '--json')
    const checks = json.findings.filter(({ check }: Finding) => /: /.test(check))
    expect(checks.map(({ check, status }: Finding) => [check, status])).toEqual([
      ['cursor: stripe', 'warn'],
      ['codex: stripe', 'ok'],
    ])
    expect(exit).toBe(0)
  })

  test('of a project name programs that are started only when asked for', async () => {
    const given = place('given')
    configure({ stripe: own('plain', base(), given) }, '.mcp.json')
    const { json } = await terminal.run('doctor', '--json')
    const finding = json.findings.find(({ check }: Finding) => check === 'claude-code: stripe')
    expect(finding.message).toContain('started only when asked for: spendgate doctor --client claude-code')
    expect(existsSync(given)).toBe(false)
    await terminal.run('doctor', '--client', 'claude-code')
    expect(existsSync(given)).toBe(true)
  })

  test('that cannot be understood is a finding, one that is named and not there a fault', async () => {
    mkdirSync(place('.cursor'))
    writeFileSync(place('.cursor/mcp.json'), '{')
    const { json } = await terminal.run('doctor', '--json')
    expect(json.findings).toContainEqual(expect.objectContaining({ check: 'cursor', status: 'warn' }))
    expect((await terminal.run('doctor', '--client', 'windsurf')).exit).toBe(3)
    writeFileSync(place('my.toml'), '[mcp_servers.stripe]\nurl = "https://mcp.stripe.com"\n')
    const { out, exit } = await terminal.run('doctor', '--file', 'my.toml')
    expect(out).toMatch(/✘ +codex: stripe +goes past spendgate/)
    expect(exit).toBe(1)
  })

  test('the sentence about the same user is still said', async () => {
    expect((await terminal.run('doctor')).out).toContain('An agent that runs as this operating-system user can read')
  })
})

describe.skipIf(missing !== null)('servers as users have them', () => {
  const entry = (): unknown => ({
    command: 'npx',
    args: ['-y', '@stripe/mcp'],
    // Where the package is installed, so that npx need not fetch it.
    cwd: dirname(dirname(clientFile('x'))),
    env: { STRIPE_SECRET_KEY: `rk_${key.key}`, ...base() },
  })

  test('an address that mcp-remote bridges reaches the proxy', async () => {
    const remote = clientFile('mcp-remote', 'dist', 'proxy.js')
    const { status, message } = await found({
      command: process.execPath,
      args: [
        remote,
        `${world.url}/mcp/stripe`,
        '--allow-http',
        '--transport',
        'http-only',
        '--header',
        `Authorization:Bearer ${key.key}`,
      ],
    })
    expect(message).toContain('reaches the proxy by its address')
    expect(status).toBe('ok')
  })

  test('@stripe/mcp by npx goes past without setup', async () => {
    const { status, message } = await found(entry())
    expect(status).toBe('fail')
    expect(message).toContain('it calls mcp.stripe.com. Nothing loads the preload into it. Run: spendgate setup. Or')
  })

  test('and reaches the proxy after it', async () => {
    expect((await terminal.run('setup')).exit).toBe(0)
    const { status, message } = await found(entry())
    expect(message).toContain('reaches the proxy by STRIPE_API_BASE (POST /mcp/stripe came there)')
    expect(status).toBe('ok')
  })
})
