import { connect as dial, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { connect, placeOf } from '../../src/ledger/postgres/connect.js'
import { openPostgres, type PostgresLedger } from '../../src/ledger/postgres/ledger.js'
import type { Pace } from '../../src/ledger/postgres/membership.js'
import { PostgresServer, postgresMissing, until } from '../helpers/postgres.js'
import { Wire } from '../helpers/wire.js'
import { allow, budget, capped, counted, dollars, draft, newKey, reply, row } from './book.js'

const PACE: Pace = { beatMs: 50, leaseMs: 400, graceMs: 10_000 }

let server: PostgresServer
let database: string
const opened: PostgresLedger[] = []
const wires: Wire[] = []

const portOf = (): number => Number(new URL(server.url()).port)
async function open(port = portOf(), pace = PACE): Promise<PostgresLedger> {
  const ledger = await openPostgres({
    place: placeOf(server.url(database).replace(`:${portOf()}/`, `:${port}/`)),
    clock: new SystemClock(),
    pace,
  })
  opened.push(ledger)
  return ledger
}
async function wireTo(): Promise<Wire> {
  const wire = await Wire.to(portOf())
  wires.push(wire)
  return wire
}

/**
 * A line on which one message stays under way, as in the buffer of a proxy or of a database that stood still, while
 * whoever sent it hears that the line broke. It is delivered when the test says so.
 */
async function slowLine(fits: (sent: Buffer) => boolean) {
  let deliver: (() => void) | null = null
  let soughtFor = (): void => undefined
  /** The sender has asked what became of it, and has its answer. */
  const sought = new Promise<void>((resolve) => (soughtFor = resolve))
  const sockets = new Set<Socket>()
  const line = createServer((near) => {
    const far = dial(portOf(), '127.0.0.1')
    sockets.add(near).add(far)
    let cut = false
    let seeks = false
    for (const socket of [near, far]) socket.on('error', () => undefined)
    near.on('data', (sent) => {
      if (deliver === null && fits(sent)) {
        cut = true
        deliver = () => far.write(sent)
        near.destroy()
        return
      }
      seeks ||= deliver !== null && sent.includes('update nodes set batch')
      far.write(sent)
    })
    far.on('data', (answer) => near.write(answer))
    near.on('close', () => {
      if (!cut) far.destroy()
      if (seeks) soughtFor()
    })
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve))
  return {
    port: (line.address() as AddressInfo).port,
    sought,
    deliver: () => deliver!(),
    close: () => {
      for (const socket of sockets) socket.destroy()
      line.close()
    },
  }
}

const cap = budget('key:a', '100.00')

describe.skipIf(postgresMissing !== null)('in doubt', () => {
  beforeAll(async () => {
    server = await PostgresServer.start({ fsync: 'on' })
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    database = await server.database()
  })
  afterEach(async () => {
    for (const ledger of opened.splice(0)) await ledger.close()
    for (const wire of wires.splice(0)) await wire.close()
  })

  test('a write that arrives after its node has looked for it in vain changes nothing, and its settlement is booked once', async () => {
    let sending = false
    const line = await slowLine((sent) => sending && sent.includes('advance('))
    const node = await open(line.port)
    const key = await newKey(node)
    const other = await node.admit(draft(key, '50.00', { budgets: [cap] }), capped)
    const { callId } = await node.admit(draft(key, '20.00', { budgets: [cap] }), capped)
    expect([node.mayLeave(other.callId), node.mayLeave(callId)]).toEqual([true, true])
    sending = true
    node.settle(callId, reply('settled', { amount: dollars('20.00') }))
    await line.sought
    line.deliver()
    await until('it is booked', () =>
      node.flushed().then(
        () => true,
        () => false,
      ),
    )
    expect(await counted(node, cap)).toEqual({ spent: dollars('20.00'), held: dollars('50.00') })
    expect(await node.verify()).toEqual([])
    line.close()
  })

  test('a revocation whose commit got no answer waits for the other nodes all the same', async () => {
    const [mine, theirs] = [await wireTo(), await wireTo()]
    const a = await open(mine.port)
    const b = await open(theirs.port, { ...PACE, leaseMs: 3_000 })
    const key = await newKey(a)
    const { callId } = await b.admit(draft(key, '1.00'), allow)
    // The one that revokes has written last, so that it asks for nothing before its commit.
    await a.admit(draft(key, '1.00'), allow)
    theirs.block()
    const lost = mine.loseAnswerTo((sent) => sent.includes('advance('))
    const { inFlight } = await a.revoke(key.id, 'gone', 'operator')
    await lost
    expect(b.mayLeave(callId)).not.toBe(true)
    expect(inFlight).toEqual([callId])
    theirs.unblock()
    await until('it is back', async () => b.fault() === null)
  })

  test('a node whose first beat gets no answer does not go by a time of its own', async () => {
    const wire = await wireTo()
    await open()
    void wire.loseAnswerTo((sent) => sent.includes('with alive'))
    const late = await open(wire.port).catch((fault: unknown) => fault)
    if (late instanceof LedgerFault) return
    expect((late as PostgresLedger).clock.now()).toBeGreaterThan(Date.UTC(2026, 0, 1))
  })

  test('a beat that was on its way while a key was revoked does not give the node its lease back', async () => {
    const a = await open()
    const b = await open(portOf(), { ...PACE, beatMs: 1_000, leaseMs: 1_200 })
    const key = await newKey(a)
    const session = await connect(placeOf(server.url(database)))
    const lease = async () =>
      (await server.sql(`select lease_until from spendgate.nodes where id = '${b.node}'`, database))[0]
        .lease_until as string
    const before = await lease()
    await until('it beats', async () => (await lease()) > before)
    await session.query(`begin; select 1 from nodes where id = '${b.node}' for update`)
    // The next beat waits for that row, and the lease of the last one runs out meanwhile.
    const waiting = `select 1 from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock'`
    await until('the next one waits', async () => (await server.sql(waiting)).length > 0)
    await a.revoke(key.id, 'gone', 'operator')
    await session.query('rollback')
    const seen = new Set<string>()
    while (!seen.has('key_revoked')) {
      const stands = b.stands(key, 'run_1', 'stripe')
      seen.add(stands === true ? 'stands' : stands.code)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await session.end()
    expect([...seen]).not.toContain('stands')
  })

  test('while nobody knows what became of a write, calls are refused and reports answer, and the node can stop', async () => {
    const wire = await wireTo()
    const node = await open(wire.port)
    const key = await newKey(node)
    await node.admit(draft(key, '1.00', { budgets: [cap] }), capped)
    wire.block()
    const asked = [0, 1, 2].map((i) =>
      pause(i * 2_500).then(() => node.admit(draft(key, '1.00', { budgets: [cap] }), capped)),
    )
    const late = pause(12_000).then(() => 'no answer')
    const answers = await Promise.all(
      asked.map((each) => Promise.race([each, late]).catch((fault: unknown) => (fault as Error).name)),
    )
    expect(answers).toEqual(['LedgerFault', 'LedgerFault', 'LedgerFault'])
    const closed = node.close().then(() => 'closed')
    expect(await Promise.race([closed, pause(12_000).then(() => 'hangs')])).toBe('closed')
    opened.splice(0)
  }, 40_000)

  test('a call whose object was settled for less is still known with all that it committed', async () => {
    const a = await open()
    const b = await open()
    const key = await newKey(a)
    const monthly = budget('key:a:monthly', '100.00', { measure: 'recurring' })
    const budgets = [cap, monthly]
    const commits = { kind: 'recurring', perMonth: dollars('10.00'), dueAt: null, quantity: null } as const
    const made = await a.admit(draft(key, '10.00', { budgets, commits }), capped)
    a.mayLeave(made.callId)
    a.settle(made.callId, reply('settled', { object: 'in_1', total: dollars('10.00'), commitment: 'sub_1' }))
    await a.flushed()
    expect((await counted(a, monthly)).spent).toBe(dollars('10.00'))
    await b.admit(draft(key, '1.00', { budgets }), capped)
    const less = await a.admit(draft(key, '5.00', { budgets, object: 'in_1' }), capped)
    a.mayLeave(less.callId)
    a.settle(less.callId, reply('settled', { object: 'in_1', total: dollars('5.00'), ends: 'in_1' }))
    await a.flushed()
    await a.takenBack(made.callId, 'operator')
    expect(await counted(a, monthly)).toEqual({ spent: ZERO, held: ZERO })
    expect(await a.verify()).toEqual([])
  })

  test('what cannot be written stops its own call and no other', async () => {
    const node = await open()
    const key = await newKey(node)
    const odd = await node.admit(draft(key, '2.00', { budgets: [cap] }), capped)
    node.mayLeave(odd.callId)
    const asked = [null, 'NUL \u0000', '\u2028 \' \\ "', null].map((reason) =>
      node.admit(draft(key, '1.00', { budgets: [cap], reason, customer: reason }), capped),
    )
    const states = (await Promise.allSettled(asked)).map(({ status }) => status)
    expect(states).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    // The vendor's reply, too: the call stays reserved, and holds up nobody.
    node.settle(odd.callId, reply('settled', { requestId: 'req_\u0000' }))
    const late = [0, 1, 2].map(() => node.admit(draft(key, '1.00', { budgets: [cap] }), capped))
    expect((await Promise.allSettled(late)).map(({ status }) => status)).not.toContain('rejected')
    await node.flushed()
    expect((await row(node, odd.callId)).state).toBe('reserved')
    expect((await counted(node, cap)).held).toBe(dollars('8.00'))
    expect(await node.verify()).toEqual([])
  })

  test('a database whose transactions are repeatable by default holds two nodes apart as well', async () => {
    await server.sql(`alter database "${database}" set default_transaction_isolation = 'repeatable read'`)
    const [a, b] = [await open(), await open()]
    const key = await newKey(a)
    const asked = Array.from({ length: 60 }, (_, i) =>
      (i % 2 === 0 ? a : b).admit(draft(key, '3.00', { budgets: [cap] }), capped),
    )
    const answers = await Promise.allSettled(asked)
    expect(answers.filter(({ status }) => status === 'rejected')).toEqual([])
    expect((await counted(a, cap)).held).toBe(dollars('99.00'))
  })

  test('a start after a day does not read every idempotency key of the days before', async () => {
    const first = await open()
    const key = await newKey(first)
    const { callId } = await first.admit(draft(key, '0.00', { idempotencyHash: 'first' }), allow)
    first.settle(callId, reply('settled'))
    await first.close()
    opened.splice(0)
    await server.sql(
      `set search_path to spendgate; set session_replication_role = replica;
       update calls set at = at - 30 * 3600000;
       create temp table one as select * from calls limit 1;
       do $$ begin
         execute 'insert into calls select ' || (select string_agg(case column_name when 'seq' then 'i' else quote_ident(column_name) end, ', ' order by ordinal_position)
           from information_schema.columns where table_schema = 'spendgate' and table_name = 'calls') || ' from one, generate_series(2, 300000) i';
       end $$;
       insert into idempotency (call_seq, hash) select i, md5(i::text) || md5(i::text) from generate_series(2, 300000) i;
       analyze`,
      database,
    )
    const second = await open()
    const began = performance.now()
    await second.admit(draft(key, '0.00', { idempotencyHash: 'second' }), allow)
    const took = performance.now() - began
    expect(took).toBeLessThan(500)
  }, 60_000)
})
