import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../src/contracts/clock.js'
import type { CallDraft, KeyRecord } from '../src/contracts/ledger.js'
import { usd } from '../src/contracts/money.js'
import type { Budget, Counted, Decision, Usage } from '../src/contracts/policy.js'
import { callId } from '../src/ledger/ids.js'
import { openSqlite } from '../src/ledger/sqlite.js'
import type { Role } from './part.js'
import { multiply } from './seed.js'

/** What a ledger costs when it holds so many calls already. Medians over the rounds, µs unless the name says other. */
export interface Grown {
  readonly rows: number
  readonly rowsAfter: number
  readonly fileMib: number
  /** Opening it after it was closed in order. */
  readonly openMs: number
  /** A call, admission and settlement, 64 at a time: what a busy server pays. */
  readonly batchUs: number
  readonly batchCpuUs: number
  /** A call on its own, with the commit it waits for. */
  readonly aloneUs: number
  /** What two budgets of a key hold, read and held against their caps. */
  readonly capUs: number
  /** One call by its id, anywhere in the ledger. */
  readonly lookUpUs: number
  /** Fifty calls of a key: the newest, and those before the middle of the ledger. */
  readonly pageUs: number
  readonly deepPageUs: number
  /** Spend by day over the whole time, by key since midnight, and the fifty runs last used. */
  readonly spendByDayUs: number
  readonly spendTodayUs: number
  readonly runsUs: number
}

export interface GrowthOptions {
  readonly directory: string
  /** Rows to measure at, ascending. */
  readonly sizes: readonly number[]
  readonly rounds: number
}

const KEYS = 100
const DAY_MS = 86_400_000
/** Ends at noon, so that there is a day that has begun. */
const SPAN_MS = 29.5 * DAY_MS
const FIRST_DAY = Date.UTC(2026, 9, 1)
const BATCH = 64
const BATCHES = 4
const ALONE = 32
/** Calls that are made through the ledger; what comes after them is copied from them. */
const MADE = 200
const OPENINGS = 3
/** Reads are timed in so many stretches, of which the median counts: another's turn on the processor spoils one. */
const STRETCHES = 20
const CAP_CHECKS = 200
const LOOK_UPS = 20
const PAGE = 50

type Ledger = ReturnType<typeof openSqlite>

/**
 * A ledger for each size, begun through its own interface by 100 keys in turn over 30 days and carried on in SQL
 * (bench/seed.ts); then all of them, open, are measured in turn, so that no size has the quieter machine.
 */
export async function start(options: GrowthOptions): Promise<Role<null, 'measure', Grown[]>> {
  const directory = mkdtempSync(join(options.directory, 'growth-'))
  return {
    facts: null,
    ask: () => measure(directory, options),
    stop: async () => rmSync(directory, { recursive: true, force: true }),
  }
}

async function measure(directory: string, { sizes, rounds }: GrowthOptions): Promise<Grown[]> {
  const stages: Stage[] = []
  for (const size of sizes) stages.push(await stageOf(directory, size))
  for (let round = 0; round < rounds; round++) {
    for (const stage of round % 2 === 0 ? stages : stages.toReversed()) await stage.measure()
  }
  for (const stage of stages) await stage.ledger.close()
  return stages.map((stage) => stage.grown())
}

async function stageOf(directory: string, size: number): Promise<Stage> {
  const file = join(directory, `${size}.db`)
  const stepMs = SPAN_MS / size
  const clock = new FilledClock()
  const ledger = openSqlite({ file, clock })
  const keys = await issue(ledger)
  const made = Math.min(MADE, size)
  // One after the other, so that each has the instant the copies go on from.
  for (let n = 0; n < made; n++) await call(ledger, keys, clock, n, stepMs)
  await ledger.close()
  if (size > made) multiply({ file, made, keys: KEYS, firstAt: FIRST_DAY, stepMs }, size)
  settleOnDisk(file)
  const openMs: number[] = []
  const end = FIRST_DAY + SPAN_MS
  for (let opening = 0; opening < OPENINGS; opening++) {
    const clock = new FilledClock(end)
    const from = performance.now()
    const opened = openSqlite({ file, clock })
    openMs.push(performance.now() - from)
    if (opening < OPENINGS - 1) await opened.close()
    else return checked(new Stage(opened, clock, file, size, keys, median(openMs)))
  }
  throw new Error('a stage is opened at least once')
}

/** The whole file is read beside the calls after a start. Here that comes first, and the figures are of what follows. */
async function checked(stage: Stage): Promise<Stage> {
  const { ledger } = stage
  while (ledger.storage!.checked === null) await new Promise((resolve) => setTimeout(resolve, 50))
  const { verdict } = ledger.storage!.checked
  if (verdict === 'damaged') throw new Error(`the ledger of ${stage.size} rows is damaged`)
  const [all] = await ledger.spend('vendor', {})
  if (all?.calls !== stage.size) throw new Error(`the ledger of ${stage.size} rows sums up to ${all?.calls ?? 0} calls`)
  return stage
}

/** Without this the first commits measured would wait for the disk to take in what was seeded. */
function settleOnDisk(file: string): void {
  const descriptor = openSync(file, 'r+')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

type Timed = Exclude<keyof Grown, 'rows' | 'rowsAfter' | 'fileMib' | 'openMs'>

/** The ledger with so many rows, open. */
class Stage {
  readonly ledger: Ledger
  readonly #clock: FilledClock
  readonly #fileMib: number
  readonly #spans = new Map<Timed, number[]>()
  #rows: number

  constructor(
    ledger: Ledger,
    clock: FilledClock,
    file: string,
    readonly size: number,
    readonly keys: readonly KeyRecord[],
    readonly openMs: number,
  ) {
    this.ledger = ledger
    this.#clock = clock
    this.#fileMib = statSync(file).size / 1024 ** 2
    this.#rows = size
  }

  async measure(): Promise<void> {
    await this.#batch()
    for (let i = 0; i < BATCHES; i++) {
      const cpuFrom = process.cpuUsage()
      await this.#time('batchUs', BATCH, () => this.#batch())
      const { user, system } = process.cpuUsage(cpuFrom)
      this.#put('batchCpuUs', (user + system) / BATCH)
    }
    for (let i = 0; i < ALONE; i++)
      await this.#time('aloneUs', 1, () => call(this.ledger, this.keys, this.#clock, this.#rows++, 1))
    await this.ledger.flushed()

    const [key] = this.keys
    const { budgets } = draftOf(key!, this.#clock.now(), 0)
    const midnight = Math.floor(this.#clock.now() / DAY_MS) * DAY_MS
    // A call of the first key, as a page would have ended with.
    const middle = Math.floor(this.size / 2 / KEYS) * KEYS + 1
    for (let stretch = 0; stretch < STRETCHES; stretch++) {
      await this.#time('capUs', CAP_CHECKS, async () => {
        for (let i = 0; i < CAP_CHECKS; i++) withinCaps(await this.ledger.usage(budgets), budgets)
      })
      await this.#time('lookUpUs', LOOK_UPS, async () => {
        for (let i = 0; i < LOOK_UPS; i++)
          await this.ledger.call(
            callId(1 + Math.floor(((stretch + i * STRETCHES) * this.size) / (LOOK_UPS * STRETCHES))),
          )
      })
      const ofKey = { key: key!.id }
      await this.#time('pageUs', 1, () => this.ledger.calls(ofKey, { limit: PAGE }))
      await this.#time('deepPageUs', 1, () => this.ledger.calls(ofKey, { limit: PAGE, cursor: String(middle) }))
      await this.#time('spendByDayUs', 1, () => this.ledger.spend('day', {}))
      await this.#time('spendTodayUs', 1, () => this.ledger.spend('key', { from: midnight }))
      await this.#time('runsUs', 1, () => this.ledger.runs({ limit: PAGE }))
    }
  }

  #batch(): Promise<unknown> {
    return Promise.all(Array.from({ length: BATCH }, () => call(this.ledger, this.keys, this.#clock, this.#rows++, 1)))
  }

  /** @param times how often `act` does what is timed */
  async #time(name: Timed, times: number, act: () => Promise<unknown>): Promise<void> {
    const from = performance.now()
    await act()
    this.#put(name, ((performance.now() - from) * 1000) / times)
  }

  #put(name: Timed, us: number): void {
    const spans = this.#spans.get(name)
    if (spans === undefined) this.#spans.set(name, [us])
    else spans.push(us)
  }

  grown(): Grown {
    const of = (name: Timed): number => median(this.#spans.get(name)!)
    return {
      rows: this.size,
      rowsAfter: this.#rows,
      fileMib: this.#fileMib,
      openMs: this.openMs,
      batchUs: of('batchUs'),
      batchCpuUs: of('batchCpuUs'),
      aloneUs: of('aloneUs'),
      capUs: of('capUs'),
      lookUpUs: of('lookUpUs'),
      pageUs: of('pageUs'),
      deepPageUs: of('deepPageUs'),
      spendByDayUs: of('spendByDayUs'),
      spendTodayUs: of('spendTodayUs'),
      runsUs: of('runsUs'),
    }
  }
}

/** One call's whole life in the ledger; its settlement rides on the next commit. */
async function call(
  ledger: Ledger,
  keys: readonly KeyRecord[],
  clock: FilledClock,
  n: number,
  stepMs: number,
): Promise<void> {
  clock.at += stepMs
  const admission = await ledger.admit(draftOf(keys[n % keys.length]!, clock.now(), n), allowed)
  ledger.settle(admission.callId, {
    outcome: 'settled',
    object: `pi_${n.toString().padStart(16, '0')}`,
    status: 200,
    requestId: 'req_bench',
    ms: 1,
  })
}

const AMOUNT = usd(1_000_000n)

/** @throws Error when a cap is passed: the bench has none that it could reach */
function withinCaps(counted: readonly Counted[], budgets: readonly Budget[]): void {
  for (let i = 0; i < budgets.length; i++) {
    const { spent, held } = counted[i]!
    const { cap, rule } = budgets[i]!
    if (spent + held + AMOUNT > cap) throw new Error(`the bench ran into its own cap ${rule}`)
  }
}

const allowed = ({ budgets }: Usage): Decision => {
  withinCaps(budgets, budgets)
  return { verdict: 'allow', denial: null }
}

function draftOf(key: KeyRecord, now: number, n: number): CallDraft {
  const day = new Date(now).toISOString().slice(0, 10)
  const hash = createHash('sha256').update(String(n)).digest('hex')
  return {
    key,
    credentialId: 'cred_bench',
    run: `${key.name}_${day}`,
    runSource: 'header',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/payment_intents',
    operation: 'payment_intents.create',
    effect: 'spend',
    direction: 'in',
    customer: 'cus_A',
    reason: null,
    quoted: AMOUNT,
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: hash,
    idempotencyHash: hash,
    budgets: [budget(`day/${key.id}`, day), budget(`run/${key.id}`, `${key.name}_${day}`)],
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: [null],
  }
}

const budget = (counter: string, window: string): Budget => ({
  counter,
  window,
  since: FIRST_DAY,
  vendor: null,
  direction: null,
  measure: 'spent',
  cap: usd(1_000_000_000_000n),
  code: 'daily_cap_exceeded',
  label: 'USD 1000000.00 a day (UTC)',
  rule: 'daily-cap',
  resetsAt: null,
  enforce: true,
})

async function issue(ledger: Ledger): Promise<KeyRecord[]> {
  const policy = await ledger.addPolicy('bench', { name: 'bench' }, 'bench')
  const keys: KeyRecord[] = []
  for (let i = 0; i < KEYS; i++) {
    keys.push(
      await ledger.addKey({
        id: `key_bench${i}`,
        publicId: randomBytes(16).toString('hex'),
        digest: randomBytes(32).toString('hex'),
        last4: 'abcd',
        name: `agent${i}`,
        parentId: null,
        policyId: policy.id,
        narrowings: [],
        credentialIds: ['cred_bench'],
        run: null,
        runCap: null,
        test: true,
        expiresAt: null,
        createdAt: FIRST_DAY,
        actor: 'bench',
      }),
    )
  }
  return keys
}

/** Time as the calls make it pass. */
class FilledClock implements Clock {
  constructor(public at: number = FIRST_DAY) {}
  now(): number {
    return Math.floor(this.at)
  }
  monotonic(): number {
    return performance.now()
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
