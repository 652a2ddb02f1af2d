import { getRequestListener } from '@hono/node-server'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { CallStreams } from '../src/admin/stream.js'
import { SystemClock } from '../src/clock.js'
import { ZERO } from '../src/contracts/money.js'
import { openSqlite } from '../src/ledger/sqlite.js'
import { cpuNs, residentMib, type Layout } from './machine.js'
import { Part, type Role } from './part.js'
import { monotonicMs, type Wish } from './stream-readers.js'
import type { TargetFacts, TargetOptions } from './targets/target.js'

/** What streams cost that wait for something to happen. */
export interface Streamed {
  readonly streams: number
  readonly kibAStream: number | null
  /** CPU of the server while nothing happens but heartbeats, in % of one processor. */
  readonly idleCpu: number | null
  /** One change: from its commit until each of the readers has it. */
  readonly toldMs: number
  /** Connections to the agent port of the whole server that have had an answer and wait for another use. */
  readonly kibAConnection: number | null
}

const STREAMS = 10_000
/** What one object of the product's opens at most: 10,000 of them are the sum of many. */
const PER_OBJECT = 64
/** A heartbeat and more. */
const IDLE_MS = 16_000
const WARM = 100
const REST_MS = 1_000

/**
 * The product's live stream of calls, without the admin port around it: that lets in 64 and refuses the others, so here
 * each 64 have an object of their own.
 */
export async function measureStreams(
  { proxy, world }: Layout,
  directory: string,
  streams = STREAMS,
  idleMs = IDLE_MS,
): Promise<Streamed> {
  const server = await Part.start<{ readonly port: number }, Question, number>('streams', { directory }, proxy)
  const readers = await Part.start<null, Wish, number>('stream-readers', {}, world)
  try {
    // Code that has run once is not counted as memory of the streams.
    const wish = { port: server.facts.port, path: '/stream', status: 200 }
    await readers.ask({ ...wish, open: WARM })
    await server.ask('rest')
    const before = residentMib([server.pid])
    await readers.ask({ ...wish, open: streams })
    await server.ask('rest')
    const after = residentMib([server.pid])
    const cpuFrom = cpuNs([server.pid])
    const from = performance.now()
    await pause(idleMs)
    const cpuTo = cpuNs([server.pid])
    const idleNs = (performance.now() - from) * 1e6
    await readers.ask('listen')
    const toldAt = await server.ask('change')
    const heardAt = await readers.ask('heard')
    return {
      streams,
      kibAStream: before === null || after === null ? null : ((after.now - before.now) * 1024) / (streams - WARM),
      idleCpu: cpuFrom === null || cpuTo === null ? null : ((cpuTo - cpuFrom) / idleNs) * 100,
      toldMs: heardAt - toldAt,
      kibAConnection: await connections({ proxy, world }, directory, streams),
    }
  } finally {
    await readers.stop()
    await server.stop()
  }
}

/** KiB of the server a connection that waits. */
async function connections(
  { proxy, world }: Pick<Layout, 'proxy' | 'world'>,
  directory: string,
  count: number,
): Promise<number | null> {
  const options: TargetOptions = { upstream: 1, directory: mkdtempSync(join(directory, 'connections-')) }
  const server = await Part.start<TargetFacts>('targets/spendgate', options, proxy)
  const clients = await Part.start<null, Wish, number>('stream-readers', {}, world)
  try {
    // Without a key: an answer, and no row.
    const wish = { port: server.facts.port, path: '/stripe/v1/charges', status: 401 }
    await clients.ask({ ...wish, open: WARM })
    await pause(REST_MS)
    const before = residentMib([server.pid])
    await clients.ask({ ...wish, open: count })
    await pause(REST_MS)
    const after = residentMib([server.pid])
    return before === null || after === null ? null : ((after.now - before.now) * 1024) / (count - WARM)
  } finally {
    await clients.stop()
    await server.stop()
  }
}

type Question = 'rest' | 'change'

/** The server: answers every request with a stream. */
export async function start({
  directory,
}: {
  readonly directory: string
}): Promise<Role<{ readonly port: number }, Question, number>> {
  const own = mkdtempSync(join(directory, 'streams-'))
  const clock = new SystemClock()
  const ledger = openSqlite({ file: join(own, 'spendgate.db'), clock })
  const { id: policyId } = await ledger.addPolicy('bench', { name: 'bench' }, 'bench')
  const key = await ledger.addKey({
    id: 'key_bench',
    publicId: '0'.repeat(32),
    digest: '0'.repeat(64),
    last4: 'abcd',
    name: 'agent',
    parentId: null,
    policyId,
    narrowings: [],
    credentialIds: ['cred_bench'],
    run: null,
    runCap: null,
    test: true,
    expiresAt: null,
    createdAt: clock.now(),
    actor: 'bench',
  })
  let streams = new CallStreams(ledger)
  let opened = 0
  const listener = getRequestListener((request) => {
    if (++opened % PER_OBJECT === 0) streams = new CallStreams(ledger)
    return streams.open({ after: null, filter: {}, signal: request.signal, stillAllowed: () => true })
  })
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4_096, resolve))
  return {
    facts: { port: (server.address() as AddressInfo).port },
    ask: async (question) => {
      if (question === 'rest') {
        await pause(REST_MS)
        return 0
      }
      await ledger.admit(
        {
          key,
          credentialId: 'cred_bench',
          run: 'bench',
          runSource: 'header',
          vendor: 'stripe',
          surface: 'rest',
          method: 'GET',
          path: '/v1/charges',
          operation: 'charges.list',
          effect: 'read',
          direction: 'none',
          customer: null,
          reason: null,
          quoted: ZERO,
          basis: 'free',
          object: null,
          commits: null,
          requestHash: '0'.repeat(64),
          idempotencyHash: null,
          budgets: [],
          guarded: false,
          lookUps: 0,
          rateCounted: false,
          perMinute: [null],
        },
        () => ({ verdict: 'allow', denial: null }),
      )
      return monotonicMs()
    },
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
      await ledger.close()
      rmSync(own, { recursive: true, force: true })
    },
  }
}
