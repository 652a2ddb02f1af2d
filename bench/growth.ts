import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../src/contracts/clock.js'
import type { CallDraft, KeyRecord } from '../src/contracts/ledger.js'
import { usd } from '../src/contracts/money.js'
import type { Budget, Decision, Usage } from '../src/contracts/policy.js'
import { openSqlite } from '../src/ledger/sqlite.js'
import type { Role } from './part.js'

/** What one call costs the ledger when it holds so many already. Medians over the rounds. */
export interface Grown {
  readonly rows: number
  readonly rowsAfter: number
  readonly fileMib: number
  readonly openMs: number
  /** µs a call, admission and settlement, 64 at a time: what a busy server pays. */
  readonly batchUs: number
  readonly batchCpuUs: number
  /** µs a call on its own, with the commit it waits for. */
  readonly aloneUs: number
}

export interface GrowthOptions {
  readonly directory: string
  /** Rows to measure at, ascending. */
  readonly sizes: readonly number[]
  readonly rounds: number
}

const KEYS = 100
const DAY_MS = 86_400_000
const SPAN_MS = 30 * DAY_MS
const FIRST_DAY = Date.UTC(2026, 9, 1)
const BATCH = 64
const BATCHES = 4
const ALONE = 32
/** Admissions that share a commit while the database is filled. */
const FILL_BATCH = 500

type Ledger = ReturnType<typeof openSqlite>

/**
 * One ledger is filled through its own interface, as 100 keys would in 30 days, and copied on the way at each smaller
 * size; then all of them, open, are measured in turn, so that no size has the quieter machine.
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
  const stages = await fill(directory, sizes)
  for (let round = 0; round < rounds; round++) {
    for (const stage of round % 2 === 0 ? stages : stages.toReversed()) await stage.measure()
  }
  for (const stage of stages) await stage.ledger.close()
  return stages.map((stage) => stage.grown())
}

async function fill(directory: string, sizes: readonly number[]): Promise<Stage[]> {
  const clock = new FilledClock()
  const file = join(directory, 'ledger.db')
  const ledger = openSqlite({ file, clock })
  const keys = await issue(ledger)
  const stepMs = SPAN_MS / sizes.at(-1)!
  const copies: { readonly file: string; readonly size: number; readonly at: number }[] = []
  let rows = 0
  for (const size of sizes) {
    while (rows < size) {
      const calls = Math.min(FILL_BATCH, size - rows)
      await Promise.all(Array.from({ length: calls }, () => call(ledger, keys, clock, rows++, stepMs)))
    }
    await ledger.flushed()
    const last = size === sizes.at(-1)
    const copy = last ? file : join(directory, `${size}.db`)
    if (!last) await ledger.backup(copy)
    copies.push({ file: copy, size, at: clock.at })
  }
  await ledger.close()
  for (const copy of copies) settleOnDisk(copy.file)
  return copies.map((copy) => new Stage(copy.file, copy.size, keys, copy.at))
}

/** Without this the first commits measured would wait for the disk to take in the copies. */
function settleOnDisk(file: string): void {
  const descriptor = openSync(file, 'r+')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

/** The ledger, or its copy, with so many rows, open. */
class Stage {
  readonly ledger: Ledger
  readonly #clock: FilledClock
  readonly #keys: readonly KeyRecord[]
  readonly #openMs: number
  readonly #fileMib: number
  readonly #batchUs: number[] = []
  readonly #batchCpuUs: number[] = []
  readonly #aloneUs: number[] = []
  #rows: number

  constructor(
    file: string,
    readonly size: number,
    keys: readonly KeyRecord[],
    at: number,
  ) {
    this.#clock = new FilledClock(at)
    this.#fileMib = statSync(file).size / 1024 ** 2
    const from = performance.now()
    this.ledger = openSqlite({ file, clock: this.#clock })
    this.#openMs = performance.now() - from
    this.#keys = keys
    this.#rows = size
  }

  async measure(): Promise<void> {
    await this.#batch()
    for (let i = 0; i < BATCHES; i++) {
      const from = performance.now()
      const cpuFrom = process.cpuUsage()
      await this.#batch()
      const { user, system } = process.cpuUsage(cpuFrom)
      this.#batchUs.push(((performance.now() - from) * 1000) / BATCH)
      this.#batchCpuUs.push((user + system) / BATCH)
    }
    for (let i = 0; i < ALONE; i++) {
      const from = performance.now()
      await call(this.ledger, this.#keys, this.#clock, this.#rows++, 1)
      this.#aloneUs.push((performance.now() - from) * 1000)
    }
    await this.ledger.flushed()
  }

  #batch(): Promise<unknown> {
    return Promise.all(Array.from({ length: BATCH }, () => call(this.ledger, this.#keys, this.#clock, this.#rows++, 1)))
  }

  grown(): Grown {
    return {
      rows: this.size,
      rowsAfter: this.#rows,
      fileMib: this.#fileMib,
      openMs: this.#openMs,
      batchUs: median(this.#batchUs),
      batchCpuUs: median(this.#batchCpuUs),
      aloneUs: median(this.#aloneUs),
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
  const { callId } = await ledger.admit(draftOf(keys[n % keys.length]!, clock.now(), n), withinCaps)
  ledger.settle(callId, {
    outcome: 'settled',
    object: `pi_${n.toString().padStart(16, '0')}`,
    status: 200,
    requestId: 'req_bench',
    ms: 1,
  })
}

const withinCaps = (usage: Usage): Decision => {
  const broken = usage.budgets.find((budget) => budget.spent + budget.held + usage.amount > budget.cap)
  if (broken !== undefined) throw new Error(`the bench ran into its own cap ${broken.rule}`)
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
    quoted: usd(1_000_000n),
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
