import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEBIAN_CLIENTS, debianPackages } from '../helpers/debian.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { startWorld } from '../pipeline/given.js'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const CLI = here('../../dist/src/cli/index.js')
const PYTHON = '/usr/bin/python3'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
})
afterAll(() => world.close())

interface Ended {
  readonly out: string
  readonly err: string
  readonly exit: number | null
}

const operator = (): Record<string, string> => ({
  PATH: process.env.PATH!,
  // Python would leave compiled files in the folder of the preload.
  PYTHONDONTWRITEBYTECODE: '1',
  HOME: world.dir,
  SPENDGATE_URL: world.server.adminUrl,
  SPENDGATE_ADMIN_TOKEN: REAL.admin,
  SPENDGATE_PORT: new URL(world.url).port,
})

/** `spendgate run …` as an operator starts it from a script. */
function run(args: readonly string[], env: Record<string, string> = {}, kill?: NodeJS.Signals): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, 'run', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...operator(), ...env },
    })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      if (kill && out.includes('ready')) child.kill(kill)
    })
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.once('close', (exit) => resolve({ out, err, exit }))
  })
}

const keysOf = async (run: string): Promise<any[]> =>
  (await world.must('GET', '/keys?limit=200')).keys.filter((each: any) => each.run === run)

describe('spendgate run', () => {
  test('a Node program on the real SDKs spends under a key of its own, is told of at the end and its key is dead', async () => {
    const { out, err, exit } = await run(
      ['--run', 'job1', '--cap', '10', '--', process.execPath, here('client.mjs'), 'refund', 'sms', 'mail'],
      { STRIPE_SECRET_KEY: REAL.stripe, STRIPE_API_KEY: REAL.stripe },
    )
    const told = JSON.parse(out)
    expect(told.results.map((result: any) => result.ok)).toEqual(['succeeded', 'queued', 'string'])
    expect(told.looked).toEqual([])
    expect(exit).toBe(0)
    const { spent_usd: spent } = await world.spent('job1')
    expect(err).toContain(`spendgate: run job1 spent $${spent} in 3 calls, 0 denied. Its key is revoked.`)
    const [made] = await keysOf('job1')
    expect(made).toMatchObject({ parent_id: key.id, run_cap_usd: '10.00' })
    expect(made.revoked_at).not.toBeNull()
    expect(out + err).not.toContain(REAL.stripe)
  })

  test('over its cap the program gets typed refusals', async () => {
    const { out } = await run(['--cap', '0.50', '--', process.execPath, here('client.mjs'), 'refund'])
    expect(JSON.parse(out).results[0]).toMatchObject({ code: 'run_cap_exceeded', status: 403 })
  })

  test('the exit code is the program’s, 127 where there is none, 128 + the signal that ended it', async () => {
    expect((await run(['--', 'sh', '-c', 'exit 7'])).exit).toBe(7)
    const missing = await run(['--', 'no-such-program'])
    expect(missing.exit).toBe(127)
    expect(missing.err).toContain('no-such-program could not be started')
    expect((await run(['--', 'sh', '-c', 'kill -KILL $$'])).exit).toBe(137)
  })

  test('nothing of spendgate’s own and no real key gets into the program', async () => {
    const secrets = {
      DATABASE_URL: 'postgres://u:CANARYdb@h/d',
      TWILIO_AUTH_TOKEN: 'CANARYtoken',
      STRIPE_API_KEY: REAL.stripe,
    }
    const { out } = await run(['--', 'env'], { ...secrets, SPENDGATE_MASTER_KEY: REAL.master })
    expect(out).not.toContain('CANARY')
    expect(out).not.toContain('DATABASE_URL')
    const own = out.split('\n').filter((line) => line.startsWith('SPENDGATE_'))
    expect(own.map((line) => line.split('=')[0])).toEqual(['SPENDGATE_RUN_MARKER'])
    expect(out).toMatch(/^STRIPE_SECRET_KEY=rk_vault_live_/m)
  })

  test('NODE_OPTIONS and PYTHONPATH that were there are kept, and npm cannot put its own in their place', async () => {
    const { out } = await run(['--', 'env'], { NODE_OPTIONS: '--no-deprecation', PYTHONPATH: '/somewhere' })
    expect(out).toMatch(/^NODE_OPTIONS=--no-deprecation --require ".*preload\.cjs"$/m)
    expect(out).toMatch(/^npm_config_node_options=--no-deprecation --require ".*preload\.cjs"$/m)
    expect(out).toMatch(/^PYTHONPATH=.*preload\/python:\/somewhere$/m)
  })

  test('what the program leaves behind is ended with it', async () => {
    const { out, exit } = await run(['--', 'sh', '-c', 'sleep 1000 & echo $!; (setsid sleep 1000 & echo $!)'])
    expect(exit).toBe(0)
    const pids = out.trim().split('\n').map(Number)
    expect(pids).toHaveLength(2)
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s reaches the program, and the key dies all the same', async (signal) => {
    const id = `signalled_${signal}`
    // In Node, because a shell cannot trap what its own parent ignored.
    const program = `process.on('${signal}', () => process.exit(9)); console.log('ready'); setInterval(() => {}, 1000)`
    const { err, exit } = await run(['--run', id, '--', process.execPath, '-e', program], {}, signal)
    expect(exit).toBe(9)
    expect(err).toContain(`run ${id} made no calls. Its key is revoked.`)
  })

  test('with several keys it asks which one pays, and starts nothing', async () => {
    const other = await world.key()
    const { err, exit, out } = await run(['--', 'echo', 'started'])
    expect(exit).toBe(2)
    expect(err).toContain('choose one with --key')
    expect(out).toBe('')
    await world.must('POST', `/keys/${other.id}/revoke`)
  })

  test('without a server it says so and starts nothing', async () => {
    const { exit, out } = await run(['--', 'echo', 'started'], { SPENDGATE_URL: 'http://127.0.0.1:9' })
    expect(exit).toBe(6)
    expect(out).toBe('')
  })
})

const missing = debianPackages(DEBIAN_CLIENTS.python)
if (missing !== null) console.log(`Skipped: Python clients. ${missing}`)

describe.skipIf(missing !== null)('a Python program', () => {
  const client = (acts: readonly string[], env: Record<string, string> = {}, more: readonly string[] = []) =>
    run([...more, '--', PYTHON, here('client.py'), ...acts], env)

  test('on stripe, twilio, requests and httpx, plain and asynchronous, reaches the proxy and no other host', async () => {
    const { out, err } = await client(['refund', 'sms', 'by_requests', 'by_httpx', 'by_async_httpx'], {}, [
      '--run',
      'py',
    ])
    const told = JSON.parse(out)
    expect(told.results.map((result: any) => result.ok)).toEqual([
      'succeeded',
      'queued',
      'balance',
      'balance',
      'balance',
    ])
    expect(told.looked.every((host: string) => host.startsWith('127.'))).toBe(true)
    expect(err).toContain(`spent $${(await world.spent('py')).spent_usd} in 5 calls`)
  })

  test('reaches other products of Twilio by their own host names', async () => {
    const { out } = await client(['verify'], {}, ['--run', 'py_verify'])
    expect(JSON.parse(out).results[0].message).toContain('The service VA')
    expect((await world.calls('&run=py_verify'))[0].path).toMatch(/^verify\.twilio\.com\/v2\//)
  })

  test('is refused with the SDK’s typed error', async () => {
    const { out } = await client(['refund'], {}, ['--cap', '0.50'])
    expect(JSON.parse(out).results[0]).toMatchObject({
      error: 'PermissionError',
      message: expect.stringContaining('run_cap_exceeded'),
    })
  })

  test('does not send its vault key through a proxy of the machine’s own', async () => {
    const heard: string[] = []
    const other = createServer((socket) => {
      socket.on('data', (chunk: Buffer) => heard.push(chunk.toString('latin1')))
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const proxy = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const { out } = await client(['refund', 'by_requests', 'by_httpx'], { HTTPS_PROXY: proxy, https_proxy: proxy })
    expect(JSON.parse(out).results.map((result: any) => result.ok)).toEqual(['succeeded', 'balance', 'balance'])
    expect(heard).toEqual([])
    await new Promise((resolve) => other.close(resolve))
  })

  test('does not take a vault key past the proxy when a base is missing', async () => {
    const { out } = await run([
      '--',
      'sh',
      '-c',
      `unset STRIPE_API_BASE; exec ${PYTHON} ${here('client.py')} by_requests by_async_httpx`,
    ])
    const told = JSON.parse(out)
    for (const { message } of told.results) expect(message).toContain('STRIPE_API_BASE does not say where spendgate is')
    expect(told.looked).toEqual([])
  })
})
