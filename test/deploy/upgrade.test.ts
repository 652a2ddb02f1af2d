import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Spendgate } from '../../src/client/index.js'
import { packageRoot } from '../../src/package-root.js'
import { PostgresServer, postgresMissing, until } from '../helpers/postgres.js'
import { built, Child, type Ended } from '../helpers/process.js'

/*
 * What docs/operate/upgrade.md says of versions beside and after each other. The newer version is the built program with one
 * more step of the schema, in a folder of its own: the step changes nothing, so what is seen is the handling of versions.
 */

const TOKEN = 'sgadmin_upgradeUpgrade0123456789abcdefg'
const dir = mkdtempSync(join(tmpdir(), 'spendgate-upgrade-'))
const root = packageRoot()
const older = built('src/cli/index.js')
const newer = join(dir, 'newer/dist/src/cli/index.js')

beforeAll(() => {
  for (const path of [
    'dist/src',
    'dist/vendors',
    'dist/policies',
    'src/ledger/schema',
    'policies/presets',
    'package.json',
  ])
    cpSync(join(root, path), join(dir, 'newer', path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(dir, 'newer/node_modules'))
  const step = '-- A node on the version before: goes on.\nselect 1;\n'
  for (const dialect of ['sqlite', 'postgres'])
    writeFileSync(join(dir, 'newer/src/ledger/schema', dialect, '0099-later.sql'), step)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Serving {
  readonly child: Child
  readonly agent: string
  readonly gate: Spendgate
}

async function serve(program: string, env: Record<string, string>): Promise<Serving> {
  const quiet = {
    SPENDGATE_PORT: '0',
    SPENDGATE_ADMIN_PORT: '0',
    SPENDGATE_LOG_LEVEL: 'error',
    SPENDGATE_RECONCILE_MS: '0',
  }
  const child = new Child([program, 'serve', '--json'], { ...quiet, SPENDGATE_ADMIN_TOKEN: TOKEN, ...env })
  const said = (await child.json()) as { agent_url: string; admin_url: string }
  return { child, agent: said.agent_url, gate: new Spendgate({ url: said.admin_url, token: TOKEN }) }
}

const run = (program: string, args: readonly string[], env: Record<string, string>): Promise<Ended> =>
  new Child([program, ...args], env).ended

async function keyOf({ gate }: Serving): Promise<string> {
  await gate.ask('POST /credentials', {
    body: { vendor: 'stripe', name: 'main', secret: { api_key: 'sk_live_upgradeUpgrade0123456789' } },
  })
  await gate.ask('POST /policies', {
    body: {
      apiVersion: 'spendgate/v1',
      name: 'nothing',
      timezone: 'UTC',
      vendors: { stripe: { endpoints: { allow: ['GET /v1/balance'] } } },
    },
  })
  return (await gate.ask('POST /keys', { body: { name: 'agent', policy: 'nothing', credentials: ['main'] } })).key
}

/** What a call is refused with that the policy does not allow: the ledger is asked and written, and no vendor. */
async function refused({ agent }: Serving, key: string): Promise<string> {
  const reply = await request(`${agent}/stripe/v1/refunds`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'charge=ch_A&amount=100',
  })
  return ((await reply.body.json()) as { error: { code: string } }).error.code
}

describe('on SQLite', () => {
  const env = { SPENDGATE_DATA_DIR: join(dir, 'data') }
  const file = join(dir, 'data/spendgate.db')

  test('the newer version takes the file on, the older one then refuses it, and goes back by its own restore', async () => {
    const before = await serve(older, env)
    const key = await keyOf(before)
    await before.child.stop()

    const after = await serve(newer, env)
    expect(await refused(after, key)).toBe('operation_not_allowed')
    await after.child.stop()
    expect(existsSync(`${file}.before-99`)).toBe(true)

    const refusing = await run(older, ['serve'], { ...env, SPENDGATE_PORT: '0', SPENDGATE_ADMIN_PORT: '0' })
    expect(refusing.code).toBe(1)
    expect(refusing.stderr).toMatch(
      /has schema version 99; this spendgate knows \d+\. Run the newer version that wrote it\./,
    )

    expect(await run(older, ['restore', `${file}.before-99`], env)).toMatchObject({ code: 0 })
    const back = await serve(older, env)
    const calls = await back.gate.ask('GET /calls')
    const storage = await back.gate.ask('GET /ledger/check')
    await back.child.stop()
    // What the newer version booked is not known, so nothing may cost money until the operator has looked.
    expect(calls.calls).toEqual([])
    expect(storage.ok).toBe(false)
  }, 60_000)
})

describe.skipIf(postgresMissing !== null)('on PostgreSQL', () => {
  let postgres: PostgresServer
  let env: Record<string, string>
  const running: Serving[] = []
  const node = async (program: string, name: string): Promise<Serving> => {
    mkdirSync(join(dir, name), { mode: 0o700 })
    const started = await serve(program, { ...env, SPENDGATE_DATA_DIR: join(dir, name) })
    running.push(started)
    return started
  }
  beforeAll(async () => {
    postgres = await PostgresServer.start()
    env = {
      DATABASE_URL: postgres.url(await postgres.database()),
      SPENDGATE_MASTER_KEY: randomBytes(32).toString('base64'),
    }
  }, 60_000)
  afterAll(async () => {
    for (const { child } of running) await child.stop()
    await postgres?.remove()
  })

  test('a node of a newer schema takes over: older ones let nothing leave from then on, say why, and do not come back', async () => {
    const a = await node(older, 'a')
    const b = await node(older, 'b')
    const key = await keyOf(a)
    // A lease may have run out on a busy machine; then the node says so, and is asked again.
    const answers = (each: Serving, code: string) => async (): Promise<boolean> => (await refused(each, key)) === code
    for (const each of [a, b]) await until('both serve', answers(each, 'operation_not_allowed'))
    const c = await node(newer, 'c')
    await until('the newer node serves', answers(c, 'operation_not_allowed'))
    for (const each of [a, b]) {
      await until('the older node stops', answers(each, 'ledger_unavailable'))
      const { findings } = await each.gate.ask('GET /ledger/check')
      expect(findings.map(({ message }) => message).join()).toMatch(
        /schema version 99; this one knows \d+\. Start the newer/,
      )
    }
    // A freeze does not wait for those that let nothing leave anyway.
    await c.gate.ask('POST /freeze', { body: { scope: 'all' } })
    await until('the freeze holds', answers(c, 'key_frozen'))
    await a.child.stop()
    const ports = { SPENDGATE_PORT: '0', SPENDGATE_ADMIN_PORT: '0', SPENDGATE_ADMIN_TOKEN: TOKEN }
    const again = await run(older, ['serve'], { ...env, ...ports, SPENDGATE_DATA_DIR: join(dir, 'a') })
    expect(again.code).toBe(1)
    expect(again.stderr).toMatch(/schema version 99; this spendgate knows \d+\. Run the newer version that wrote it\./)
  }, 120_000)
})
