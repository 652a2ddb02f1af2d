import { copyFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Simulator } from '../../fixtures/simulators/harness.js'
import type { Answer, IssuedKey } from '../helpers/world.js'
import { World } from '../helpers/world.js'
import { basic, codeOf, payment } from '../pipeline/given.js'
import { FailingDisk, within } from './disk.js'

let disk: FailingDisk
let world: World
let key: IssuedKey
beforeAll(async () => {
  disk = new FailingDisk()
  world = await World.start()
  world.stripe.seed()
  key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
})
beforeEach(async () => {
  disk.heals()
  // A test that failed half-way must not take the next ones along.
  if (await within(1_000, ready).catch(() => false)) return
  await world.server.stop()
  await world.serve()
})
afterAll(async () => {
  disk.undo()
  await world.close()
})

const VENDORS: Readonly<Record<'stripe' | 'twilio' | 'resend', () => Promise<Answer>>> = {
  stripe: () => world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(100)),
  twilio: () => {
    const { account_sid: account, api_key_sid: sid } = key.presentations.twilio!
    return world.call(
      key.key,
      'POST',
      `/twilio/2010-04-01/Accounts/${account}/Messages.json`,
      { To: '+14155550123', From: '+14155550100', Body: 'Hello' },
      basic(sid, key.key),
    )
  },
  resend: () =>
    world.call(
      key.key,
      'POST',
      '/resend/emails',
      JSON.stringify({ from: 'billing@acme.com', to: 'ann@acme.com', subject: 'Hello', text: 'Hello' }),
      { 'content-type': 'application/json' },
    ),
}
/** Where each vendor's SDK looks for the code. */
const CODE: Readonly<Record<keyof typeof VENDORS, (body: any) => unknown>> = {
  stripe: (body) => body.error.code,
  twilio: (body) => body.details.code,
  resend: (body) => body.name,
}
const vendors = Object.keys(VENDORS) as (keyof typeof VENDORS)[]
const seen = (): number[] => vendors.map((vendor) => (world[vendor] as Simulator).requests.length)

const probe = async (path: string): Promise<{ status: number; text: string }> => {
  const reply = await request(`${world.server.adminUrl}${path}`)
  return { status: reply.statusCode, text: await reply.body.text() }
}
const ready = async (): Promise<boolean> => (await probe('/readyz')).status === 200
const faultsOf = async (kind: string): Promise<number> => {
  const line = new RegExp(`^spendgate_ledger_faults_total\\{kind="${kind}"\\} (\\d+)$`, 'm')
  return Number(line.exec((await world.metrics()).text)?.[1] ?? 0)
}
const refused = async (): Promise<void> => {
  const before = seen()
  for (const vendor of vendors) {
    const from = performance.now()
    const answer = await VENDORS[vendor]()
    expect(performance.now() - from, `${vendor} is told within a second`).toBeLessThan(1_000)
    expect([answer.status, CODE[vendor](answer.body)], vendor).toEqual([503, 'ledger_unavailable'])
  }
  expect(seen(), 'nothing reaches a vendor').toEqual(before)
  expect((await probe('/healthz')).status).toBe(200)
}
const passes = async (): Promise<void> => {
  for (const vendor of vendors) expect((await VENDORS[vendor]()).status, vendor).toBeLessThan(300)
}

describe('a fault that may pass', () => {
  test.each([
    ['full', 'SQLITE_FULL', 'The disk under the ledger is full. Make room there'],
    ['locked', 'SQLITE_BUSY', 'Another process holds the ledger’s file locked. Stop that process'],
    ['read-only', 'SQLITE_READONLY', 'The ledger’s file cannot be written'],
    ['io', 'SQLITE_IOERR_WRITE', 'The disk under the ledger fails to write'],
  ])(
    '%s: every vendor’s call is refused in its shape, and passes within a second of the cure',
    async (kind, code, says) => {
      await passes()
      const rows = (await world.calls()).length
      const counted = await faultsOf(kind)
      disk.fails(code)
      await refused()
      const asked = await probe('/readyz')
      expect(asked.status).toBe(503)
      expect(JSON.parse(asked.text).faults).toEqual([expect.stringContaining(says)])
      expect(await faultsOf(kind)).toBeGreaterThanOrEqual(counted + 3)
      disk.heals()
      expect(await within(1_000, ready)).toBeLessThan(1_000)
      await passes()
      expect((await world.calls()).length).toBe(rows + 3)
      expect(await world.verified()).toEqual([])
    },
  )

  test('an outcome that comes meanwhile is kept, counted as held, and booked once', async () => {
    const late = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
    const asked = VENDORS.stripe()
    await late.struck
    disk.fails('SQLITE_FULL')
    late.release()
    expect((await asked).status).toBe(200)
    await refused()
    disk.heals()
    await within(1_000, ready)
    const [row] = await world.calls('&vendor=stripe')
    expect(row).toMatchObject({ state: 'settled', settled_usd: '1.00' })
    expect(await world.verified()).toEqual([])
  })

  test('an outcome that cannot be booked before the end is assumed at the next start', async () => {
    const late = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
    const asked = VENDORS.stripe()
    await late.struck
    disk.fails('SQLITE_FULL')
    late.release()
    await asked
    await world.server.stop()
    disk.heals()
    await world.serve()
    const [row] = await world.calls('&vendor=stripe')
    expect(row).toMatchObject({ state: 'assumed', quoted_usd: '1.00' })
    expect(await world.verified()).toEqual([])
  })
})

describe('a fault after which what the disk holds is not known', () => {
  test.each([
    ['fsync', 'SQLITE_IOERR_FSYNC', 'start the server again: it checks the whole file'],
    ['fsync', 'SQLITE_IOERR_READ', 'start the server again: it checks the whole file'],
    ['corrupt', 'SQLITE_CORRUPT', 'put a backup back with «spendgate restore FILE»'],
    ['corrupt', 'SQLITE_CORRUPT_INDEX', 'put a backup back with «spendgate restore FILE»'],
  ])('%s (%s) stays, whatever the disk does next, until the start after it', async (kind, code, says) => {
    const counted = await faultsOf(kind)
    disk.fails(code)
    await refused()
    disk.heals()
    await refused()
    expect(JSON.parse((await probe('/readyz')).text).faults).toEqual([expect.stringContaining(says)])
    expect(await faultsOf(kind)).toBeGreaterThanOrEqual(counted + 6)
    await world.server.stop()
    await world.serve()
    expect(await ready()).toBe(true)
    await passes()
    expect(await world.verified()).toEqual([])
  })
})

test('a commit that is on disk although fsync failed is counted, though nothing was sent', async () => {
  await passes()
  const before = await world.calls()
  disk.fails('SQLITE_IOERR_FSYNC', true)
  await refused()
  disk.heals()
  await world.server.stop()
  await world.serve()
  const after = await world.calls()
  expect(after.length).toBe(before.length + 1)
  expect(after[0]).toMatchObject({ vendor: 'stripe', state: 'assumed', quoted_usd: '1.00' })
  expect(await world.verified()).toEqual([])
})

test.each([
  ['the file is moved away', ''],
  ['its log is moved away', '-wal'],
])('when %s nothing is admitted into what no start would find again', async (_what, tail) => {
  await passes()
  const file = join(world.dir, 'data', 'spendgate.db') + tail
  renameSync(file, `${file}.moved`)
  await refused()
  expect(JSON.parse((await probe('/readyz')).text).faults).toEqual([
    expect.stringContaining('moved, removed or replaced while the server runs'),
  ])
  renameSync(`${file}.moved`, file)
  await refused()
  expect(await faultsOf('vanished')).toBeGreaterThan(0)
  await world.server.stop()
  await world.serve()
  await passes()
  expect(await world.verified()).toEqual([])
})

test('when another file is put in its place nothing is admitted, and the next start finds out that it is older', async () => {
  await passes()
  const file = join(world.dir, 'data', 'spendgate.db')
  copyFileSync(file, `${file}.copy`)
  renameSync(`${file}.copy`, file)
  await refused()
  await world.server.stop()
  await world.serve()
  const before = seen()
  for (const vendor of vendors) expect(codeOf(await VENDORS[vendor]())).toBe('key_frozen')
  expect(seen()).toEqual(before)
  expect(JSON.parse((await probe('/readyz')).text).faults).toEqual([
    expect.stringMatching(/«spendgate db confirm-restore».*«spendgate unfreeze --all»/),
  ])
  await world.must('POST', '/ledger/confirm-restore')
  await world.must('POST', '/unfreeze', { scope: 'all' })
  await passes()
  expect(await world.verified()).toEqual([])
})
