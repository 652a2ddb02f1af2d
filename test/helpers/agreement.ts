import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Movement, SeenRequest, Simulator } from '../../fixtures/simulators/harness.js'
import { parseUsd } from '../../src/contracts/money.js'
import { LOOK_UPS_MAX } from '../../src/resolve.js'
import { vendors } from '../../vendors/index.js'
import type { World } from './world.js'

/** A row of the ledger, as far as it can be held against what a vendor saw. */
export interface BookedCall {
  readonly id: string
  readonly vendor: string
  readonly state: string
  readonly request_sha256: string
  readonly settled_usd: string
  readonly quoted_usd: string
  readonly replay_of: string | null
  readonly look_ups: number
  /** Refusals that share the row; the look-ups of all but the first stand nowhere. */
  readonly count: number
  readonly decision: { readonly verdict: string }
  readonly upstream: { readonly status: number | null }
}

/** What a vendor says of itself: every request it saw, and what moved because of them. */
export type Witness = Pick<Simulator, 'requests' | 'moved'>

/** What the two sides came to, when they agree. */
export interface Agreement {
  /** Requests that a vendor executed and kept. */
  readonly executed: number
  /** Calls that count although the vendor did nothing: the price of never guessing low. */
  readonly phantoms: number
}

/**
 * Holds the ledger against the vendors' own lists, both ways: nothing arrived that no row had admitted, nothing moved
 * that no row counts, nothing is settled that did not arrive, and what was turned away or released moved nothing.
 */
export async function agrees(world: World): Promise<Agreement> {
  const rows: BookedCall[] = []
  let cursor = ''
  do {
    const page = await world.must('GET', `/calls?limit=500${cursor}`)
    rows.push(...page.calls)
    cursor = page.next_cursor === null ? '' : `&cursor=${encodeURIComponent(page.next_cursor)}`
  } while (cursor !== '')
  return compared(rows, { stripe: world.stripe, twilio: world.twilio, resend: world.resend })
}

/** The same for rows and witnesses from anywhere. Fails with a sentence for each thing that only one side knows. */
export function compared(rows: readonly BookedCall[], witnesses: Readonly<Record<string, Witness>>): Agreement {
  const faults: string[] = []
  let [executed, phantoms] = [0, 0]
  for (const [vendor, witness] of Object.entries(witnesses)) {
    const booked = grouped(rows.filter((row) => row.vendor === vendor))
    const moves = movesBy(witness.moved())
    let lookUps = rows.reduce((sum, row) => sum + (row.vendor === vendor ? lookUpsOf(row) : 0), 0)
    const arrived = new Map<string, SeenRequest[]>()
    for (const seen of witness.requests) {
      const hash = hashesOf(vendor, seen).find((each) => booked.has(each))
      const group = arrived.get(hash ?? '')
      if (hash !== undefined && (group?.length ?? 0) < left(booked.get(hash)!).length)
        arrived.set(hash, [...(group ?? []), seen])
      else if (moves.has(seen.at)) faults.push(`${vendor} moved money for ${nameOf(seen)}, which no row has admitted`)
      else if (--lookUps < 0) faults.push(`${vendor} saw ${nameOf(seen)}, which no row has admitted`)
    }
    for (const [hash, group] of booked) {
      const seen = arrived.get(hash) ?? []
      const counted = group.filter(({ state }) => state === 'settled' || state === 'assumed')
      const [first] = group
      const moved = seen.filter(({ at }) => moves.has(at))
      executed += seen.filter(({ applied }) => applied).length
      phantoms += Math.max(0, originals(counted).length - seen.filter(({ applied }) => applied).length)
      if (moved.length > originals(counted).length)
        faults.push(
          `${vendor} moved money ${moved.length} times for ${first!.id}, counted ${originals(counted).length}`,
        )
      const settled = group.filter(({ state }) => state === 'settled').length
      if (settled > seen.length)
        faults.push(`${first!.id} is settled ${settled} times and arrived ${seen.length} times`)
      const silent = group.filter(({ state, upstream }) => state === 'released' && upstream.status === null).length
      if (seen.length > group.length - silent && seen.some(({ method }) => method !== 'GET'))
        faults.push(`${first!.id} was released as never sent, and ${vendor} saw it`)
      const total = moved.reduce((sum, { at }) => sum + moves.get(at)!, 0n)
      const counts = counted.reduce((sum, { settled_usd: usd }) => sum + parseUsd(usd)!, 0n)
      if (total > counts) faults.push(`${first!.id} moved ${total} micro-USD and counts for ${counts}`)
    }
  }
  expect(faults).toEqual([])
  return { executed, phantoms }
}

/** Admitted calls by the hash of their request. */
function grouped(rows: readonly BookedCall[]): ReadonlyMap<string, readonly BookedCall[]> {
  const groups = new Map<string, BookedCall[]>()
  for (const row of rows) {
    if (row.state === 'denied') continue
    const group = groups.get(row.request_sha256)
    if (group === undefined) groups.set(row.request_sha256, [row])
    else group.push(row)
  }
  return groups
}

/** Those that may have left: a call stopped before its first byte is released with the denial that stopped it. */
const left = (group: readonly BookedCall[]): readonly BookedCall[] =>
  group.filter(({ decision }) => decision.verdict !== 'deny')

const lookUpsOf = ({ look_ups: known, count }: BookedCall): number => known + (count - 1) * LOOK_UPS_MAX

const originals = (group: readonly BookedCall[]): readonly BookedCall[] => group.filter((row) => row.replay_of === null)

/** Micro-USD by the request that moved them; 0 for units, whose price only the ledger knows. */
function movesBy(movements: readonly Movement[]): ReadonlyMap<number, bigint> {
  const moves = new Map<number, bigint>()
  for (const { request, amount, currency } of movements) {
    if (request === 0) continue
    const micros = currency === 'usd' ? BigInt(Math.abs(amount ?? 0)) * 10_000n : 0n
    moves.set(request, (moves.get(request) ?? 0n) + micros)
  }
  return moves
}

const HOSTS = new Map(vendors.map(({ name, hosts }) => [name, hosts]))

/** The hashes that src/wire/prepare.ts may have given a request: the host it was for is not always on the wire. */
function hashesOf(vendor: string, { method, path, headers, body }: SeenRequest): readonly string[] {
  const accounts = [...new Set(['', headers['stripe-account'] ?? '', headers['stripe-context'] ?? ''])]
  const hosts = vendor === 'twilio' ? [headers.host ?? ''] : HOSTS.get(vendor)!
  return hosts.flatMap((host) =>
    accounts.map((account) =>
      createHash('sha256').update(`${method} ${host}${path}\n${account}\n${body}`).digest('hex'),
    ),
  )
}

const nameOf = ({ method, path, at }: SeenRequest): string => `${method} ${path} (its request ${at})`
