import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../src/package-root.js'
import { median } from './compare.js'
import type { Layout } from './machine.js'
import { Part, type Role } from './part.js'
import { markdown } from './report.js'
import type { TargetFacts, TargetOptions } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

/** What the preload costs a program: once at its start, and at each call. Medians. */
export interface Preloaded {
  readonly runs: number
  /** Whole life of `node -e 0`: without the preload, with it and nothing to do, with a base and a vault key. */
  readonly startMs: { readonly none: number; readonly inert: Start; readonly active: Start }
  readonly calls: number
  /** One call of stripe-node, to the proxy's own host and port and to Stripe's with the preload in between. */
  readonly callUs: {
    readonly straight: number
    readonly through: number
    readonly added: number
    /** The same of each hundred calls: how much one figure says on this machine. */
    readonly rounds: readonly number[]
  }
}

/** Differences are taken within a round, as everywhere in this bench. */
interface Start {
  readonly took: number
  readonly added: number
}

export const START_MAX_MS = 30
export const CALL_MAX_US = 300

const PRELOAD = join(packageRoot(), 'dist', 'src', 'preload', 'preload.cjs')

/** A round is three starts of each kind and a hundred calls each way. */
export async function measurePreload(rounds: number, layout: Layout, directory: string): Promise<Preloaded> {
  const [runs, calls] = [3 * rounds, ROUND * rounds]
  return { runs, startMs: startsOf(runs), calls, callUs: await callsOf(calls, layout, directory) }
}

const ACTIVE = { STRIPE_API_BASE: 'http://127.0.0.1:4242/stripe', STRIPE_API_KEY: 'vault_test_bench' }
const STARTS = {
  none: { args: [], env: {} },
  inert: { args: ['--require', PRELOAD], env: {} },
  active: { args: ['--require', PRELOAD], env: ACTIVE },
} as const
type Kind = keyof typeof STARTS

/** In turn, so that what the machine does meanwhile falls on all three. */
function startsOf(runs: number): Preloaded['startMs'] {
  const took: Record<Kind, number[]> = { none: [], inert: [], active: [] }
  for (let run = 0; run < runs; run++) {
    for (const kind of Object.keys(STARTS) as Kind[]) {
      const { args, env } = STARTS[kind]
      const from = performance.now()
      const { status, stderr } = spawnSync(process.execPath, [...args, '-e', '0'], {
        env: { PATH: process.env.PATH, ...env },
        encoding: 'utf8',
      })
      took[kind].push(performance.now() - from)
      if (status !== 0) throw new Error(`node with the preload (${kind}) ended with ${status}: ${stderr}`)
    }
  }
  const beside = (kind: Kind): Start => ({
    took: median(took[kind]),
    added: median(took[kind].map((ms, run) => ms - took.none[run]!)),
  })
  return { none: median(took.none), inert: beside('inert'), active: beside('active') }
}

async function callsOf(calls: number, { proxy, world }: Layout, directory: string): Promise<Preloaded['callUs']> {
  const parts: { stop(): Promise<void> }[] = []
  try {
    const vendor = await Part.start<UpstreamFacts>('upstream', {}, world)
    parts.push(vendor)
    const options: TargetOptions = { upstream: vendor.facts.port, directory: mkdtempSync(join(directory, 'preload-')) }
    const governed = await Part.start<TargetFacts>('targets/spendgate', options, proxy)
    parts.push(governed)
    const agent = await Part.start<null, number, Preloaded['callUs']>('preload', governed.facts, world)
    parts.push(agent)
    return await agent.ask(calls)
  } finally {
    for (const part of parts.toReversed()) await part.stop()
  }
}

/** The agent: two stripe-node clients in one process, of which only one speaks to a name that the preload takes over. */
export async function start({ port, authorization }: TargetFacts): Promise<Role<null, number, Preloaded['callUs']>> {
  const key = authorization.replace('Bearer ', '')
  Object.assign(process.env, { STRIPE_API_BASE: `http://127.0.0.1:${port}/stripe`, STRIPE_SECRET_KEY: key })
  // As --require would: before anything has loaded node:https.
  createRequire(import.meta.url)(PRELOAD)
  const { Stripe } = await import('stripe')
  const shared = { telemetry: false, maxNetworkRetries: 0 } as const
  const straight = new Stripe(key, { ...shared, host: '127.0.0.1', port, protocol: 'http' })
  const through = new Stripe(key, shared)
  const timed = async (client: InstanceType<typeof Stripe>): Promise<number> => {
    const from = performance.now()
    await client.paymentIntents.create({
      amount: 100,
      currency: 'usd',
      customer: 'cus_A',
      payment_method: 'pm_A',
      confirm: true,
    })
    return (performance.now() - from) * 1000
  }
  return {
    facts: null,
    ask: async (calls) => {
      const took = { straight: [] as number[], through: [] as number[], added: [] as number[] }
      for (let call = -WARM; call < calls; call++) {
        // A pair of neighbours, each first in every second one.
        let [a, b] = [0, 0]
        if (call % 2 === 0) [a, b] = [await timed(straight), await timed(through)]
        else [b, a] = [await timed(through), await timed(straight)]
        if (call < 0) continue
        took.straight.push(a)
        took.through.push(b)
        took.added.push(b - a)
      }
      return {
        straight: median(took.straight),
        through: median(took.through),
        added: median(took.added),
        rounds: Array.from({ length: calls / ROUND }, (_, at) =>
          median(took.added.slice(at * ROUND, (at + 1) * ROUND)),
        ),
      }
    },
    stop: async () => {},
  }
}

/** Calls each way in a round. */
const ROUND = 100
/** Calls each way before the first that counts: code gets compiled, connections are made. */
const WARM = 200

export function preloadTable({ runs, startMs, calls, callUs }: Preloaded): string {
  const { none, inert, active } = startMs
  const ms = (value: number): string => value.toFixed(1)
  const us = (value: number): string => value.toFixed(0)
  const start = `a start of \`node -e 0\`, ${runs} of each: ms`
  return markdown(
    ['What', 'Without', 'With', 'Added', 'Goal', ''],
    [
      [`${start}, nothing to do`, ms(none), ms(inert.took), ms(inert.added), '', ''],
      [
        `${start}, with base and vault key`,
        ms(none),
        ms(active.took),
        ms(active.added),
        `≤ ${START_MAX_MS}`,
        said(active.added <= START_MAX_MS),
      ],
      [
        `a governed call by stripe-node, ${calls} each way: µs`,
        us(callUs.straight),
        us(callUs.through),
        `${us(callUs.added)} (rounds: ${us(Math.min(...callUs.rounds))} to ${us(Math.max(...callUs.rounds))})`,
        `≤ ${CALL_MAX_US}`,
        said(callUs.added <= CALL_MAX_US),
      ],
    ],
  )
}

const said = (met: boolean): string => (met ? 'met' : '**missed**')

/** Its section of docs/performance.md. */
export const preloadSection = (preloaded: Preloaded, machine: string): string => `## The preload

What \`src/preload\` costs a Node program whose calls it takes to the proxy. A start is the whole life of the process, the
three kinds in turn. Calls are payments by stripe-node, one at a time, governed and durable: *without* goes to the proxy's own
host and port, *with* to \`api.stripe.com\`, which is taken over inside the process. Both clients are in one process and take
turns. *Added* is the median of the differences between neighbours; it grows with the load of others on the machine, as both
columns do.

- \`npm run bench -- preload\`: ${machine}

${preloadTable(preloaded)}
`
