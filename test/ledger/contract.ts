import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  CallDraft,
  CallRow,
  FreezeScope,
  KeyRecord,
  Ledger,
  Settlement,
  SpendBy,
  SpendRow,
} from '../../src/contracts/ledger.js'
import { LedgerConflict } from '../../src/contracts/ledger.js'
import { usd, ZERO } from '../../src/contracts/money.js'
import type { Decision, Usage } from '../../src/contracts/policy.js'
import {
  admitted,
  allow,
  budget,
  capped,
  counted,
  credential,
  DAY,
  dollars,
  done,
  draft,
  HOUR,
  newKey,
  refuse,
  reply,
  row,
  rows,
  SECOND,
  sum,
  unique,
  type StandingClock,
  runsOn,
} from './book.js'

/** A ledger on a store of its own, and what can happen to that store. */
export interface Book {
  readonly ledger: Ledger
  readonly clock: StandingClock
  /** Ends in order and opens again. */
  reopen(): Promise<Ledger>
  /** Opens what is durable at this instant, as after the loss of the process. The ledger before is not asked again. */
  crash(): Promise<Ledger>
  /** Changes tables behind the ledger's back, past what guards them, and opens again. */
  alter(sql: string): Promise<Ledger>
  close(): Promise<void>
}

/** The promises of src/contracts/ledger.ts, for any store behind them. */
export function ledgerContract(name: string, open: () => Promise<Book>): void {
  describe(`${name} ledger`, () => {
    let book: Book
    let ledger: Ledger
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
    })
    afterEach(() => book.close())

    describe('admission', () => {
      test('a decision sees every earlier admission of the same batch', async () => {
        const key = await newKey(ledger)
        const cap = budget('key:a', '100.00')
        const asked = Array.from({ length: 60 }, () => ledger.admit(draft(key, '3.00', { budgets: [cap] }), capped))
        const verdicts = (await Promise.all(asked)).map((each) => each.decision.verdict)
        expect(verdicts.filter((each) => each === 'allow')).toHaveLength(33)
        expect(verdicts.slice(0, 33)).not.toContain('deny')
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: dollars('99.00') })
      })

      test('every budget of a call is counted, each in its own window', async () => {
        const key = await newKey(ledger)
        const day = budget('key:a', '100.00')
        const month = budget('key:a:month', '150.00', { window: '2026-11' })
        await admitted(ledger, draft(key, '70.00', { budgets: [day, month] }))
        const tomorrow = { ...day, window: '2026-11-22' }
        const over = await admitted(ledger, draft(key, '90.00', { budgets: [tomorrow, month] }))
        expect(over.decision.verdict).toBe('deny')
        const within = await admitted(ledger, draft(key, '80.00', { budgets: [tomorrow, month] }))
        expect(within.decision.verdict).toBe('allow')
        expect(
          (await Promise.all([day, tomorrow, month].map((each) => counted(ledger, each)))).map((each) => each.held),
        ).toEqual(['70.00', '80.00', '150.00'].map(dollars))
      })

      test('what is left is what the tightest budget has left, never less than nothing', async () => {
        const key = await newKey(ledger)
        const wide = budget('key:a', '100.00')
        const tight = budget('run:a', '20.00')
        expect((await admitted(ledger, draft(key, '5.00', { budgets: [wide, tight] }))).remaining).toBe(
          dollars('15.00'),
        )
        expect((await admitted(ledger, draft(key, '50.00', { budgets: [wide, tight] }))).remaining).toBe(
          dollars('15.00'),
        )
        expect((await admitted(ledger, draft(key, '50.00', { budgets: [wide, tight] }), allow)).remaining).toBe(ZERO)
        expect((await admitted(ledger, draft(key, '50.00'))).remaining).toBeNull()
      })

      test('an admission is durable when it resolves', async () => {
        const key = await newKey(ledger)
        const cap = budget('key:a', '100.00')
        const { callId } = await ledger.admit(draft(key, '40.00', { budgets: [cap] }), allow)
        const after = await book.crash()
        expect(await row(after, callId)).toMatchObject({ keyId: key.id, reserved: dollars('40.00') })
        expect((await counted(after, cap)).spent).toBe(dollars('40.00'))
      })

      test('all admissions of a batch are durable when the first of them resolves', async () => {
        const key = await newKey(ledger)
        const asked = Array.from({ length: 20 }, () => ledger.admit(draft(key, '1.00'), allow))
        await asked[0]
        const after = await book.crash()
        expect(await rows(after)).toHaveLength(20)
      })

      test('a refusal is durable when it resolves, with code, rule and sentence', async () => {
        const key = await newKey(ledger)
        const { callId } = await ledger.admit(draft(key, '40.00'), refuse('amount_over_limit', 'Too much.'))
        const after = await book.crash()
        expect(await row(after, callId)).toMatchObject({
          state: 'denied',
          verdict: 'deny',
          code: 'amount_over_limit',
          rule: 'test',
          message: 'Too much.',
          quoted: dollars('40.00'),
          reserved: ZERO,
        })
      })

      test('a judgement that throws stops its own call and no other', async () => {
        const key = await newKey(ledger)
        const first = ledger.admit(draft(key, '1.00'), allow)
        const broken = ledger.admit(draft(key, '1.00'), () => {
          throw new RangeError('a bug in a rule')
        })
        const last = ledger.admit(draft(key, '1.00'), allow)
        await expect(broken).rejects.toThrow('a bug in a rule')
        const ids = [(await first).callId, (await last).callId]
        expect((await rows(ledger)).map((each) => each.id)).toEqual(ids)
        expect(await ledger.verify()).toEqual([])
      })

      test('a key revoked while a call waits for its commit is revoked in what the call is judged on', async () => {
        const key = await newKey(ledger)
        let usage: Usage | undefined
        const waiting = ledger.admit(draft(key, '1.00'), (seen) => {
          usage = seen
          return refuse('key_revoked')()
        })
        await ledger.revoke(key.id, 'gone', 'test')
        await waiting
        expect(usage!.keys[0]).toMatchObject({ id: key.id, revokedAt: book.clock.at, revokeReason: 'gone' })
      })

      test('a call is judged on its key and every ancestor, the calling key first', async () => {
        const root = await newKey(ledger)
        const child = await newKey(ledger, { parentId: root.id })
        const grandchild = await newKey(ledger, { parentId: child.id })
        expect(grandchild.rootId).toBe(root.id)
        const { usage } = await admitted(ledger, draft(grandchild, '1.00', { perMinute: [null, null, null] }))
        expect(usage.keys.map((each) => each.id)).toEqual([grandchild.id, child.id, root.id])
      })

      test('ids of calls follow each other without a gap, across a restart too', async () => {
        const key = await newKey(ledger)
        await ledger.admit(draft(key, '1.00'), allow)
        const after = await book.reopen()
        await after.admit(draft(after.key(key.id)!, '1.00'), refuse('rate_limited'))
        await after.admit(draft(after.key(key.id)!, '1.00'), allow)
        expect((await rows(after)).map((each) => each.seq)).toEqual([1, 2, 3])
      })
    })

    describe('a preview', () => {
      test('is judged on the usage an admission would be judged on', async () => {
        const key = await newKey(ledger)
        const cap = budget('key:a', '100.00')
        const call = draft(key, '30.00', { budgets: [cap], perMinute: [10] })
        const first = await admitted(ledger, draft(key, '80.00', { budgets: [cap], perMinute: [10] }))
        ledger.settle(first.callId, reply('settled', { amount: dollars('75.00') }))
        let foreseen: Usage | null = null
        const look = (usage: Usage): Decision => capped((foreseen = usage))
        expect(await ledger.preview(call, look)).toMatchObject({ verdict: 'deny' })
        let seen: Usage | null = null
        const admission = await ledger.admit(call, (usage) => capped((seen = usage)))
        expect(admission.decision.verdict).toBe('deny')
        expect(foreseen).toEqual(seen)
        expect(seen).toMatchObject({ amount: dollars('30.00'), budgets: [{ spent: dollars('75.00'), held: ZERO }] })
      })

      test('reserves nothing, leaves no row and takes no place in the rate window, whatever it says', async () => {
        const key = await newKey(ledger)
        const cap = budget('key:a', '100.00')
        const call = draft(key, '30.00', { budgets: [cap], perMinute: [10], object: 'obj_1', idempotencyHash: 'once' })
        for (const decide of [allow, refuse('daily_cap_exceeded')]) await ledger.preview(call, decide)
        expect(await rows(ledger)).toEqual([])
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
        const { usage } = await admitted(ledger, call)
        expect(usage).toMatchObject({ earlier: null, amount: dollars('30.00'), rate: [{ count: 0 }] })
        expect(await ledger.verify()).toEqual([])
      })
    })

    describe('outcomes', () => {
      const cap = budget('key:a', '1000.00')
      test('a second settlement of one call is refused and holds nobody else up', async () => {
        const key = await newKey(ledger)
        const { callId } = await ledger.admit(draft(key, '50.00', { budgets: [cap] }), allow)
        ledger.settle(callId, reply('settled'))
        expect(() => ledger.settle(callId, reply('released'))).toThrow(/invariant/)
        await ledger.flushed()
        expect(() => ledger.settle(callId, reply('released'))).toThrow(/invariant/)
        expect((await ledger.admit(draft(key, '1.00', { budgets: [cap] }), allow)).decision.verdict).toBe('allow')
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('50.00'), held: dollars('1.00') })
      })

      test.each<[string, Settlement, string]>([
        ['settled without an amount counts what was reserved', reply('settled'), '50.00'],
        ['settled below the reservation gives the rest back', reply('settled', { amount: dollars('20.00') }), '20.00'],
        ['settled above the reservation counts in full', reply('settled', { amount: dollars('64.50') }), '64.50'],
        ['settled at nothing counts nothing', reply('settled', { amount: ZERO }), '0.00'],
        ['released gives everything back', reply('released'), '0.00'],
        ['assumed counts what was reserved', reply('assumed'), '50.00'],
      ])('%s', async (_name, settlement, spent) => {
        const key = await newKey(ledger)
        const { callId } = await ledger.admit(draft(key, '50.00', { budgets: [cap] }), allow)
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: dollars('50.00') })
        ledger.mayLeave(callId)
        ledger.settle(callId, settlement)
        await ledger.flushed()
        expect(await counted(ledger, cap)).toEqual({ spent: dollars(spent), held: ZERO })
        expect(await row(ledger, callId)).toMatchObject({
          state: settlement.outcome,
          reserved: dollars('50.00'),
          settled: dollars(spent),
          upstreamStatus: settlement.status,
          upstreamMs: 5,
          settledAt: book.clock.at,
        })
        expect(await ledger.verify()).toEqual([])
      })

      test('a settlement above its reservation may pass the cap, and then nothing more is admitted', async () => {
        const key = await newKey(ledger)
        const tight = budget('key:a', '100.00')
        await done(ledger, draft(key, '90.00', { budgets: [tight] }), reply('settled', { amount: dollars('130.00') }))
        expect((await counted(ledger, tight)).spent).toBe(dollars('130.00'))
        const next = await admitted(ledger, draft(key, '0.01', { budgets: [tight] }))
        expect(next.decision.verdict).toBe('deny')
      })

      test('until its outcome is booked a reservation stands', async () => {
        const key = await newKey(ledger)
        const { callId } = await ledger.admit(draft(key, '50.00', { budgets: [cap] }), allow)
        ledger.mayLeave(callId)
        await ledger.flushed()
        expect((await counted(ledger, cap)).held).toBe(dollars('50.00'))
        ledger.settle(callId, reply('released'))
        await ledger.flushed()
        expect((await counted(ledger, cap)).held).toBe(ZERO)
      })

      test('what was settled before flushed is durable after it', async () => {
        const key = await newKey(ledger)
        const ids: string[] = []
        for (let i = 0; i < 5; i++) ids.push((await ledger.admit(draft(key, '1.00'), allow)).callId)
        for (const id of ids) ledger.mayLeave(id)
        for (const id of ids) ledger.settle(id, reply('settled', { requestId: `req_${id}` }))
        await ledger.flushed()
        const after = await book.crash()
        expect((await rows(after)).map((each) => [each.state, each.upstreamRequestId])).toEqual(
          ids.map((id) => ['settled', `req_${id}`]),
        )
      })

      test('a settlement shares the commit of the next admission, which is judged on it', async () => {
        const key = await newKey(ledger)
        const tight = budget('key:a', '10.00')
        const { callId } = await ledger.admit(draft(key, '10.00', { budgets: [tight] }), allow)
        ledger.mayLeave(callId)
        ledger.settle(callId, reply('released'))
        expect((await admitted(ledger, draft(key, '10.00', { budgets: [tight] }))).decision.verdict).toBe('allow')
      })

      test('an admitted call that was stopped before its first byte says so in its row', async () => {
        const key = await newKey(ledger)
        const denial = { code: 'key_revoked', rule: 'standing', message: 'Revoked meanwhile.' } as const
        const id = await done(ledger, draft(key, '5.00'), { ...reply('released'), status: null, denial })
        expect(await row(ledger, id)).toMatchObject({ state: 'released', verdict: 'deny', ...denial, settled: ZERO })
      })

      test.each<[string, Settlement, string]>([
        ['settled', reply('settled', { amount: dollars('30.00') }), '30.00'],
        ['released', reply('released'), '0.00'],
      ])('what was assumed can still be %s, on the counters of its own day', async (state, settlement, spent) => {
        const key = await newKey(ledger)
        const id = await done(ledger, draft(key, '50.00', { budgets: [cap] }), reply('assumed'))
        book.clock.at += 3 * DAY
        const after = await book.reopen()
        after.settle(id, settlement)
        await after.flushed()
        expect(await row(after, id)).toMatchObject({ state, settled: dollars(spent) })
        expect(await counted(after, cap)).toEqual({ spent: dollars(spent), held: ZERO })
        expect(await after.spend('day', {})).toEqual([
          { by: '2026-11-21', spent: dollars(spent), held: ZERO, calls: 1, denied: 0 },
        ])
        expect(await after.verify()).toEqual([])
      })

      test('start-up assumes every reservation left without an outcome, and time alone gives none back', async () => {
        const key = await newKey(ledger)
        const ids: string[] = []
        for (const amount of ['10.00', '20.00', '30.00'])
          ids.push((await ledger.admit(draft(key, amount, { budgets: [cap] }), allow)).callId)
        ledger.mayLeave(ids[0]!)
        ledger.settle(ids[0]!, reply('settled'))
        await ledger.flushed()
        book.clock.at += 400 * DAY
        const after = await book.crash()
        expect((await rows(after)).map((each) => each.state)).toEqual(['settled', 'assumed', 'assumed'])
        expect(await counted(after, cap)).toEqual({ spent: dollars('60.00'), held: ZERO })
        expect(await after.run('run_1')).toMatchObject({ spent: dollars('60.00'), held: ZERO, calls: 3 })
        expect(await after.verify()).toEqual([])
      })

      test('a reservation of long ago is assumed at start-up too, however much was decided after it', async () => {
        const key = await newKey(ledger)
        const old = await ledger.admit(draft(key, '10.00', { budgets: [cap] }), allow)
        for (let i = 0; i < 600; i++) {
          const { callId } = await ledger.admit(draft(key, '0.01', { budgets: [cap] }), allow)
          if (i % 3 === 0) continue
          ledger.mayLeave(callId)
          ledger.settle(callId, reply('released'))
        }
        await ledger.flushed()
        const after = await book.crash()
        expect((await row(after, old.callId)).state).toBe('assumed')
        expect(await counted(after, cap)).toEqual({ spent: dollars('12.00'), held: ZERO })
        expect((await after.calls({ state: 'reserved' }, { limit: 1 })).rows).toEqual([])
      })

      test('listeners hear of a row when it is durable and when it changes, until they stop listening', async () => {
        const key = await newKey(ledger)
        const heard: [string, string][] = []
        const undo = ledger.onChange((each) => heard.push([each.id, each.state]))
        const id = await done(ledger, draft(key, '1.00'), reply('settled'))
        const { callId } = await ledger.admit(draft(key, '1.00'), refuse('amount_unknown'))
        undo()
        await ledger.admit(draft(key, '1.00'), allow)
        expect(heard).toEqual([
          [id, 'reserved'],
          [id, 'settled'],
          [callId, 'denied'],
        ])
      })
    })

    describe('exposure of one object', () => {
      const cap = budget('key:a', '1000.00')
      const opened = (total: string): Settlement =>
        reply('settled', { object: 'pi_1', total: dollars(total), amount: dollars(total) })

      test('a later call reserves only what it adds', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '100.00', { budgets: [cap] }), opened('100.00'))
        const same = await admitted(ledger, draft(key, '100.00', { budgets: [cap], object: 'pi_1' }))
        const more = await admitted(ledger, draft(key, '130.00', { budgets: [cap], object: 'pi_1' }))
        const other = await admitted(ledger, draft(key, '130.00', { budgets: [cap], object: 'pi_2' }))
        expect([same.reserved, more.reserved, other.reserved]).toEqual(['0.00', '30.00', '130.00'].map(dollars))
        expect(same.usage.amount).toBe(ZERO)
      })

      test('the same object id under another credential is another object', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '100.00'), opened('100.00'))
        const other = await admitted(ledger, draft(key, '100.00', { object: 'pi_1', credentialId: 'cred_2' }))
        expect(other.reserved).toBe(dollars('100.00'))
      })

      test('bringing an object down gives the difference back to the day and counters it was counted on', async () => {
        const key = await newKey(ledger)
        const first = await done(ledger, draft(key, '100.00', { budgets: [cap] }), opened('100.00'))
        book.clock.at += DAY
        const next = { ...cap, window: '2026-11-22' }
        const capture = draft(key, '60.00', { budgets: [next], object: 'pi_1', run: 'run_2' })
        const second = await done(ledger, capture, opened('60.00'))
        expect((await counted(ledger, cap)).spent).toBe(dollars('60.00'))
        expect((await counted(ledger, next)).spent).toBe(ZERO)
        expect((await row(ledger, first)).settled).toBe(dollars('60.00'))
        expect((await row(ledger, second)).settled).toBe(ZERO)
        expect((await ledger.spend('day', {})).map((each) => [each.by, each.spent])).toEqual([
          ['2026-11-21', dollars('60.00')],
          ['2026-11-22', ZERO],
        ])
        expect((await ledger.run('run_1'))!.spent).toBe(dollars('60.00'))
        expect(await ledger.verify()).toEqual([])
      })

      test('what several calls counted is given back newest first', async () => {
        const key = await newKey(ledger)
        const ids = [
          await done(ledger, draft(key, '100.00', { budgets: [cap] }), opened('100.00')),
          await done(ledger, draft(key, '130.00', { budgets: [cap], object: 'pi_1' }), opened('130.00')),
          await done(ledger, draft(key, '150.00', { budgets: [cap], object: 'pi_1' }), opened('150.00')),
        ]
        await done(ledger, draft(key, '0.00', { budgets: [cap], object: 'pi_1' }), opened('110.00'))
        const settled = await Promise.all(ids.map(async (id) => (await row(ledger, id)).settled))
        expect(settled).toEqual(['100.00', '10.00', '0.00'].map(dollars))
        expect((await counted(ledger, cap)).spent).toBe(dollars('110.00'))
        await done(ledger, draft(key, '0.00', { budgets: [cap], object: 'pi_1' }), opened('0.00'))
        expect((await counted(ledger, cap)).spent).toBe(ZERO)
        expect(await ledger.verify()).toEqual([])
      })

      test('a released call takes its own part off the object, and no other', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '100.00', { budgets: [cap] }), opened('100.00'))
        await done(ledger, draft(key, '150.00', { budgets: [cap], object: 'pi_1' }), reply('released'))
        expect((await counted(ledger, cap)).spent).toBe(dollars('100.00'))
        const again = await admitted(ledger, draft(key, '150.00', { budgets: [cap], object: 'pi_1' }))
        expect(again.reserved).toBe(dollars('50.00'))
      })

      test('a call under way lends its reservation to no other call on the object', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '100.00', { budgets: [cap] }), opened('100.00'))
        const raise = draft(key, '150.00', { budgets: [cap], object: 'pi_1' })
        const first = await ledger.admit(raise, capped)
        const second = await ledger.admit({ ...raise, requestHash: unique('request') }, capped)
        expect(second.reserved).toBe(dollars('50.00'))
        for (const { callId } of [first, second]) ledger.mayLeave(callId)
        // The vendor executed the second and turned the first away; its answers come in that order.
        ledger.settle(second.callId, opened('150.00'))
        ledger.settle(first.callId, reply('released'))
        await ledger.flushed()
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('150.00'), held: ZERO })
        expect(await ledger.verify()).toEqual([])
      })

      test('two calls that both brought the object to the same total count it once', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '100.00', { budgets: [cap] }), opened('100.00'))
        const raise = draft(key, '150.00', { budgets: [cap], object: 'pi_1' })
        const both = await Promise.all([ledger.admit(raise, capped), ledger.admit({ ...raise }, capped)])
        for (const { callId } of both) ledger.mayLeave(callId)
        for (const { callId } of both) ledger.settle(callId, opened('150.00'))
        await ledger.flushed()
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('150.00'), held: ZERO })
      })

      test('when an assumed call turns out not to have happened, what a later call did in its place still counts', async () => {
        const key = await newKey(ledger)
        const confirm = draft(key, '100.00', { budgets: [cap], object: 'pi_1' })
        const lost = await done(ledger, confirm, reply('assumed'))
        const again = await done(ledger, { ...confirm, requestHash: unique('request') }, opened('100.00'))
        ledger.settle(lost, reply('released'))
        await ledger.flushed()
        expect((await counted(ledger, cap)).spent).toBe(dollars('100.00'))
        expect((await row(ledger, again)).settled).toBe(dollars('100.00'))
        expect(await ledger.verify()).toEqual([])
      })

      test('where the vendor names another object than the call was on, it counts there and nowhere else', async () => {
        const key = await newKey(ledger)
        const named = reply('settled', { object: 'pi_2', total: dollars('40.00') })
        await done(ledger, draft(key, '40.00', { budgets: [cap], object: 'pi_1' }), named)
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('40.00'), held: ZERO })
        const first = await admitted(ledger, draft(key, '40.00', { budgets: [cap], object: 'pi_1' }))
        const second = await admitted(ledger, draft(key, '40.00', { budgets: [cap], object: 'pi_2' }))
        expect([first.reserved, second.reserved]).toEqual([dollars('40.00'), ZERO])
        expect(await ledger.originOf(['cred_1'], ['pi_2'])).toMatchObject({ keyId: key.id })
      })

      test('and where that was found out later: what is given back is its own, once', async () => {
        const key = await newKey(ledger)
        const lost = await done(ledger, draft(key, '40.00', { budgets: [cap], object: 'pi_1' }), reply('assumed'))
        const found = { ...reply('settled', { object: 'pi_2', total: dollars('40.00') }), outcome: 'settled' } as const
        await ledger.resolve(lost, found, { actor: 'records', reason: 'As they say.' })
        const gone = (object: string) => reply('settled', { object, total: ZERO, ends: object })
        await done(ledger, draft(key, '0.00', { budgets: [cap], object: 'pi_1' }), gone('pi_1'))
        expect((await counted(ledger, cap)).spent).toBe(dollars('40.00'))
        await done(ledger, draft(key, '0.00', { budgets: [cap], object: 'pi_2' }), gone('pi_2'))
        expect((await counted(ledger, cap)).spent).toBe(ZERO)
      })

      test('another object that is named takes nothing off the calls that count for it', async () => {
        const key = await newKey(ledger)
        await done(
          ledger,
          draft(key, '40.00', { budgets: [cap] }),
          reply('settled', { object: 'pi_2', total: dollars('40.00') }),
        )
        const named = reply('settled', { object: 'pi_2', total: dollars('10.00') })
        await done(ledger, draft(key, '10.00', { budgets: [cap], object: 'pi_1' }), named)
        expect((await counted(ledger, cap)).spent).toBe(dollars('40.00'))
      })

      test('a call whose outcome is unknown can be resolved after its object was cancelled', async () => {
        const key = await newKey(ledger)
        const first = await done(ledger, draft(key, '100.00', { budgets: [cap] }), opened('100.00'))
        const lost = await done(ledger, draft(key, '150.00', { budgets: [cap], object: 'pi_1' }), reply('assumed'))
        const cancelled = { ...opened('0.00'), ends: 'pi_1' }
        await done(ledger, draft(key, '0.00', { budgets: [cap], object: 'pi_1' }), cancelled)
        expect((await row(ledger, first)).settled).toBe(ZERO)
        ledger.settle(lost, reply('released'))
        await ledger.flushed()
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
        expect(await ledger.verify()).toEqual([])
      })
    })

    test('while the outcome of one call on an object is unknown, another that lowers it gives nothing back', async () => {
      const key = await newKey(ledger)
      const cap = budget('key:a', '1000.00')
      const on = { object: 'pi_1', budgets: [cap] }
      const total = (amount: string): Settlement => reply('settled', { object: 'pi_1', total: dollars(amount) })
      await done(ledger, draft(key, '8.00', on), total('8.00'))
      const raise = await done(ledger, draft(key, '10.00', on), reply('assumed'))
      await done(ledger, draft(key, '1.00', on), total('1.00'))
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('10.00'), held: ZERO })
      // It came last after all: what was counted covers it.
      ledger.settle(raise, total('10.00'))
      await ledger.flushed()
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('10.00'), held: ZERO })
      expect(await ledger.verify()).toEqual([])
    })

    test('an outcome found out later gives nothing back of what other calls counted since', async () => {
      const key = await newKey(ledger)
      const cap = budget('key:a', '1000.00')
      const on = { object: 'pi_1', budgets: [cap] }
      const made = await done(ledger, draft(key, '1.00', on), reply('assumed'))
      await done(ledger, draft(key, '4.00', on), reply('settled', { object: 'pi_1', total: dollars('4.00') }))
      ledger.settle(made, reply('settled', { object: 'pi_1', total: dollars('1.00') }))
      await ledger.flushed()
      expect((await counted(ledger, cap)).spent >= dollars('4.00')).toBe(true)
      expect(await ledger.verify()).toEqual([])
    })

    describe('idempotency', () => {
      const cap = budget('key:a', '1000.00')
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1', budgets: [cap] }

      test('the same request under the same key is a replay that costs nothing', async () => {
        const key = await newKey(ledger)
        const first = await admitted(ledger, draft(key, '50.00', keyed))
        expect(first.usage.earlier).toBeNull()
        const again = await admitted(ledger, draft(key, '50.00', keyed))
        expect(again.usage.earlier).toEqual({ callId: first.callId, sameRequest: true, stands: true })
        expect(again).toMatchObject({ reserved: ZERO, replayOf: first.callId })
        expect((await counted(ledger, cap)).held).toBe(dollars('50.00'))
        expect(await row(ledger, again.callId)).toMatchObject({ replayOf: first.callId, quoted: ZERO, reserved: ZERO })
        ledger.mayLeave(again.callId)
        ledger.settle(again.callId, reply('settled', { amount: dollars('50.00') }))
        await ledger.flushed()
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: dollars('50.00') })
      })

      test('a replay of a replay names the first call', async () => {
        const key = await newKey(ledger)
        const first = await admitted(ledger, draft(key, '50.00', keyed))
        await admitted(ledger, draft(key, '50.00', keyed))
        expect((await admitted(ledger, draft(key, '50.00', keyed))).replayOf).toBe(first.callId)
      })

      test('another request under the same key is told apart, and judged at its full amount', async () => {
        const key = await newKey(ledger)
        const first = await admitted(ledger, draft(key, '50.00', keyed))
        const other = await admitted(
          ledger,
          draft(key, '60.00', { ...keyed, requestHash: 'request_2' }),
          refuse('idempotency_mismatch'),
        )
        expect(other.usage.earlier).toEqual({ callId: first.callId, sameRequest: false, stands: true })
        expect(other.usage.amount).toBe(dollars('60.00'))
      })

      test('after a release the key is free: the repetition is a call of its own', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '50.00', keyed), reply('released'))
        const again = await admitted(ledger, draft(key, '50.00', keyed))
        expect(again.usage.earlier!.stands).toBe(false)
        expect(again).toMatchObject({ reserved: dollars('50.00'), replayOf: null })
        expect((await admitted(ledger, draft(key, '50.00', keyed))).replayOf).toBe(again.callId)
      })

      test('a refused call takes no key', async () => {
        const key = await newKey(ledger)
        await admitted(ledger, draft(key, '50.00', keyed), refuse('daily_cap_exceeded'))
        expect((await admitted(ledger, draft(key, '50.00', keyed))).usage.earlier).toBeNull()
      })

      test('a key is trusted for 23 hours, over restarts, and not a moment longer', async () => {
        const key = await newKey(ledger)
        const first = await done(ledger, draft(key, '50.00', keyed), reply('settled'))
        book.clock.at += 23 * HOUR - 1
        const late = await book.reopen()
        expect((await admitted(late, draft(late.key(key.id)!, '50.00', keyed))).replayOf).toBe(first)
        book.clock.at += 1
        const later = await admitted(late, draft(late.key(key.id)!, '50.00', keyed))
        expect(later.usage.earlier).toBeNull()
        expect(later).toMatchObject({ replayOf: null, reserved: dollars('50.00') })
      })

      test.each(['the first answer comes first', 'the second answer comes first'])(
        'a call turned away while its replay went through still counts (%s)',
        async (order) => {
          const key = await newKey(ledger)
          const first = await ledger.admit(draft(key, '50.00', keyed), allow)
          const again = await ledger.admit(draft(key, '50.00', keyed), allow)
          for (const { callId } of [first, again]) ledger.mayLeave(callId)
          const answers: [string, Settlement][] = [
            [first.callId, reply('released', { status: 429 })],
            [again.callId, reply('settled', { amount: dollars('50.00') })],
          ]
          if (order.startsWith('the second')) answers.reverse()
          for (const [id, settlement] of answers) {
            ledger.settle(id, settlement)
            await ledger.flushed()
          }
          expect(await counted(ledger, cap)).toEqual({ spent: dollars('50.00'), held: ZERO })
          expect(await ledger.verify()).toEqual([])
        },
      )

      test('a call that went through counts what it cost, replayed or not', async () => {
        const key = await newKey(ledger)
        const first = await ledger.admit(draft(key, '50.00', keyed), allow)
        await ledger.admit(draft(key, '50.00', keyed), allow)
        ledger.mayLeave(first.callId)
        ledger.settle(first.callId, reply('settled', { amount: dollars('40.00') }))
        await ledger.flushed()
        expect(await row(ledger, first.callId)).toMatchObject({ state: 'settled', settled: dollars('40.00') })
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('40.00'), held: ZERO })
      })

      test('a call turned away after all its replays were turned away gives everything back', async () => {
        const key = await newKey(ledger)
        const first = await ledger.admit(draft(key, '50.00', keyed), allow)
        const again = await ledger.admit(draft(key, '50.00', keyed), allow)
        for (const { callId } of [first, again]) ledger.mayLeave(callId)
        ledger.settle(again.callId, reply('released', { status: 409 }))
        ledger.settle(first.callId, reply('released', { status: 402 }))
        await ledger.flushed()
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
      })
    })

    describe('identical writes', () => {
      const guarded = { guarded: true, requestHash: 'request_1' }
      const before = async (of: Ledger, key: string, more: Partial<CallDraft> = {}): Promise<string | undefined> => {
        const probe = draft(of.key(key)!, '5.00', { ...guarded, perMinute: [], ...more })
        return (await admitted(of, probe, refuse('duplicate_call'))).usage.duplicate?.callId
      }

      test('are found in the same run of the same root key, over a restart too', async () => {
        const key = await newKey(ledger)
        const child = await newKey(ledger, { parentId: key.id })
        const other = await newKey(ledger)
        expect(await before(ledger, key.id)).toBeUndefined()
        const first = await done(ledger, draft(key, '5.00', guarded), reply('settled'))
        const found = await admitted(ledger, draft(key, '5.00', guarded), refuse('duplicate_call'))
        expect(found.usage.duplicate).toEqual({ callId: first, at: book.clock.at })
        const after = await book.crash()
        expect(await before(after, key.id)).toBe(first)
        expect(await before(after, child.id)).toBe(first)
        expect(await before(after, other.id)).toBeUndefined()
        expect(await before(after, key.id, { run: 'run_2' })).toBeUndefined()
        expect(await before(after, key.id, { requestHash: 'request_2' })).toBeUndefined()
        expect(await before(after, key.id, { guarded: false })).toBeUndefined()
      })

      test('are found while they are under way, and in the same batch', async () => {
        const key = await newKey(ledger)
        const seen: (string | undefined)[] = []
        const asked = Array.from({ length: 3 }, () =>
          ledger.admit(draft(key, '5.00', guarded), ({ duplicate }) => {
            seen.push(duplicate?.callId)
            return duplicate === null ? allow() : refuse('duplicate_call')()
          }),
        )
        const [first] = await Promise.all(asked)
        expect(seen).toEqual([undefined, first!.callId, first!.callId])
      })

      test('are not found once they were turned away, nor when they only read', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '5.00', guarded), reply('released'))
        expect(await before(ledger, key.id)).toBeUndefined()
        await done(ledger, draft(key, '0.00', { ...guarded, effect: 'read' }), reply('settled'))
        expect(await before(ledger, key.id)).toBeUndefined()
        const lost = await done(ledger, draft(key, '5.00', guarded), reply('assumed'))
        expect(await before(ledger, key.id)).toBe(lost)
      })
    })

    describe('bursts of refusals', () => {
      test('beyond twenty a second of one key and code they share a row that counts them', async () => {
        const key = await newKey(ledger)
        for (let i = 0; i < 50; i++) await ledger.admit(draft(key, '1.00'), refuse('operation_not_allowed'))
        const counts = (await rows(ledger)).map((each) => each.count)
        expect(counts).toEqual([...Array<number>(19).fill(1), 31])
        expect(await ledger.run('run_1')).toMatchObject({ calls: 50, denied: 50, spent: ZERO })
        book.clock.at += SECOND
        await ledger.admit(draft(key, '1.00'), refuse('operation_not_allowed'))
        expect(await rows(ledger)).toHaveLength(21)
        expect(await ledger.verify()).toEqual([])
      })

      test('another code and another key have rows of their own, and what is admitted is never shared', async () => {
        const key = await newKey(ledger)
        const other = await newKey(ledger)
        for (let i = 0; i < 25; i++) {
          await ledger.admit(draft(key, '1.00'), refuse('operation_not_allowed'))
          await ledger.admit(draft(key, '1.00'), refuse('amount_unknown'))
          await ledger.admit(draft(other, '1.00'), refuse('operation_not_allowed'))
          await ledger.admit(draft(key, '1.00'), allow)
        }
        const found = await rows(ledger)
        expect(found.filter((each) => each.state === 'reserved')).toHaveLength(25)
        expect(found.filter((each) => each.state === 'denied')).toHaveLength(60)
        expect(found.reduce((total, each) => total + each.count, 0)).toBe(100)
      })

      test('reports equal the rows when refusals of several runs, vendors and operations share one', async () => {
        const key = await newKey(ledger)
        for (let i = 0; i < 45; i++) {
          const more = { run: `run_${i % 7}`, vendor: i % 2 ? 'stripe' : 'twilio', operation: `op_${i % 3}` }
          await ledger.admit(draft(key, '1.00', more), refuse('operation_not_allowed'))
        }
        expect(await ledger.verify()).toEqual([])
        const all = await rows(ledger)
        for (const by of DIMENSIONS) expect(await ledger.spend(by, {})).toEqual(bruteForce(all, by, {}))
      })
    })

    describe('standing', () => {
      test('after revoke no call of the key or its descendants may leave', async () => {
        const root = await newKey(ledger)
        const child = await newKey(ledger, { parentId: root.id })
        const other = await newKey(ledger)
        const gone = await ledger.admit(draft(child, '1.00', { perMinute: [null, null] }), allow)
        const waiting = await ledger.admit(draft(child, '1.00', { perMinute: [null, null] }), allow)
        const others = await ledger.admit(draft(other, '1.00'), allow)
        expect(ledger.mayLeave(gone.callId)).toBe(true)
        expect(ledger.stands(child, 'run_1', 'stripe')).toBe(true)
        const first = await ledger.revoke(root.id, 'misbehaved', 'operator')
        expect(first).toEqual({ revokedAt: book.clock.at, inFlight: [gone.callId] })
        expect(ledger.mayLeave(waiting.callId)).toMatchObject({ code: 'key_revoked' })
        expect(ledger.stands(child, 'run_1', 'stripe')).toMatchObject({ code: 'key_revoked' })
        expect(ledger.mayLeave(others.callId)).toBe(true)
        expect(ledger.key(child.id)).toMatchObject({ revokedAt: book.clock.at, revokeReason: 'misbehaved' })
      })

      test('the refusal names the key and the reason, and no secret', async () => {
        const key = await newKey(ledger)
        const { callId } = await ledger.admit(draft(key, '1.00'), allow)
        await ledger.revoke(key.id, 'misbehaved', 'operator')
        const denial = ledger.mayLeave(callId)
        expect(denial).toMatchObject({ message: expect.stringContaining(key.id) })
        expect(denial).toMatchObject({ message: expect.stringContaining('misbehaved') })
        expect(JSON.stringify(denial)).not.toContain(key.digest)
      })

      test('a call of unknown outcome that is sent once more is named by a revocation until it came back, and leaves no more after', async () => {
        const root = await newKey(ledger)
        const child = await newKey(ledger, { parentId: root.id })
        const [back, gone, waiting] = [
          await row(ledger, await done(ledger, draft(child, '1.00'), reply('assumed'))),
          await row(ledger, await done(ledger, draft(child, '1.00'), reply('assumed'))),
          await row(ledger, await done(ledger, draft(child, '1.00'), reply('assumed'))),
        ]
        const stranger = await row(ledger, await done(ledger, draft(await newKey(ledger), '1.00'), reply('assumed')))
        for (const call of [back, gone, stranger]) expect(ledger.mayLeaveAgain(call)).toBe(true)
        ledger.cameBack(back.id)
        expect((await ledger.revoke(root.id, null, 'operator')).inFlight).toEqual([gone.id])
        expect(ledger.mayLeaveAgain(waiting)).toMatchObject({ code: 'key_revoked' })
        await ledger.freeze({ kind: 'vendor', value: 'stripe' }, null, 'operator')
        expect(ledger.mayLeaveAgain(stranger)).toMatchObject({ code: 'key_frozen' })
      })

      test('revoked again, also after a restart, a key gives its first reply', async () => {
        const key = await newKey(ledger)
        const { callId } = await ledger.admit(draft(key, '1.00'), allow)
        ledger.mayLeave(callId)
        const first = await ledger.revoke(key.id, 'first', 'operator')
        book.clock.at += HOUR
        expect(await ledger.revoke(key.id, 'second', 'operator')).toEqual(first)
        const after = await book.crash()
        expect(await after.revoke(key.id, 'third', 'operator')).toEqual(first)
        expect(after.key(key.id)!.revokeReason).toBe('first')
        const kinds = (await after.entries(0, 100)).map((each) => each.kind)
        expect(kinds.filter((each) => each === 'key.revoked')).toHaveLength(1)
      })

      test('a key that expires while its call waits lets nothing leave', async () => {
        const key = await newKey(ledger, { expiresAt: book.clock.at + SECOND })
        const early = await ledger.admit(draft(key, '1.00'), allow)
        const late = await ledger.admit(draft(key, '1.00'), allow)
        expect(ledger.mayLeave(early.callId)).toBe(true)
        book.clock.at += SECOND
        expect(ledger.mayLeave(late.callId)).toMatchObject({ code: 'key_expired' })
      })

      test('a child lives no longer than its parent', async () => {
        const root = await newKey(ledger, { expiresAt: book.clock.at + SECOND })
        const child = await newKey(ledger, { parentId: root.id, expiresAt: null })
        book.clock.at += SECOND
        expect(ledger.stands(child, 'run_1', 'stripe')).toMatchObject({ code: 'key_expired' })
      })

      test('a call leaves once, and only when it was admitted', async () => {
        const key = await newKey(ledger)
        const { callId } = await ledger.admit(draft(key, '1.00'), allow)
        const denied = await ledger.admit(draft(key, '1.00'), refuse('amount_unknown'))
        ledger.mayLeave(callId)
        for (const id of [callId, denied.callId, 'call_0000000zzz', 'nonsense'])
          expect(() => ledger.mayLeave(id)).toThrow(/leaves once, and only after its admission/)
      })

      test.each<[string, (ids: { root: string }) => FreezeScope, string[]]>([
        ['all', () => ({ kind: 'all' }), ['child', 'run', 'vendor', 'other']],
        ['a key covers its descendants', ({ root }) => ({ kind: 'key', value: root }), ['child', 'run', 'vendor']],
        ['a run', () => ({ kind: 'run', value: 'run_9' }), ['run']],
        ['a vendor', () => ({ kind: 'vendor', value: 'twilio' }), ['vendor']],
      ])('freezing %s stops what it covers and nothing else, also after a restart', async (_name, scopeOf, stopped) => {
        const root = await newKey(ledger)
        const child = await newKey(ledger, { parentId: root.id })
        const other = await newKey(ledger)
        const scope = scopeOf({ root: root.id })
        const calls = {
          child: draft(child, '1.00', { perMinute: [null, null] }),
          run: draft(root, '1.00', { run: 'run_9' }),
          vendor: draft(root, '1.00', { vendor: 'twilio' }),
          other: draft(other, '1.00'),
        }
        const waiting: [string, string][] = []
        for (const [label, call] of Object.entries(calls))
          waiting.push([label, (await ledger.admit(call, allow)).callId])
        await ledger.freeze(scope, 'stop', 'operator')
        for (const [label, id] of waiting) {
          const may = ledger.mayLeave(id)
          if (stopped.includes(label)) expect(may, label).toMatchObject({ code: 'key_frozen' })
          else expect(may, label).toBe(true)
        }
        const after = await book.crash()
        expect(after.freezes()).toEqual([{ scope, at: book.clock.at, reason: 'stop' }])
        for (const [label, call] of Object.entries(calls)) {
          const frozen = (await admitted(after, call, allow)).usage.frozen
          if (stopped.includes(label)) expect(frozen, label).toMatchObject({ reason: 'stop' })
          else expect(frozen, label).toBeNull()
        }
        await after.unfreeze(scope, 'operator')
        expect(after.freezes()).toEqual([])
        for (const call of Object.values(calls)) expect(after.stands(call.key, call.run, call.vendor)).toBe(true)
      })

      test('a key can still be revoked after another change was refused', async () => {
        const root = await newKey(ledger)
        await newKey(ledger, { parentId: root.id })
        await ledger.putCredential(credential({ name: 'taken' }), 'credential.added', 'operator')
        const second = ledger.putCredential(credential({ name: 'taken' }), 'credential.added', 'operator')
        await expect(second).rejects.toThrow(LedgerConflict)
        await ledger.revoke(root.id, null, 'operator')
        const { rows: keys } = await ledger.keys({ limit: 10 })
        expect(keys.map((key) => key.revokedAt)).toEqual([book.clock.at, book.clock.at])
      })
    })

    describe('rate windows', () => {
      const limit = { perMinute: [10] }
      const seen = async (of: Ledger, key: string, more = {}): Promise<{ count: number; oldestAt: number }> =>
        (await admitted(of, draft(of.key(key)!, '1.00', { ...limit, ...more }))).usage.rate[0]!

      test('hold the calls of the last 60 seconds, and go on over a restart', async () => {
        const key = await newKey(ledger)
        const start = book.clock.at
        for (let i = 0; i < 5; i++) {
          expect(await seen(ledger, key.id)).toEqual({ count: i, oldestAt: start })
          book.clock.at += 10 * SECOND
        }
        const after = await book.crash()
        expect(await seen(after, key.id)).toEqual({ count: 5, oldestAt: start })
        book.clock.at = start + 60 * SECOND
        expect(await seen(after, key.id)).toEqual({ count: 5, oldestAt: start + 10 * SECOND })
        book.clock.at = start + 300 * SECOND
        expect(await seen(after, key.id)).toEqual({ count: 0, oldestAt: book.clock.at })
      })

      test('a call counts for its ancestors too, before a restart and after', async () => {
        const root = await newKey(ledger)
        const child = await newKey(ledger, { parentId: root.id })
        for (let i = 0; i < 3; i++) await ledger.admit(draft(child, '1.00', { perMinute: [null, 10] }), allow)
        expect((await seen(ledger, root.id)).count).toBe(3)
        const after = await book.reopen()
        expect((await seen(after, root.id)).count).toBe(4)
      })

      test('refusals that come before the rate rule do not count, those after it do', async () => {
        const key = await newKey(ledger)
        for (const code of ['operation_not_allowed', 'rate_limited', 'key_frozen', 'request_malformed'] as const)
          await ledger.admit(draft(key, '1.00', limit), refuse(code))
        expect((await seen(ledger, key.id)).count).toBe(0)
        await ledger.admit(draft(key, '1.00', limit), refuse('daily_cap_exceeded'))
        expect((await seen(ledger, key.id)).count).toBe(2)
        const after = await book.reopen()
        expect((await seen(after, key.id)).count).toBe(3)
      })

      test('a place taken before the look-ups is not taken twice', async () => {
        const key = await newKey(ledger)
        const call = draft(key, '1.00', limit)
        expect(await ledger.clear(call, () => null)).toBeNull()
        const { usage } = await admitted(ledger, { ...call, rateCounted: true })
        expect(usage).toMatchObject({ rateCounted: true, rate: [{ count: 1 }] })
        expect((await seen(ledger, key.id)).count).toBe(1)
      })

      test('a call that is not cleared takes no place, and leaves no row of its own', async () => {
        const key = await newKey(ledger)
        const denial = { code: 'rate_limited', rule: 'rate', message: 'Too fast.' } as const
        expect(await ledger.clear(draft(key, '1.00', limit), () => denial)).toEqual(denial)
        expect(await rows(ledger)).toEqual([])
        expect((await seen(ledger, key.id)).count).toBe(0)
      })

      test('a change that was refused does not make calls of child keys count twice', async () => {
        const root = await newKey(ledger)
        const child = await newKey(ledger, { parentId: root.id })
        await ledger.admit(draft(child, '1.00', { perMinute: [10, 10] }), allow)
        await expect(ledger.narrowKey('key_nobody', {}, 'operator')).rejects.toThrow(LedgerConflict)
        expect((await seen(ledger, root.id)).count).toBe(1)
      })
    })

    describe('keys, credentials, policies and settings', () => {
      test('a key is found by its digest, and is the same after a restart', async () => {
        const key = await newKey(ledger, {
          run: 'run_7',
          runCap: dollars('12.50'),
          test: true,
          expiresAt: 9_999_999_999_999,
          narrowings: [{ daily_cap_usd: '1.00' }],
        })
        const narrowed = await ledger.narrowKey(key.id, { daily_cap_usd: '0.50' }, 'operator')
        expect(narrowed.narrowings).toEqual([{ daily_cap_usd: '1.00' }, { daily_cap_usd: '0.50' }])
        expect(ledger.findKey(key.digest)).toEqual(narrowed)
        const after = await book.crash()
        expect(after.findKey(key.digest)).toEqual(narrowed)
        expect(after.findKey('0'.repeat(64))).toBeNull()
        expect(after.key('key_nobody')).toBeNull()
      })

      test('the same policy text is the same version, another text the next', async () => {
        const first = await ledger.addPolicy('refunds', { cap: '1.00' }, 'operator')
        const same = await ledger.addPolicy('refunds', { cap: '1.00' }, 'operator')
        const next = await ledger.addPolicy('refunds', { cap: '2.00' }, 'operator')
        const other = await ledger.addPolicy('payouts', { cap: '1.00' }, 'operator')
        expect(same).toEqual(first)
        expect([first.version, next.version, other.version]).toEqual([1, 2, 1])
        expect(new Set([first.id, next.id, other.id]).size).toBe(3)
        expect((await book.reopen()).policies()).toEqual(expect.arrayContaining([first, next, other]))
      })

      test('a credential in use cannot be removed until its last key is revoked or expired', async () => {
        const kept = credential()
        await ledger.putCredential(kept, 'credential.added', 'operator')
        const key = await newKey(ledger, { credentialIds: [kept.id] })
        const brief = await newKey(ledger, { credentialIds: [kept.id], expiresAt: book.clock.at + HOUR })
        await expect(ledger.removeCredential(kept.id, 'operator')).rejects.toThrow(LedgerConflict)
        await ledger.revoke(key.id, null, 'operator')
        await expect(ledger.removeCredential(kept.id, 'operator')).rejects.toThrow(brief.id)
        expect(ledger.credential(kept.id)).toEqual(kept)
        book.clock.at += HOUR
        await ledger.removeCredential(kept.id, 'operator')
        expect((await book.reopen()).credentials()).toEqual([])
      })

      test('a rotated credential keeps its id; a name is taken once', async () => {
        const kept = credential({ name: 'main' })
        await ledger.putCredential(kept, 'credential.added', 'operator')
        const rotated = { ...kept, sealed: 'sealed anew', last4: '9999', rotatedAt: 5 }
        await ledger.putCredential(rotated, 'credential.rotated', 'operator')
        await expect(
          ledger.putCredential(credential({ name: 'main' }), 'credential.added', 'operator'),
        ).rejects.toThrow(/main/)
        expect((await book.reopen()).credentials()).toEqual([rotated])
      })

      test('settings keep any JSON value', async () => {
        expect(ledger.setting('rates')).toBeUndefined()
        const value = { usd_per: { eur: '1.09' }, list: [1, null, 'ä'] }
        await ledger.putSetting('rates', value, 'operator')
        await ledger.putSetting('other', 'x', 'operator')
        await ledger.putSetting('other', false, 'operator')
        const after = await book.crash()
        expect([after.setting('rates'), after.setting('other')]).toEqual([value, false])
      })

      test('an implicit run lasts while it is used, over a restart too', async () => {
        const key = await newKey(ledger)
        const idleMs = 30 * 60 * SECOND
        const first = ledger.implicitRun(key.id, idleMs)
        expect(first).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
        await ledger.admit(draft(key, '1.00', { run: first, runSource: 'implicit' }), allow)
        book.clock.at += idleMs - 1
        expect(ledger.implicitRun(key.id, idleMs)).toBe(first)
        await ledger.admit(draft(key, '1.00', { run: first, runSource: 'implicit' }), allow)
        book.clock.at += idleMs - 1
        const after = await book.reopen()
        expect(after.implicitRun(key.id, idleMs)).toBe(first)
        book.clock.at += 1
        expect(after.implicitRun(key.id, idleMs)).not.toBe(first)
      })
    })

    describe('what a reissued key takes over', () => {
      const spentOn = async (key: KeyRecord, amount: string, more: Partial<CallDraft> = {}): Promise<string> =>
        done(ledger, draft(key, amount, { perMinute: [], ...more }), reply('settled'))

      test('is what the old key and its descendants spent or hold, since each budget began and for its vendor', async () => {
        const old = await newKey(ledger)
        const child = await newKey(ledger, { parentId: old.id })
        const other = await newKey(ledger)
        await spentOn(old, '1000.00')
        book.clock.at += DAY
        const today = book.clock.at
        await spentOn(old, '100.00')
        await spentOn(child, '20.00', { vendor: 'twilio' })
        await spentOn(other, '7000.00')
        await ledger.admit(draft(old, '3.00'), allow)
        await done(ledger, draft(old, '0.40'), reply('assumed'))
        await done(ledger, draft(old, '500.00'), reply('released'))
        const day = budget('key:new', '200.00', { since: today })
        const twilio = budget('key:new:twilio', '200.00', { since: today, vendor: 'twilio' })
        const ever = budget('key:new:ever', '5000.00')
        await ledger.carryOver(old.id, [day, twilio, ever], 'operator')
        const carried = (await Promise.all([day, twilio, ever].map((each) => counted(ledger, each)))).map(
          (each) => each.spent,
        )
        expect(carried).toEqual(['123.40', '20.00', '1123.40'].map(dollars))
        expect(await ledger.verify()).toEqual([])
        const after = await book.crash()
        expect(await counted(after, day)).toEqual({ spent: dollars('123.40'), held: ZERO })
        const fresh = await newKey(after)
        const over = await admitted(after, draft(fresh, '76.61', { budgets: [day] }))
        expect(over.decision.verdict).toBe('deny')
        expect(await after.verify()).toEqual([])
      })

      test('is what every key before it spent, also where one in between had no such budget', async () => {
        const first = await newKey(ledger)
        await spentOn(first, '100.00')
        const second = await newKey(ledger, { replaces: first.id })
        await ledger.carryOver(first.id, [], 'operator')
        await spentOn(second, '20.00')
        const third = await newKey(ledger, { replaces: second.id })
        const day = budget(`key:${third.id}`, '200.00')
        await ledger.carryOver(second.id, [day], 'operator')
        expect(await counted(ledger, day)).toEqual({ spent: dollars('120.00'), held: ZERO })
        expect((await book.reopen()).key(third.id)).toMatchObject({ replaces: second.id })
      })

      test('of a key that is bound to a run is carried under the run too', async () => {
        const old = await newKey(ledger, { run: 'run_7' })
        const spent = budget(`run:${old.id}:run_7`, '50.00')
        await spentOn(old, '30.00', { budgets: [spent] })
        const next = budget('run:key_next:run_7', '50.00')
        await ledger.carryOver(old.id, [next], 'operator')
        expect((await counted(ledger, next)).spent).toBe(dollars('30.00'))
      })

      test('is in no report a second time', async () => {
        const old = await newKey(ledger)
        await spentOn(old, '100.00')
        await ledger.carryOver(old.id, [budget('key:new', '200.00')], 'operator')
        expect((await ledger.spend('key', {})).map((each) => [each.by, each.spent])).toEqual([
          [old.id, dollars('100.00')],
        ])
      })
    })

    describe('reports', () => {
      test('calls are paged newest first, and rows that arrive meanwhile shift nothing', async () => {
        const key = await newKey(ledger)
        for (let i = 0; i < 25; i++) await ledger.admit(draft(key, '1.00'), allow)
        const before = (await rows(ledger)).map((each) => each.id).reverse()
        const paged: string[] = []
        let cursor: string | undefined
        for (;;) {
          const page = await ledger.calls({}, { limit: 4, ...(cursor === undefined ? {} : { cursor }) })
          paged.push(...page.rows.map((each) => each.id))
          await ledger.admit(draft(key, '1.00'), allow)
          if (page.next === null) break
          cursor = page.next
        }
        expect(paged).toEqual(before)
      })

      test('filters of calls hold together', async () => {
        const [a, b] = [await newKey(ledger), await newKey(ledger)]
        await done(ledger, draft(a, '1.00'), reply('settled'))
        const wanted = await done(ledger, draft(a, '1.00', { vendor: 'twilio', run: 'run_2' }), reply('settled'))
        await ledger.admit(draft(a, '1.00', { vendor: 'twilio', run: 'run_2' }), allow)
        await done(ledger, draft(b, '1.00', { vendor: 'twilio', run: 'run_2' }), reply('settled'))
        const found = await ledger.calls({ key: a.id, run: 'run_2', vendor: 'twilio', state: 'settled' }, { limit: 10 })
        expect(found).toMatchObject({ rows: [{ id: wanted }], next: null })
        expect((await ledger.calls({ key: 'key_nobody' }, { limit: 10 })).rows).toEqual([])
      })

      test('runs are paged by latest use, each root key with its own, none twice', async () => {
        const [a, b] = [await newKey(ledger), await newKey(ledger)]
        const child = await newKey(ledger, { parentId: a.id })
        const used: string[] = []
        for (let i = 0; i < 11; i++) {
          // Some share an instant, so that only the whole cursor tells them apart.
          if (i % 3 === 0) book.clock.at += SECOND
          await ledger.admit(draft(i % 2 ? a : b, '1.00', { run: `run_${i}` }), allow)
          used.push(`run_${i}`)
        }
        await ledger.admit(draft(b, '1.00', { run: 'run_1' }), allow)
        await ledger.admit(draft(child, '1.00', { run: 'run_1', perMinute: [null, null] }), allow)
        const paged: [string, string][] = []
        let cursor: string | undefined
        do {
          const page = await ledger.runs({ limit: 2, ...(cursor === undefined ? {} : { cursor }) })
          paged.push(...page.rows.map((each): [string, string] => [each.run, each.keyId]))
          cursor = page.next ?? undefined
        } while (cursor !== undefined)
        expect(new Set(paged.map((each) => each.join(' '))).size).toBe(paged.length)
        expect(paged).toHaveLength(12)
        expect(paged.filter(([run]) => run === 'run_1').map(([, key]) => key)).toEqual(
          expect.arrayContaining([a.id, b.id]),
        )
        expect((await ledger.runs({ limit: 50 }, child.id)).rows.map((each) => each.run).sort()).toEqual(
          used.filter((_, i) => i % 2).sort(),
        )
        expect(await ledger.run('run_1', child.id)).toMatchObject({ calls: 2, keyId: a.id })
        expect(await ledger.run('run_1')).toMatchObject({ calls: 3 })
        expect(await ledger.run('run_nobody')).toBeNull()
      })

      test('a run says what it cost by vendor, and when it began and ended', async () => {
        const key = await newKey(ledger)
        const firstAt = book.clock.at
        await done(ledger, draft(key, '10.00'), reply('settled', { amount: dollars('9.00') }))
        await done(ledger, draft(key, '0.0083', { vendor: 'twilio' }), reply('settled'))
        await ledger.admit(draft(key, '5.00'), allow)
        book.clock.at += HOUR
        await ledger.admit(draft(key, '5.00'), refuse('amount_over_limit'))
        expect(await ledger.run('run_1')).toEqual({
          run: 'run_1',
          keyId: key.id,
          calls: 4,
          denied: 1,
          spent: dollars('9.0083'),
          held: dollars('5.00'),
          byVendor: { stripe: dollars('9.00'), twilio: dollars('0.0083') },
          firstAt,
          lastAt: book.clock.at,
        })
      })

      test('keys are paged newest first', async () => {
        const made: string[] = []
        for (let i = 0; i < 5; i++) made.push((await newKey(ledger)).id)
        const first = await ledger.keys({ limit: 2 })
        await newKey(ledger)
        const second = await ledger.keys({ limit: 2, cursor: first.next! })
        const third = await ledger.keys({ limit: 2, cursor: second.next! })
        const paged = [...first.rows, ...second.rows, ...third.rows].map((each) => each.id)
        expect(paged).toEqual(made.reverse())
        expect(third.next).toBeNull()
      })

      test('spend over any span equals the sum over its calls, by every dimension', async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(anEvent, { minLength: 1, maxLength: 40 }), aSpan, aSpan, async (events, x, y) => {
            const own = await open()
            try {
              const of = own.ledger
              const keys = [await newKey(of), await newKey(of)]
              const start = own.clock.at
              for (const event of events) {
                own.clock.at += event.waitMs
                const call = draft(keys[event.key]!, '0.00', {
                  quoted: usd(event.amount),
                  run: `run_${event.run}`,
                  vendor: event.vendor,
                  operation: event.operation,
                })
                const { callId } = await of.admit(call, event.outcome === 'denied' ? refuse('amount_unknown') : allow)
                if (event.outcome === 'denied' || event.outcome === 'open') continue
                of.mayLeave(callId)
                of.settle(callId, reply(event.outcome, event.outcome === 'settled' ? { amount: usd(event.cost) } : {}))
              }
              const range = spanOf(start + Math.min(x ?? -1, y ?? -1), start + Math.max(x ?? -1, y ?? -1), x, y)
              const all = await rows(of)
              expect(all).toHaveLength(events.length)
              for (const by of DIMENSIONS) expect(await of.spend(by, range)).toEqual(bruteForce(all, by, range))
              expect(await of.verify()).toEqual([])
            } finally {
              await own.close()
            }
          }),
          { numRuns: runsOn(name, 25) },
        )
      })

      test('spend stays exact when the system clock was set back a little between two starts', async () => {
        const key = await newKey(ledger)
        for (let i = 0; i < 10; i++) {
          await ledger.admit(draft(key, '1.00'), allow)
          book.clock.at += 30 * SECOND
        }
        book.clock.at -= 4 * 60 * SECOND
        const after = await book.reopen()
        for (let i = 0; i < 10; i++) {
          await after.admit(draft(after.key(key.id)!, '1.00'), allow)
          book.clock.at += 30 * SECOND
        }
        const all = await rows(after)
        const ends = [...new Set(all.map((each) => each.at))]
        for (const from of ends) {
          for (const to of ends) {
            if (from < to) expect(await after.spend('key', { from, to })).toEqual(bruteForce(all, 'key', { from, to }))
          }
        }
      })
    })

    describe('entries', () => {
      test('tell the whole life of every call, chained by hashes anyone can compute again', async () => {
        const key = await newKey(ledger)
        await done(ledger, draft(key, '5.00'), reply('settled', { amount: dollars('4.00') }))
        await ledger.admit(draft(key, '5.00'), refuse('amount_over_limit'))
        await ledger.freeze({ kind: 'all' }, null, 'operator')
        const after = await book.reopen()
        await after.unfreeze({ kind: 'all' }, 'operator')
        const entries = await after.entries(0, 100)
        expect(entries.map((each) => each.kind)).toEqual([
          'policy.added',
          'key.created',
          'reserved',
          'settled',
          'denied',
          'frozen',
          'unfrozen',
        ])
        expect(entries.map((each) => each.seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
        let head = '0'.repeat(64)
        for (const entry of entries) {
          const callSeq = entry.callId === null ? '' : (await row(after, entry.callId)).seq
          const text = [head, entry.seq, entry.at, entry.kind, callSeq, entry.amount, entry.detail].join('\n')
          head = createHash('sha256').update(text).digest('hex')
          expect(entry.hash).toBe(head)
        }
        expect(await after.entries(5, 1)).toEqual([entries[5]])
      })

      test('every change an operator makes leaves one that names the operator', async () => {
        const key = await newKey(ledger, { actor: 'ada' })
        await ledger.narrowKey(key.id, { daily_cap_usd: '1.00' }, 'ada')
        await ledger.revoke(key.id, null, 'ada')
        const kept = credential()
        await ledger.putCredential(kept, 'credential.added', 'ada')
        await ledger.putCredential(kept, 'credential.rotated', 'ada')
        await ledger.removeCredential(kept.id, 'ada')
        await ledger.putSetting('rates', {}, 'ada')
        const entries = (await ledger.entries(1, 100)).map((each) => [
          each.kind,
          (JSON.parse(each.detail) as { actor: string }).actor,
        ])
        expect(entries).toEqual(
          [
            'key.created',
            'key.narrowed',
            'key.revoked',
            'credential.added',
            'credential.rotated',
            'credential.removed',
            'setting.changed',
          ].map((kind) => [kind, 'ada']),
        )
      })

      test('a change that was refused leaves none', async () => {
        await expect(ledger.revoke('key_nobody', null, 'operator')).rejects.toThrow(LedgerConflict)
        await expect(ledger.narrowKey('key_nobody', {}, 'operator')).rejects.toThrow(LedgerConflict)
        await expect(newKey(ledger, { policyId: 'pol_x', parentId: 'key_nobody' })).rejects.toThrow(LedgerConflict)
        expect(await ledger.entries(0, 10)).toEqual([])
        expect(await ledger.verify()).toEqual([])
      })
    })

    describe('verify', () => {
      test.each([
        ['the amount of a call', `update calls set settled = settled - 1000000 where seq = 2`],
        ['the state of a call', `update calls set state = 'released', settled = 0 where seq = 2`],
        ['the reservation of a call', `update calls set reserved = reserved + 1 where seq = 3`],
        ['which counters a call is on', `update calls set counters = '' where seq = 2`],
        ['whose call it was', `update calls set key_id = 'key_other' where seq = 2`],
        ['which operation it was', `update calls set operation = 'charges.list' where seq = 2`],
        ['what was asked', `update calls set request_hash = 'other' where seq = 2`],
        ['that a call was made', `delete from calls where seq = 2`],
        ['how often a call was refused', `update calls set count = 3 where state = 'denied'`],
        ['the amount of an entry', `update entries set amount = amount + 1 where seq = 4`],
        [
          'the wording of an entry',
          `update entries set detail = replace(detail, 'run_1', 'run_2') where kind = 'reserved'`,
        ],
        ['an entry to something unreadable', `update entries set detail = 'gone' where kind = 'reserved'`],
        ['when an entry was made', `update entries set at = at + 1 where seq = 4`],
        ['the hash of an entry', `update entries set hash = '${'0'.repeat(64)}' where seq = 4`],
        ['that an entry in the middle was made', `delete from entries where seq = 5`],
        ['that the last entry was made', `delete from entries where seq = (select max(seq) from entries)`],
        ['that all entries were made', `delete from entries`],
        ['what a counter has spent', `update counters set spent = spent - 1`],
        ['what a counter holds', `update counters set held = held + 1`],
        ['which window a counter is of', `update counters set "window" = '2026-11-20'`],
        ['what a counter counts', `update counters set counter = 'key:b'`],
        ['that a counter exists', `delete from counters`],
        ['the list of a key', `update calls set before_of_key = null where seq = 2`],
        ['the list of a run', `update threads set seq = 1 where name = 'run run_1'`],
        ['a daily sum', `update tallies set spent = spent + 1`],
        ['which day a sum is of', `update tallies set day = '2026-11-20'`],
        ['which operation a sum is of', `update tallies set operation = 'x' where operation = 'refunds.create'`],
        ['the number of calls of a run', `update runs set calls = calls - 1`],
        ['that a run was', `delete from runs`],
      ])('finds when somebody changed %s', async (_what, sql) => {
        const key = await newKey(ledger)
        const budgets = [budget('key:a', '1000.00')]
        await done(ledger, draft(key, '5.00', { budgets }), reply('settled'))
        await done(ledger, draft(key, '50.00', { budgets }), reply('settled', { amount: dollars('45.00') }))
        await ledger.admit(draft(key, '9.00', { budgets }), refuse('amount_over_limit'))
        await done(ledger, draft(key, '7.00', { budgets }), reply('assumed'))
        expect(await ledger.verify()).toEqual([])
        const after = await book.alter(sql)
        const faults = await after.verify()
        expect(faults).not.toEqual([])
        for (const fault of faults) expect(fault).toMatch(/^\S.*\.$/)
      })

      test('names the call whose amount was changed', async () => {
        const key = await newKey(ledger)
        const id = await done(ledger, draft(key, '5.00'), reply('settled'))
        const after = await book.alter(`update calls set settled = 1 where seq = 1`)
        expect((await after.verify())[0]).toContain(id)
      })
    })

    test('random work with crashes in between never passes a cap, and the book stays sound', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(aStep, { minLength: 5, maxLength: 60 }), async (steps) => {
          const own = await open()
          try {
            await playOut(own, steps)
          } finally {
            await own.close()
          }
        }),
        { numRuns: runsOn(name, 25) },
      )
    })
  })
}

const DIMENSIONS: readonly SpendBy[] = ['run', 'key', 'vendor', 'operation', 'day']

const anEvent = fc.record({
  waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4 * HOUR }), fc.integer({ min: 1, max: 2 * DAY })),
  key: fc.integer({ min: 0, max: 1 }),
  run: fc.integer({ min: 0, max: 2 }),
  vendor: fc.constantFrom('stripe', 'twilio'),
  operation: fc.constantFrom('refunds.create', 'messages.create', null),
  amount: fc.bigInt(0n, 5_000_000n),
  cost: fc.bigInt(0n, 6_000_000n),
  outcome: fc.constantFrom('denied', 'open', 'settled', 'released', 'assumed'),
})
/** Milliseconds after the start; null for an open end. Whole days among them, because midnight is where reports break. */
const aSpan = fc.oneof(
  fc.constant(null),
  fc.integer({ min: 0, max: 12 * DAY }),
  fc.integer({ min: 0, max: 12 }).map((day) => day * DAY + 12 * HOUR),
)

type Span = { readonly from?: number; readonly to?: number }

function spanOf(low: number, high: number, x: number | null, y: number | null): Span {
  if (x === null && y === null) return {}
  if (x === null) return { from: high }
  if (y === null) return { to: high }
  return { from: low, to: high }
}

function bruteForce(all: readonly CallRow[], by: SpendBy, { from = -Infinity, to = Infinity }: Span): SpendRow[] {
  const label = {
    run: (each: CallRow) => each.run,
    key: (each: CallRow) => each.keyId,
    vendor: (each: CallRow) => each.vendor,
    operation: (each: CallRow) => each.operation ?? '',
    day: (each: CallRow) => new Date(each.at).toISOString().slice(0, 10),
  }[by]
  const within = all.filter((each) => each.at >= from && each.at < to)
  return [...new Set(within.map(label))].sort().map((name) => {
    const group = within.filter((each) => label(each) === name)
    const times = (some: readonly CallRow[]): number => some.reduce((total, each) => total + each.count, 0)
    return {
      by: name,
      spent: sum(group.map((each) => each.settled)),
      held: sum(group.filter((each) => each.state === 'reserved').map((each) => each.reserved)),
      calls: times(group),
      denied: times(group.filter((each) => each.state === 'denied')),
    }
  })
}

const aStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('admit' as const),
      cents: fc.integer({ min: 0, max: 4_000 }),
      times: fc.integer({ min: 1, max: 6 }),
      object: fc.constantFrom(null, 'pi_1', 'pi_2'),
      idempotency: fc.constantFrom(null, null, 'idem_1', 'idem_2'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(),
      outcome: fc.constantFrom('settled' as const, 'released' as const, 'assumed' as const),
      /** Share of the reservation that it cost, in percent. */
      percent: fc.integer({ min: 0, max: 100 }),
      /** What its object comes to in total, as the vendor says; null when it does not. */
      totalCents: fc.option(fc.integer({ min: 0, max: 4_000 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resolve' as const), which: fc.nat(), happened: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'reopen' as const) }) },
)
type Step = typeof aStep extends fc.Arbitrary<infer T> ? T : never

/** Plays steps against a ledger and, after each, holds its counter against the rows it is the sum of. */
async function playOut(book: Book, steps: readonly Step[]): Promise<void> {
  let { ledger } = book
  const key = await newKey(ledger)
  const cap = budget('key:a', '100.00')
  let open: string[] = []
  for (const step of steps) {
    if (step.do === 'admit') {
      const calls = Array.from({ length: step.times }, (_, i) =>
        draft(key, '0.00', {
          quoted: usd(BigInt(step.cents) * 10_000n),
          budgets: [cap],
          object: step.object,
          idempotencyHash: step.idempotency,
          requestHash: step.idempotency ? `${step.cents} ${step.object}` : `${i}`,
        }),
      )
      const before = await counted(ledger, cap)
      for (const admission of await Promise.all(calls.map((call) => ledger.admit(call, cautious)))) {
        if (admission.decision.verdict === 'deny') continue
        ledger.mayLeave(admission.callId)
        open.push(admission.callId)
      }
      // A settlement above its reservation may pass the cap, an admission never.
      const { spent, held } = await counted(ledger, cap)
      if (spent + held > cap.cap) expect(held).toBe(before.held)
    } else if (step.do === 'settle' && open.length > 0) {
      const [id] = open.splice(step.which % open.length, 1)
      const { reserved } = await row(ledger, id!)
      const total = step.totalCents === null ? {} : { total: usd(BigInt(step.totalCents) * 10_000n) }
      ledger.settle(id!, reply(step.outcome, { amount: usd((reserved * BigInt(step.percent)) / 100n), ...total }))
    } else if (step.do === 'resolve') {
      const assumed = (await rows(ledger)).filter((each) => each.state === 'assumed')
      if (assumed.length === 0) continue
      ledger.settle(assumed[step.which % assumed.length]!.id, reply(step.happened ? 'settled' : 'released'))
    } else if (step.do === 'crash' || step.do === 'reopen') {
      ledger = await book[step.do]()
      open = []
    }
    await ledger.flushed()
    const all = await rows(ledger)
    expect(await counted(ledger, cap)).toEqual({
      spent: sum(all.map((each) => each.settled)),
      held: sum(all.filter((each) => each.state === 'reserved').map((each) => each.reserved)),
    })
  }
  expect(await ledger.verify()).toEqual([])
}

/** Says no over a cap, and to an idempotency key that was used for something else, as the real rules do. */
const cautious = (usage: Usage): Decision =>
  usage.earlier?.stands && !usage.earlier.sameRequest ? refuse('idempotency_mismatch')() : capped(usage)
