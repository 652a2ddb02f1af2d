import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CallDraft, KeyRecord, Ledger, Settlement } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Decision } from '../../src/contracts/policy.js'
import {
  admitted,
  allow,
  budget,
  capped,
  counted,
  DAY,
  dollars,
  done,
  draft,
  HOUR,
  newKey,
  refuse,
  reply,
  row,
  SECOND,
  unique,
} from './book.js'
import type { Book } from './contract.js'

/** What src/contracts/ledger.ts promises of what a call is judged on and leaves behind, in its rarer turns, for any store. */
export function admissionsContract(name: string, open: () => Promise<Book>): void {
  describe(`${name}: what a call is judged on`, () => {
    let book: Book
    let ledger: Ledger
    let key: KeyRecord
    const cap = budget('key:a', '1000.00')
    const monthly = budget('key:a|recurring', '100.00', { window: 'all', measure: 'recurring' })
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
      key = await newKey(ledger)
    })
    afterEach(async () => {
      expect(await ledger.verify()).toEqual([])
      await book.close()
    })

    const spent = async (): Promise<bigint> => (await counted(ledger, cap)).spent
    const total = (amount: string, object = 'pi_1'): Settlement =>
      reply('settled', { object, total: dollars(amount), amount: dollars(amount) })
    const recurring = (perMonth: string, object?: string): NonNullable<CallDraft['commits']> => ({
      kind: 'recurring',
      perMonth: dollars(perMonth),
      dueAt: null,
      quantity: 1n,
      ...(object !== undefined && { object }),
    })

    test('a refusal that is only observed counts for the rate, after a restart too', async () => {
      const observed = (): Decision => ({
        verdict: 'would_deny',
        denial: { code: 'rate_limited', rule: 'rate', message: 'No.' },
      })
      const limited = { perMinute: [10] }
      for (let i = 0; i < 3; i++) await ledger.admit(draft(key, '1.00', limited), observed)
      await ledger.admit(draft(key, '1.00', limited), refuse('rate_limited'))
      expect((await admitted(ledger, draft(key, '1.00', limited))).usage.rate[0]!.count).toBe(3)
      ledger = await book.reopen()
      expect((await admitted(ledger, draft(ledger.key(key.id)!, '1.00', limited))).usage.rate[0]!.count).toBe(4)
    })

    test('an identical write is the first of them, not what repeated it', async () => {
      const guarded = { guarded: true, requestHash: 'request_1', idempotencyHash: 'idem_1' }
      const first = await done(ledger, draft(key, '5.00', guarded), reply('settled'))
      const again = await ledger.admit(draft(key, '5.00', guarded), allow)
      expect(again.replayOf).toBe(first)
      ledger.settle(again.callId, reply('settled'))
      const named = async (): Promise<string | undefined> => {
        const probe = draft(ledger.key(key.id)!, '5.00', { ...guarded, idempotencyHash: unique('idem') })
        return (await admitted(ledger, probe, refuse('duplicate_call'))).usage.duplicate?.callId
      }
      expect(await named()).toBe(first)
      ledger = await book.reopen()
      expect(await named()).toBe(first)
    })

    test('what is left of a budget is less by what was spent and by what is held', async () => {
      const tight = budget('key:t', '100.00')
      await done(ledger, draft(key, '30.00', { budgets: [tight] }), reply('settled'))
      await ledger.admit(draft(key, '20.00', { budgets: [tight] }), allow)
      expect((await admitted(ledger, draft(key, '5.00', { budgets: [tight] }))).remaining).toBe(dollars('45.00'))
      const both = draft(key, '5.00', { budgets: [tight, budget('key:w', '1000.00')] })
      expect((await admitted(ledger, both)).remaining).toBe(dollars('40.00'))
    })

    test('a key without a limit of its own has no rate, whatever was called', async () => {
      const child = await newKey(ledger, { parentId: key.id })
      for (let i = 0; i < 3; i++) await ledger.admit(draft(child, '1.00', { perMinute: [null, 5] }), allow)
      const { usage } = await admitted(ledger, draft(child, '1.00', { perMinute: [null, 5] }))
      expect(usage.rate).toEqual([
        { count: 0, oldestAt: 0 },
        { count: 3, oldestAt: book.clock.at },
      ])
    })

    test('a refusal is kept as text that every store gives back, also where its quote was cut in the middle', async () => {
      const { callId, decision } = await ledger.admit(draft(key, '1.00'), refuse('amount_unknown', 'No: \ud83d'))
      expect(decision.denial!.message).toBe('No: \ufffd')
      expect(await row(ledger, callId)).toMatchObject({ code: 'amount_unknown', message: 'No: \ufffd' })
    })

    test('a judgement that lets a call through on a request nobody has approved is a bug, and stops it', async () => {
      const asks = draft(key, '60.00', { approvalMs: HOUR })
      const broken = ledger.admit(asks, ({ approval }) => (approval === null ? refuse('approval_required')() : allow()))
      await expect(broken).rejects.toThrow(/lets nothing through/)
      expect((await ledger.approvals({}, { limit: 9 })).rows).toEqual([])
    })

    test('an identical write is found for a day, whatever was written meanwhile, over a restart too', async () => {
      const guarded = { guarded: true, requestHash: 'request_1' }
      const before = async (): Promise<string | undefined> => {
        const probe = draft(ledger.key(key.id)!, '5.00', guarded)
        return (await admitted(ledger, probe, refuse('duplicate_call'))).usage.duplicate?.callId
      }
      const start = book.clock.at
      const first = await done(ledger, draft(key, '5.00', guarded), reply('settled'))
      for (let i = 1; i < 5; i++) {
        book.clock.at = start + 5 * i * HOUR
        await done(ledger, draft(key, '5.00', { guarded: true }), reply('settled'))
      }
      book.clock.at = start + DAY - 1
      expect(await before()).toBe(first)
      ledger = await book.reopen()
      expect(await before()).toBe(first)
    })

    describe('calls that are under way at the same time', () => {
      test('on another object, or on none, keep nothing back', async () => {
        await done(ledger, draft(key, '100.00', { budgets: [cap] }), total('100.00'))
        await ledger.admit(draft(key, '0.00', { object: 'pi_2' }), allow)
        await ledger.admit(draft(key, '0.00'), allow)
        await done(ledger, draft(key, '0.00', { object: 'pi_1' }), total('60.00'))
        expect(await spent()).toBe(dollars('60.00'))
      })

      test('where only the answer says what a call acted on, it takes nothing off what others count there', async () => {
        // One that makes an object, whose answer was lost, and one that raises it.
        await done(ledger, draft(key, '10.00', { budgets: [cap] }), reply('assumed'))
        await done(ledger, draft(key, '100.00', { budgets: [cap], object: 'pi_1' }), total('100.00'))
        // Its repetition, when we have forgotten the key and the vendor has not: what it said before the object was raised.
        await done(ledger, draft(key, '0.00', { budgets: [cap] }), total('10.00'))
        expect(await spent()).toBe(dollars('110.00'))
        await done(ledger, draft(key, '0.00'), { ...total('50.00'), ends: 'pi_1' })
        expect(await spent()).toBe(dollars('60.00'))
      })

      test('do not include the call itself, also where what it commits is the object it is on', async () => {
        await done(ledger, draft(key, '100.00', { budgets: [cap] }), total('100.00'))
        const lower = draft(key, '0.00', { object: 'pi_1', commits: { ...recurring('0.00', 'pi_1'), kind: 'open' } })
        await done(ledger, lower, total('60.00'))
        expect(await spent()).toBe(dollars('60.00'))
      })

      test('on an object, and on what another one commits, are both known', async () => {
        await done(ledger, draft(key, '100.00', { budgets: [cap] }), total('100.00'))
        await done(ledger, draft(key, '0.00', { budgets: [monthly], commits: recurring('30.00') }), {
          ...reply('settled'),
          object: 'sub_1',
        })
        const both = draft(key, '0.00', { object: 'pi_1', budgets: [monthly], commits: recurring('60.00', 'sub_1') })
        const first = await ledger.admit(both, allow)
        const onObject = await ledger.admit(draft(key, '0.00', { object: 'pi_1' }), allow)
        const onCommitted = await ledger.admit(
          draft(key, '0.00', { budgets: [monthly], commits: recurring('10.00', 'sub_1') }),
          allow,
        )
        for (const { callId } of [first, onObject, onCommitted]) ledger.mayLeave(callId)
        ledger.settle(first.callId, total('100.00'))
        ledger.settle(onObject.callId, total('60.00'))
        ledger.settle(onCommitted.callId, reply('settled'))
        await ledger.flushed()
        expect(await spent()).toBe(dollars('100.00'))
        expect((await counted(ledger, monthly)).spent).toBe(dollars('60.00'))
      })

      test('on what others commit keep nothing back', async () => {
        for (const object of ['sub_1', 'sub_2'])
          await done(
            ledger,
            draft(key, '0.00', { budgets: [monthly], commits: recurring('30.00') }),
            reply('settled', { object }),
          )
        await ledger.admit(draft(key, '0.00', { budgets: [monthly], commits: recurring('30.00', 'sub_2') }), allow)
        await done(
          ledger,
          draft(key, '0.00', { budgets: [monthly], commits: recurring('10.00', 'sub_1') }),
          reply('settled'),
        )
        expect((await counted(ledger, monthly)).spent).toBe(dollars('40.00'))
      })
    })

    describe('what recurs', () => {
      test('is committed anew by a repetition whose first call was turned away', async () => {
        const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1', budgets: [monthly] }
        await done(ledger, draft(key, '0.00', { ...keyed, commits: recurring('30.00') }), reply('released'))
        const again = await admitted(ledger, draft(key, '0.00', { ...keyed, commits: recurring('30.00') }), capped)
        expect(again).toMatchObject({ replayOf: null, usage: { recurring: dollars('30.00') } })
        expect((await counted(ledger, monthly)).held).toBe(dollars('30.00'))
      })

      test('is not counted for a call that commits something but nothing a month', async () => {
        const later = { ...recurring('0.00'), kind: 'open' } as const
        await done(
          ledger,
          draft(key, '5.00', { budgets: [cap, monthly], commits: later }),
          reply('settled', { object: 'pi_1' }),
        )
        const counters = (await ledger.entries(0, 100)).filter(({ kind }) => kind === 'counter')
        expect(counters.map(({ detail }) => (JSON.parse(detail) as { counter: string }).counter)).toEqual(['key:a'])
      })

      test('stays counted where what was taken back may have been used', async () => {
        const id = await done(
          ledger,
          draft(key, '80.00', { budgets: [cap], commits: { ...recurring('0.00'), kind: 'open' } }),
          total('80.00', 'plink_1'),
        )
        await ledger.takenBack(id, 'ada', true)
        expect((await ledger.commitments(null, { limit: 9 })).rows).toEqual([])
        expect(await spent()).toBe(dollars('80.00'))
        await ledger.takenBack(id, 'ada')
        expect(await spent()).toBe(dollars('80.00'))
      })
    })

    describe('the run of a key that names none', () => {
      const IDLE_MS = 30 * 60 * SECOND
      const call = (run: string, runSource: CallDraft['runSource']): CallDraft =>
        draft(key, '1.00', { run, runSource, requestHash: unique('request') })

      test('is the same when it is asked for again before the first call', async () => {
        const first = ledger.implicitRun(key.id, IDLE_MS)
        book.clock.at += SECOND
        expect(ledger.implicitRun(key.id, IDLE_MS)).toBe(first)
      })

      test('lasts from each of its calls on, and from no call of another run', async () => {
        const first = ledger.implicitRun(key.id, IDLE_MS)
        for (let i = 0; i < 3; i++) {
          book.clock.at += IDLE_MS - 1
          await ledger.admit(call(first, 'implicit'), allow)
        }
        book.clock.at += IDLE_MS - 1
        await ledger.admit(call('run_9', 'header'), allow)
        expect(ledger.implicitRun(key.id, IDLE_MS)).toBe(first)
        book.clock.at += 1
        expect(ledger.implicitRun(key.id, IDLE_MS)).not.toBe(first)
      })
    })

    test('what the counter before holds is taken over too, where the calls do not tell of all of it any more', async () => {
      const own = budget(`key:${key.id}|month`, '1000.00')
      await done(ledger, draft(key, '30.00', { budgets: [own] }), reply('settled'))
      await ledger.admit(draft(key, '5.00', { budgets: [own] }), allow)
      const next = { ...own, counter: 'key:key_next|month', since: book.clock.at + 1 }
      await ledger.carryOver(key.id, [next], 'ada')
      expect(await counted(ledger, next)).toEqual({ spent: dollars('35.00'), held: ZERO })
    })
  })
}
