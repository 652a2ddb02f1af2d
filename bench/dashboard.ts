import { setTimeout as pause } from 'node:timers/promises'
import { Pool, request } from 'undici'
import { ADMIN_TOKEN, type DashboardFacts, type DashboardOptions } from './dashboard-server.js'
import { cpuNs, residentMib, type Layout } from './machine.js'
import { Part } from './part.js'
import { PAID, PATH } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

/** What the operator's pages take on a book whose calls were all made today. */
export interface Shown {
  readonly rows: number
  /** The first page after the start, from the click on the link: code is loaded and the day's line read back. */
  readonly firstMs: number
  readonly firstCpuMs: number | null
  readonly screens: readonly Screen[]
  /** `/metrics`, read from the ledger and as it is kept. */
  readonly metricsFirstMs: number
  readonly metricsMs: number
  readonly tail: Tail
}

interface Screen {
  readonly screen: string
  readonly medianMs: number
  readonly longestMs: number
  /** Processor time of the server a page, which other work on the machine does not lengthen. */
  readonly cpuMs: number | null
}

/** Pages that follow while calls come. */
interface Tail {
  readonly pages: number
  readonly perSecond: number
  readonly calls: number
  /** How old the newest call of a page is that was asked for because of a mark. */
  readonly behindMs: number
  readonly behindMaxMs: number
  readonly refreshes: number
  readonly memoryMib: readonly (number | null)[]
}

const ROUNDS = 20
const PAGES = 8
const PER_SECOND = 500
const TICK_MS = 20

/** @param seconds for which the tail is followed */
export async function measureDashboard(
  { proxy, world }: Layout,
  { rows, seconds }: { readonly rows: number; readonly seconds: number },
  directory: string,
  say: (text: string) => void,
): Promise<Shown> {
  const vendor = await Part.start<UpstreamFacts>('upstream', null, world)
  const options: DashboardOptions = { upstream: vendor.facts.port, directory, rows }
  say(`a book of ${rows} calls of today …`)
  const server = await Part.start<DashboardFacts, 'memory', number>('dashboard-server', options, proxy, ['--expose-gc'])
  try {
    const { adminUrl, key, run } = server.facts
    const bearer = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const metrics = async (): Promise<number> => (await timed(`${adminUrl}/metrics`, bearer)).ms
    const metricsFirstMs = await metrics()
    const metricsMs = median(await times(ROUNDS, metrics))
    say('the screens …')
    const cpu = (): number | null => {
      const ns = cpuNs([server.pid])
      return ns === null ? null : ns / 1e6
    }
    const between = (from: number | null, to: number | null): number | null =>
      from === null || to === null ? null : to - from
    const beforeFirst = cpu()
    const { cookie, firstMs } = await enter(server.facts)
    const firstCpuMs = between(beforeFirst, cpu())
    const [call] = /call_\w+/.exec((await timed(`${adminUrl}/dashboard/calls`, { cookie })).text)!
    const screens: Screen[] = []
    for (const [screen, path] of [
      ['Now', ''],
      ['Runs', '/runs'],
      ['one run', `/runs/${run}`],
      ['Calls', '/calls'],
      ['Calls, denied only', '/calls?state=denied'],
      ['Calls of a key', `/calls?key=${key}`],
      ['one call', `/calls/${call}`],
      ['Approvals', '/approvals'],
      ['Keys', '/keys'],
      ['one key', `/keys/${key}`],
      ['Policies', '/policies'],
      ['one policy', '/policies/bench'],
      ['Vendors', '/vendors'],
      ['Audit', '/audit'],
    ] as const) {
      const from = cpu()
      const took = await times(ROUNDS, async () => (await timed(`${adminUrl}/dashboard${path}`, { cookie })).ms)
      const spent = between(from, cpu())
      const cpuMs = spent === null ? null : spent / ROUNDS
      screens.push({ screen, medianMs: median(took), longestMs: Math.max(...took), cpuMs })
    }
    say(`${PAGES} pages that follow ${PER_SECOND} calls a second for ${seconds} s …`)
    const tail = await follow(server, cookie, seconds)
    return { rows, firstMs, firstCpuMs, screens, metricsFirstMs, metricsMs, tail }
  } finally {
    await server.stop()
    await vendor.stop()
  }
}

/** From the link to the whole first page. */
async function enter({ signInUrl, adminUrl }: DashboardFacts): Promise<{ cookie: string; firstMs: number }> {
  const begunAt = performance.now()
  const door = await request(signInUrl)
  await door.body.dump()
  const cookie = String(door.headers['set-cookie']).split(';')[0]!
  await timed(`${adminUrl}/dashboard`, { cookie })
  return { cookie, firstMs: performance.now() - begunAt }
}

async function follow(server: Part<DashboardFacts, 'memory', number>, cookie: string, seconds: number): Promise<Tail> {
  const { adminUrl, port, authorization } = server.facts
  const behind: number[] = []
  const memoryMib: (number | null)[] = []
  const over = new AbortController()
  const readers = Array.from({ length: PAGES }, () => reader(adminUrl, cookie, over.signal, behind))
  const agents = new Pool(`http://127.0.0.1:${port}`, { connections: 64 })
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  const pending = new Set<Promise<void>>()
  let calls = 0
  const one = async (n: number): Promise<void> => {
    const own = { ...headers, 'idempotency-key': `tail-${n}`, 'x-agent-run-id': `tail_${n % 100}` }
    const reply = await agents.request({ method: 'POST', path: `/stripe${PATH}`, headers: own, body: PAID })
    await reply.body.dump()
    if (reply.statusCode !== 200) throw new Error(`A call of the tail was answered ${reply.statusCode}.`)
    calls++
  }
  const begunAt = performance.now()
  let sent = 0
  let sampled = -1
  for (let passed = 0; passed < seconds * 1_000; passed = performance.now() - begunAt) {
    // Sent when due, whatever became of those before: agents do not wait for a dashboard.
    for (const due = (passed * PER_SECOND) / 1_000; sent < due; sent++) {
      const each: Promise<void> = one(sent).finally(() => pending.delete(each))
      pending.add(each)
    }
    const fifth = Math.floor(passed / (seconds * 200))
    if (fifth > sampled) {
      sampled = fifth
      memoryMib.push(residentMib([server.pid])?.now ?? null)
    }
    await pause(TICK_MS)
  }
  await Promise.all(pending)
  const tookMs = performance.now() - begunAt
  memoryMib.push(residentMib([server.pid])?.now ?? null)
  over.abort()
  await Promise.all(readers)
  await agents.close()
  return {
    pages: PAGES,
    perSecond: (calls / tookMs) * 1_000,
    calls,
    behindMs: median(behind),
    behindMaxMs: Math.max(...behind),
    refreshes: behind.length,
    memoryMib,
  }
}

/** An open page of calls: asks for itself anew at every mark, as the script does, and notes how far it is behind. */
async function reader(adminUrl: string, cookie: string, signal: AbortSignal, behind: number[]): Promise<void> {
  const stream = await request(`${adminUrl}/dashboard/stream`, { headers: { cookie }, signal })
  try {
    for await (const chunk of stream.body) {
      if (!String(chunk).includes('event: change')) continue
      const { text } = await timed(`${adminUrl}/dashboard/calls`, { cookie, 'x-refresh': '1' })
      const newest = /<time datetime="([^"]+)"/.exec(text.slice(text.indexOf('<tbody>')))?.[1]
      if (newest !== undefined) behind.push(Date.now() - Date.parse(newest))
    }
  } catch (fault) {
    if (!signal.aborted) throw fault
  }
}

async function timed(url: string, headers: Record<string, string>): Promise<{ ms: number; text: string }> {
  const begunAt = performance.now()
  const reply = await request(url, { headers })
  const text = await reply.body.text()
  if (reply.statusCode !== 200) throw new Error(`${url} was answered ${reply.statusCode}.`)
  return { ms: performance.now() - begunAt, text }
}

async function times(count: number, work: () => Promise<number>): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < count; i++) found.push(await work())
  return found
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

export function dashboardTable({ rows, firstMs, firstCpuMs, screens, metricsFirstMs, metricsMs, tail }: Shown): string {
  const ms = (value: number | null): string => value?.toFixed(value < 10 ? 1 : 0) ?? ''
  return [
    `The dashboard on ${rows.toLocaleString('en-US')} calls of one day, ms for the whole page on loopback`,
    '',
    `| page | median of ${ROUNDS} | longest | processor time |`,
    '|---|---|---|---|',
    `| the first after the start, from the link on | ${ms(firstMs)} | | ${ms(firstCpuMs)} |`,
    ...screens.map(
      ({ screen, medianMs, longestMs, cpuMs }) => `| ${screen} | ${ms(medianMs)} | ${ms(longestMs)} | ${ms(cpuMs)} |`,
    ),
    `| /metrics, read and then kept | ${ms(metricsFirstMs)}, ${ms(metricsMs)} | | |`,
    '',
    `${tail.pages} pages of calls followed ${Math.round(tail.perSecond)} calls a second (${tail.calls} in all): ` +
      `${tail.refreshes} refreshes, the newest call ${ms(tail.behindMs)} ms old (median; ${ms(tail.behindMaxMs)} at most). ` +
      `Memory of the server: ${tail.memoryMib.map((mib) => (mib === null ? '?' : Math.round(mib))).join(', ')} MiB, a fifth of the time apart.`,
  ].join('\n')
}
