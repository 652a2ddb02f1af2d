import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LedgerConflict, type KeyRecord, type Ledger, type Word } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import {
  admitted,
  allow,
  budget,
  counted,
  DAY,
  dollars,
  done,
  draft,
  HOUR,
  newKey,
  reply,
  row,
  SECOND,
  unique,
  runsOn,
} from './book.js'
import type { Book } from './contract.js'

const WORD: Word = { actor: 'reconciliation', reason: 'The vendor’s records say so.' }
const SEEN = { status: null, requestId: null, ms: null }

/** What src/contracts/ledger.ts promises of outcomes and prices that are found out later, for any store. */
export function reconciliationContract(name: string, open: () => Promise<Book>): void {
  describe(`${name}: what is found out later`, () => {
    let book: Book
    let ledger: Ledger
    let key: KeyRecord
    const cap = budget('key:a', '10.00')
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
      key = await newKey(ledger)
    })
    afterEach(async () => {
      expect(await ledger.verify()).toEqual([])
      await book.close()
    })

    const assumed = (amount: string, more: Parameters<typeof draft>[2] = {}): Promise<string> =>
      done(ledger, draft(key, amount, { budgets: [cap], ...more }), reply('assumed'))
    const spent = async (): Promise<bigint> => (await counted(ledger, cap)).spent

    test('calls in doubt are listed with what was sent and the key it went out under, oldest first', async () => {
      const first = await assumed('1.00', { idempotencyHash: 'sg_a' })
      await done(ledger, draft(key, '1.00'), reply('settled'))
      const second = await done(ledger, draft(key, '2.00'), reply('assumed', { evidence: 'sealed text' }))
      const page = await ledger.doubts(null, { limit: 1 })
      expect(page.rows).toMatchObject([{ id: first, idempotencyHash: 'sg_a', keyCertain: true, evidence: null }])
      const { rows, next } = await ledger.doubts(null, { limit: 1, cursor: page.next! })
      expect(rows).toMatchObject([{ id: second, idempotencyHash: null, keyCertain: true, evidence: 'sealed text' }])
      expect(next).toBeNull()
      book.clock.at += HOUR
      expect((await ledger.doubts(book.clock.at, { limit: 9 })).rows).toEqual([])
    })

    test('a settled one counts what it cost, a released one nothing, on the day of the call', async () => {
      const [cheaper, dearer, not] = [await assumed('3.00'), await assumed('3.00'), await assumed('3.00')]
      book.clock.at += DAY
      expect(
        await ledger.resolve(cheaper, { outcome: 'settled', amount: dollars('2.50'), ...SEEN }, WORD),
      ).toMatchObject({
        state: 'settled',
        settled: dollars('2.50'),
      })
      await ledger.resolve(dearer, { outcome: 'settled', amount: dollars('9.00'), ...SEEN }, WORD)
      expect(await ledger.resolve(not, { outcome: 'released', ...SEEN }, WORD)).toMatchObject({ settled: ZERO })
      expect(await spent()).toBe(dollars('11.50'))
      expect(await ledger.wordOn(not)).toEqual({ at: book.clock.at, ...WORD })
      expect(await ledger.spend('day', {})).toMatchObject([{ by: '2026-11-21', spent: dollars('11.50') }])
      ledger = await book.crash()
      expect(await spent()).toBe(dollars('11.50'))
    })

    test('a known outcome stays: neither a settled, a denied nor a reserved call is resolved', async () => {
      const settled = await done(ledger, draft(key, '1.00'), reply('settled'))
      const { callId: open } = await admitted(ledger, draft(key, '1.00'), allow)
      for (const id of [settled, open, 'call_00000zzzzz', 'nonsense'])
        await expect(ledger.resolve(id, { outcome: 'released', ...SEEN }, WORD)).rejects.toThrow(LedgerConflict)
      expect(await ledger.wordOn(settled)).toBeNull()
      const doubt = await assumed('1.00')
      await ledger.resolve(doubt, { outcome: 'settled', ...SEEN }, WORD)
      await expect(ledger.resolve(doubt, { outcome: 'released', ...SEEN }, WORD)).rejects.toThrow(/is known/)
      ledger.mayLeave(open)
      ledger.settle(open, reply('settled'))
    })

    test('what was repeated is not released while its repetition stands', async () => {
      const more = { idempotencyHash: 'sg_again', requestHash: 'same' }
      const original = await assumed('2.00', more)
      const repeated = await done(ledger, draft(key, '2.00', more), reply('assumed'))
      expect(await row(ledger, repeated)).toMatchObject({ replayOf: original })
      expect((await ledger.doubts(null, { limit: 9 })).rows.map((each) => each.idempotencyHash)).toEqual([
        'sg_again',
        'sg_again',
      ])
      await expect(ledger.resolve(original, { outcome: 'released', ...SEEN }, WORD)).rejects.toThrow(/repeated/)
      await ledger.resolve(repeated, { outcome: 'released', ...SEEN }, WORD)
      await ledger.resolve(original, { outcome: 'released', ...SEEN }, WORD)
      expect(await spent()).toBe(0n)
    })

    test('a resolved call on an object counts what the object came to beyond its other calls', async () => {
      const on = { object: 'pi_1' }
      await done(ledger, draft(key, '4.00', { ...on, budgets: [cap] }), reply('settled', { total: dollars('4.00') }))
      const more = await assumed('6.00', on)
      expect(await spent()).toBe(dollars('6.00'))
      await ledger.resolve(more, { outcome: 'settled', object: 'pi_1', total: dollars('5.00'), ...SEEN }, WORD)
      expect(await spent()).toBe(dollars('5.00'))
    })

    test('what was sent is kept while the outcome is not known, and no longer', async () => {
      const id = await done(ledger, draft(key, '1.00'), reply('assumed', { evidence: 'sealed' }))
      ledger = await book.crash()
      expect((await ledger.doubts(null, { limit: 9 })).rows).toMatchObject([{ id, evidence: 'sealed' }])
      await ledger.resolve(id, { outcome: 'settled', ...SEEN }, WORD)
      expect((await ledger.doubts(null, { limit: 9 })).rows).toEqual([])
    })

    test('an estimate is asked for after half a minute, and again when it is put off to', async () => {
      const at = book.clock.at
      const id = await done(ledger, draft(key, '1.00'), reply('settled', { estimate: 'SM1' }))
      expect(await ledger.estimates(at + 29 * SECOND, 9)).toEqual([])
      expect(await ledger.estimates(at + 30 * SECOND, 9)).toMatchObject([
        { callId: id, object: 'SM1', credentialId: 'cred_1', settled: dollars('1.00') },
      ])
      await ledger.putOff(id, at + HOUR)
      expect(await ledger.estimates(at + HOUR - 1, 9)).toEqual([])
      ledger = await book.reopen()
      expect(await ledger.estimates(at + HOUR, 9)).toHaveLength(1)
      await ledger.putOff(id, null)
      expect(await ledger.estimates(Number.MAX_SAFE_INTEGER, 9)).toEqual([])
    })

    test('ids of what calls made are known under their credential, priced or not', async () => {
      await done(ledger, draft(key, '1.00'), reply('settled', { estimate: 'SM1' }))
      await done(ledger, draft(key, '1.00'), reply('settled', { made: 'SM2' }))
      await done(ledger, draft(key, '1.00'), reply('settled', { object: 'SM3', total: dollars('1.00') }))
      await done(ledger, draft(key, '1.00'), reply('released', { estimate: 'SM4' }))
      expect([...(await ledger.knownObjects('cred_1', ['SM0', 'SM1', 'SM2', 'SM3', 'SM4']))].sort()).toEqual([
        'SM1',
        'SM2',
        'SM3',
      ])
      expect(await ledger.knownObjects('cred_2', ['SM1'])).toEqual(new Set())
      expect(await ledger.estimates(Number.MAX_SAFE_INTEGER, 9)).toMatchObject([{ object: 'SM1' }])
    })

    test('the price takes the place of the estimate on the day of the call, and may pass the cap', async () => {
      const id = await done(ledger, draft(key, '9.00', { budgets: [cap] }), reply('settled', { estimate: 'SM1' }))
      book.clock.at += DAY
      expect(await ledger.adjust(id, dollars('12.00'), WORD)).toMatchObject({
        state: 'settled',
        settled: dollars('12.00'),
      })
      expect(await spent()).toBe(dollars('12.00'))
      expect(await ledger.estimates(Number.MAX_SAFE_INTEGER, 9)).toEqual([])
      const refused = await admitted(ledger, draft(key, '0.01', { budgets: [cap] }))
      expect(refused.decision.verdict).toBe('deny')
      await ledger.adjust(id, ZERO, WORD)
      expect(await spent()).toBe(0n)
      expect(await ledger.spend('day', {})).toMatchObject([{ by: '2026-11-21', spent: ZERO }, { by: '2026-11-22' }])
    })

    test('the price of an object is shared by its calls, and what is too much is given back', async () => {
      const on = { object: 'pi_1', budgets: [cap] }
      const first = await done(
        ledger,
        draft(key, '4.00', on),
        reply('settled', { total: dollars('4.00'), estimate: 'pi_1' }),
      )
      const second = await done(
        ledger,
        draft(key, '6.00', on),
        reply('settled', { total: dollars('6.00'), estimate: 'pi_1' }),
      )
      await ledger.adjust(second, dollars('6.30'), WORD)
      expect([await row(ledger, first), await row(ledger, second)]).toMatchObject([
        { settled: dollars('4.00') },
        { settled: dollars('2.30') },
      ])
      await ledger.adjust(first, dollars('6.30'), WORD)
      expect(await spent()).toBe(dollars('6.30'))
      await ledger.adjust(second, dollars('3.00'), WORD)
      expect([await row(ledger, first), await row(ledger, second)]).toMatchObject([
        { settled: dollars('3.00') },
        { settled: ZERO },
      ])
      expect(await spent()).toBe(dollars('3.00'))
    })

    test('whatever is found out in whatever order, counters, reports and entries agree', async () => {
      const step = fc.record({
        what: fc.constantFrom('assume', 'settle', 'resolve', 'release', 'adjust', 'repeat'),
        which: fc.nat(20),
        cents: fc.integer({ min: 0, max: 500 }),
        object: fc.constantFrom(null, 'pi_a', 'pi_b'),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const ids: string[] = []
          const sent = new Map<string, { requestHash: string; idempotencyHash: string }>()
          for (const { what, which, cents, object } of steps) {
            const amount = dollars((cents / 100).toFixed(2))
            const id = ids[which % Math.max(ids.length, 1)]
            const as = { requestHash: unique('request'), idempotencyHash: unique('sg') }
            const call = draft(key, (cents / 100).toFixed(2), { object, budgets: [cap], ...as })
            const before = ids.length
            try {
              if (what === 'assume') ids.push(await done(ledger, call, reply('assumed')))
              else if (what === 'settle') {
                const total = object === null ? {} : { total: amount }
                ids.push(await done(ledger, call, reply('settled', { ...total, estimate: `x${which}` })))
              } else if (id === undefined) continue
              else if (what === 'repeat') {
                await done(ledger, { ...call, ...sent.get(id) }, reply(cents % 2 === 0 ? 'assumed' : 'settled'))
              } else if (what === 'adjust') {
                if ((await row(ledger, id)).state === 'settled') await ledger.adjust(id, amount, WORD)
              } else if (what === 'release') await ledger.resolve(id, { outcome: 'released', ...SEEN }, WORD)
              else
                await ledger.resolve(
                  id,
                  { outcome: 'settled', amount, ...(object && { total: amount }), ...SEEN },
                  WORD,
                )
              if (ids.length > before) sent.set(ids.at(-1)!, as)
            } catch (fault) {
              if (!(fault instanceof LedgerConflict)) throw fault
            }
          }
          expect(await ledger.verify()).toEqual([])
        }),
        { numRuns: runsOn(name, 10) },
      )
    })
  })
}
