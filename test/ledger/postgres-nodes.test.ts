import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { KeyDigest } from '../../src/custody/keys.js'
import { Operators } from '../../src/ledger/operators.js'
import { placeOf } from '../../src/ledger/postgres/connect.js'
import { openPostgres, type PostgresLedger } from '../../src/ledger/postgres/ledger.js'
import type { Pace } from '../../src/ledger/postgres/membership.js'
import { PostgresServer, postgresMissing, until } from '../helpers/postgres.js'
import { Wire } from '../helpers/wire.js'
import {
  admitted,
  ALLOW,
  allow,
  budget,
  capped,
  counted,
  dollars,
  done,
  draft,
  newKey,
  refuse,
  reply,
  row,
  rows,
} from './book.js'

const PACE: Pace = { beatMs: 50, leaseMs: 400, graceMs: 200 }

let server: PostgresServer
let database: string
let a: PostgresLedger
let b: PostgresLedger
let wire: Wire
const faults: unknown[] = []

const portOf = (): number => Number(new URL(server.url()).port)
const open = (port = portOf()): Promise<PostgresLedger> =>
  openPostgres({
    place: placeOf(server.url(database).replace(`:${portOf()}/`, `:${port}/`)),
    clock: new SystemClock(),
    pace: PACE,
    onFault: (fault) => faults.push(fault),
  })

const cap = budget('key:a', '100.00')

describe.skipIf(postgresMissing !== null)('two nodes on one PostgreSQL', () => {
  beforeAll(async () => {
    server = await PostgresServer.start({ fsync: 'on' })
    await server.sql('create database migrated')
    database = 'migrated'
    await (await open()).close()
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    database = await server.database('template migrated')
    wire = await Wire.to(portOf())
    a = await open()
    b = await open(wire.port)
  })
  afterEach(async () => {
    expect(await a.verify()).toEqual([])
    await a.close()
    await b.close()
    await wire.close()
  })

  describe('one book', () => {
    test('a thousand calls racing on the last dollars through both are admitted exactly up to the cap', async () => {
      const key = await newKey(a)
      const last = budget('key:a', '1.00')
      const asked = Array.from({ length: 1_000 }, (_, i) =>
        (i % 2 === 0 ? a : b).admit(draft(key, '0.03', { budgets: [last] }), capped),
      )
      const verdicts = (await Promise.all(asked)).map(({ decision }) => decision.verdict)
      expect(verdicts.filter((each) => each === 'allow')).toHaveLength(33)
      expect(await counted(a, last)).toEqual({ spent: ZERO, held: dollars('0.99') })
      const ids = (await rows(a)).map(({ seq }) => seq)
      expect(ids).toEqual(ids.map((_, place) => place + 1))
    })

    test('and with one of them killed in the middle too: what it had admitted stays counted', async () => {
      const key = await newKey(a)
      const last = budget('key:a', '1.00')
      const asked = Array.from({ length: 1_000 }, (_, i) =>
        (i % 2 === 0 ? a : b).admit(draft(key, '0.03', { budgets: [last] }), capped),
      )
      await Promise.race(asked)
      void b.abandon()
      const settled = await Promise.allSettled(asked.filter((_, i) => i % 2 === 0))
      expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
      const admittedRows = (await rows(a)).filter(({ state }) => state !== 'denied')
      expect(admittedRows).toHaveLength(33)
      const { spent, held } = await counted(a, last)
      expect(spent + held).toBe(dollars('0.99'))
      b = await open(wire.port)
    })

    test('a decision on one sees what the other has settled, given back and refused', async () => {
      const key = await newKey(a)
      const one = await a.admit(draft(key, '60.00', { budgets: [cap] }), capped)
      expect((await admitted(b, draft(key, '50.00', { budgets: [cap] }))).decision.verdict).toBe('deny')
      a.mayLeave(one.callId)
      a.settle(one.callId, reply('settled', { amount: dollars('30.00') }))
      await a.flushed()
      expect((await admitted(b, draft(key, '50.00', { budgets: [cap] }))).decision.verdict).toBe('allow')
    })

    test('an idempotency key that one node used is known to the other, and its rate too', async () => {
      const key = await newKey(a)
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1', budgets: [cap], perMinute: [10] }
      const first = await a.admit(draft(key, '5.00', keyed), capped)
      const again = await admitted(b, draft(key, '5.00', keyed))
      expect(again).toMatchObject({ replayOf: first.callId, reserved: ZERO })
      expect(again.usage.rate[0]!.count).toBe(1)
      // The original is turned away, but its replay may have gone through.
      a.mayLeave(first.callId)
      a.settle(first.callId, reply('released'))
      await a.flushed()
      expect((await row(b, first.callId)).state).toBe('assumed')
    })

    test('calls on one object that overlap on two nodes keep the larger count', async () => {
      const key = await newKey(a)
      const on = { object: 'pi_1', budgets: [cap] }
      const made = await a.admit(draft(key, '50.00', on), capped)
      a.mayLeave(made.callId)
      a.settle(made.callId, reply('settled', { object: 'pi_1', total: dollars('50.00') }))
      await a.flushed()
      const up = await a.admit(draft(key, '80.00', on), capped)
      const down = await b.admit(draft(key, '10.00', on), capped)
      a.mayLeave(up.callId)
      b.mayLeave(down.callId)
      a.settle(up.callId, reply('settled', { object: 'pi_1', total: dollars('80.00') }))
      await a.flushed()
      b.settle(down.callId, reply('settled', { object: 'pi_1', total: dollars('10.00') }))
      await b.flushed()
      expect(await counted(a, cap)).toEqual({ spent: dollars('80.00'), held: ZERO })
    })

    test('a call that one node made is settled by the other once its node is gone', async () => {
      const key = await newKey(b)
      const { callId } = await b.admit(draft(key, '7.00', { budgets: [cap] }), capped)
      await b.abandon()
      await until('it is given up', async () => (await row(a, callId)).state === 'assumed')
      a.settle(callId, reply('settled', { amount: dollars('6.00') }))
      await a.flushed()
      expect(await counted(a, cap)).toEqual({ spent: dollars('6.00'), held: ZERO })
      b = await open(wire.port)
    })
  })

  describe('keys', () => {
    test('a key issued on one node is known to the other when the reply is there, and so is its narrowing', async () => {
      const key = await newKey(a)
      expect(b.findKey(key.digest)).toEqual(key)
      await b.narrowKey(key.id, { daily_cap_usd: '1.00' }, 'operator')
      expect(a.key(key.id)!.narrowings).toEqual([{ daily_cap_usd: '1.00' }])
    })

    test('two nodes that put the same setting once agree on one value', async () => {
      const values = await Promise.all([
        a.settingOnce('secret', 'of a', 'start'),
        b.settingOnce('secret', 'of b', 'start'),
      ])
      expect(values[0]).toBe(values[1])
      expect([a.setting('secret'), b.setting('secret')]).toEqual(values)
    })

    test('after revoke on one node nothing of the key and its children leaves on the other, which names what had left', async () => {
      const key = await newKey(a)
      const child = await newKey(a, { parentId: key.id })
      const left = await b.admit(draft(child, '1.00'), allow)
      const waiting = await b.admit(draft(child, '1.00'), allow)
      const own = await a.admit(draft(key, '1.00'), allow)
      expect([b.mayLeave(left.callId), a.mayLeave(own.callId)]).toEqual([true, true])
      const { revokedAt, inFlight } = await a.revoke(key.id, 'gone', 'operator')
      expect([...inFlight].sort()).toEqual([left.callId, own.callId].sort())
      expect(b.mayLeave(waiting.callId)).toMatchObject({ code: 'key_revoked' })
      expect(b.stands(child, 'run_1', 'stripe')).toMatchObject({ code: 'key_revoked' })
      const again = await b.revoke(key.id, 'other words', 'operator')
      expect({ ...again, inFlight: [...again.inFlight].sort() }).toEqual({ revokedAt, inFlight: [...inFlight].sort() })
    })

    test('what the other had sent once more is named too, and cut off it sends nothing once more', async () => {
      const key = await newKey(a)
      const [left, late] = [
        await row(b, await done(b, draft(key, '1.00'), reply('assumed'))),
        await row(b, await done(b, draft(key, '1.00'), reply('assumed'))),
      ]
      expect(b.mayLeaveAgain(left)).toBe(true)
      expect((await a.revoke(key.id, null, 'operator')).inFlight).toEqual([left.id])
      expect(b.mayLeaveAgain(late)).toMatchObject({ code: 'key_revoked' })
      wire.block()
      await until('its lease is over', async () => b.fault() !== null)
      expect(b.mayLeaveAgain(late)).toMatchObject({ code: 'ledger_unavailable' })
      wire.unblock()
    })

    test('freeze and unfreeze hold on both when the reply is there', async () => {
      const key = await newKey(a)
      await b.freeze({ kind: 'vendor', value: 'stripe' }, null, 'operator')
      expect(a.stands(key, 'run_1', 'stripe')).toMatchObject({ code: 'key_frozen' })
      await a.unfreeze({ kind: 'vendor', value: 'stripe' }, 'operator')
      expect(b.stands(key, 'run_1', 'stripe')).toBe(true)
    })

    test('revoke does not wait for a node that is cut off: that one lets nothing leave by then', async () => {
      const key = await newKey(a)
      const { callId } = await b.admit(draft(key, '1.00'), allow)
      wire.block()
      const { inFlight } = await a.revoke(key.id, 'gone', 'operator')
      expect(b.mayLeave(callId)).toMatchObject({ code: 'ledger_unavailable' })
      expect(b.stands(key, 'run_1', 'stripe')).toMatchObject({ code: 'ledger_unavailable' })
      // Nobody could ask it what had left, so all that may have is named.
      expect(inFlight).toEqual([callId])
      wire.unblock()
      await until('it is back and knows', async () => {
        const stands = b.stands(key, 'run_1', 'stripe')
        return stands !== true && stands.code === 'key_revoked'
      })
    })
  })

  describe('a database whose clock is set forward', () => {
    /** By a minute, far more than any lease. Whoever is cut off does not hear of it and goes by a clock that is not set. */
    const ahead = () =>
      server.sql(
        `create or replace function spendgate.now_ms() returns bigint language sql volatile as
           $$ select (extract(epoch from clock_timestamp()) * 1000)::bigint + 60000 $$`,
        database,
      )

    test('ends no lease: revoke waits until a node that is cut off lets nothing leave', async () => {
      const key = await newKey(a)
      const { callId } = await b.admit(draft(key, '1.00'), allow)
      wire.block()
      await ahead()
      const { inFlight } = await a.revoke(key.id, 'gone', 'operator')
      expect(b.mayLeave(callId)).toMatchObject({ code: 'ledger_unavailable' })
      expect(b.stands(key, 'run_1', 'stripe')).toMatchObject({ code: 'ledger_unavailable' })
      expect(inFlight).toEqual([callId])
      wire.unblock()
    })

    test('and so does a freeze', async () => {
      const key = await newKey(a)
      wire.block()
      await ahead()
      await a.freeze({ kind: 'all' }, null, 'operator')
      expect(b.stands(key, 'run_1', 'stripe')).toMatchObject({ code: 'ledger_unavailable' })
      wire.unblock()
    })

    test('nor is a node that is cut off declared gone for it, while its lease lasts', async () => {
      const key = await newKey(a)
      const { callId } = await b.admit(draft(key, '1.00'), allow)
      wire.block()
      await ahead()
      // Whoever starts looks for nodes that are gone.
      const late = await open()
      await a.revoke(key.id, 'gone', 'operator')
      expect(b.mayLeave(callId)).toMatchObject({ code: 'ledger_unavailable' })
      await late.close()
      wire.unblock()
    })
  })

  describe('a database that does not answer', () => {
    test('a commit whose answer is lost is found by its number: the call is admitted once', async () => {
      const key = await newKey(a)
      await b.admit(draft(key, '1.00', { budgets: [cap] }), capped)
      const lost = wire.loseAnswerTo((sent) => sent.includes('advance('))
      const { callId, decision } = await b.admit(draft(key, '5.00', { budgets: [cap] }), capped)
      await lost
      expect(decision).toEqual(ALLOW)
      expect(await row(a, callId)).toMatchObject({ state: 'reserved', reserved: dollars('5.00') })
      expect((await counted(a, cap)).held).toBe(dollars('6.00'))
      expect(b.mayLeave(callId)).toBe(true)
      b.settle(callId, reply('settled'))
      await b.flushed()
    })

    test('a settlement whose answer is lost is booked once', async () => {
      const key = await newKey(a)
      const { callId } = await b.admit(draft(key, '5.00', { budgets: [cap] }), capped)
      b.mayLeave(callId)
      const lost = wire.loseAnswerTo((sent) => sent.includes('advance('))
      b.settle(callId, reply('settled', { amount: dollars('4.00') }))
      await lost
      await until('it is booked', async () => (await row(a, callId)).state === 'settled')
      expect(await counted(a, cap)).toEqual({ spent: dollars('4.00'), held: ZERO })
    })

    test('cut off, a node refuses and sends nothing; back, it goes on, and what it never sent is given back', async () => {
      const key = await newKey(a)
      await b.admit(draft(key, '1.00', { budgets: [cap] }), capped)
      wire.block()
      await expect(b.admit(draft(key, '5.00', { budgets: [cap] }), capped)).rejects.toThrow(LedgerFault)
      wire.unblock()
      await until('it admits again', async () =>
        b.admit(draft(key, '2.00', { budgets: [cap] }), capped).then(
          () => true,
          () => false,
        ),
      )
      await until('what was not sent is free', async () => {
        const found = (await rows(a)).filter(({ reserved }) => reserved === dollars('5.00'))
        return found.every(({ state }) => state === 'released')
      })
    })

    test('the database is killed and comes back: nothing acknowledged is lost, and work goes on', async () => {
      const key = await newKey(a)
      const first = await a.admit(draft(key, '1.00', { budgets: [cap] }), capped)
      await server.kill()
      await expect(a.admit(draft(key, '1.00', { budgets: [cap] }), capped)).rejects.toThrow(LedgerFault)
      await server.up()
      await until('it admits again', async () =>
        a.admit(draft(key, '2.00', { budgets: [cap] }), capped).then(
          () => true,
          () => false,
        ),
      )
      expect((await row(a, first.callId)).reserved).toBe(dollars('1.00'))
    }, 90_000)

    test('connections that an administrator ends are made anew, and no call notices', async () => {
      const key = await newKey(a)
      for (let i = 0; i < 5; i++) {
        await server.cut(database)
        await until('both answer', async () =>
          Promise.all([a, b].map((each) => each.admit(draft(key, '0.01', { budgets: [cap] }), capped))).then(
            () => true,
            () => false,
          ),
        )
      }
      expect((await rows(a)).length).toBeGreaterThanOrEqual(10)
    })

    test('a node that stood still while others gave it up lets nothing of before leave, and goes on under another name', async () => {
      const key = await newKey(a)
      const { callId } = await b.admit(draft(key, '5.00', { budgets: [cap] }), capped)
      wire.block()
      await until('it is given up', async () => (await row(a, callId)).state === 'assumed')
      wire.unblock()
      await until('it is back', async () => b.stands(key, 'run_1', 'stripe') === true)
      expect(b.mayLeave(callId)).toMatchObject({ code: 'ledger_unavailable' })
      b.settle(callId, reply('released'))
      await b.flushed()
      expect(await row(a, callId)).toMatchObject({ state: 'released' })
      expect((await admitted(b, draft(key, '5.00', { budgets: [cap] }))).decision.verdict).toBe('allow')
    })

    test('a database that has forgotten commits is not written to', async () => {
      const key = await newKey(a)
      await b.close()
      await a.admit(draft(key, '5.00', { budgets: [cap] }), capped)
      await a.abandon()
      const late = await open()
      await late.admit(draft(key, '5.00', { budgets: [cap] }), refuse('amount_unknown'))
      // As after the promotion of a standby that had not received the last commit.
      await server.sql(
        `set search_path to spendgate; set session_replication_role = replica;
         delete from entries where seq = (select entry_seq from head);
         delete from calls where seq = (select max(seq) from calls);
         update head set version = version - 1, entry_seq = entry_seq - 1,
           entry_hash = (select hash from entries order by seq desc limit 1)`,
        database,
      )
      await server.cut(database)
      await expect(late.admit(draft(key, '5.00', { budgets: [cap] }), capped)).rejects.toThrow(/forgotten/)
      await expect(late.admit(draft(key, '5.00', { budgets: [cap] }), capped)).rejects.toThrow(/forgotten/)
      await late.abandon()
      await server.sql(`update spendgate.nodes set lease_until = 0`, database)
      // What is missing from counters and runs is found by the proof; this database is thrown away.
      database = await server.database()
      a = await open()
      b = await open(wire.port)
    })
  })

  test('operators that two nodes add at once are all there, and one that is revoked opens neither', async () => {
    const clock = new SystemClock()
    const [there, here] = [a, b].map((node) => new Operators(node, new KeyDigest(Buffer.alloc(32, 3)), clock))
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 === 0 ? there! : here!).add({ name: `o-${i}`, role: 'viewer', expiresAt: null }, 'admin'),
      ),
    )
    const ids = made.map(({ record }) => record.id).sort()
    for (const side of [there!, here!]) {
      expect(
        side
          .list()
          .map(({ id }) => id)
          .sort(),
      ).toEqual(ids)
      for (const { token } of made) expect(side.byToken(token.reveal())).toMatchObject({ role: 'viewer' })
    }
    for (const { record, token } of made) {
      await there!.revoke(record.id, 'admin')
      expect(here!.byToken(token.reveal())).toBe('ended')
    }
  })

  test('revoke on one node takes effect on the other within the length of a few questions', async () => {
    const keys = []
    for (let i = 0; i < 20; i++) keys.push(await newKey(a))
    const took: number[] = []
    for (const key of keys) {
      const began = performance.now()
      await a.revoke(key.id, null, 'operator')
      took.push(performance.now() - began)
      expect(b.stands(key, 'run_1', 'stripe')).toMatchObject({ code: 'key_revoked' })
    }
    expect(took).toHaveLength(20)
    console.log(took.map((ms) => ms.toFixed(0)).join(' '))
  })
})
