import { createHash, randomBytes } from 'node:crypto'
import pg from 'pg'
import { SystemClock } from '../src/clock.js'
import type { CallDraft, KeyRecord } from '../src/contracts/ledger.js'
import { usd, type Usd } from '../src/contracts/money.js'
import type { Budget, Decision, Usage } from '../src/contracts/policy.js'
import { placeOf } from '../src/ledger/postgres/connect.js'
import { openPostgres } from '../src/ledger/postgres/ledger.js'
import { postgresMissing, PostgresServer } from '../test/helpers/postgres.js'
import { median } from './compare.js'
import type { Layout } from './machine.js'
import { Part, type Role } from './part.js'
import { markdown } from './report.js'

/** One hot budget row of a PostgreSQL, reserved from in three ways. Reservations a second, medians over the rounds. */
export interface Batched {
  readonly callers: number
  /** The product's ledger: what waits shares a transaction. */
  readonly batched: number
  /** The same ledger when each call has a transaction of its own. */
  readonly alone: number
  /** No ledger: one function call a reservation, each caller on a connection of its own, no entries, chain or settlement. */
  readonly queries: number
  /** Medians within a round. */
  readonly overAlone: number
  readonly overQueries: number
  /** A cap that is not a multiple of the amount, asked for more than it holds. */
  readonly exact: Exact
  readonly version: string
}

export interface Exact {
  readonly asked: number
  readonly granted: number
  /** floor(cap ÷ amount) */
  readonly due: number
  readonly countedMicroUsd: string
}

type Way = 'batched' | 'alone' | 'queries'
type Question = { readonly way: Way; readonly callers: number; readonly ms: number } | { readonly asked: number }

const CALLERS = 64
const ASKED = 2_000

/** @returns a sentence where there is no PostgreSQL to measure on */
export async function measurePostgres(
  { rounds, windowMs }: { readonly rounds: number; readonly windowMs: number },
  { proxy, world }: Layout,
): Promise<Batched | string> {
  if (postgresMissing !== null) return postgresMissing
  // Database and ledger may use all processors the layout has.
  const cpus = proxy === null || world === null ? null : [...new Set([proxy, world])].join(',')
  const part = await Part.start<{ readonly version: string }, Question, number | Exact>('postgres', null, cpus)
  try {
    const seen: Record<Way, number[]> = { batched: [], alone: [], queries: [] }
    const ways = Object.keys(seen) as Way[]
    for (const way of ways) await part.ask({ way, callers: CALLERS, ms: windowMs })
    for (let round = 0; round < rounds; round++)
      for (const way of round % 2 === 0 ? ways : ways.toReversed())
        seen[way].push((await part.ask({ way, callers: CALLERS, ms: windowMs })) as number)
    const over = (way: Way): number => median(seen.batched.map((each, round) => each / seen[way][round]!))
    return {
      callers: CALLERS,
      batched: median(seen.batched),
      alone: median(seen.alone),
      queries: median(seen.queries),
      overAlone: over('alone'),
      overQueries: over('queries'),
      exact: (await part.ask({ asked: ASKED })) as Exact,
      version: part.facts.version,
    }
  } finally {
    await part.stop()
  }
}

/** The server, the ledger on it, and whoever asks. */
export async function start(): Promise<Role<{ readonly version: string }, Question, number | Exact>> {
  const server = await PostgresServer.start({ shared_buffers: '256MB', max_wal_size: '2GB', max_connections: '128' })
  try {
    const ledger = await openPostgres({ place: placeOf(server.url(await server.database())), clock: new SystemClock() })
    const key = await issue(ledger)
    const plain = await plainBudget(server)
    const [{ version }] = await server.sql(`select current_setting('server_version') as version`)
    return {
      facts: { version: (version as string).split(' ')[0]! },
      ask: async (question) => {
        if ('asked' in question) return exactly(ledger, key, question.asked)
        const { way, callers, ms } = question
        if (way === 'queries') return loop(callers, ms, (n) => plain.reserve(n))
        const admit = (): Promise<unknown> => admitted(ledger, key, 'hot', CAP, AMOUNT)
        const rate = await loop(way === 'alone' ? 1 : callers, ms, admit)
        await ledger.flushed()
        return rate
      },
      stop: async () => {
        await plain.close()
        await ledger.close()
        await server.remove()
      },
    }
  } catch (cause) {
    await server.remove()
    throw cause
  }
}

type Ledger = Awaited<ReturnType<typeof openPostgres>>

const CAP = usd(1_000_000_000_000_000n)
const AMOUNT = usd(1_000_000n)

/** Callers in a closed loop for so long; how often a second one of them was served. */
async function loop(callers: number, ms: number, act: (caller: number) => Promise<unknown>): Promise<number> {
  const until = performance.now() + ms
  let served = 0
  const caller = async (_: unknown, n: number): Promise<void> => {
    for (;;) {
      await act(n)
      if (performance.now() >= until) return
      served++
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return (served * 1000) / ms
}

/** A reservation of the product's: decided on usage, durable, settled as soon as it stands. */
async function admitted(ledger: Ledger, key: KeyRecord, counter: string, cap: Usd, amount: Usd): Promise<boolean> {
  const { callId, decision } = await ledger.admit(draftOf(key, ledger.clock.now(), counter, cap, amount), withinCaps)
  if (decision.verdict === 'deny') return false
  ledger.settle(callId, { outcome: 'settled', status: 200, requestId: 'req_bench', ms: 1 })
  return true
}

async function exactly(ledger: Ledger, key: KeyRecord, asked: number): Promise<Exact> {
  const [cap, amount] = [usd(1_000_000n), usd(1_099n)]
  let granted = 0
  let begun = 0
  const caller = async (): Promise<void> => {
    while (begun++ < asked) if (await admitted(ledger, key, 'exact', cap, amount)) granted++
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  await ledger.flushed()
  const { budgets } = draftOf(key, ledger.clock.now(), 'exact', cap, amount)
  const [counted] = await ledger.usage(budgets)
  return {
    asked,
    granted,
    due: Number(cap / amount),
    countedMicroUsd: String(counted!.spent + counted!.held),
  }
}

function withinCaps({ budgets, amount }: Usage): Decision {
  const full = budgets.find(({ spent, held, cap }) => spent + held + amount > cap)
  if (full === undefined) return { verdict: 'allow', denial: null }
  const message = 'The budget of the bench is used up.'
  return { verdict: 'deny', denial: { code: 'daily_cap_exceeded', rule: full.rule, message } }
}

/** What people write first: one function that inserts the reservation and takes it from the budget, if it is there. */
async function plainBudget(server: PostgresServer) {
  const database = await server.database()
  await server.sql(
    `create table budget (key text primary key, used bigint not null, cap bigint not null);
     create table ledger (id bigserial primary key, key text not null, amount bigint not null, at timestamptz not null default now());
     insert into budget values ('hot', 0, 1000000000000000);
     create function reserve(k text, a bigint) returns boolean language plpgsql as $$
     begin
       insert into ledger (key, amount) values (k, a);
       update budget set used = used + a where key = k and used + a <= cap;
       if not found then raise exception 'over the cap'; end if;
       return true;
     end $$;`,
    database,
  )
  const clients = await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      const client = new pg.Client({ connectionString: server.url(database) })
      await client.connect()
      return client
    }),
  )
  const query = { name: 'reserve', text: 'select reserve($1, $2)', values: ['hot', '1000000'] }
  return {
    reserve: (caller: number) => clients[caller]!.query(query),
    close: async () => {
      for (const client of clients) await client.end()
    },
  }
}

async function issue(ledger: Ledger): Promise<KeyRecord> {
  const policy = await ledger.addPolicy('bench', { name: 'bench' }, 'bench')
  return ledger.addKey({
    id: 'key_bench',
    publicId: randomBytes(16).toString('hex'),
    digest: randomBytes(32).toString('hex'),
    last4: 'abcd',
    name: 'agent',
    parentId: null,
    policyId: policy.id,
    narrowings: [],
    credentialIds: ['cred_bench'],
    run: null,
    runCap: null,
    test: true,
    expiresAt: null,
    createdAt: 0,
    actor: 'bench',
  })
}

function draftOf(key: KeyRecord, now: number, counter: string, cap: Usd, amount: Usd): CallDraft {
  const day = new Date(now).toISOString().slice(0, 10)
  const hash = createHash('sha256').update(randomBytes(16)).digest('hex')
  const budget: Budget = {
    counter: `${counter}/${key.id}`,
    window: 'all',
    since: null,
    vendor: null,
    direction: null,
    measure: 'spent',
    cap,
    code: 'daily_cap_exceeded',
    label: 'the budget of the bench',
    rule: 'daily-cap',
    resetsAt: null,
    enforce: true,
  }
  return {
    key,
    credentialId: 'cred_bench',
    run: `${key.name}_${day}`,
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
    quoted: amount,
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: hash,
    idempotencyHash: hash,
    budgets: [budget],
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: [null],
  }
}

export function batchedTable({ callers, batched, alone, queries, overAlone, overQueries }: Batched): string {
  const whole = (n: number): string => n.toFixed(0)
  return markdown(
    ['A hot budget row', 'callers', 'reservations/s', 'batched ÷ this'],
    [
      ['the ledger, batched', whole(callers), whole(batched), '1.0'],
      ['the ledger, one call a transaction', '1', whole(alone), overAlone.toFixed(1)],
      ['a function of two statements, one query a call', whole(callers), whole(queries), overQueries.toFixed(1)],
    ],
  )
}
