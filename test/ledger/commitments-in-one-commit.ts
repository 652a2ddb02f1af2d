import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Commitment } from '../../src/contracts/call.js'
import type { CallDraft, KeyRecord, Ledger, Settlement } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { allow, budget, counted, dollars, done, draft, newKey, reply, unique } from './book.js'
import type { Book } from './contract.js'

/**
 * What outcomes that share a commit make of what is still to come: each is booked on what those before it left, also
 * where none of them is in the file yet.
 */
export function commitmentsInOneCommit(name: string, open: () => Promise<Book>): void {
  describe(`${name} ledger: what is still to come, in one commit`, () => {
    let book: Book
    let ledger: Ledger
    let key: KeyRecord
    const cap = budget('key:a|recurring', '100.00', { window: 'all', measure: 'recurring', code: 'budget_exceeded' })
    const budgets = [cap]
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
      key = await newKey(ledger)
    })
    afterEach(async () => {
      expect(await book.ledger.verify()).toEqual([])
      await book.close()
    })

    const recurring = (perMonth: string, object?: string): Commitment => ({
      kind: 'recurring',
      perMonth: dollars(perMonth),
      dueAt: null,
      quantity: 1n,
      ...(object !== undefined && { object }),
    })
    const call = (commits: Commitment, more: Partial<CallDraft> = {}): CallDraft =>
      draft(key, '0.00', { budgets, commits, operation: 'subscriptions.create', ...more })
    const standing = async () => (await ledger.commitments(null, { limit: 100 })).rows
    const subscribed = (perMonth: string, object = 'sub_1'): Promise<string> =>
      done(ledger, call(recurring(perMonth)), reply('settled', { object }))
    const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1' }
    const left = async (asked: CallDraft): Promise<string> => {
      const { callId } = await ledger.admit(asked, allow)
      ledger.mayLeave(callId)
      return callId
    }
    const end = (): Promise<string> => left(draft(key, '0.00', { budgets }))
    /** Books outcomes in the commit of the admission that follows them. */
    const together = async (
      ...outcomes: readonly (readonly [id: string, more: Partial<Settlement>])[]
    ): Promise<void> => {
      for (const [id, more] of outcomes) ledger.settle(id, reply('settled', more))
      await ledger.admit(draft(key, '0.00'), allow)
      await ledger.flushed()
    }
    const entriesOf = async (which: string): Promise<number> =>
      (await ledger.entries(0, 100)).filter(({ kind }) => kind === which).length

    test('an end reaches what was made just before', async () => {
      const made = await left(call(recurring('30.00')))
      await together([made, { object: 'sub_1' }], [await end(), { ends: 'sub_1' }])
      expect(await standing()).toEqual([])
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
    })

    test('an end leaves what turned out just before to be another object', async () => {
      await subscribed('30.00')
      const change = await done(ledger, call(recurring('50.00', 'sub_1')), reply('assumed'))
      await together([change, { commitment: 'sub_2' }], [await end(), { ends: 'sub_1' }])
      expect(await standing()).toMatchObject([{ id: change, object: 'sub_2', perMonth: dollars('50.00') }])
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('50.00'), held: ZERO })
    })

    test('a second end of the same gives nothing back', async () => {
      await subscribed('30.00')
      const stays = await subscribed('8.00', 'sub_2')
      await together([await end(), { ends: 'sub_1' }], [await end(), { ends: 'sub_1' }])
      expect(await standing()).toMatchObject([{ id: stays }])
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('8.00'), held: ZERO })
      expect(await entriesOf('commitment.ended')).toBe(1)
    })

    test('two changes to the same terms count once', async () => {
      await subscribed('30.00')
      const raise = call(recurring('60.00', 'sub_1'))
      await together([await left(raise), {}], [await left({ ...raise, requestHash: unique('request') }), {}])
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('60.00'), held: ZERO })
    })

    test('of two repetitions the first one names what was made', async () => {
      const first = await done(ledger, call(recurring('30.00'), keyed), reply('assumed'))
      const again = [await left(call(recurring('30.00'), keyed)), await left(call(recurring('30.00'), keyed))] as const
      await together([again[0], { object: 'sub_1' }], [again[1], { object: 'in_1' }])
      expect(await standing()).toMatchObject([{ id: first, object: 'sub_1' }])
      expect(await entriesOf('commitment.named')).toBe(1)
    })

    test.each(['its own answer', 'its repetition'])('a call keeps the name that %s gave it first', async (whose) => {
      const first = await left(call(recurring('30.00'), keyed))
      const again = await left(call(recurring('30.00'), keyed))
      const [one, other] = whose === 'its own answer' ? [first, again] : [again, first]
      await together([one, { object: 'sub_1' }], [other, { object: 'in_1' }])
      expect(await standing()).toMatchObject([{ id: first, object: 'sub_1' }])
      expect(await entriesOf('commitment.named')).toBe(whose === 'its own answer' ? 0 : 1)
    })

    test('an end reaches what a repetition has just named', async () => {
      await done(ledger, call(recurring('30.00'), keyed), reply('assumed'))
      const again = await left(call(recurring('30.00'), keyed))
      await together([again, { object: 'sub_1' }], [await end(), { ends: 'sub_1' }])
      expect(await standing()).toEqual([])
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
    })
  })
}
