import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { NOON, World } from '../helpers/world.js'
import { codeOf, moved, pay } from '../pipeline/given.js'
import { DAY, HOUR, Machine, MINUTE } from './sources.js'

let world: World
let machine: Machine
beforeAll(async () => {
  world = await World.start()
  world.stripe.seed()
  await world.server.stop()
  await starts(new Machine(NOON))
})
afterAll(() => world.close())
beforeEach(() => {
  expect(world.clock.suspect()).toBeNull()
})

/** The server on a machine whose clock is the real one's, not a test's. */
async function starts(on: Machine): Promise<void> {
  machine = on
  Object.assign(world, { clock: new SystemClock(on) })
  await world.serve()
}
const restarts = async (): Promise<void> => {
  await world.server.stop()
  await starts(machine)
}
const reads = (key: string) => world.call(key, 'GET', '/stripe/v1/balance')
const readyz = async (): Promise<unknown> => {
  const reply = await request(`${world.server.adminUrl}/readyz`)
  return { status: reply.statusCode, ...((await reply.body.json()) as object) }
}

test('set forward by a month: money waits, reads go on, also after a restart, until the operator confirms it', async () => {
  const { key } = await world.key()
  expect((await pay(world, key, 100)).status).toBe(200)
  const before = moved(world)
  machine.setBy(30 * DAY)
  for (const meanwhile of [async () => {}, restarts]) {
    await meanwhile()
    const refused = await pay(world, key, 100)
    expect([refused.status, codeOf(refused)]).toEqual([503, 'clock_suspect'])
    expect(refused.body.error.message).toContain('The clock was set forward')
    expect(refused.body.error.message).toContain('«spendgate db confirm-clock»')
    expect((await reads(key)).status).toBe(200)
    expect(await readyz()).toMatchObject({
      status: 503,
      faults: [expect.stringContaining('The clock was set forward')],
    })
  }
  expect(moved(world)).toBe(before)
  const [row] = await world.calls()
  expect(Date.parse(row.at), 'no row has the time that nobody believes').toBeLessThan(NOON + DAY)
  expect(await world.must('POST', '/clock/confirm')).toEqual({ at: new Date(machine.wallMs).toISOString() })
  expect(await readyz()).toEqual({ status: 200, ok: true, faults: [] })
  for (const meanwhile of [async () => {}, restarts]) {
    await meanwhile()
    expect((await pay(world, key, 100)).status).toBe(200)
  }
})

test('set back by three hours: money waits until it is confirmed, and the later day stays the one that counts', async () => {
  machine.passes(DAY - ((machine.wallMs + 2 * HOUR) % DAY) + 3 * HOUR)
  const label = new Date(machine.wallMs).toISOString().slice(11, 13)
  expect(label, 'one hour after midnight').toBe('01')
  const { key } = await world.key({ daily_cap_usd: '2.00' })
  expect((await pay(world, key, 150)).status).toBe(200)
  machine.setBy(-3 * HOUR)
  for (const meanwhile of [async () => {}, restarts]) {
    await meanwhile()
    const refused = await pay(world, key, 10)
    expect([refused.status, codeOf(refused)]).toEqual([503, 'clock_suspect'])
    expect(refused.body.error.message).toContain('The clock was set back')
    expect((await reads(key)).status).toBe(200)
  }
  await world.must('POST', '/clock/confirm')
  // It is the evening before again, and its cap was never touched; yet what counts is the day that was begun.
  for (const meanwhile of [async () => {}, restarts]) {
    await meanwhile()
    expect(codeOf(await pay(world, key, 51))).toBe('daily_cap_exceeded')
  }
  expect((await pay(world, key, 50)).status).toBe(200)
  machine.passes(4 * HOUR)
  expect(codeOf(await pay(world, key, 1))).toBe('daily_cap_exceeded')
  machine.passes(DAY)
  expect((await pay(world, key, 200)).status).toBe(200)
})

test('set back by three minutes just after midnight: nobody need confirm, and yesterday stays closed', async () => {
  machine.passes(DAY - (machine.wallMs % DAY) + MINUTE)
  const { key } = await world.key({ daily_cap_usd: '2.00' })
  expect((await pay(world, key, 150)).status).toBe(200)
  machine.setBy(-3 * MINUTE)
  expect(new Date(machine.wallMs).toISOString()).toContain('T23:58:00')
  for (const meanwhile of [async () => {}, restarts]) {
    await meanwhile()
    expect(codeOf(await pay(world, key, 51))).toBe('daily_cap_exceeded')
  }
  expect((await pay(world, key, 50)).status).toBe(200)
  machine.passes(HOUR)
  expect(codeOf(await pay(world, key, 1))).toBe('daily_cap_exceeded')
})

test('a laptop that slept over a long weekend goes on without a word', async () => {
  const { key } = await world.key()
  machine.sleeps(4 * DAY)
  expect((await pay(world, key, 100)).status).toBe(200)
})

test('a key does not outlive its time by a clock set back, nor by one that is not believed', async () => {
  const { key } = await world.key({}, { expires_in: '1h' })
  machine.setBy(-2 * HOUR)
  machine.passes(59 * MINUTE)
  expect((await reads(key)).status).toBe(200)
  machine.passes(MINUTE)
  expect(codeOf(await reads(key))).toBe('key_expired')
  await world.must('POST', '/clock/confirm')
  const { key: next } = await world.key({}, { expires_in: '40h' })
  machine.setBy(41 * HOUR)
  expect(codeOf(await reads(next))).toBe('key_expired')
  machine.setBy(-41 * HOUR)
})

test('a book whose clock was set to and fro is sound', async () => {
  expect(await world.verified()).toEqual([])
})
