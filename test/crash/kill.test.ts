import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { alive, startSimulators, type Child } from '../helpers/process.js'
import { Campaign, type Totals } from './campaign.js'
import { VendorRecord } from './record.js'

/** How often the server is killed. `npm run crash` says 1000. */
const CYCLES = Number(process.env.SPENDGATE_CRASH_CYCLES ?? 50)
/** Kills that one book lives through; then a new one begins, so that a long campaign does not slow down. */
const CYCLES_A_BOOK = 10

describe(`killed ${CYCLES} times under load`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-crash-'))
  const servers: number[] = []
  let vendor: { readonly child: Child; readonly stripe: string }
  let seen: VendorRecord

  beforeAll(async () => {
    const record = join(dir, 'vendor.ndjson')
    vendor = await startSimulators(record)
    seen = new VendorRecord(record, vendor.stripe)
  })
  afterAll(async () => {
    await vendor.child.stop()
    seen.close()
    rmSync(dir, { recursive: true, force: true })
  })

  test(
    'the server loses no acknowledged call, sends nothing unbooked, and never passes a cap',
    async () => {
      const totals: Totals = { answered: 0, moved: 0, assumed: 0, retried: 0, capped: 0, killedAtStart: 0 }
      for (let done = 0; done < CYCLES; done += CYCLES_A_BOOK) {
        const campaign = new Campaign({ dir: join(dir, `book-${done}`), stripe: vendor.stripe, seen, servers, totals })
        await campaign.run(Math.min(CYCLES_A_BOOK, CYCLES - done))
      }
      // A campaign that never caught the server at work would prove nothing.
      expect(totals.moved).toBeGreaterThan(CYCLES)
      expect(totals.assumed).toBeGreaterThan(0)
      expect(totals.retried).toBeGreaterThan(0)
      if (CYCLES >= CYCLES_A_BOOK) expect(totals.capped).toBeGreaterThan(0)
    },
    60_000 + CYCLES * 15_000,
  )

  test('no server is left behind', () => {
    expect(servers).not.toEqual([])
    expect(servers.filter(alive)).toEqual([])
  })
})
