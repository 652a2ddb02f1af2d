import Database from 'better-sqlite3'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { closeSync, copyFileSync, existsSync, fstatSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RecordedRequest } from '../../fixtures/simulators/harness.js'
import { formatUsd, parseUsd, usd } from '../../src/contracts/money.js'
import { alive, spendgate, startServer, startSimulators, type Child } from '../helpers/process.js'

/** How often the server is killed. `npm run crash` says 1000. */
const CYCLES = Number(process.env.SPENDGATE_CRASH_CYCLES ?? 50)
/** Kills one book and one key live through; then both start anew, so that a long campaign does not slow down. */
const CYCLES_A_BOOK = 10
const CLIENTS = 12
const CAP = '600.00'
const LOAD_MS = 400

const ADMIN = 'sgadmin_crashCampaignToken0123456789abcdef'
const SECRET = 'sk_live_crashCampaignKey0123456789abcdef'

/** One call as the agent made it, and what it heard. `id` is in its parameters, so no two calls are the same request. */
interface Asked {
  readonly id: string
  readonly path: string
  readonly body: string
  readonly cents: number
  heard: { readonly status: number; readonly callId: string; readonly body: any } | null
}

/** A call as the ledger's file has it. */
interface Kept {
  readonly id: string
  readonly hash: string
  readonly state: string
  readonly verdict: string
  readonly quoted: bigint
  readonly counted: bigint
  readonly replay: boolean
}

describe(`${CYCLES} times killed with SIGKILL under load`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-crash-'))
  const record = join(dir, 'vendor.ndjson')
  let vendor: { readonly child: Child; readonly stripe: string }
  let seen: VendorRecord
  const pids: number[] = []

  beforeAll(async () => {
    vendor = await startSimulators(record)
    pids.push(vendor.child.pid)
    seen = new VendorRecord(record, vendor.stripe)
  })
  afterAll(async () => {
    await vendor.child.stop()
    seen.close()
    rmSync(dir, { recursive: true, force: true })
  })

  test(
    'no acknowledged call is lost, nothing reaches the vendor unbooked, and no cap is passed',
    async () => {
      const totals = { calls: 0, moved: 0, assumed: 0, retried: 0, capped: 0 }
      for (let done = 0; done < CYCLES; done += CYCLES_A_BOOK) {
        const campaign = new Campaign(join(dir, `book-${done}`), vendor.stripe, seen, pids, totals)
        await campaign.run(Math.min(CYCLES_A_BOOK, CYCLES - done))
      }
      // The campaign proves nothing if it never caught the server at work.
      expect(totals.moved).toBeGreaterThan(CYCLES)
      expect(totals.assumed).toBeGreaterThan(0)
      expect(totals.retried).toBeGreaterThan(0)
      if (CYCLES >= CYCLES_A_BOOK) expect(totals.capped).toBeGreaterThan(0)
    },
    60_000 + CYCLES * 10_000,
  )

  test('and no server is left behind', () => {
    expect(pids.length).toBeGreaterThan(CYCLES)
    expect(pids.filter((pid) => pid !== vendor.child.pid && alive(pid))).toEqual([])
  })
})

/** One book, one key with one cap, killed again and again. */
class Campaign {
  readonly #dir: string
  readonly #env: Readonly<Record<string, string>>
  readonly #seen: VendorRecord
  readonly #pids: number[]
  readonly #totals: { calls: number; moved: number; assumed: number; retried: number; capped: number }
  readonly #asked = new Map<string, Asked>()
  readonly #cap = parseUsd(CAP)!
  #key = ''
  #unanswered: Asked[] = []

  constructor(dir: string, stripe: string, seen: VendorRecord, pids: number[], totals: Campaign['_totals']) {
    mkdirSync(dir, { mode: 0o700 })
    this.#dir = dir
    this.#seen = seen
    this.#pids = pids
    this.#totals = totals
    this.#env = {
      SPENDGATE_DATA_DIR: dir,
      SPENDGATE_ADMIN_TOKEN: ADMIN,
      SPENDGATE_MASTER_KEY: randomBytes(32).toString('base64'),
      SPENDGATE_STRIPE_UPSTREAM: stripe,
    }
  }
}
