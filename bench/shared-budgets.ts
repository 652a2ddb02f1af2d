import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { judge } from '../policies/index.js'
import { SystemClock } from '../src/clock.js'
import type { Call } from '../src/contracts/call.js'
import type { KeyRecord, Ledger } from '../src/contracts/ledger.js'
import { usd } from '../src/contracts/money.js'
import type { Level, Policy } from '../src/contracts/policy.js'
import { openSqlite } from '../src/ledger/sqlite.js'
import { median } from './compare.js'
import { markdown } from './report.js'

/** What budgets cost that keys share: a reservation held at one level and at three, in one ledger, in turns. */
export interface Shared {
  readonly at: readonly { readonly callers: number; readonly one: Cost; readonly three: Cost }[]
  /** Three levels over one: medians of the pairs that were measured together, as many callers as are named last. */
  readonly ratio: Cost
}

/** A call as its callers wait for it, and what it takes of the processor, µs. */
interface Cost {
  readonly us: number
  readonly cpuUs: number
}

const SCOPES = ['team:bench', 'project:bench', 'policy'] as const
const AMOUNT = usd(1_000_000n)
const CALLERS = [1, 64] as const

/** @param windowMs of each measurement; a round has one of each level and number of callers */
export async function measureShared(rounds: number, windowMs: number, directory: string): Promise<Shared> {
  const own = mkdtempSync(join(directory, 'shared-'))
  const clock = new SystemClock()
  const ledger = openSqlite({ file: join(own, 'spendgate.db'), clock })
  try {
    const one = await holder(ledger, 1)
    const three = await holder(ledger, SCOPES.length)
    for (const each of [one, three]) await perCall(ledger, clock, each, 64, windowMs)
    const seen = CALLERS.map((callers) => ({ callers, one: [] as Cost[], three: [] as Cost[] }))
    for (let round = 0; round < rounds; round++)
      for (const at of seen) {
        // Each goes first every other time: what the disk or the machine does meanwhile must not fall on one of them.
        const first = round % 2 === 0
        const a = await perCall(ledger, clock, first ? one : three, at.callers, windowMs)
        const b = await perCall(ledger, clock, first ? three : one, at.callers, windowMs)
        at.one.push(first ? a : b)
        at.three.push(first ? b : a)
      }
    const last = seen.at(-1)!
    return {
      at: seen.map(({ callers, one: ones, three: threes }) => ({
        callers,
        one: medianOf(ones),
        three: medianOf(threes),
      })),
      ratio: medianOf(
        last.three.map(({ us, cpuUs }, pair) => ({
          us: us / last.one[pair]!.us,
          cpuUs: cpuUs / last.one[pair]!.cpuUs,
        })),
      ),
    }
  } finally {
    await ledger.close()
    rmSync(own, { recursive: true, force: true })
  }
}

const medianOf = (costs: readonly Cost[]): Cost => ({
  us: median(costs.map(({ us }) => us)),
  cpuUs: median(costs.map(({ cpuUs }) => cpuUs)),
})

interface Holder {
  readonly key: KeyRecord
  readonly policy: Policy
}

/** A key whose policy has so many shared budgets, none of which fills up. */
async function holder(ledger: Ledger, levels: number): Promise<Holder> {
  const document = {
    apiVersion: 'spendgate/v1',
    name: `levels-${levels}`,
    budgets: SCOPES.slice(0, levels).map((scope) => ({ per: 'day', cap_usd: '999999999.00', scope })),
    vendors: { stripe: { endpoints: { allow: ['POST /v1/refunds'] } } },
  }
  const record = await ledger.addPolicy(document.name, document, 'bench')
  const key = await ledger.addKey({
    id: `key_levels${levels}`,
    publicId: randomBytes(16).toString('hex'),
    digest: randomBytes(32).toString('hex'),
    last4: 'abcd',
    name: 'agent',
    parentId: null,
    policyId: record.id,
    narrowings: [],
    credentialIds: ['cred_bench'],
    run: null,
    runCap: null,
    test: true,
    expiresAt: null,
    createdAt: 0,
    actor: 'bench',
  })
  return { key, policy: judge.compile(document, 1, []) }
}

/** A call when so many callers have one under way each: budgets worked out, judged, reserved, settled. */
async function perCall(
  ledger: Ledger,
  clock: SystemClock,
  holder: Holder,
  callers: number,
  windowMs: number,
): Promise<Cost> {
  const begun = performance.now()
  const cpu = process.cpuUsage()
  let served = 0
  const caller = async (): Promise<void> => {
    while (performance.now() - begun < windowMs) {
      await reserve(ledger, clock, holder)
      served++
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  await ledger.flushed()
  const { user, system } = process.cpuUsage(cpu)
  return { us: ((performance.now() - begun) * 1000) / served, cpuUs: (user + system) / served }
}

async function reserve(ledger: Ledger, clock: SystemClock, { key, policy }: Holder): Promise<void> {
  const level: Level = { keyId: key.id, rootId: key.rootId, run: null, runCap: null, policy }
  const asked = { vendor: 'stripe', credentialId: 'cred_bench', direction: 'out' } as const
  const hash = createHash('sha256').update(randomBytes(16)).digest('hex')
  const draft = {
    key,
    credentialId: asked.credentialId,
    run: 'bench',
    runSource: 'header',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/refunds',
    operation: 'refunds.create',
    effect: 'spend',
    direction: asked.direction,
    customer: 'cus_A',
    reason: null,
    quoted: AMOUNT,
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: hash,
    idempotencyHash: null,
    budgets: judge.budgets([level], asked, clock.now()),
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: [null],
  } as const
  const { callId, decision } = await ledger.admit(draft, (usage) => judge.decide(REFUND, usage, [policy]))
  if (decision.verdict !== 'allow') throw new Error(`the bench was refused: ${decision.denial?.message ?? ''}`)
  ledger.settle(callId, { outcome: 'settled', status: 200, requestId: 'req_bench', ms: 1 })
}

const REFUND: Call = {
  vendor: 'stripe',
  endpoint: 'POST /v1/refunds',
  aliases: [],
  operation: 'refunds.create',
  effects: ['spend'],
  quote: { basis: 'exact', amount: AMOUNT },
  subjects: {},
  commits: null,
  reason: null,
}

export const sharedTable = ({ at, ratio }: Shared): string =>
  `${markdown(
    ['callers', 'one level, µs a call', 'of the processor', 'three levels, µs a call', 'of the processor'],
    at.map(({ callers, one, three }) => [
      String(callers),
      ...[one, three].flatMap(({ us, cpuUs }) => [us.toFixed(0), cpuUs.toFixed(0)]),
    ]),
  )}\n\nThree levels cost ${ratio.us.toFixed(2)} × one level, and ${ratio.cpuUs.toFixed(2)} × its processor time (medians of pairs, ${at.at(-1)!.callers} callers; the goal is 1.30).`
