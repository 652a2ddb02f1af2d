import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/package-root.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { startWorld } from '../pipeline/given.js'

const PRELOAD = fileURLToPath(new URL('../../dist/src/preload/preload.cjs', import.meta.url))
const CLIENT = fileURLToPath(new URL('client.mjs', import.meta.url))

interface Told {
  readonly results: readonly {
    readonly name: string
    readonly ok?: unknown
    readonly code?: unknown
    readonly message?: string
  }[]
  /** Names of hosts that were looked up. */
  readonly looked: readonly string[]
  readonly ms: number
  readonly argv: readonly string[]
  readonly secretKey: string | null
  readonly stderr: string
}

let world: World
let key: IssuedKey
beforeAll(async () => {
  if (!existsSync(PRELOAD)) throw new Error('Build first: npm run build.')
  world = await startWorld()
  key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
})
afterAll(() => world.close())

/** A program that knows nothing of spendgate, with the preload in front and only these variables. */
function client(
  acts: readonly string[],
  env: Record<string, string>,
  preload = ['--require', PRELOAD],
  cwd?: string,
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...preload, CLIENT, ...acts], {
      cwd,
      env: { PATH: process.env.PATH, ...env },
    })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.once('error', reject)
    child.once('close', () => {
      try {
        resolve({ ...(JSON.parse(out) as Told), stderr: err })
      } catch {
        reject(new Error(`the client said: ${out}${err}`))
      }
    })
  })
}

const keys = (): Record<string, string> => {
  const twilio = key.presentations.twilio!
  return {
    STRIPE_API_KEY: key.key,
    RESEND_API_KEY: key.key,
    TWILIO_ACCOUNT_SID: twilio.account_sid,
    TWILIO_API_KEY: twilio.api_key_sid,
    TWILIO_API_SECRET: twilio.api_key_secret,
  }
}
const bases = (origin = world.url): Record<string, string> => ({
  STRIPE_API_BASE: `${origin}/stripe`,
  TWILIO_API_BASE: `${origin}/twilio`,
  RESEND_BASE_URL: `${origin}/resend`,
})

describe('with bases and vault keys in its environment', () => {
  test('stripe-node, over node:https and over fetch, twilio-node and resend-node reach the proxy and no other host', async () => {
    const told = await client(['refund', 'refund-fetch', 'balance', 'sms', 'mail', 'fetch'], { ...keys(), ...bases() })
    expect(told.results).toEqual([
      { name: 'refund', ok: 'succeeded' },
      { name: 'refund-fetch', ok: 'succeeded' },
      { name: 'balance', ok: 'balance' },
      { name: 'sms', ok: 'queued' },
      { name: 'mail', ok: 'string' },
      { name: 'fetch', ok: 200 },
    ])
    expect(told.looked).toEqual([])
    expect(told.stderr).toBe('')
  })

  test('many calls on one connection leave nothing behind on it', async () => {
    const told = await client(['many-balances'], { ...keys(), ...bases() })
    expect(told.results).toEqual([{ name: 'many-balances', ok: 'done' }])
    expect(told.stderr).toBe('')
  })

  test('--import does the same as --require', async () => {
    const told = await client(['refund'], { ...keys(), ...bases() }, ['--import', `file://${PRELOAD}`])
    expect(told.results).toEqual([{ name: 'refund', ok: 'succeeded' }])
  })

  test('SPENDGATE_RUN_ID labels every call, and so does a run in the base', async () => {
    await client(['refund', 'sms'], { ...keys(), ...bases(), SPENDGATE_RUN_ID: 'run_header' })
    await client(['balance'], { ...keys(), ...bases(`${world.url}/run/run_path`) })
    const runs = (await world.calls(`&key=${key.id}`)).map((call) => [call.run, call.operation])
    expect(runs).toContainEqual(['run_header', 'refunds.create'])
    expect(runs).toContainEqual(['run_header', 'messages.create'])
    expect(runs.filter(([run]) => run === 'run_path')).toHaveLength(1)
  })

  test('another product of Twilio is reached under its own host name', async () => {
    const told = await client(['verify'], { ...keys(), ...bases() })
    expect(told.results[0]!.message).toContain('The service VA')
    expect((await world.calls(`&key=${key.id}`))[0].path).toMatch(/^verify\.twilio\.com\/v2\/Services\//)
  })

  test('a refusal arrives as the typed error of the SDK', async () => {
    const poor = await world.key({ daily_cap_usd: '0.50' })
    const told = await client(['refund'], { STRIPE_API_KEY: poor.key, ...bases() })
    expect(told.results[0]).toMatchObject({ code: 'daily_cap_exceeded', status: 403 })
  })

  test('HTTP/2 is refused in words instead of going past', async () => {
    const told = await client(['http2'], { ...keys(), ...bases() })
    expect(told.results[0]!.message).toContain('reached by HTTP/1.1')
    expect(told.looked).toEqual([])
  })

  test('vault_… becomes rk_vault_… in the environment and among the arguments', async () => {
    const told = await client([`--api-key=${key.key}`, '--api-key', key.key, 'refund'], bases())
    expect(told.argv).toContain(`--api-key=rk_${key.key}`)
    expect(told.argv).toContain(`rk_${key.key}`)
    expect(told.argv).not.toContain(key.key)
  })
})

describe('nothing leaves the program', () => {
  test.each([
    ['refund', 'STRIPE_API_BASE'],
    ['sms', 'TWILIO_API_BASE'],
    ['mail', 'RESEND_BASE_URL'],
  ])('%s with a vault key and no base', async (act, missing) => {
    const told = await client([act], { ...keys(), STRIPE_SECRET_KEY: `rk_${key.key}` })
    expect(told.results[0]!.message).toContain(
      `vendor_not_granted: This vault key belongs to spendgate, and ${missing} does not say where`,
    )
    expect(told.looked).toEqual([])
    expect(told.ms).toBeLessThan(1000)
  })

  test('with a real key beside a base', async () => {
    const told = await client(['refund'], { STRIPE_SECRET_KEY: REAL.stripe, ...bases() })
    expect(told.results[0]).toMatchObject({ code: 'real_key_presented', status: 401 })
    expect(told.results[0]!.message).not.toContain(REAL.stripe)
  })

  test('without a key, where a variable of the vendor holds a vault key', async () => {
    const told = await client(['fetch-bare'], { STRIPE_API_KEY: key.key })
    expect(told.results[0]!.ok).toContain('vendor_not_granted')
    expect(told.looked).toEqual([])
  })

  test('over plain http to another machine', async () => {
    const told = await client(['refund'], { ...keys(), STRIPE_API_BASE: 'http://proxy.example/stripe' })
    expect(told.results[0]!.message).toContain('plain http to proxy.example')
    expect(told.stderr).toContain('plain http to proxy.example')
    expect(told.looked).toEqual([])
  })

  test('when the proxy is down: an answer at once that says what to do', async () => {
    const told = await client(['refund', 'sms'], { ...keys(), ...bases('http://127.0.0.1:9') })
    expect(told.results).toHaveLength(2)
    for (const result of told.results) expect(result.message).toContain('Start it with «spendgate serve»')
    expect(told.looked).toEqual([])
    expect(told.ms).toBeLessThan(1000)
  })
})

describe('spendgate/preload, as a package', () => {
  test('is found by that name inside the package and beside an installed one', async () => {
    const beside = mkdtempSync(join(tmpdir(), 'spendgate-beside-'))
    mkdirSync(join(beside, 'node_modules'))
    symlinkSync(packageRoot(), join(beside, 'node_modules', 'spendgate'), 'dir')
    for (const cwd of [packageRoot(), beside])
      for (const how of ['--require', '--import']) {
        const told = await client(['refund'], { ...keys(), ...bases() }, [how, 'spendgate/preload'], cwd)
        expect(told.results).toEqual([{ name: 'refund', ok: 'succeeded' }])
        expect(told.secretKey).toBe(`rk_${key.key}`)
      }
    rmSync(beside, { recursive: true })
  })

  test('is in what npm publishes, with the Python part', () => {
    const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], {
      cwd: packageRoot(),
      encoding: 'utf8',
    })
    const [{ files }] = JSON.parse(stdout)
    const paths = files.map((file: { path: string }) => file.path).filter((path: string) => path.includes('preload'))
    expect(paths).toEqual(
      expect.arrayContaining(['dist/src/preload/preload.cjs', 'src/preload/python/sitecustomize.py']),
    )
    expect(paths.filter((path: string) => path.includes('pycache'))).toEqual([])
  })
})

test('a program without base and vault key is left alone', async () => {
  const told = await client(['--api-key=sk_live_somebodys'], { STRIPE_API_KEY: 'sk_live_somebodys' })
  expect(told.argv).toContain('--api-key=sk_live_somebodys')
  expect(told.secretKey).toBeNull()
})
