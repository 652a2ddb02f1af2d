import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { collectionFault, requireSqlite, sqliteFault } from '../../src/cli/sqlite-guard.js'
import { nodeVersion } from '../../src/cli/verbs/doctor.js'
import { packageRoot, packageVersion } from '../../src/package-root.js'
import { Terminal } from './terminal.js'

/* What needs no server, and what starts one. */

let terminal: Terminal
beforeEach(() => void (terminal = new Terminal()))
afterEach(() => terminal.close())

describe('the SQLite binding', () => {
  test('13 on an old Node gets a sentence instead of a crash', () => {
    expect(sqliteFault('13.2.0', '20.20.2')).toBe(
      `better-sqlite3 13.2.0 needs Node ≥ 22.14 (this is 20.20.2, Node-API ${process.versions.napi}) and would crash. Fix: npm i better-sqlite3@^12.11.1, or use a newer Node.`,
    )
  })

  test.each([
    ['12.11.1', '20.20.2', true],
    ['13.2.0', '22.13.1', false],
    ['13.2.0', '22.14.0', true],
    ['13.0.0', '24.0.0', true],
    ['12.11.1', '26.1.0', true],
    [null, '24.0.0', false],
  ])('%s on Node %s', (sqlite, node, works) => {
    expect(sqliteFault(sqlite, node) === null).toBe(works)
  })

  test.each([
    ['20.20.2', true, true],
    ['22.23.3', true, true],
    ['24.18.1', true, false],
    ['24.21.0', true, false],
    ['24.21.0', false, true],
    ['26.3.1', true, false],
    ['26.10.0', true, true],
  ])('on Node %s, compiled with headers that have the hooks: %s', (node, hooked, works) => {
    expect(collectionFault(node, () => hooked)).toEqual(
      works ? null : expect.stringContaining(`end Node ${node} when they are collected`),
    )
  })

  test('loads here', () => {
    expect(() => requireSqlite()).not.toThrow()
  })

  test.each([
    ['20.18.1', 'fail'],
    ['20.19.0', 'ok'],
    ['18.20.0', 'fail'],
    ['24.1.0', 'ok'],
  ])('Node %s is judged %s', (node, status) => {
    expect(nodeVersion(node).status).toBe(status)
  })
})

describe('policy check', () => {
  test('accepts what the server would accept', async () => {
    writeFileSync(
      join(terminal.dir, 'p.yaml'),
      'apiVersion: spendgate/v1\nname: tiny\ndaily_cap_usd: "1.00"\nvendors: {}\n',
    )
    const { exit, json } = await terminal.run('policy', 'check', 'p.yaml', '--json')
    expect({ exit, json }).toEqual({ exit: 0, json: { ok: true, name: 'tiny' } })
  })

  test('names every fault by file, line and column', async () => {
    writeFileSync(
      join(terminal.dir, 'p.yaml'),
      'apiVersion: spendgate/v1\nname: tiny\ndaily_cap_usd: 1.50\nvendrs: {}\n',
    )
    const { exit, out, err } = await terminal.run('policy', 'check', 'p.yaml')
    expect({ exit, out }).toEqual({ exit: 1, out: '' })
    expect(err).toMatch(/^spendgate: p\.yaml has faults\.\n/)
    expect(err).toMatch(/^ {2}p\.yaml:3:16 /m)
    expect(err).toMatch(/^ {2}p\.yaml:4:1 .*vendrs.*vendors/m)
  })
})

describe('serve', () => {
  const ports = ['--port', '0', '--admin-port', '0', '--log-level', 'silent']
  const started = (): Promise<string> =>
    new Promise((resolve) => terminal.onOut((text) => text.includes('admin') && resolve(text)))

  test('says where it listens, answers the other commands, and stops when told', async () => {
    const listening = started()
    const serving = terminal.run('serve', ...ports)
    const text = await listening
    const [, url = ''] = /admin port {2}(http:\S+)/.exec(text) ?? []
    expect(text).toMatch(/^agent port {2}http:\/\/127\.0\.0\.1:\d+\nadmin port {2}http:\/\/127\.0\.0\.1:\d+\n$/)
    terminal.onOut(() => {})
    expect((await terminal.run('--url', url, 'key', 'list', '--json')).json).toEqual({ keys: [], next_cursor: null })
    terminal.interrupt()
    const { exit, err } = await serving
    expect(exit).toBe(0)
    expect(err).toContain('A master key was generated')
    expect(terminal.abandonedWith).toBeNull()
    expect((await terminal.run('--url', url, 'key', 'list')).exit).toBe(6)
  })

  test('a second signal does not wait', async () => {
    const listening = started()
    const serving = terminal.run('serve', ...ports, '--json')
    await listening
    terminal.interrupt()
    await Promise.resolve()
    terminal.interrupt()
    expect((await serving).json).toMatchObject({
      agent_url: expect.stringMatching(/^http:/),
      admin_url: expect.stringMatching(/^http:/),
    })
    expect(terminal.abandonedWith).toBe(130)
  })

  test('a configuration that makes no sense ends with 2', async () => {
    const { exit, err } = await terminal.run('serve', '--admin-host', '0.0.0.0')
    expect(exit).toBe(2)
    expect(err).toContain('--insecure-admin')
  })

  test('a port that is taken is named', async () => {
    const listening = started()
    const serving = terminal.run('serve', ...ports)
    const [, port = ''] = /agent port {2}http:\/\/127\.0\.0\.1:(\d+)/.exec(await listening) ?? []
    const other = new Terminal()
    const { exit, err } = await other.run('serve', ...ports, '--port', port)
    expect(exit).toBe(1)
    expect(err).toContain(`Port ${port} is in use`)
    other.close()
    terminal.interrupt()
    await serving
  })
})

describe('db', () => {
  test('without a database there is nothing to verify or rotate', async () => {
    expect((await terminal.run('db', 'verify')).exit).toBe(3)
    expect((await terminal.run('db', 'rotate-master-key')).exit).toBe(3)
    expect((await terminal.run('db', 'reset-admin-token')).exit).toBe(3)
  })

  const oneServed = async (): Promise<void> => {
    const listening = new Promise<void>((resolve) => terminal.onOut((text) => text.includes('admin') && resolve()))
    const serving = terminal.run('serve', '--port', '0', '--admin-port', '0', '--log-level', 'silent')
    await listening
    const whileServing = await terminal.run('db', 'verify')
    expect({ exit: whileServing.exit, out: whileServing.out }).toEqual({ exit: 1, out: '' })
    terminal.interrupt()
    await serving
    terminal.onOut(() => {})
  }

  test('is proved once the server has stopped, and not before', async () => {
    await oneServed()
    expect((await terminal.run('db', 'verify', '--json')).json).toEqual({ ok: true, faults: [] })
  })

  test('a rotated master key opens what the old one sealed, and a foreign one ends with 4', async () => {
    await oneServed()
    const before = readFileSync(join(terminal.dir, 'data', 'master-key'), 'utf8')
    const { exit, json } = await terminal.run('db', 'rotate-master-key', '--json')
    expect({ exit, rewrapped: json.rewrapped }).toEqual({ exit: 0, rewrapped: 0 })
    expect(readFileSync(join(terminal.dir, 'data', 'master-key'), 'utf8')).not.toBe(before)
    await oneServed()
    terminal.env.SPENDGATE_MASTER_KEY = Buffer.alloc(32, 7).toString('base64')
    const foreign = await terminal.run('serve', '--port', '0', '--admin-port', '0', '--log-level', 'silent')
    expect(foreign.exit).toBe(4)
    expect(foreign.err).not.toContain(terminal.env.SPENDGATE_MASTER_KEY)
  })

  test('a new admin token goes to its file and is not shown', async () => {
    mkdirSync(join(terminal.dir, 'data'), { mode: 0o700 })
    const { exit, out } = await terminal.run('db', 'reset-admin-token')
    expect(exit).toBe(0)
    expect(out).toContain(join(terminal.dir, 'data', 'admin-token'))
    expect(out).not.toContain('sgadmin_')
  })

  test("a token from the environment is not the command's to reset", async () => {
    terminal.env.SPENDGATE_ADMIN_TOKEN = 'sgadmin_x'
    expect((await terminal.run('db', 'reset-admin-token')).exit).toBe(1)
  })
})

test('the package is found from its sources', () => {
  expect(packageRoot()).toBe(join(import.meta.dirname, '..', '..'))
  expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+$/)
})
