import type pg from 'pg'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import type { Admission, CallDraft, KeyRecord } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Decision, Usage } from '../../src/contracts/policy.js'
import { connect, placeOf } from '../../src/ledger/postgres/connect.js'
import { openPostgres, type PostgresLedger } from '../../src/ledger/postgres/ledger.js'
import { PostgresServer, postgresMissing, until } from '../helpers/postgres.js'
import { Wire } from '../helpers/wire.js'
import { allow, budget, capped, counted, dollars, done, draft, newKey, refuse, reply, row, rows } from './book.js'

/** Slow enough that no beat comes between what a test does. */
const PACE = { beatMs: 10_000, leaseMs: 20_000, graceMs: 20_000 }

let server: PostgresServer
let database: string
let wire: Wire
let node: PostgresLedger
let session: pg.Client
let key: KeyRecord

const portOf = (): number => Number(new URL(server.url()).port)
const open = (port: number): Promise<PostgresLedger> =>
  openPostgres({
    place: placeOf(server.url(database).replace(`:${portOf()}/`, `:${port}/`)),
    clock: new SystemClock(),
    pace: PACE,
  })
const cap = budget('key:a', '10.00')

/** A call that tells when it was judged, and on what. */
function asked(more: Partial<CallDraft> = {}, decide: (usage: Usage) => Decision = capped) {
  const held: bigint[] = []
  const answer = node.admit(draft(key, '1.00', { budgets: [cap], ...more }), (usage) => {
    held.push(usage.budgets[0]?.held ?? 0n)
    return decide(usage)
  })
  answer.catch(() => undefined)
  return { answer, held }
}

type Asked = ReturnType<typeof asked>
const judged = (calls: readonly Asked[]): Promise<void> =>
  until('they are judged', async () => calls.every(({ held }) => held.length > 0))

/** A write that waits in the database, and two calls that are judged behind it. */
async function whileHeld(
  after: (calls: readonly Asked[]) => Promise<void>,
  first: () => Asked = asked,
  held = 'select 1 from head for update',
): Promise<{ sent: Asked; ahead: readonly Asked[] }> {
  await session.query(`begin; ${held}`)
  const sent = first()
  await until('it waits in the database', async () => {
    const waiting = `select 1 from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock'`
    return (await server.sql(waiting)).length > 0
  })
  const ahead = [asked(), asked()]
  await judged(ahead)
  await after([sent, ...ahead])
  return { sent, ahead }
}

const outcomes = async (answers: readonly Promise<Admission>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(answers)).map((each) =>
    each.status === 'rejected' ? (each.reason as Error).name : each.value.decision.verdict,
  )

/** Whoever was told yes has a row, and nothing else is held. */
async function standsFor(answers: readonly Promise<Admission>[]): Promise<void> {
  await node.flushed()
  const told = (await Promise.allSettled(answers)).flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  for (const { callId } of told) expect((await row(node, callId)).state).toBe('reserved')
  const there = await rows(node)
  expect(there.map(({ seq }) => seq)).toEqual(there.map((_, place) => place + 1))
  const reserved = there.filter(({ state, run }) => state === 'reserved' && run !== 'run_before')
  expect(reserved).toHaveLength(told.length)
  expect((await counted(node, cap)).held).toBe(BigInt(told.length) * dollars('1.00'))
}

describe.skipIf(postgresMissing !== null)('work that comes while a batch is on its way', () => {
  beforeAll(async () => {
    server = await PostgresServer.start()
    await server.sql('create database migrated')
    database = 'migrated'
    await (await open(portOf())).close()
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    database = await server.database('template migrated')
    wire = await Wire.to(portOf())
    node = await open(wire.port)
    session = await connect(placeOf(server.url(database)))
    key = await newKey(node)
    // Rows of the key and its run are in memory from here on, and nobody else has written since.
    await done(node, draft(key, '0.00', { budgets: [cap] }), reply('settled'))
  })
  afterEach(async () => {
    await session.end().catch(() => undefined)
    expect(await node.verify()).toEqual([])
    await node.close()
    await wire.close()
  })

  test('is judged on what that one leaves, answered after it, and never passes a cap', async () => {
    const { sent, ahead } = await whileHeld(async (calls) => {
      const answered = Promise.race(calls.map(({ answer }) => answer.then(() => 'answered')))
      expect(await Promise.race([answered, pause(50).then(() => 'waits')])).toBe('waits')
      await session.query('commit')
    })
    expect(ahead.map(({ held }) => held)).toEqual([[dollars('1.00')], [dollars('2.00')]])
    const more = Array.from({ length: 20 }, () => asked())
    const all = [sent, ...ahead, ...more].map(({ answer }) => answer)
    expect((await outcomes(all)).filter((verdict) => verdict === 'allow')).toHaveLength(10)
    expect(await counted(node, cap)).toEqual({ spent: ZERO, held: dollars('10.00') })
  })

  test('is taken back and judged anew when the book has moved on', async () => {
    const { sent, ahead } = await whileHeld(async () => {
      // As another node would: something that counts on the same cap.
      await session.query(
        `update counters set held = held + ${dollars('8.00')}; update head set version = version + 1; commit`,
      )
    })
    const all = [sent, ...ahead].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['allow', 'allow', 'deny'])
    expect(ahead[0]!.held).toEqual([dollars('1.00'), dollars('9.00')])
    await session.query(`update counters set held = held - ${dollars('8.00')}; update head set version = version + 1`)
    expect((await counted(node, cap)).held).toBe(dollars('2.00'))
    expect((await rows(node)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  })

  test('is judged anew when a name that was taken for new is none', async () => {
    const run = budget(`run:${key.id}:run_used`, '1.50', { window: 'run_used' })
    const other = await open(portOf())
    await done(other, draft(key, '1.00', { run: 'run_used', budgets: [run] }), reply('settled'))
    await done(other, draft(key, '1.00', { budgets: [budget('key:other', '5.00')] }), reply('settled'))
    await other.close()
    // This one hears that the book has moved on, and nothing of a run that it does not name.
    for (const _ of [1, 2]) await done(node, draft(key, '0.00', { budgets: [cap] }), reply('settled'))
    const { sent, ahead } = await whileHeld(
      async () => void (await session.query('commit')),
      () => asked({ run: 'run_used', budgets: [cap, run] }),
      // Looked at before the head is.
      'lock table counters',
    )
    const all = [sent, ...ahead].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['deny', 'allow', 'allow'])
    expect(sent.held).toHaveLength(2)
    expect(ahead[0]!.held[0]).toBe(dollars('1.00'))
    expect(ahead.map(({ held }) => held.at(-1))).toEqual([ZERO, dollars('1.00')])
    expect((await counted(node, cap)).held).toBe(dollars('2.00'))
  })

  test('does not go with it when the connection ends before the write', async () => {
    const { sent, ahead } = await whileHeld(async () => {
      await server.cut(database, `pid <> ${(session as unknown as { processID: number }).processID}`)
      await session.query('rollback')
    })
    const all = [sent, ...ahead].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['LedgerFault', 'allow', 'allow'])
    await standsFor(all)
  })

  test('is judged anew when the answer to the write is lost, which is found to stand', async () => {
    const lost = wire.loseAnswerTo((bytes) => bytes.includes('advance('))
    const { sent, ahead } = await whileHeld(async () => {
      await session.query('commit')
      await lost
    })
    const all = [sent, ...ahead].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['allow', 'allow', 'allow'])
    expect(sent.held).toHaveLength(1)
    expect(ahead.map(({ held }) => held.length)).toEqual([2, 2])
    await standsFor(all)
  })

  test('goes on under another name when the node was declared gone', async () => {
    const before = await node.admit(draft(key, '0.00', { run: 'run_before' }), allow)
    const name = node.node
    const { sent, ahead } = await whileHeld(async () => {
      await session.query(`update nodes set gone = true where id = '${name}'; commit`)
    })
    const all = [sent, ...ahead].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['allow', 'allow', 'allow'])
    expect(node.node).not.toBe(name)
    expect(node.mayLeave(before.callId)).toMatchObject({ code: 'ledger_unavailable' })
    expect(node.mayLeave((await sent.answer).callId)).toBe(true)
    await standsFor(all)
    const nodes = await server.sql('select distinct node from spendgate.open_calls where seq > 2', database)
    expect(nodes).toEqual([{ node: node.node }])
  })

  test('is judged anew when the write fails in the database, and refused only if its own does', async () => {
    await server.sql(
      `set search_path to spendgate;
       create function fails() returns trigger language plpgsql as $$
         begin raise exception 'serialization' using errcode = '40001'; end $$;
       create trigger fails before insert on entries for each row when (new.amount = ${dollars('0.77')}) execute function fails()`,
      database,
    )
    const { sent, ahead } = await whileHeld(
      async () => void (await session.query('commit')),
      () => asked({ quoted: dollars('0.77') }),
    )
    const all = [sent, ...ahead].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['LedgerFault', 'allow', 'allow'])
    expect(ahead[0]!.held).toEqual([dollars('0.77'), ZERO])
    await standsFor(all)
    const failing: Asked[] = []
    const late = await whileHeld(async () => {
      failing.push(asked({ quoted: dollars('0.77') }))
      await judged(failing)
      await session.query('commit')
    })
    const others = [late.sent, ...late.ahead].map(({ answer }) => answer)
    // A batch that fails is refused whole, as ever: which of its calls it was nobody says.
    expect(await outcomes([...others, failing[0]!.answer])).toEqual(['allow', ...Array(3).fill('LedgerFault')])
    await standsFor([...all, late.sent.answer])
  })

  test('has a bug or what cannot be written stop its own call and no other', async () => {
    const odd: Asked[] = []
    const { sent, ahead } = await whileHeld(async () => {
      odd.push(asked({ path: true as never }), asked({ path: {} as string }), asked({ reason: 'NUL \u0000' }), asked())
      await judged([odd[0]!])
      await session.query('commit')
    })
    const all = [sent, ...ahead, ...odd].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['allow', 'allow', 'allow', 'TypeError', 'RangeError', 'Error', 'allow'])
    await standsFor(all)
  })

  test('takes nothing along of a settlement that has to be booked once more', async () => {
    const { callId } = await node.admit(draft(key, '1.00', { budgets: [cap] }), allow)
    node.mayLeave(callId)
    const { sent, ahead } = await whileHeld(
      async () => {
        await session.query('update head set version = version + 1; commit')
      },
      () => {
        node.settle(callId, reply('settled', { amount: dollars('0.50') }))
        return asked()
      },
    )
    const all = [sent, ...ahead].map(({ answer }) => answer)
    expect(await outcomes(all)).toEqual(['allow', 'allow', 'allow'])
    await node.flushed()
    expect((await row(node, callId)).settled).toBe(dollars('0.50'))
    expect(await counted(node, cap)).toEqual({ spent: dollars('0.50'), held: dollars('3.00') })
  })

  test('waits for an administrator’s change, and is judged after it', async () => {
    let changed: Promise<unknown> = Promise.resolve()
    let after: Asked | undefined
    await whileHeld(async () => {
      changed = node.freeze({ kind: 'key', value: key.id } as never, null, 'operator')
      after = asked({}, (usage) => (usage.frozen === null ? capped(usage) : refuse('key_frozen')()))
      await session.query('commit')
    })
    await changed
    expect((await after!.answer).decision.verdict).toBe('deny')
  })

  test('is exact whatever goes wrong in between', async () => {
    const wide = budget('key:b', '40.00')
    let over = false
    const trouble = (async () => {
      for (let turn = 0; !over; turn++) {
        await pause(15)
        if (turn % 3 === 0) await session.query('update head set version = version + 1')
        else if (turn % 7 === 1) wire.cut()
        else if (turn % 11 === 2) await session.query(`update nodes set gone = true where id = '${node.node}'`)
      }
    })()
    const answers: Promise<Admission>[] = []
    const caller = async (): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        const answer = node.admit(draft(key, '0.10', { budgets: [wide], run: `run_${i % 5}` }), capped)
        answers.push(answer)
        await answer.catch(() => pause(5))
      }
    }
    await Promise.all(Array.from({ length: 32 }, caller))
    over = true
    await trouble
    await until('it writes again', () =>
      node.flushed().then(
        () => true,
        () => false,
      ),
    )
    const told = (await Promise.allSettled(answers)).flatMap((each) =>
      each.status === 'fulfilled' && each.value.decision.verdict === 'allow' ? [each.value.callId] : [],
    )
    expect(told.length).toBeGreaterThan(50)
    expect(new Set(told).size).toBe(told.length)
    const there = (await rows(node)).filter(({ id }) => told.includes(id))
    expect(there).toHaveLength(told.length)
    const { held, spent } = await counted(node, wide)
    expect(held + spent).toBeLessThanOrEqual(dollars('40.00'))
    expect(BigInt(told.length) * dollars('0.10')).toBeLessThanOrEqual(dollars('40.00'))
  })
})
