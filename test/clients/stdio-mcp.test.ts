import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientFile, installClients } from '../helpers/clients.js'
import { built } from '../helpers/process.js'
import type { World } from '../helpers/world.js'
import { startWorld } from '../pipeline/given.js'
import { connect } from './stdio.js'

/*
 * `spendgate mcp`: the same tools for hosts that only start programs. Every request on standard input is answered, if
 * only with what went wrong, and the program ends with its input.
 */

const missing = installClients()
if (missing !== null) console.log(`Skipped: MCP clients. ${missing}`)

let world: World
let folder: string
beforeAll(async () => {
  world = await startWorld()
  folder = mkdtempSync(join(tmpdir(), 'spendgate-stdio-'))
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await world.close()
})

const CLI = built('src/cli/index.js')
const port = (): string => new URL(world.url).port

interface Ended {
  readonly code: number | null
  readonly replies: any[]
  readonly stderr: string
}

/** Writes lines, closes standard input and waits for the end. */
function bridge(lines: readonly unknown[], args: readonly string[], env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, 'mcp', ...args], {
      env: { PATH: process.env.PATH, SPENDGATE_PORT: port(), ...env },
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (code) => {
      const replies = stdout.split('\n').filter((line) => line !== '')
      resolve({ code, stderr, replies: replies.map((line) => JSON.parse(line) as unknown) })
    })
    child.stdin.end(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''))
  })
}

const rpc = (id: number, method: string, params: object = {}): object => ({ jsonrpc: '2.0', id, method, params })
const REFUND = { name: 'create_refund', arguments: { charge: 'ch_A', amount: 100 } }

describe.skipIf(missing !== null)('under a real client', () => {
  test('our own tools, with the key from the environment', async () => {
    const key = await world.key()
    const client = await connect({
      command: process.execPath,
      args: [CLI, 'mcp'],
      env: { SPENDGATE_PORT: port(), SPENDGATE_VAULT_KEY: key.key },
    })
    expect(client.tools).toContain('get_remaining_budget')
    const done = await client.call('execute', { method: 'POST', path: '/v1/refunds', params: REFUND.arguments })
    expect(done, done.text).toMatchObject({ error: false })
    const refused = await client.call('execute', { method: 'POST', path: '/v1/refunds', params: { charge: 'nobody' } })
    expect(refused.error).toBe(true)
    await client.close()
    const rows = await world.calls(`&key=${key.id}`)
    expect(rows.map((row) => row.surface)).toEqual(['mcp', 'mcp'])
    // One process, one session, one run.
    expect(new Set(rows.map((row) => row.run)).size).toBe(1)
    expect(rows[0].run).toMatch(/^mcp_/)
  })

  test('a vendor’s tools, with the key from a file', async () => {
    const key = await world.key()
    const file = join(folder, 'key')
    writeFileSync(file, `${key.key}\n`, { mode: 0o600 })
    const client = await connect({
      command: process.execPath,
      args: [CLI, 'mcp', '--vendor', 'stripe', '--key-file', file],
      env: { SPENDGATE_PORT: port() },
    })
    expect((await client.call('create_refund', REFUND.arguments)).error).toBe(false)
    await world.must('POST', `/keys/${key.id}/revoke`)
    const dead = await client.call('create_refund', REFUND.arguments)
    expect([dead.error, dead.text]).toEqual([true, expect.stringMatching(/^key_revoked: /)])
    await client.close()
  })

  test('a client of revision 2026-07-28', async () => {
    const key = await world.key()
    const { Client } = await import(clientFile('@modelcontextprotocol/client/dist/index.mjs'))
    const { StdioClientTransport } = await import(clientFile('@modelcontextprotocol/client/dist/stdio.mjs'))
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [CLI, 'mcp'],
        env: { SPENDGATE_PORT: port(), SPENDGATE_VAULT_KEY: key.key },
        stderr: 'ignore',
      }),
    )
    const { structuredContent } = await client.callTool({ name: 'list_services', arguments: {} })
    expect(structuredContent.services).toHaveLength(1)
    await client.close()
  })
})

describe('what goes wrong is an answer in words', () => {
  const calls = [
    rpc(1, 'initialize'),
    rpc(2, 'tools/call', REFUND),
    { jsonrpc: '2.0', method: 'notifications/initialized' },
  ]

  test('the server is down', async () => {
    const { code, replies } = await bridge(calls, [], { SPENDGATE_VAULT_KEY: 'vault_live_x', SPENDGATE_PORT: '9' })
    expect(code).toBe(0)
    expect(replies.map(({ id }) => id).sort()).toEqual([1, 2])
    const byId = Object.fromEntries(replies.map((reply) => [reply.id, reply]))
    expect(byId[1].error.message).toMatch(/does not run at .*nothing was sent/)
    expect(byId[2].result).toMatchObject({ isError: true, content: [{ text: byId[1].error.message }] })
  })

  test('the key is not known', async () => {
    const { replies, stderr } = await bridge(calls, ['--vendor', 'stripe'], { SPENDGATE_VAULT_KEY: 'vault_live_x' })
    const byId = Object.fromEntries(replies.map((reply) => [reply.id, reply]))
    expect(byId[1].error.message).toMatch(/^key_unknown: /)
    expect(byId[2].result).toMatchObject({ isError: true })
    expect(byId[2].result.content[0].text).toMatch(/^key_unknown: /)
    expect(stderr).toMatch(/key_unknown/)
  })

  test('the vendor is none, the line is no message, the body is too large', async () => {
    const { key } = await world.key()
    const none = await bridge([rpc(1, 'tools/list')], ['--vendor', 'nobody'], { SPENDGATE_VAULT_KEY: key })
    expect(none.replies).toMatchObject([{ id: 1, error: { message: 'There is no vendor nobody here.' } }])
    const odd = await bridge(['nonsense', '[]', rpc(7, 'ping')], [], { SPENDGATE_VAULT_KEY: key })
    expect(odd.replies.map(({ id, error }) => [id, error?.code])).toEqual(
      expect.arrayContaining([
        [null, -32700],
        [null, -32700],
        [7, undefined],
      ]),
    )
    const long = rpc(3, 'tools/call', { name: 'create_refund', arguments: { charge: 'x'.repeat(4 * 1024 * 1024) } })
    const { replies } = await bridge([long], [], { SPENDGATE_VAULT_KEY: key })
    expect(replies).toMatchObject([{ id: 3, result: { isError: true } }])
    expect(replies[0].result.content[0].text).toMatch(/^A message may have/)
  })

  test.each([
    [[], {}, 2, 'There is no vault key'],
    [['--key-file', '/nobody/here'], {}, 3, 'There is no file'],
    [['--vendor', '../admin'], { SPENDGATE_VAULT_KEY: 'vault_live_x' }, 2, '--vendor takes the name'],
    [[`vault_live_${'a'.repeat(43)}`], {}, 2, 'A vault key is on the command line'],
  ] as const)('%j: exit %i', async (args, env, code, words) => {
    const ended = await bridge([], args, env)
    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(words)
  })
})
