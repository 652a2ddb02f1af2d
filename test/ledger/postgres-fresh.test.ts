import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import type { KeyRecord } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { placeOf } from '../../src/ledger/postgres/connect.js'
import { openPostgres, type PostgresLedger } from '../../src/ledger/postgres/ledger.js'
import { literal } from '../../src/ledger/postgres/phrases.js'
import { Wants } from '../../src/ledger/postgres/wants.js'
import { PostgresServer, postgresMissing } from '../helpers/postgres.js'
import { admitted, allow, budget, capped, counted, dollars, done, draft, newKey, reply, row } from './book.js'

/** Slow enough that nobody is declared gone, and that a node trusts its rows until it is told otherwise. */
const PACE = { beatMs: 50, leaseMs: 5_000, graceMs: 10_000 }

let server: PostgresServer
let database: string
const opened: PostgresLedger[] = []

async function open(): Promise<PostgresLedger> {
  const ledger = await openPostgres({ place: placeOf(server.url(database)), clock: new SystemClock(), pace: PACE })
  opened.push(ledger)
  return ledger
}

/** A node that holds no row of before, and has all it needs for a call under a key on nothing in particular. */
async function another(key: KeyRecord): Promise<PostgresLedger> {
  const ledger = await open()
  await done(ledger, draft(key, '0.01', { run: 'run_elsewhere' }), reply('settled'))
  return ledger
}

/** How often the book was locked to fetch rows while something was done. */
async function locks(work: () => Promise<unknown>): Promise<number> {
  const asked = vi.spyOn(pg.Client.prototype, 'query')
  await work()
  const texts = asked.mock.calls.map(([text]: unknown[]) => text)
  asked.mockRestore()
  return texts.filter((text) => typeof text === 'string' && text.includes('from head for update')).length
}

const cap = budget('key:a', '100.00')
const intent = (total: string) => ({ object: 'pi_1', total: dollars(total) })
const opens = { kind: 'open', perMonth: ZERO, dueAt: null, quantity: null } as const

describe.skipIf(postgresMissing !== null)('names that a node first hears of', () => {
  beforeAll(async () => {
    server = await PostgresServer.start()
    await server.sql('create database migrated')
    database = 'migrated'
    await (await open()).close()
    opened.length = 0
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    database = await server.database('template migrated')
  })
  afterEach(async () => {
    expect(await opened.at(-1)!.verify()).toEqual([])
    for (const ledger of opened.splice(0)) await ledger.close()
  })

  test('cost no question of their own: an object that the vendor has just made, and a new run', async () => {
    const a = await open()
    const key = await newKey(a)
    const first = await a.admit(draft(key, '1.00', { budgets: [cap] }), capped)
    a.settle(first.callId, reply('settled', { object: 'pi_0', total: dollars('1.00') }))
    await a.flushed()
    const run = budget(`run:${key.id}:run_2`, '5.00', { window: 'run_2' })
    const locked = await locks(async () => {
      const made = await admitted(a, draft(key, '1.00', { run: 'run_2', budgets: [cap, run], commits: opens }))
      a.settle(made.callId, reply('settled', { ...intent('1.00'), commitment: 'pi_1' }))
      await a.flushed()
      // What is on the object now is all this node's own.
      const more = await admitted(a, draft(key, '3.00', { run: 'run_2', budgets: [cap, run], object: 'pi_1' }))
      expect(more.reserved).toBe(dollars('2.00'))
    })
    expect(locked).toBe(0)
    expect(await counted(a, run)).toEqual({ spent: dollars('1.00'), held: dollars('2.00') })
  })

  test('an object that is known to the book after all counts what it counted, and no more', async () => {
    const a = await open()
    const key = await newKey(a)
    await done(a, draft(key, '50.00', { budgets: [cap] }), reply('settled', intent('50.00')))
    const b = await another(key)
    const { callId } = await b.admit(draft(key, '50.00', { budgets: [cap] }), capped)
    b.settle(callId, reply('settled', intent('50.00')))
    expect(await locks(() => b.flushed())).toBe(1)
    expect(await counted(b, cap)).toEqual({ spent: dollars('50.00'), held: ZERO })
    expect((await row(b, callId)).settled).toBe(ZERO)
  })

  test('and what stands on it ends where the vendor says so', async () => {
    const a = await open()
    const key = await newKey(a)
    const made = draft(key, '50.00', { budgets: [cap], commits: opens })
    await done(a, made, reply('settled', { ...intent('50.00'), commitment: 'pi_1' }))
    const b = await another(key)
    expect((await b.commitments(null, { limit: 10 })).rows).toHaveLength(1)
    await done(b, draft(key, '1.00', { budgets: [cap] }), reply('settled', { amount: dollars('1.00'), ends: 'pi_1' }))
    expect((await b.commitments(null, { limit: 10 })).rows).toEqual([])
  })

  test('a call that another node has under way on it is found to overlap', async () => {
    const a = await open()
    const key = await newKey(a)
    const up = await a.admit(draft(key, '80.00', { budgets: [cap], object: 'pi_1' }), capped)
    const b = await another(key)
    // Only a settlement names the object here; from then on this node knows who else is at work on it.
    await done(b, draft(key, '1.00', { budgets: [cap] }), reply('settled', { ...intent('1.00') }))
    const down = await b.admit(draft(key, '1.00', { budgets: [cap], object: 'pi_1' }), capped)
    b.mayLeave(down.callId)
    a.mayLeave(up.callId)
    a.settle(up.callId, reply('settled', intent('80.00')))
    await a.flushed()
    b.settle(down.callId, reply('settled', intent('10.00')))
    await b.flushed()
    // Which of the two the vendor did last nobody knows: the larger count stands.
    expect(await counted(b, cap)).toEqual({ spent: dollars('80.00'), held: ZERO })
  })

  test('a run that other nodes have spent on has what is left of its cap, for a call and for a preview', async () => {
    const a = await open()
    const key = await newKey(a)
    const run = budget(`run:${key.id}:run_1`, '100.00', { window: 'run_1' })
    await done(a, draft(key, '60.00', { budgets: [run] }), reply('settled', { amount: dollars('60.00') }))
    const b = await another(key)
    expect((await b.preview(draft(key, '50.00', { budgets: [run] }), capped)).verdict).toBe('deny')
    const c = await another(key)
    expect((await admitted(c, draft(key, '50.00', { budgets: [run] }))).decision.verdict).toBe('deny')
    const last = await admitted(c, draft(key, '40.00', { budgets: [run] }))
    expect(last.usage.budgets[0]).toMatchObject({ spent: dollars('60.00'), held: ZERO })
    expect(last.decision.verdict).toBe('allow')
    expect((await c.calls({ run: 'run_1' }, { limit: 10 })).rows).toHaveLength(3)
  })

  test('a request that another node has let through is found to be a duplicate', async () => {
    const a = await open()
    const key = await newKey(a)
    const write = { run: 'run_elsewhere', guarded: true, requestHash: 'the same' }
    const first = await done(a, draft(key, '1.00', write), reply('settled'))
    await done(a, draft(key, '1.00', { run: 'run_elsewhere' }), reply('settled'))
    const b = await another(key)
    const fresh = { ...write, requestHash: 'another' }
    expect(
      await locks(async () => expect((await admitted(b, draft(key, '1.00', fresh))).usage.duplicate).toBeNull()),
    ).toBe(0)
    expect((await admitted(b, draft(key, '1.00', fresh))).usage.duplicate).not.toBeNull()
    expect((await admitted(b, draft(key, '1.00', write))).usage.duplicate).toMatchObject({ callId: first })
  })

  test('a bug in one judgement on them stops its own call and no other', async () => {
    const a = await open()
    const key = await newKey(a)
    await done(a, draft(key, '1.00', { budgets: [cap] }), reply('settled'))
    const bug = (): never => {
      throw new Error('a bug')
    }
    const [broken, sound] = await Promise.allSettled([
      a.admit(draft(key, '1.00', { run: 'run_3', budgets: [cap] }), bug),
      a.admit(draft(key, '1.00', { run: 'run_4', budgets: [cap] }), allow),
    ])
    expect(broken).toMatchObject({ status: 'rejected', reason: new Error('a bug') })
    expect(sound.status).toBe('fulfilled')
  })

  test('amounts beyond what a float holds come back whole from the database', async () => {
    const a = await open()
    const key = await newKey(a)
    const large = budget('key:large', '9999999999.999999')
    await done(a, draft(key, '9007199254.740993', { budgets: [large] }), reply('settled'))
    const b = await another(key)
    const { usage } = await admitted(b, draft(key, '0.01', { budgets: [large] }))
    expect(usage.budgets[0]!.spent).toBe(dollars('9007199254.740993'))
  })

  test('what an agent writes is text to the database, whatever quotes and backslashes it has', async () => {
    const a = await open()
    const key = await newKey(a)
    const path = String.raw`/v1/x'; drop table calls; --\'\\'"${'\n\\.\n'}$$ E'\x41', ünï 🙂 ""${'\r\n\t'}\N`
    const id = await done(a, draft(key, '1.00', { path, run: "run_'1", reason: '\\', customer: '' }), reply('settled'))
    const b = await another(key)
    expect(await row(b, id)).toMatchObject({ path, run: "run_'1", reason: '\\', customer: '' })
    // Many at once go another way.
    const odd = { path, run: "run_'1", reason: '\\.', customer: '', idempotencyHash: '"' }
    const many = Array.from({ length: 40 }, (_, i) =>
      a.admit(draft(key, '1.00', i === 7 ? { reason: 'NUL \u0000' } : { ...odd, object: `"pi",${i}\n` }), allow),
    )
    const told = await Promise.allSettled(many)
    expect(told.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([7])
    for (const each of told)
      if (each.status === 'fulfilled')
        expect(await row(b, each.value.callId)).toMatchObject({ path, run: "run_'1", reason: '\\.', customer: '' })
    const underway = await server.sql('select acts_on from spendgate.open_calls order by seq', database)
    expect(underway.map(({ acts_on }) => (JSON.parse(acts_on as string) as string[])[0])).toEqual(
      told.flatMap(({ status }, i) => (status === 'fulfilled' ? [`"pi",${i}\n`] : [])),
    )
  })
})

test('a literal doubles quotes and nothing else', () => {
  expect(literal(`it's \\ "x"`)).toBe(`'it''s \\ "x"'`)
})

describe('what a transaction asks for', () => {
  test('may be supposed to be new when each name of it is', () => {
    const wants = new Wants()
    wants.addFresh('objects', ['cred_1', 'pi_1'])
    wants.addFresh('threads', 'run run_1')
    expect(wants.missing(new Wants())!.fresh).toEqual({
      objects: [['cred_1', 'pi_1']],
      counters: [],
      threads: ['run run_1'],
      writes: [],
    })
    wants.add('calls', 7)
    expect(wants.missing(new Wants())!.fresh).toBeNull()
  })

  test('is missing no more once it was looked for, however it is asked for', () => {
    const known = new Wants()
    const wants = new Wants()
    wants.addFresh('objects', ['cred_1', 'pi_1'])
    known.join(wants)
    wants.add('objects', ['cred_1', 'pi_1'])
    expect(wants.missing(known)).toBeNull()
  })
})
