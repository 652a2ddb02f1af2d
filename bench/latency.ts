import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { median } from './compare.js'
import type { Durability } from './fsync.js'
import { askedOf, type Order, type Run } from './load.js'
import type { Layout } from './machine.js'
import { Part } from './part.js'
import { markdown } from './report.js'
import type { Mark, Marked, MarkedQuestion } from './targets/spendgate-marked.js'
import type { TargetFacts, TargetOptions } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

/** A call in its steps, at one connection. */
export interface Steps {
  readonly calls: number
  /** As the client waits for it, without marks in the server and with them. */
  readonly clientUs: number
  readonly markedUs: number
  readonly fsyncUs: number
  readonly steps: readonly Step[]
}

export interface Step {
  readonly what: string
  /** Median, µs. */
  readonly us: number
  /** Whether the client waits for the disk or the vendor meanwhile, or for work of this process. */
  readonly waits: boolean
}

interface Stretch {
  readonly what: string
  readonly from: Mark
  readonly to: Mark
  readonly waits?: true
}

/** In the order of a call. Together they are all of it that the server sees. */
const STRETCHES: readonly Stretch[] = [
  { what: 'read and parse: head, key, address, catalogue, body, form', from: 'request', to: 'explain' },
  { what: 'explain: what it means, whom it concerns, what it costs', from: 'explain', to: 'explained' },
  { what: 'prepare: canonical request, its hash, what is to be judged', from: 'explained', to: 'admit' },
  { what: 'wait for the ledger: turn of the loop, earlier settlements, usage', from: 'admit', to: 'decide' },
  { what: 'decide: every rule of the policy', from: 'decide', to: 'decided' },
  { what: 'ledger: row, entries, totals, commit and fsync', from: 'decided', to: 'admitted', waits: true },
  { what: 'after the commit: credential, headers, namespaced key', from: 'admitted', to: 'send' },
  { what: 'a connection to the vendor', from: 'send', to: 'leave' },
  { what: 'head and body written', from: 'leave', to: 'written' },
  { what: 'the vendor, to the first byte', from: 'written', to: 'heard', waits: true },
  { what: 'the rest of the reply', from: 'heard', to: 'replied' },
  { what: 'read the outcome', from: 'replied', to: 'settle' },
  { what: 'settle: put in line for the next commit', from: 'settle', to: 'settled' },
  { what: 'scrub, rewrite links, headers of the reply', from: 'settled', to: 'answer' },
  { what: 'write the reply', from: 'answer', to: 'answered' },
]
export async function measureSteps(
  layout: Layout,
  { windowMs, syncs }: { readonly windowMs: number; readonly syncs: number },
  directory: string,
): Promise<Steps> {
  const own = mkdtempSync(join(directory, 'latency-'))
  const parts: { stop(): Promise<void> }[] = []
  const started = async <P extends { stop(): Promise<void> }>(part: Promise<P>): Promise<P> => {
    parts.push(await part)
    return part
  }
  try {
    const vendor = await started(Part.start<UpstreamFacts>('upstream', {}, layout.world))
    const load = await started(Part.start<null, Order, Run>('load', {}, layout.world))
    const disk = await started(
      Part.start<null, { times: number }, Durability>('fsync', { directory: own }, layout.proxy),
    )
    const options: TargetOptions = { upstream: vendor.facts.port, directory: own }
    const plain = await started(Part.start<TargetFacts>('targets/spendgate', options, layout.own))
    const marked = await started(
      Part.start<TargetFacts, MarkedQuestion, readonly Marked[]>('targets/spendgate-marked', options, layout.own),
    )
    const asked = (facts: TargetFacts, ms: number) => ({
      ...askedOf(facts),
      connections: 1,
      warmMs: Math.min(1_000, ms),
      windowMs: ms,
      pids: [],
    })
    // Half of the unmarked run before the marked one and half after it.
    const before = await load.ask(asked(plain.facts, windowMs / 2))
    const run = await load.ask(asked(marked.facts, windowMs))
    const calls = await marked.ask('calls')
    const after = await load.ask(asked(plain.facts, windowMs / 2))
    const { fsyncUs } = await disk.ask({ times: syncs })
    return {
      calls: calls.length,
      clientUs: (before.p50Us + after.p50Us) / 2,
      markedUs: run.p50Us,
      fsyncUs,
      steps: stepsOf(calls.slice(Math.floor(calls.length / 4))),
    }
  } finally {
    for (const part of parts.toReversed()) await part.stop()
  }
}

/** @throws Error when calls do not come by the marks: then the product is no longer built as the marks have it */
export function stepsOf(calls: readonly Marked[]): Step[] {
  return STRETCHES.map(({ what, from, to, waits = false }) => {
    const spans = calls.flatMap((call) =>
      call[from] === undefined || call[to] === undefined ? [] : [(call[to] - call[from]) * 1000],
    )
    if (spans.length < calls.length / 2 || spans.length === 0)
      throw new Error(
        `«${what}» was seen in ${spans.length} of ${calls.length} calls: targets/spendgate-marked is out of date.`,
      )
    return { what, us: median(spans), waits }
  })
}

export function stepsTable({ steps, clientUs, markedUs }: Steps): string {
  const inside = steps.reduce((sum, { us }) => sum + us, 0)
  const us = (value: number): string => value.toFixed(1)
  return markdown(
    ['Step', 'µs, p50', ''],
    [
      ...steps.map(({ what, us: each, waits }) => [what, us(each), waits ? 'waits' : '']),
      ['**sum of the steps**', us(inside), ''],
      ['outside: loopback, kernel, Node’s HTTP parser', us(markedUs - inside), ''],
      ['as the client sees it, with marks', us(markedUs), ''],
      ['as the client sees it, without marks', us(clientUs), ''],
    ],
  )
}
