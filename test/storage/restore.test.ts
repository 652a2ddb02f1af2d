import Database from 'better-sqlite3'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { Fence } from '../../src/ledger/fence.js'
import { restore, type Restored } from '../../src/ledger/restore.js'
import { World, type IssuedKey } from '../helpers/world.js'
import { codeOf, DAY, moved, pay, travel } from '../pipeline/given.js'

let world: World
let key: IssuedKey
let file: string
let backup: string
beforeEach(async () => {
  world = await World.start()
  world.stripe.seed()
  file = join(world.dir, 'data', 'spendgate.db')
  backup = join(world.dir, 'backup.db')
  key = await world.key({ daily_cap_usd: '10.00' })
  expect((await pay(world, key.key, 300)).status).toBe(200)
  await world.must('POST', '/backup', { file: backup })
})
afterEach(() => world.close())

/** Stops the server, puts the backup back, and starts it again. */
async function restored(): Promise<Restored> {
  await world.server.stop()
  const done = await restore(file, backup, { clock: world.clock })
  await world.serve()
  return done
}
const confirm = (): Promise<unknown> => world.must('POST', '/ledger/confirm-restore')
const readyz = async (): Promise<{ status: number; text: string }> => {
  const reply = await request(`${world.server.adminUrl}/readyz`)
  return { status: reply.statusCode, text: await reply.body.text() }
}
const inDataDir = (): string[] => readdirSync(join(world.dir, 'data')).filter((name) => name.startsWith('spendgate.db'))

test('money waits until the operator has confirmed, however many days pass; reads go on', async () => {
  expect((await pay(world, key.key, 600)).status).toBe(200)
  const before = moved(world)
  const known = new Fence(file).read()!.entries
  const done = await restored()
  expect(done).toMatchObject({ carried: 0, frozen: false })
  expect(done.knownEntries).toBeGreaterThanOrEqual(known)
  for (const days of [0, 1, 40]) {
    travel(world, days * DAY)
    const refused = await pay(world, key.key, 1)
    expect([refused.status, refused.body.error.code, codeOf(refused)]).toEqual([
      503,
      'ledger_unavailable',
      'ledger_unavailable',
    ])
    expect(refused.body.error.message).toContain(`knows nothing after ${new Date(done.since).toISOString()}`)
    expect(refused.body.error.message).toContain('«spendgate db confirm-restore»')
    expect((await world.call(key.key, 'GET', '/stripe/v1/balance')).status).toBe(200)
    const { status, text } = await readyz()
    expect(status).toBe(503)
    expect(JSON.parse(text).faults).toEqual([expect.stringContaining('was put back from a backup')])
    await world.server.stop()
    await world.serve()
  }
  expect(moved(world)).toBe(before)
  expect(await confirm()).toEqual({ confirmed: true, unknown_since: new Date(done.since).toISOString() })
  expect((await readyz()).status).toBe(200)
  expect((await pay(world, key.key, 1)).status).toBe(200)
  expect(await confirm()).toEqual({ confirmed: false, unknown_since: null })
  expect(await world.verified()).toEqual([])
})

test('the ledger that was there is renamed, whole, and nothing is deleted', async () => {
  await pay(world, key.key, 600)
  const rows = (await world.calls()).length
  const { aside } = await restored()
  expect(inDataDir().filter((name) => /restoring/.test(name))).toEqual([])
  const old = new Database(aside!)
  expect(old.prepare('select count(*) from calls').pluck().get()).toBe(rows)
  old.close()
  expect(statSync(file).mode & 0o077).toBe(0)
  expect(existsSync(backup)).toBe(true)
})

test('a number that a call had before is given to no other, so that no payment is answered from memory', async () => {
  const lost = await pay(world, key.key, 100)
  await restored()
  await confirm()
  const before = moved(world)
  const next = await pay(world, key.key, 100)
  expect(next.headers['x-spendgate-call-id']).not.toBe(lost.headers['x-spendgate-call-id'])
  expect(moved(world)).toBe(before + 1_000_000n)
  const keys = world.stripe.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/v1/payment_intents'))
    .map(({ headers }) => headers['idempotency-key'])
  expect(new Set(keys).size).toBe(keys.length)
})

describe('what was made narrower since the backup stays so', () => {
  test('a revoked key with its children, a freeze and a narrowing', async () => {
    const child = await world.must('POST', `/keys/${key.id}/runs`, { run: 'run_1' })
    const other = await world.key()
    const narrow = await world.key()
    const narrowTo = { daily_cap_usd: '0.50' }
    rmSync(backup)
    await world.must('POST', '/backup', { file: backup })
    await world.must('POST', `/keys/${key.id}/revoke`, { reason: 'it went wrong' })
    await world.must('POST', `/keys/${narrow.id}/narrow`, narrowTo)
    await world.must('POST', '/freeze', { key: other.id })
    expect(await restored()).toMatchObject({ carried: 3, frozen: false })
    await confirm()
    const codes = [key.key, child.key, other.key].map(async (each) => codeOf(await pay(world, each, 1)))
    expect(await Promise.all(codes)).toEqual(['key_revoked', 'key_revoked', 'key_frozen'])
    expect(codeOf(await pay(world, narrow.key, 51))).toBe('daily_cap_exceeded')
    expect(await world.verified()).toEqual([])
  })

  test.each([
    ['damaged', (of: string) => writeFileSync(of, Buffer.alloc(40_960, 0x78))],
    ['gone', (of: string) => rmSync(of)],
  ])('all of it, when the ledger before is %s: nothing at all leaves until it is unfrozen', async (_what, damage) => {
    await world.must('POST', `/keys/${key.id}/revoke`, {})
    await world.server.stop()
    damage(file)
    await expect(world.serve()).rejects.toThrow(/spendgate restore FILE/)
    expect(await restore(file, backup, { clock: world.clock })).toMatchObject({ carried: 0, frozen: true })
    await world.serve()
    expect(codeOf(await world.call(key.key, 'GET', '/stripe/v1/balance'))).toBe('key_frozen')
    await confirm()
    expect(codeOf(await pay(world, key.key, 1))).toBe('key_frozen')
    expect(await world.verified()).toEqual([])
  })
})

describe('is refused, with nothing changed', () => {
  const unchanged = async (why: RegExp): Promise<void> => {
    const before = readFileSync(file)
    const attempt = restore(file, backup, { clock: world.clock })
    await expect(attempt).rejects.toThrow(LedgerFault)
    await expect(restore(file, backup, { clock: world.clock })).rejects.toThrow(why)
    expect(readFileSync(file).equals(before)).toBe(true)
    expect(new Fence(file).read()!.state).not.toBe('restoring')
    await world.serve()
    expect((await pay(world, key.key, 1)).status).toBe(200)
  }

  test('while a server has the ledger', async () => {
    await expect(restore(file, backup, { clock: world.clock })).rejects.toThrow(
      new RegExp(`Another spendgate \\(pid ${process.pid}`),
    )
    expect((await pay(world, key.key, 1)).status).toBe(200)
  })

  test('a backup that is damaged', async () => {
    await world.server.stop()
    writeFileSync(backup, readFileSync(backup).fill(0xa5, 20 * 4096, 40 * 4096))
    await unchanged(/damaged/)
  })

  test('a backup that does not prove', async () => {
    await world.server.stop()
    const db = new Database(backup)
    db.exec('update counters set spent = spent - 1 where spent > 0')
    db.close()
    await unchanged(/does not prove/)
  })

  test('a backup that is not there, or is the ledger itself', async () => {
    await world.server.stop()
    await expect(restore(file, file, { clock: world.clock })).rejects.toThrow(/is the ledger itself/)
    rmSync(backup)
    await unchanged(/There is no backup/)
  })
})

test.each([0, 1, 2, 3])(
  'killed after %i of its last steps, the server refuses to start, and it can be run again',
  async (steps) => {
    await pay(world, key.key, 200)
    await world.server.stop()
    const staged = `${file}.restoring`
    // What a killed attempt leaves: the fence says so, then the file is aside, then the new one is in its place.
    const fence = new Fence(file)
    if (steps >= 1) fence.write({ ...fence.read()!, state: 'restoring', closed: null })
    if (steps >= 2) renameSync(file, `${file}.replaced-by-the-first`)
    if (steps >= 3) writeFileSync(file, readFileSync(backup))
    writeFileSync(staged, 'half a copy')
    if (steps > 0) await expect(world.serve()).rejects.toThrow(/was not finished/)
    const done = await restore(file, backup, { clock: world.clock })
    expect(done.frozen).toBe(steps === 2)
    await world.serve()
    expect(codeOf(await pay(world, key.key, 1))).toBe(steps === 2 ? 'key_frozen' : 'ledger_unavailable')
    expect(await world.verified()).toEqual([])
  },
)

test('an old copy put in the place of the ledger by hand is found out, and money waits just the same', async () => {
  await pay(world, key.key, 600)
  await world.server.stop()
  writeFileSync(file, readFileSync(backup))
  await world.serve()
  expect(codeOf(await world.call(key.key, 'GET', '/stripe/v1/balance'))).toBe('key_frozen')
  await world.must('POST', '/unfreeze', { scope: 'all' })
  const refused = await pay(world, key.key, 1)
  expect(codeOf(refused)).toBe('ledger_unavailable')
  expect(refused.body.error.message).toContain('is not the one the last server left')
  await confirm()
  expect((await pay(world, key.key, 1)).status).toBe(200)
  expect(await world.verified()).toEqual([])
})
