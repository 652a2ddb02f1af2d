import { request } from 'undici'
import { expect } from 'vitest'
import type { Fault, Plan, SeenRequest, Simulator } from '../../fixtures/simulators/harness.js'
import { formatUsd, parseUsd, usd, ZERO, type Usd } from '../../src/contracts/money.js'
import { REAL, World, type Answer } from '../helpers/world.js'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A world at NOON with a seeded Stripe account and credentials that the simulated vendors accept. */
export async function startWorld(env: Record<string, string> = {}): Promise<World> {
  const world = await World.start(env)
  world.stripe.seed()
  return world
}

export function travelTo(world: World, at: number): void {
  world.clock.aheadMs += at - world.clock.now()
}

export const travel = (world: World, ms: number): void => void (world.clock.aheadMs += ms)

/** An intent that is paid at once: what it asks for moves, or nothing does. */
export const payment = (minor: number, more: Record<string, string> = {}): Record<string, string> => ({
  amount: String(minor),
  currency: 'usd',
  customer: 'cus_A',
  payment_method: 'pm_card_visa',
  confirm: 'true',
  ...more,
})

export const pay = (world: World, key: string, minor: number, headers: Record<string, string> = {}): Promise<Answer> =>
  world.call(key, 'POST', '/stripe/v1/payment_intents', payment(minor), headers)

export const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

/** The code of a refusal, from the header every vendor's shape has; null when the call was let through. */
export const codeOf = (answer: Answer): string | null =>
  (answer.headers['x-spendgate-code'] as string | undefined) ?? null

export const callIdOf = (answer: Answer): string => answer.headers['x-spendgate-call-id'] as string

/** What a vendor sees while `act` runs: its requests, and how many connections were opened. */
export async function seenBy<T>(
  vendor: Simulator,
  act: () => Promise<T>,
): Promise<{ result: T; requests: SeenRequest[]; connections: number }> {
  const [first, connections] = [vendor.requests.length, vendor.connections]
  const result = await act()
  return { result, requests: vendor.requests.slice(first), connections: vendor.connections - connections }
}

/** One fault a request, so that each tells when it has struck. */
export const faults = (vendor: Simulator, match: string, plan: Plan, count: number): Fault[] =>
  Array.from({ length: count }, () => vendor.fault(match, plan))

/** Every row, oldest first. */
export async function allCalls(world: World, query = ''): Promise<any[]> {
  const rows: any[] = []
  let cursor = ''
  do {
    const page = await world.must('GET', `/calls?limit=500${query}${cursor}`)
    rows.push(...page.calls)
    cursor = page.next_cursor === null ? '' : `&cursor=${encodeURIComponent(page.next_cursor)}`
  } while (cursor !== '')
  return rows.reverse()
}

export const rowOf = (world: World, id: string): Promise<any> => world.must('GET', `/calls/${id}`)

/** How often an agent was refused with a code since the server started, keys that are not known included. */
export async function refusals(world: World, code: string): Promise<number> {
  const reply = await request(`${world.server.adminUrl}/metrics`, {
    headers: { authorization: `Bearer ${REAL.admin}` },
  })
  const lines = (await reply.body.text()).split('\n')
  return lines
    .filter((line) => line.startsWith('spendgate_refusals_total{') && line.includes(`code="${code}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** What really moved at the simulated Stripe account. */
export const moved = (world: World): Usd =>
  usd(world.stripe.moved().reduce((total, { amount }) => total + BigInt(amount ?? 0) * 10_000n, 0n))

export interface Totals {
  readonly spent: string
  readonly held: string
}

/** Reads every report, expects that all of them and the rows tell the same story, and that the book is sound. */
export async function books(world: World): Promise<Totals> {
  expect(await world.verified()).toEqual([])
  const rows = await allCalls(world)
  const counted = totalsOf(
    rows.map(({ state, settled_usd: settled, reserved_usd: reserved, count }) => ({
      spent_usd: state === 'settled' || state === 'assumed' ? settled : '0',
      held_usd: state === 'reserved' ? reserved : '0',
      calls: count,
      denied: state === 'denied' ? count : 0,
    })),
  )
  for (const by of ['run', 'key', 'vendor', 'operation', 'day']) {
    const { rows: lines, total } = await world.must('GET', `/spend?by=${by}`)
    expect(total, `total of the spend by ${by}`).toEqual(counted)
    expect(totalsOf(lines), `sum of the spend by ${by}`).toEqual(counted)
  }
  expect(totalsOf((await world.must('GET', '/runs?limit=500')).runs), 'sum of the runs').toEqual(counted)
  return { spent: counted.spent_usd, held: counted.held_usd }
}

interface Line {
  readonly spent_usd: string
  readonly held_usd: string
  readonly calls: number
  readonly denied: number
}

function totalsOf(lines: readonly Line[]): Line {
  const sum = (name: 'spent_usd' | 'held_usd'): string =>
    formatUsd(usd(lines.reduce((total, line) => total + (parseUsd(line[name]) ?? ZERO), 0n)))
  return {
    spent_usd: sum('spent_usd'),
    held_usd: sum('held_usd'),
    calls: lines.reduce((total, line) => total + line.calls, 0),
    denied: lines.reduce((total, line) => total + line.denied, 0),
  }
}

/** Spend of one key, from the report by key. */
export async function spentBy(world: World, keyId: string): Promise<string> {
  const { rows } = await world.must('GET', '/spend?by=key')
  return rows.find((row: { key: string }) => row.key === keyId)?.spent_usd ?? '0.00'
}
