import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyRecord, Ledger, MovementRow, NewMovement, Origin } from '../../src/contracts/ledger.js'
import { usd, ZERO } from '../../src/contracts/money.js'
import { allow, budget, counted, DAY, dollars, done, draft, HOUR, newKey, reply, unique, runsOn } from './book.js'
import type { Book } from './contract.js'

/** What src/contracts/ledger.ts promises of money that moved without a call, for any store. */
export function movementsContract(name: string, open: () => Promise<Book>): void {
  describe(`${name}: money that moved without a call`, () => {
    let book: Book
    let ledger: Ledger
    let key: KeyRecord
    const cap = budget('key:a', '20.00')
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
      key = await newKey(ledger)
    })
    afterEach(async () => {
      expect(await ledger.verify()).toEqual([])
      await book.close()
    })

    /** A call that made an object and counts so much for it. */
    const made = async (object: string, amount: string): Promise<Origin> => {
      const total = dollars(amount)
      await done(ledger, draft(key, amount, { budgets: [cap] }), reply('settled', { object, total }))
      return (await ledger.originOf(['cred_1'], [object]))!
    }
    const movement = (origin: NewMovement['origin'], amount: string, more: Partial<NewMovement> = {}): NewMovement => ({
      at: book.clock.at,
      vendor: 'stripe',
      credentialId: 'cred_1',
      externalId: unique('in'),
      kind: 'invoice',
      direction: 'in',
      amount: dollars(amount),
      origin,
      makes: [],
      why: origin === null ? 'Nobody asked for it.' : null,
      ...more,
    })
    const moved = async (told: NewMovement): Promise<MovementRow> => (await ledger.moved(told, [cap])).row
    const spent = async (): Promise<bigint> => (await counted(ledger, cap)).spent
    const all = async (): Promise<readonly MovementRow[]> => (await ledger.movements({}, { limit: 100 })).rows

    test('it counts what its object does not count for already, once the object is paid for', async () => {
      const origin = await made('plink_1', '5.00')
      expect(await moved(movement(origin, '3.00'))).toMatchObject({ counted: ZERO, object: 'plink_1', keyId: key.id })
      expect((await moved(movement(origin, '3.00'))).counted).toBe(dollars('1.00'))
      expect((await moved(movement(origin, '3.00'))).counted).toBe(dollars('3.00'))
      expect(await spent()).toBe(dollars('9.00'))
    })

    test('what a refused call has made all the same costs nothing, and what others pay on it counts in full', async () => {
      const callId = await done(ledger, draft(key, '5.00', { budgets: [cap] }), reply('released', { made: 'pi_1' }))
      expect(await spent()).toBe(0n)
      const origin = await ledger.originOf(['cred_1'], ['pi_1'])
      expect(origin).toMatchObject({ callId, keyId: key.id, object: 'pi_1' })
      expect(await moved(movement(origin, '5.00'))).toMatchObject({ counted: dollars('5.00'), keyId: key.id })
      // Named again by another refusal, it stays its maker's.
      await done(ledger, draft(await newKey(ledger), '5.00'), reply('released', { made: 'pi_1' }))
      expect(await ledger.originOf(['cred_1'], ['pi_1'])).toEqual(origin)
      expect(await ledger.originOf(['cred_2'], ['pi_1'])).toBeNull()
    })

    test('and so when the refused call was repeated, so that it counts as spent', async () => {
      const keyed = { idempotencyHash: unique('idem'), requestHash: unique('request'), budgets: [cap] }
      const first = await ledger.admit(draft(key, '5.00', keyed), allow)
      const again = await ledger.admit(draft(key, '5.00', keyed), allow)
      expect(again.replayOf).toBe(first.callId)
      ledger.mayLeave(first.callId)
      ledger.settle(first.callId, reply('released', { made: 'pi_1' }))
      await ledger.flushed()
      expect(await ledger.call(first.callId)).toMatchObject({ state: 'assumed' })
      expect(await ledger.originOf(['cred_1'], ['pi_1'])).toMatchObject({ callId: first.callId })
    })

    test('the same money told again changes nothing', async () => {
      const told = movement(await made('plink_1', '5.00'), '8.00')
      expect((await ledger.moved(told, [cap])).fresh).toBe(true)
      const again = await Promise.all(
        Array.from({ length: 5 }, () => ledger.moved({ ...told, kind: 'renewal' }, [cap])),
      )
      expect(again.map(({ fresh, row }) => [fresh, row.kind])).toEqual(Array(5).fill([false, 'invoice']))
      expect(again[0]).toMatchObject({ added: ZERO, over: [] })
      expect(await spent()).toBe(dollars('8.00'))
      expect(await all()).toHaveLength(1)
    })

    test('it passes the cap, and says which budgets it brought beyond theirs', async () => {
      const origin = await made('sub_1', '15.00')
      const day = budget('key:b', '100.00')
      const { over, row } = await ledger.moved(movement({ ...origin, object: null }, '15.00'), [cap, day])
      expect([over, row.counted]).toEqual([[cap], dollars('15.00')])
      expect([await spent(), (await counted(ledger, day)).spent]).toEqual([dollars('30.00'), dollars('15.00')])
    })

    test('what is not explained counts on no key, and may be explained later or turn out to be more', async () => {
      const told = movement(null, '4.00')
      expect(await moved(told)).toMatchObject({ explained: false, counted: ZERO, keyId: null })
      for (const amount of ['3.00', '4.00'])
        expect((await ledger.moved({ ...told, amount: dollars(amount) }, [cap])).fresh).toBe(false)
      expect((await moved({ ...told, amount: dollars('6.00') })).amount).toBe(dollars('6.00'))
      expect(await spent()).toBe(0n)
      const origin = await made('sub_1', '1.00')
      const row = await moved({ ...told, origin, why: null })
      expect(row).toMatchObject({ explained: true, counted: dollars('3.00'), callId: origin.callId, run: 'run_1' })
      expect((await ledger.moved({ ...told, amount: dollars('9.00') }, [cap])).fresh).toBe(false)
      expect(await all()).toHaveLength(1)
    })

    test('a budget is beyond its cap by what was spent and is held on it, and not when it is just full', async () => {
      const origin = { ...(await made('sub_1', '5.00')), object: null }
      await ledger.admit(draft(key, '5.00', { budgets: [cap] }), allow)
      expect((await ledger.moved(movement(origin, '10.00'), [cap])).over).toEqual([])
      expect((await ledger.moved(movement(origin, '0.01'), [cap])).over).toEqual([cap])
      // What counts nothing brings no budget anywhere.
      expect((await ledger.moved(movement({ ...origin, object: 'sub_1' }, '1.00'), [cap])).over).toEqual([])
    })

    test('how much of it is news is told: all of it once, then what it turned out to be more', async () => {
      const told = movement(null, '4.00')
      expect((await ledger.moved(told, [cap])).added).toBe(dollars('4.00'))
      expect((await ledger.moved({ ...told, amount: dollars('6.50') }, [cap])).added).toBe(dollars('2.50'))
      expect((await ledger.moved(movement(null, '0.00', { amount: null }), [cap])).added).toBe(ZERO)
    })

    test('it counts on no budget of what recurs', async () => {
      const monthly = budget('key:a|recurring', '1.00', { window: 'all', measure: 'recurring' })
      const origin = { ...(await made('sub_1', '5.00')), object: null }
      expect((await ledger.moved(movement(origin, '3.00'), [cap, monthly])).over).toEqual([])
      expect(await spent()).toBe(dollars('8.00'))
      expect((await counted(ledger, monthly)).spent).toBe(ZERO)
    })

    test('it counts in the run of the root of its key, and of a key nobody knows in a run of its own', async () => {
      const child = await newKey(ledger, { parentId: key.id })
      await moved(movement({ callId: 'call_0000000001', keyId: child.id, run: 'run_1', object: null }, '3.00'))
      expect(await ledger.run('run_1', key.id)).toMatchObject({ keyId: key.id, spent: dollars('3.00') })
      await moved(movement({ callId: 'call_0000000001', keyId: 'key_gone', run: 'run_2', object: null }, '2.00'))
      expect(await ledger.run('run_2')).toMatchObject({ keyId: 'key_gone', spent: dollars('2.00') })
    })

    test('it is in the reports on the day it happened, under its key and run, and is no call', async () => {
      const origin = await made('sub_1', '5.00')
      const [midnight] = [Math.floor(book.clock.at / DAY) * DAY]
      book.clock.at += 3 * DAY
      await moved(movement({ ...origin, object: null }, '7.00', { at: midnight + 2 * DAY + HOUR }))
      const days = await ledger.spend('day', {})
      expect(days.map(({ spent: amount, calls }) => [amount, calls])).toEqual([
        [dollars('5.00'), 1],
        [dollars('7.00'), 0],
      ])
      expect(await ledger.spend('key', {})).toMatchObject([{ by: key.id, spent: dollars('12.00'), calls: 1 }])
      expect(await ledger.run('run_1')).toMatchObject({ spent: dollars('12.00'), calls: 1 })
      // The edges of a span are not whole days.
      const from = midnight + 2 * DAY + HOUR / 2
      expect(await ledger.spend('vendor', { from, to: from + HOUR })).toMatchObject([{ spent: dollars('7.00') }])
      expect(await ledger.spend('vendor', { from: from + HOUR, to: from + 2 * HOUR })).toEqual([])
    })

    test('what came of it has the same origin, and so has what recurred until it ended', async () => {
      const origin = await made('plink_1', '5.00')
      await moved(movement(origin, '5.00', { makes: ['sub_7'] }))
      expect(await ledger.originOf(['cred_1'], ['in_9', 'sub_7'])).toEqual({ ...origin, object: 'sub_7' })
      expect(await ledger.originOf(['cred_2', 'cred_1'], ['sub_7'])).toMatchObject({ callId: origin.callId })
      expect(await ledger.originOf(['cred_2'], ['sub_7', 'plink_1'])).toBeNull()
      const commits = { kind: 'recurring', perMonth: dollars('1.00'), dueAt: null, quantity: 1n } as const
      const begun = await done(ledger, draft(key, '1.00', { commits }), reply('settled', { commitment: 'sub_8' }))
      await done(ledger, draft(key, '0.00'), reply('settled', { ends: 'sub_8' }))
      expect((await ledger.commitments(null, { limit: 9 })).rows).toEqual([])
      expect(await ledger.originOf(['cred_1'], ['sub_8'])).toMatchObject({ callId: begun, object: 'sub_8' })
      ledger = await book.reopen()
      expect(await ledger.originOf(['cred_1'], ['sub_7'])).toMatchObject({ callId: origin.callId })
    })

    test('a call under way covers nothing yet', async () => {
      const { callId } = await ledger.admit(draft(key, '5.00', { object: 'pi_1', budgets: [cap] }), allow)
      const origin = (await ledger.originOf(['cred_1'], ['pi_1']))!
      expect(origin.callId).toBe(callId)
      expect((await moved(movement(origin, '5.00'))).counted).toBe(dollars('5.00'))
      ledger.mayLeave(callId)
      ledger.settle(callId, reply('released'))
      await ledger.flushed()
      expect(await spent()).toBe(dollars('5.00'))
    })

    test('calls are found by when and under which credential they were sent', async () => {
      const first = await done(
        ledger,
        draft(key, '1.00', { idempotencyHash: 'sg_a' }),
        reply('settled', { requestId: 'req_1' }),
      )
      book.clock.at += HOUR
      const second = await done(ledger, draft(key, '1.00'), reply('settled'))
      await done(ledger, draft(key, '1.00', { credentialId: 'cred_2' }), reply('settled'))
      const { at } = book.clock
      const whole = { from: 0, to: at + 1, after: 0, inDoubt: false }
      const found = await ledger.sent(['cred_1'], whole, 9)
      expect(found).toMatchObject([
        { callId: first, idempotencyHash: 'sg_a', requestId: 'req_1', state: 'settled' },
        { callId: second, idempotencyHash: null, requestId: null },
      ])
      expect(await ledger.sent(['cred_1'], { ...whole, after: found[0]!.seq }, 9)).toHaveLength(1)
      expect(await ledger.sent(['cred_1'], { ...whole, from: at }, 9)).toMatchObject([{ callId: second }])
      expect(await ledger.sent(['cred_1'], { ...whole, to: at }, 9)).toMatchObject([{ callId: first }])
      expect(await ledger.sent(['cred_1', 'cred_2'], whole, 9)).toHaveLength(3)
      expect(await ledger.sent(['cred_1', 'cred_2'], whole, 2)).toHaveLength(2)
      const open = await done(ledger, draft(key, '1.00'), reply('assumed'))
      const over = await done(ledger, draft(key, '1.00'), reply('assumed'))
      const word = { actor: 'test', reason: 'It was done.' }
      await ledger.resolve(over, { outcome: 'settled', status: null, requestId: null, ms: null }, word)
      const inDoubt = { ...whole, inDoubt: true }
      expect((await ledger.sent(['cred_1'], inDoubt, 9)).map(({ callId }) => callId)).toEqual([open, over])
    })

    test('what a credential counts for in a span is its calls and what moved on it unexplained', async () => {
      await done(ledger, draft(key, '3.00'), reply('settled'))
      await done(ledger, draft(key, '9.00', { credentialId: 'cred_2' }), reply('settled'))
      await moved(movement(null, '2.00'))
      await moved(movement(null, '50.00', { kind: 'usage' }))
      const { at } = book.clock
      const range = { from: at - HOUR, to: at + HOUR }
      expect(await ledger.countedUnder('cred_1', range)).toEqual({
        calls: dollars('3.00'),
        unexplained: dollars('2.00'),
      })
      expect(await ledger.countedUnder('cred_1', { from: at + HOUR, to: at + DAY })).toEqual({
        calls: ZERO,
        unexplained: ZERO,
      })
    })

    test('listed newest first, by pages, and by what is asked for', async () => {
      const origin = await made('sub_1', '1.00')
      const ids = []
      for (let i = 0; i < 5; i++) ids.unshift((await moved(movement(i % 2 === 0 ? origin : null, '1.00'))).externalId)
      const seen: string[] = []
      for (let cursor: string | null = ''; cursor !== null;) {
        const page: Awaited<ReturnType<Ledger['movements']>> = await ledger.movements(
          {},
          { limit: 2, ...(cursor && { cursor }) },
        )
        seen.push(...page.rows.map(({ externalId }) => externalId))
        cursor = page.next
      }
      expect(seen).toEqual(ids)
      expect((await ledger.movements({ explained: false }, { limit: 9 })).rows).toHaveLength(2)
      expect((await ledger.movements({ key: key.id }, { limit: 9 })).rows).toHaveLength(3)
      expect((await ledger.movements({ vendor: 'twilio' }, { limit: 9 })).rows).toEqual([])
    })

    test('whatever is told in whatever order, an object counts the larger of what its calls and what moved come to', async () => {
      const step = fc.record({ object: fc.nat(1), cents: fc.bigInt(0n, 900n), again: fc.boolean() })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
          const counter = budget(unique('key'), '1.00')
          const objects = [unique('plink'), unique('plink')]
          const sums = [0n, 0n]
          for (const object of objects)
            await done(
              ledger,
              draft(key, '5.00', { budgets: [counter] }),
              reply('settled', { object, total: dollars('5.00') }),
            )
          for (const { object, cents, again } of steps) {
            const origin = await ledger.originOf(['cred_1'], [objects[object]!])
            const told = { ...movement(origin, '0.00'), amount: usd(cents * 10_000n) }
            for (let i = again ? 2 : 1; i > 0; i--) await ledger.moved(told, [counter])
            sums[object]! += cents * 10_000n
          }
          const five = BigInt(dollars('5.00'))
          const due = sums.reduce((total, sum) => total + (sum > five ? sum : five), 0n)
          expect((await counted(ledger, counter)).spent).toBe(due)
        }),
        { numRuns: runsOn(name, 15) },
      )
    }, 60_000)
  })
}
