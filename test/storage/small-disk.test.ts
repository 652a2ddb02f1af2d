import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, describe, expect, test } from 'vitest'
import { startServer as startChild } from '../helpers/process.js'
import { REAL, World } from '../helpers/world.js'
import { allCalls, books, pay } from '../pipeline/given.js'
import { within } from './disk.js'

const place = mkdtempSync(join(tmpdir(), 'spendgate-small-disk-'))
const mounted = mount()
if (!mounted) console.log('A small tmpfs cannot be mounted here: the tests on a disk that is really full do not run.')

/** Only who may mount can have a disk of two megabytes. */
function mount(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', place], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

afterAll(() => {
  if (mounted) execFileSync('umount', [place])
  rmSync(place, { recursive: true, force: true })
})

/** The same numbers every time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe.runIf(mounted)('on a small disk', () => {
  const filler = join(place, 'filler')
  const fill = (): void => {
    const { bavail, bsize } = statfsSync(place)
    writeFileSync(filler, Buffer.alloc(bavail * bsize))
  }

  test('that is really full, nothing is sent; within a second of space returning, calls pass', async () => {
    const world = await World.start({ SPENDGATE_DATA_DIR: join(place, 'data') })
    world.stripe.seed()
    const { key } = await world.key()
    const readyz = async (): Promise<{ status: number; text: string }> => {
      const reply = await request(`${world.server.adminUrl}/readyz`)
      return { status: reply.statusCode, text: await reply.body.text() }
    }
    expect((await pay(world, key, 100)).status).toBe(200)
    fill()
    // The log may still have a page or two of its last block; then it is full for good.
    const answers = []
    for (let i = 0; i < 20; i++) answers.push(await pay(world, key, 100))
    const moved = world.stripe.moved().length
    const { status, body } = await pay(world, key, 100)
    expect([status, body.error.code]).toEqual([503, 'ledger_unavailable'])
    expect(world.stripe.moved().length).toBe(moved)
    expect(moved).toBe(1 + answers.filter((answer) => answer.status === 200).length)
    expect(await readyz()).toMatchObject({
      status: 503,
      text: expect.stringContaining('disk under the ledger is full'),
    })
    expect((await request(`${world.server.adminUrl}/healthz`)).statusCode).toBe(200)
    rmSync(filler)
    expect(await within(1_000, async () => (await readyz()).status === 200)).toBeLessThan(1_000)
    expect((await pay(world, key, 100)).status).toBe(200)
    const calls = await world.calls()
    expect(calls.map((call) => call.state)).toEqual(calls.map(() => 'settled'))
    expect(calls).toHaveLength(world.stripe.moved().length)
    expect(await world.verified()).toEqual([])
    await world.server.stop()

    // The same file on a disk that cannot be written: refused, with the reason, and left alone.
    execFileSync('mount', ['-o', 'remount,ro', place])
    try {
      await expect(world.serve()).rejects.toThrow(/spendgate\.db cannot be written \(EROFS\)/)
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', place])
    }
    fill()
    await expect(world.serve()).rejects.toThrow(/no room left/)
    rmSync(filler)
    await world.serve()
    expect(await world.verified()).toEqual([])
    await world.close()
  })

  /** So many bytes, or all there are: the server writes meanwhile. */
  function takeUp(bytes: number): void {
    try {
      writeFileSync(filler, Buffer.alloc(bytes))
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause
    }
  }

  test('that fills up and empties again and again, what moved at the vendor is what the ledger says', async () => {
    const random = seeded(20_261_121)
    const world = await World.start({ SPENDGATE_DATA_DIR: join(place, 'again') })
    world.stripe.seed()
    const { key } = await world.key()
    let refusals = 0
    for (let round = 0; round < 25; round++) {
      // The log needs some pages a commit: sometimes the room ends in the middle of one.
      const { bavail, bsize } = statfsSync(place)
      takeUp(Math.max(0, bavail - Math.floor(random() * 40)) * bsize)
      const asked = Array.from({ length: 12 }, () => pay(world, key, 1 + Math.floor(random() * 500)))
      if (random() < 0.5) rmSync(filler)
      for (const { status, body } of await Promise.all(asked)) {
        if (status === 200) continue
        expect([status, body.error.code]).toEqual([503, 'ledger_unavailable'])
        refusals++
      }
      rmSync(filler, { force: true })
    }
    expect(refusals, 'the disk was full at times').toBeGreaterThan(20)
    await within(2_000, async () => (await request(`${world.server.adminUrl}/readyz`)).statusCode === 200)
    const calls = await allCalls(world)
    expect(calls.filter((call) => call.state !== 'settled')).toEqual([])
    const cents = (call: { settled_usd: string }): number => Math.round(Number(call.settled_usd) * 100)
    expect(calls.map(cents).sort()).toEqual(
      world.stripe
        .moved()
        .map(({ amount }) => Number(amount))
        .sort(),
    )
    expect(await books(world)).toMatchObject({ held: '0.00' })
    await world.close()
  })

  test('a server that cannot start says why and ends with 1', async () => {
    fill()
    const { child } = startChild({
      SPENDGATE_DATA_DIR: join(place, 'data'),
      SPENDGATE_MASTER_KEY: REAL.master,
      SPENDGATE_ADMIN_TOKEN: REAL.admin,
    })
    const { code, stderr } = await child.ended
    rmSync(filler)
    expect(code).toBe(1)
    expect(stderr).toContain('no room left')
  })
})
