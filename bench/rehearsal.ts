import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { judge } from '../policies/index.js'
import type { Call } from '../src/contracts/call.js'
import type { CallDraft, KeyRecord } from '../src/contracts/ledger.js'
import { parseUsd, usd, ZERO } from '../src/contracts/money.js'
import type { Level, Policy, Usage } from '../src/contracts/policy.js'
import { runtimeOf } from '../src/engine.js'
import { openSqlite } from '../src/ledger/sqlite.js'
import { simulate } from '../src/rehearsal/simulation.js'
import { vendors } from '../vendors/index.js'
import { median } from './compare.js'
import { markdown } from './report.js'
import { multiply } from './seed.js'

/** What it costs to play recorded calls again, and what a long policy costs each call. */
export interface Rehearsed {
  readonly calls: number
  /** Playing all of them again, medians over the rounds. */
  readonly playMs: number
  /** Of the processor. */
  readonly playCpuMs: number
  /** The longest that nothing else had its turn meanwhile. */
  readonly blockedMs: number
  /** Heap in use beyond what was before, at its highest. */
  readonly heapMib: number
  /** One decision, budgets worked out, by how many rules the policy has: µs of the processor. */
  readonly decisions: readonly { readonly rules: number; readonly us: number }[]
}

const RUNTIMES = new Map(vendors.map((vendor) => [vendor.name, runtimeOf(vendor, null)]))
const KEYS = 100
const MADE = 200
const FIRST_DAY = Date.UTC(2026, 10, 1)
const SPAN_MS = 6 * 86_400_000
const DECISIONS = 10_000
const RULES = [5, 50, 500]

type Ledger = ReturnType<typeof openSqlite>

export async function measureRehearsal(directory: string, calls: number, rounds: number): Promise<Rehearsed> {
  const ledger = await recorded(join(directory, 'rehearsal.db'), calls)
  try {
    const document = { ...policyOf(50), daily_cap_usd: '5000.00' }
    const wish = { policy: { document, version: 0 }, run: null, key: null, under: null }
    const span = { from: FIRST_DAY, to: FIRST_DAY + 2 * SPAN_MS }
    const plays: { ms: number; cpu: number; blocked: number; heap: number }[] = []
    for (let round = 0; round < rounds; round++) {
      const watch = new Watch()
      const cpuFrom = process.cpuUsage()
      const from = performance.now()
      const { recorded: seen } = await simulate({ ...wish, ...span }, { ledger, judge, vendors: RUNTIMES })
      const ms = performance.now() - from
      const { user, system } = process.cpuUsage(cpuFrom)
      if (seen.admitted.calls !== calls) throw new Error(`${seen.admitted.calls} calls were played, not ${calls}`)
      plays.push({ ms, cpu: (user + system) / 1000, ...watch.stop() })
    }
    return {
      calls,
      playMs: median(plays.map(({ ms }) => ms)),
      playCpuMs: median(plays.map(({ cpu }) => cpu)),
      blockedMs: Math.max(...plays.map(({ blocked }) => blocked)),
      heapMib: Math.max(...plays.map(({ heap }) => heap)) / 1024 ** 2,
      decisions: decisions(rounds),
    }
  } finally {
    await ledger.close()
  }
}

/** Samples the heap and the turns of the event loop. */
class Watch {
  readonly #before = process.memoryUsage().heapUsed
  readonly #timer: NodeJS.Timeout
  #last = performance.now()
  #blocked = 0
  #heap = 0

  constructor() {
    this.#timer = setInterval(() => this.#look(), 1)
  }

  stop(): { readonly blocked: number; readonly heap: number } {
    clearInterval(this.#timer)
    return { blocked: this.#blocked, heap: this.#heap }
  }

  #look(): void {
    const now = performance.now()
    this.#blocked = Math.max(this.#blocked, now - this.#last - 1)
    this.#last = now
    this.#heap = Math.max(this.#heap, process.memoryUsage().heapUsed - this.#before)
  }
}

/** Every policy in turn in each round, so that none has the quieter machine. */
function decisions(rounds: number): Rehearsed['decisions'] {
  const policies = RULES.map((rules) => judge.compile(policyOf(rules), 1, []))
  const times = RULES.map((): number[] => [])
  for (let round = -1; round < rounds; round++)
    for (const [place, policy] of policies.entries()) {
      const us = decided(policy)
      if (round >= 0) times[place]!.push(us)
    }
  return RULES.map((rules, place) => ({ rules, us: median(times[place]!) }))
}

function decided(policy: Policy): number {
  const level: Level = { keyId: 'key_1', rootId: 'key_1', run: null, runCap: null, policy }
  const call: Call = {
    vendor: 'stripe',
    endpoint: 'POST /v1/refunds',
    aliases: ['POST /v1/charges/{charge}/refund', 'POST /v1/charges/{charge}/refunds'],
    operation: 'refunds.create',
    effects: ['spend'],
    quote: { basis: 'exact', amount: parseUsd('10.00')! },
    subjects: { customers: ['cus_A'], currencies: ['usd'] },
    commits: null,
    reason: null,
  }
  const from = process.cpuUsage()
  for (let i = 0; i < DECISIONS; i++) {
    const budgets = judge
      .budgets([level], { vendor: 'stripe', credentialId: 'cred_1', direction: 'out' }, FIRST_DAY + i)
      .map((budget) => ({ ...budget, spent: ZERO, held: ZERO }))
    const usage: Usage = {
      nowMs: FIRST_DAY + i,
      keys: [],
      frozen: null,
      budgets,
      amount: parseUsd('10.00')!,
      recurring: ZERO,
      earlier: null,
      duplicate: null,
      approval: null,
      approvalsFull: false,
      rate: [{ count: 0, oldestAt: 0 }],
      rateCounted: false,
    }
    if (judge.decide(call, usage, [policy]).verdict !== 'allow') throw new Error('the bench met its own policy')
  }
  const { user, system } = process.cpuUsage(from)
  return (user + system) / DECISIONS
}

/** A policy whose endpoint patterns, all with a star, are so many; the last of them is the one that lets calls through. */
const policyOf = (rules: number): object => ({
  apiVersion: 'spendgate/v1',
  name: 'bench',
  daily_cap_usd: '1000000.00',
  vendors: {
    stripe: {
      endpoints: {
        allow: [
          ...Array.from({ length: Math.floor((rules - 2) / 2) }, (_, i) => `GET /v1/objects_${i}/*`),
          'POST /v1/payment_intents*',
          'POST /v1/refunds*',
        ],
        deny: Array.from({ length: Math.ceil((rules - 2) / 2) }, (_, i) => `POST /v1/things_${i}/*/undo`),
      },
      max_amount_usd: '100.00',
    },
  },
})

async function recorded(file: string, calls: number): Promise<Ledger> {
  const clock = new Counting()
  const stepMs = SPAN_MS / calls
  const ledger = openSqlite({ file, clock })
  const policy = await ledger.addPolicy('bench', policyOf(5), 'bench')
  const keys: KeyRecord[] = []
  for (let i = 0; i < KEYS; i++) keys.push(await ledger.addKey(keyOf(i, policy.id)))
  for (let n = 0; n < MADE; n++) {
    clock.at += stepMs
    const { callId } = await ledger.admit(draftOf(keys[n % KEYS]!, n), () => ({ verdict: 'allow', denial: null }))
    ledger.settle(callId, { outcome: 'settled', status: 200, requestId: 'req_bench', ms: 1 })
  }
  await ledger.close()
  multiply({ file, made: MADE, keys: KEYS, firstAt: FIRST_DAY, stepMs }, calls)
  return openSqlite({ file, clock: new Counting(FIRST_DAY + 2 * SPAN_MS) })
}

class Counting {
  constructor(public at = FIRST_DAY) {}
  now(): number {
    return Math.floor(this.at)
  }
  monotonic(): number {
    return performance.now()
  }
}

const keyOf = (i: number, policyId: string) => ({
  id: `key_bench${i}`,
  publicId: randomBytes(16).toString('hex'),
  digest: randomBytes(32).toString('hex'),
  last4: 'abcd',
  name: `agent${i}`,
  parentId: null,
  policyId,
  narrowings: [],
  credentialIds: ['cred_bench'],
  run: null,
  runCap: null,
  test: true,
  expiresAt: null,
  createdAt: FIRST_DAY,
  actor: 'bench',
})

function draftOf(key: KeyRecord, n: number): CallDraft {
  const hash = createHash('sha256').update(String(n)).digest('hex')
  return {
    key,
    credentialId: 'cred_bench',
    run: key.name,
    runSource: 'header',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/refunds',
    operation: 'refunds.create',
    effect: 'spend',
    direction: 'out',
    customer: 'cus_A',
    reason: null,
    quoted: usd(1_000_000n),
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: hash,
    idempotencyHash: hash,
    budgets: [],
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: [null],
  }
}

export function rehearsalTable({ calls, playMs, playCpuMs, blockedMs, heapMib, decisions }: Rehearsed): string {
  const [least] = decisions
  const play = markdown(
    [
      'calls played again',
      'ms',
      'of the processor',
      'longest without a turn for others, ms',
      'heap beyond what was there, MiB',
    ],
    [[calls.toLocaleString('en'), playMs.toFixed(0), playCpuMs.toFixed(0), blockedMs.toFixed(0), heapMib.toFixed(0)]],
  )
  const judging = markdown(
    ['rules of the policy', 'a decision, µs of the processor', 'beyond the shortest, µs'],
    decisions.map(({ rules, us }) => [String(rules), us.toFixed(2), (us - least!.us).toFixed(2)]),
  )
  return `${play}\n\n${judging}`
}
