import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyRecord, Ledger, Settlement, Word } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { allow, budget, counted, dollars, done, draft, newKey, reply, row, SECOND } from './book.js'
import type { Book } from './contract.js'

const WORD: Word = { actor: 'reconciliation', reason: 'The vendor’s records say so.' }
const SEEN = { status: null, requestId: null, ms: null }

/** What src/contracts/ledger.ts promises of how an outcome is booked, in its rarer turns, for any store. */
export function outcomesContract(name: string, open: () => Promise<Book>): void {
  describe(`${name}: how an outcome is booked`, () => {
    let book: Book
    let ledger: Ledger
    let key: KeyRecord
    const cap = budget('key:a', '1000.00')
    const other = budget('key:b', '1000.00')
    const budgets = [cap, other]
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
    const total = (object: string, amount: string): Settlement =>
      reply('settled', { object, total: dollars(amount), amount: dollars(amount) })

    test('an assumed call counts what was reserved, whatever else the reply says', async () => {
      const says = { amount: dollars('1.00'), object: 'pi_1', total: dollars('2.00') }
      const id = await done(ledger, draft(key, '5.00', { budgets }), reply('assumed', says))
      expect(await row(ledger, id)).toMatchObject({ state: 'assumed', settled: dollars('5.00'), object: 'pi_1' })
      expect(await spent()).toBe(dollars('5.00'))
    })

    test('a total counts only of an object that has a name', async () => {
      const id = await done(
        ledger,
        draft(key, '5.00', { budgets }),
        reply('settled', { amount: dollars('3.00'), total: dollars('4.00') }),
      )
      expect((await row(ledger, id)).settled).toBe(dollars('3.00'))
    })

    test('a call that went out under no credential counts like any other, and on no object', async () => {
      const bare = draft(key, '5.00', { budgets, credentialId: null, object: 'pi_1' })
      const id = await done(
        ledger,
        bare,
        reply('settled', { amount: dollars('3.00'), total: dollars('4.00'), estimate: 'pi_1' }),
      )
      expect((await row(ledger, id)).settled).toBe(dollars('3.00'))
      expect(await ledger.estimates(Number.MAX_SAFE_INTEGER, 9)).toEqual([])
      const again = await ledger.admit({ ...bare, requestHash: 'another' }, allow)
      expect(again.reserved).toBe(dollars('5.00'))
      ledger.mayLeave(again.callId)
      ledger.settle(again.callId, reply('released', { made: 'pi_2' }))
      await ledger.adjust(id, dollars('3.50'), WORD)
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('3.50'), held: ZERO })
      expect(await ledger.originOf(['cred_1'], ['pi_1', 'pi_2'])).toBeNull()
    })

    test('an entry names the object that a call was on instead, and what a refused call left, where there is any', async () => {
      await done(ledger, draft(key, '5.00', { object: 'pi_1' }), total('pi_2', '5.00'))
      await done(ledger, draft(key, '5.00', { object: 'pi_3' }), total('pi_3', '5.00'))
      await done(ledger, draft(key, '5.00'), total('pi_4', '5.00'))
      await done(ledger, draft(key, '5.00'), reply('released', { made: 'pi_5' }))
      await done(ledger, draft(key, '5.00'), reply('settled', { made: 'pi_6' }))
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1', object: 'pi_7' }
      await done(ledger, draft(key, '5.00', keyed), reply('assumed'))
      await done(ledger, draft(key, '5.00', keyed), total('pi_8', '5.00'))
      const said = (await ledger.entries(0, 100))
        .filter(({ kind }) => kind === 'settled' || kind === 'released')
        .map(({ detail }) => JSON.parse(detail) as { object: string; instead_of?: string; left?: string })
      expect(said.map(({ object, instead_of, left }) => [object, instead_of, left])).toEqual([
        ['pi_2', 'pi_1', undefined],
        ['pi_3', undefined, undefined],
        ['pi_4', undefined, undefined],
        [null, undefined, 'pi_5'],
        [null, undefined, undefined],
        // A repetition counts on nothing, and so on no other object.
        ['pi_8', undefined, undefined],
      ])
    })

    test('a call of unknown operation, on several budgets, is counted on each of them when it is found again', async () => {
      const { callId } = await ledger.admit(draft(key, '5.00', { budgets, operation: null }), allow)
      ledger.mayLeave(callId)
      ledger = await book.crash()
      expect(await ledger.spend('operation', {})).toMatchObject([{ by: '', spent: dollars('5.00'), calls: 1 }])
      for (const each of budgets) expect(await counted(ledger, each)).toEqual({ spent: dollars('5.00'), held: ZERO })
    })

    test('one of two replies whose order nobody knows takes nothing off what the other counted', async () => {
      const up = await ledger.admit(draft(key, '150.00', { budgets, object: 'pi_1' }), allow)
      const down = await ledger.admit(draft(key, '60.00', { budgets, object: 'pi_1' }), allow)
      for (const { callId } of [up, down]) ledger.mayLeave(callId)
      ledger.settle(up.callId, total('pi_1', '150.00'))
      ledger.settle(down.callId, total('pi_1', '60.00'))
      await ledger.flushed()
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('150.00'), held: ZERO })
    })

    test('no more is taken back from the calls of an object than it came down by, and from no call twice', async () => {
      await done(ledger, draft(key, '100.00', { budgets }), total('pi_1', '100.00'))
      const second = await done(ledger, draft(key, '130.00', { budgets, object: 'pi_1' }), total('pi_1', '130.00'))
      await done(ledger, draft(key, '0.00', { budgets, object: 'pi_1' }), total('pi_1', '110.00'))
      const returned = (await ledger.entries(0, 100)).filter(({ kind }) => kind === 'returned')
      expect(returned.map(({ callId, amount }) => [callId, amount])).toEqual([[second, dollars('20.00')]])
      expect(await spent()).toBe(dollars('110.00'))
    })

    test('a call that was stopped before its first byte has the reason in its entry, as a digest', async () => {
      const message = 'Revoked on behalf of ann@example.com.'
      const denial = { code: 'key_revoked', rule: 'standing', message } as const
      const id = await done(ledger, draft(key, '5.00'), { ...reply('released'), status: null, denial })
      expect(await row(ledger, id)).toMatchObject({ verdict: 'deny', ...denial })
      const entry = (await ledger.entries(0, 100)).at(-1)!
      expect(JSON.parse(entry.detail)).toMatchObject({ why: expect.stringMatching(/^[0-9a-f]{64}$/) })
      expect(entry.detail).not.toContain('ann@example.com')
      const settled = await done(ledger, draft(key, '5.00'), reply('settled'))
      expect((await row(ledger, settled)).verdict).toBe('allow')
      expect(JSON.parse((await ledger.entries(0, 100)).at(-1)!.detail)).not.toHaveProperty('why')
    })

    test('nobody finds out the outcome of a call that is still under way', async () => {
      const { callId } = await ledger.admit(draft(key, '5.00', { budgets }), allow)
      await expect(ledger.resolve(callId, { outcome: 'settled', ...SEEN }, WORD)).rejects.toThrow(
        `${callId} is still under way.`,
      )
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: dollars('5.00') })
    })

    describe('of a call that was repeated', () => {
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1', budgets }
      const recurring = { kind: 'recurring', perMonth: dollars('30.00'), dueAt: null, quantity: 1n } as const

      test('it is settled while its repetition stands', async () => {
        const first = await done(ledger, draft(key, '5.00', keyed), reply('assumed'))
        await done(ledger, draft(key, '5.00', keyed), reply('assumed'))
        expect(
          await ledger.resolve(first, { outcome: 'settled', amount: dollars('4.00'), ...SEEN }, WORD),
        ).toMatchObject({ state: 'settled', settled: dollars('4.00') })
      })

      test('the repetition costs nothing, also when its outcome is found out later', async () => {
        await done(ledger, draft(key, '5.00', keyed), reply('settled'))
        const again = await done(ledger, draft(key, '5.00', keyed), reply('assumed'))
        const found = { outcome: 'settled', amount: dollars('5.00'), object: 'pi_1', total: dollars('5.00') } as const
        expect(await ledger.resolve(again, { ...found, ...SEEN }, WORD)).toMatchObject({ settled: ZERO })
        expect(await spent()).toBe(dollars('5.00'))
        const more = await ledger.admit(draft(key, '7.00', { budgets, object: 'pi_1' }), allow)
        expect(more.reserved).toBe(dollars('7.00'))
      })

      test('what the vendor made is not known by the repetition, so that it can be found for the call itself', async () => {
        await done(ledger, draft(key, '5.00', keyed), reply('assumed'))
        await done(ledger, draft(key, '5.00', keyed), reply('settled', { made: 'SM1' }))
        await done(ledger, draft(key, '5.00', keyed), reply('settled', { estimate: 'SM2' }))
        expect(await ledger.knownObjects('cred_1', ['SM1', 'SM2'])).toEqual(new Set())
        expect(await ledger.estimates(Number.MAX_SAFE_INTEGER, 9)).toEqual([])
      })

      test('what it committed is named by a repetition that went through, and by no other', async () => {
        const committing = draft(key, '0.00', { ...keyed, commits: recurring })
        const first = await done(ledger, committing, reply('assumed'))
        const named = async (): Promise<(string | null)[]> =>
          (await ledger.commitments(null, { limit: 9 })).rows.map(({ object }) => object)
        await done(ledger, committing, reply('released', { object: 'sub_x' }))
        await done(ledger, committing, reply('assumed', { object: 'sub_y' }))
        expect(await named()).toEqual([null])
        await done(ledger, committing, reply('settled', { object: 'sub_1' }))
        expect(await named()).toEqual(['sub_1'])
        const committed = (await ledger.entries(0, 100)).filter(({ detail }) => detail.includes('"commits":'))
        expect(committed.map(({ kind, callId }) => [kind, callId])).toEqual([['reserved', first]])
      })

      test('what it committed ends with a repetition that says both what was made and that it is over', async () => {
        const committing = draft(key, '0.00', { ...keyed, commits: { ...recurring, kind: 'open', perMonth: ZERO } })
        await done(ledger, committing, reply('assumed'))
        await done(ledger, committing, reply('settled', { object: 'pi_1', ends: 'pi_1' }))
        expect((await ledger.commitments(null, { limit: 9 })).rows).toEqual([])
      })
    })

    describe('when the price is known', () => {
      test('one that was estimated right leaves no entry, and is asked for no more', async () => {
        const id = await done(ledger, draft(key, '5.00', { budgets }), reply('settled', { estimate: 'SM1' }))
        const entries = (await ledger.entries(0, 100)).length
        const heard: string[] = []
        ledger.onChange((each) => heard.push(each.id))
        await ledger.adjust(id, dollars('5.00'), WORD)
        expect(await ledger.entries(0, 100)).toHaveLength(entries)
        expect(heard).toEqual([])
        expect(await ledger.estimates(Number.MAX_SAFE_INTEGER, 9)).toEqual([])
        await ledger.adjust(id, dollars('5.01'), WORD)
        expect(heard).toEqual([id])
        expect(await spent()).toBe(dollars('5.01'))
      })

      test('only a settled call that is no repetition has one', async () => {
        const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1' }
        await done(ledger, draft(key, '5.00', { ...keyed, budgets }), reply('settled'))
        const others = [
          await done(ledger, draft(key, '5.00', { ...keyed, budgets }), reply('settled')),
          await done(ledger, draft(key, '5.00'), reply('assumed')),
          await done(ledger, draft(key, '5.00'), reply('released')),
        ]
        for (const id of others)
          await expect(ledger.adjust(id, dollars('9.00'), WORD)).rejects.toThrow(/has an amount to correct/)
        expect(await spent()).toBe(dollars('5.00'))
      })
    })

    test('an entry says who found an outcome or a price out, and what they said only as a digest of its own', async () => {
      const ids = [
        await done(ledger, draft(key, '5.00'), reply('assumed')),
        await done(ledger, draft(key, '5.00'), reply('assumed')),
      ]
      book.clock.at += SECOND
      for (const id of ids) await ledger.resolve(id, { outcome: 'settled', ...SEEN }, WORD)
      await ledger.adjust(ids[0]!, dollars('6.00'), { actor: 'ada', reason: 'The invoice says so.' })
      const told = (await ledger.entries(0, 100)).slice(-3).map(({ kind, detail }) => {
        expect(detail).not.toMatch(/invoice|records/)
        const { by, said } = JSON.parse(detail) as { by: string; said: string }
        expect(said).toMatch(/^[0-9a-f]{64}$/)
        return { kind, by, said }
      })
      expect(told).toMatchObject([
        { kind: 'settled', by: 'reconciliation' },
        { kind: 'settled', by: 'reconciliation' },
        { kind: 'adjusted', by: 'ada' },
      ])
      expect(new Set(told.map(({ said }) => said)).size).toBe(3)
    })
  })
}
