import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CheckpointFile } from '../../src/audit/checkpoint-file.js'
import { newSigningKey, PUBLIC_KEYS_SETTING, Signer } from '../../src/ledger/checkpoints.js'
import { TOKEN, World } from '../admin/world.js'
import { Terminal } from './terminal.js'

const DAY_MS = 86_400_000
const signer = new Signer(newSigningKey())
let world: World
let terminal: Terminal
let key: string

beforeEach(async () => {
  world = await World.start()
  terminal = new Terminal({ SPENDGATE_URL: `http://127.0.0.1:${world.port}`, SPENDGATE_ADMIN_TOKEN: TOKEN })
  await world.ledger.putSetting(PUBLIC_KEYS_SETTING, { [signer.keyId]: signer.publicKey }, 'start')
  key = (await world.key({ expires_in: '100d' })).id
})
afterEach(async () => {
  terminal.close()
  await world.close()
})

/** Calls, and a checkpoint after them in the file that somebody keeps. */
async function signed(calls = 3): Promise<void> {
  for (let i = 0; i < calls; i++) await world.call(key, 1_000_000n)
  const checkpoint = await world.ledger.checkpoint(signer)
  await new CheckpointFile(join(terminal.dir, 'kept.ndjson')).append([checkpoint!])
}

const exported = async (name: string): Promise<string[]> => {
  await terminal.run('audit', 'export', '--output', name)
  return readFileSync(join(terminal.dir, name), 'utf8').trimEnd().split('\n')
}

describe('audit verify', () => {
  test('holds kept checkpoints against the server, and says how many are borne out', async () => {
    await signed()
    await signed()
    const { exit, out } = await terminal.run('audit', 'verify', '--checkpoints', 'kept.ndjson')
    expect({ exit, out }).toEqual({
      exit: 0,
      out: 'Sound: the chain holds, and every call and total follows from it.\n2 of 2 checkpoints are borne out.\n',
    })
  })

  test('finds the end that was cut off an export, with a key that was noted elsewhere', async () => {
    await signed()
    await signed()
    const lines = await exported('all.ndjson')
    writeFileSync(join(terminal.dir, 'cut.ndjson'), `${lines.slice(0, -2).join('\n')}\n`)
    writeFileSync(join(terminal.dir, 'noted'), `${signer.publicKey}\n`)
    expect((await terminal.run('audit', 'verify', 'cut.ndjson')).exit).toBe(0)
    const { exit, out } = await terminal.run(
      ...['audit', 'verify', 'cut.ndjson', '--checkpoints', 'kept.ndjson', '--public-key', 'noted'],
    )
    expect(exit).toBe(1)
    expect(out).toMatch(/✘ Entries \d+ to \d+ are missing at the end: they were signed at 2026-11-21T12:00:00\.000Z\./)
    const whole = ['audit', 'verify', 'all.ndjson', '--checkpoints', 'kept.ndjson', '--json'] as const
    expect((await terminal.run(...whole)).json).toMatchObject({ ok: true, checkpoints: 2, entries: lines.length })
  })

  test('needs no server for a file when the key is given', async () => {
    await signed()
    await exported('all.ndjson')
    terminal.env.SPENDGATE_URL = 'http://127.0.0.1:1'
    const args = ['audit', 'verify', 'all.ndjson', '--checkpoints', 'kept.ndjson'] as const
    expect((await terminal.run(...args, '--public-key', signer.publicKey)).exit).toBe(0)
    expect((await terminal.run(...args)).exit).toBe(6)
  })

  test('takes no other key, and no file that holds something else', async () => {
    await signed()
    const stranger = new Signer(newSigningKey())
    const other = await terminal.run(
      'audit',
      'verify',
      '--checkpoints',
      'kept.ndjson',
      '--public-key',
      stranger.publicKey,
    )
    expect(other.exit).toBe(1)
    expect(other.out).toContain(`is signed by an unknown key (${signer.keyId})`)
    expect((await terminal.run('audit', 'verify', '--checkpoints', 'kept.ndjson', '--public-key', 'x')).exit).toBe(2)
    expect((await terminal.run('audit', 'verify', '--checkpoints', 'none.ndjson')).exit).toBe(3)
    appendFileSync(join(terminal.dir, 'kept.ndjson'), 'x\n')
    const broken = await terminal.run('audit', 'verify', '--checkpoints', 'kept.ndjson')
    expect([broken.exit, broken.err]).toEqual([1, 'spendgate: kept.ndjson:2 is no checkpoint.\n'])
  })
})

test('audit public-key prints what is to be noted elsewhere', async () => {
  expect((await terminal.run('audit', 'public-key')).out).toBe(`${signer.publicKey}\n`)
})

test('audit export --format csv --since gives a table of what came since', async () => {
  await world.call(key, 1_000_000n)
  const { exit, out } = await terminal.run('audit', 'export', '--format', 'csv', '--since', '1h')
  expect(exit).toBe(0)
  expect(out).toMatch(/^seq,at,kind,call_id,amount_usd,detail,hash\r\n/)
  expect(out.split('\r\n').length).toBeGreaterThan(4)
  const none = await terminal.run('audit', 'export', '--format', 'csv', '--since', '2026-11-22')
  expect(none.out).toBe('seq,at,kind,call_id,amount_usd,detail,hash\r\n')
})

test('calls --csv defuses what an agent made look like a formula', async () => {
  await world.call(key, 1_000_000n, undefined, { path: '=HYPERLINK("http://evil.test","a,b")' })
  const { out } = await terminal.run('calls', '--csv')
  const [head, line] = out.split('\r\n')
  expect(head).toMatch(/^at,id,key_id,run,vendor,/)
  expect(line).toContain(`"'=HYPERLINK(""http://evil.test"",""a,b"")"`)
})

test('audit prune asks for a time, archives what is older, and the archive verifies by itself', async () => {
  await signed(4)
  world.nowMs += 30 * DAY_MS
  const { status } = await world.post('/audit/prune')
  expect(status).toBe(400)
  expect((await terminal.run('audit', 'retention')).out).toContain('All history is kept')
  expect((await terminal.run('audit', 'retention', '40')).out).toBe('Pruning leaves 40 days of history.\n')
  expect((await terminal.run('audit', 'prune')).out).toBe('Nothing was pruned.\n')
  world.nowMs += 30 * DAY_MS
  const { exit, out, err } = await terminal.run('audit', 'prune')
  expect(exit).toBe(0)
  expect(out).toMatch(/^History up to entry \d+ is in archives now\.\n$/)
  const [, archive = ''] = /4 calls went to (\S+)\n/.exec(err) ?? []
  expect(statSync(archive).mode & 0o077).toBe(0)
  const checked = await terminal.run('audit', 'verify', archive, '--checkpoints', 'kept.ndjson')
  expect([checked.exit, checked.out]).toEqual([0, expect.stringContaining('1 of 1 checkpoints are borne out')])
  expect((await terminal.run('audit', 'verify', '--checkpoints', 'kept.ndjson')).exit).toBe(0)
  await exported('left.ndjson')
  expect((await terminal.run('audit', 'verify', 'left.ndjson')).exit).toBe(0)
})

test('audit prune names what is in the way', async () => {
  const id = await world.call(key, 1_000_000n, { outcome: 'assumed', status: null, requestId: null, ms: null })
  await signed(1)
  world.nowMs += 60 * DAY_MS
  const { out, json } = await terminal.run('audit', 'prune', '--before', '2026-12-01', '--json')
  expect(out).toBeTruthy()
  expect(json).toEqual({ pruned_to: null, pieces: [], in_the_way: [`${id} is assumed: its outcome is not known.`] })
})

test('audit erase takes a person out and says what has to stay', async () => {
  await world.policy({
    name: 'sms',
    vendors: { stripe: { endpoints: { allow: ['GET /v1/charges*'] }, customers: ['cus_Ann'] } },
  })
  await world.call(key, 1_000_000n, undefined, { path: '/v1/customers/cus_Ann', customer: 'cus_Ann' })
  const { exit, out, err } = await terminal.run('audit', 'erase', '--subject', 'cus_Ann')
  expect(exit).toBe(0)
  expect(out).toBe(
    'Erased from 1 calls and 0 other rows.\n! The policy sms@1 is in force: store a version without it.\n',
  )
  expect(err).toContain('Vendors, backups, archives and exports keep what they have')
  expect((await terminal.run('audit', 'erase')).exit).toBe(2)
})

test('doctor shows that the disk fills, as the server warns of it', async () => {
  const warning =
    'The disk of the ledger has room for 12 days at its growth of the last day. Make room, or prune history.'
  const full = await World.start({ ready: () => ({ ok: true, faults: [], warnings: [warning] }) })
  try {
    expect((await full.ask('GET', '/readyz')).body).toEqual({ ok: true, faults: [], warnings: [warning] })
    terminal.env.SPENDGATE_URL = `http://127.0.0.1:${full.port}`
    const { json } = await terminal.run('doctor', '--json')
    expect(json.findings).toContainEqual({ check: 'disk', status: 'warn', message: warning })
  } finally {
    await full.close()
  }
})
