import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Commitment } from '../../src/contracts/call.js'
import type { CallDraft, CommitmentRow, KeyRecord, Ledger, Settlement } from '../../src/contracts/ledger.js'
import { usd, ZERO } from '../../src/contracts/money.js'
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
  rows,
  sum,
  unique,
  runsOn,
} from './book.js'
import { commitmentsInOneCommit } from './commitments-in-one-commit.js'
import type { Book } from './contract.js'

const MONTHLY = { window: 'all', measure: 'recurring', code: 'budget_exceeded' } as const
const monthly = (counter: string, cap: string) => budget(counter, cap, MONTHLY)

const recurring = (perMonth: string, more: Partial<Commitment> = {}): Commitment => ({
  kind: 'recurring',
  perMonth: dollars(perMonth),
  dueAt: null,
  quantity: 1n,
  ...more,
})
const later = (kind: 'open' | 'scheduled', more: Partial<Commitment> = {}): Commitment => ({
  kind,
  perMonth: ZERO,
  dueAt: null,
  quantity: 1n,
  ...more,
})

/** What is still to come: part of the promises of src/contracts/ledger.ts, for any store behind them. */
export function commitmentsContract(name: string, open: () => Promise<Book>): void {
  commitmentsInOneCommit(name, open)

  describe(`${name} ledger: what is still to come`, () => {
    let book: Book
    let ledger: Ledger
    let key: KeyRecord
    const cap = monthly('key:a|recurring', '100.00')
    const money = budget('key:a', '1000.00')
    const budgets = [money, cap]
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
      key = await newKey(ledger)
    })
    afterEach(async () => {
      expect(await book.ledger.verify()).toEqual([])
      await book.close()
    })

    const call = (commits: Commitment, more: Partial<CallDraft> = {}): CallDraft =>
      draft(key, '0.00', { budgets, commits, operation: 'subscriptions.create', ...more })
    const standing = async (of: string | null = null, from = ledger): Promise<readonly CommitmentRow[]> =>
      (await from.commitments(of, { limit: 100 })).rows
    const subscribed = (perMonth: string, object = 'sub_1'): Promise<string> =>
      done(ledger, call(recurring(perMonth)), reply('settled', { object }))
    const changed = (perMonth: string, settlement: Settlement = reply('settled')): Promise<string> =>
      done(ledger, call(recurring(perMonth, { object: 'sub_1' })), settlement)

    test('is held from the admission on, stands when the vendor has made it, and counts a month at a time', async () => {
      const { callId, usage } = await admitted(ledger, call(recurring('30.00')))
      expect([usage.amount, usage.recurring]).toEqual([ZERO, dollars('30.00')])
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: dollars('30.00') })
      expect(await standing()).toEqual([])
      ledger.mayLeave(callId)
      ledger.settle(callId, reply('settled', { object: 'sub_1' }))
      await ledger.flushed()
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('30.00'), held: ZERO })
      expect(await standing()).toEqual([
        {
          id: callId,
          keyId: key.id,
          credentialId: 'cred_1',
          run: 'run_1',
          vendor: 'stripe',
          operation: 'subscriptions.create',
          kind: 'recurring',
          perMonth: dollars('30.00'),
          dueAt: null,
          quantity: 1n,
          object: 'sub_1',
          counted: ZERO,
          at: book.clock.at,
        },
      ])
      expect(await counted(ledger, money)).toEqual({ spent: ZERO, held: ZERO })
    })

    test('is known by the id the vendor gave it, which need not be the object that is paid for', async () => {
      const commits = recurring('30.00')
      await done(
        ledger,
        draft(key, '12.00', { commits }),
        reply('settled', { object: 'in_1', total: dollars('12.00'), commitment: 'sub_1' }),
      )
      expect(await standing()).toMatchObject([{ object: 'sub_1', counted: ZERO }])
    })

    test('what a call commits that the vendor refused stands nowhere', async () => {
      await done(ledger, call(recurring('30.00')), reply('released'))
      expect(await standing()).toEqual([])
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
      const [entry] = (await ledger.entries(0, 100)).filter(({ kind }) => kind === 'released')
      expect(JSON.parse(entry!.detail)).toMatchObject({ commitment: { counted: '0' } })
    })

    test('what nobody knows the outcome of stands without an id, over a crash too, and gets one when it is known', async () => {
      await ledger.admit(call(recurring('30.00')), allow)
      book.clock.at += 40 * DAY
      const after = await book.crash()
      const [lost] = await standing(null, after)
      expect(lost).toMatchObject({ object: null, perMonth: dollars('30.00') })
      expect(await counted(after, cap)).toEqual({ spent: dollars('30.00'), held: ZERO })
      after.settle(lost!.id, reply('settled', { object: 'sub_1' }))
      expect(await standing(null, after)).toMatchObject([{ id: lost!.id, object: 'sub_1' }])
      expect((await counted(after, cap)).spent).toBe(dollars('30.00'))
    })

    test('what was assumed and never happened is given back', async () => {
      const id = await done(ledger, call(recurring('30.00')), reply('assumed'))
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('30.00'), held: ZERO })
      ledger.settle(id, reply('released'))
      expect(await standing()).toEqual([])
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
    })

    test('counts on every budget of what recurs, and comes off every one when it was never made', async () => {
      const policy = monthly('policy:p|recurring', '500.00')
      const of = { budgets: [cap, policy] }
      const stays = await done(ledger, call(recurring('30.00'), of), reply('settled', { object: 'sub_1' }))
      await done(ledger, call(recurring('8.00'), of), reply('released'))
      for (const each of [cap, policy])
        expect(await counted(ledger, each)).toEqual({ spent: dollars('30.00'), held: ZERO })
      expect(await standing()).toMatchObject([{ id: stays }])
    })

    test('of a call without credential and operation stands for itself, at what the call cost', async () => {
      const lost = call(recurring('30.00'), { credentialId: null, operation: null, quoted: dollars('12.00') })
      const id = await done(ledger, lost, reply('assumed'))
      expect(await standing()).toMatchObject([
        { id, credentialId: '', operation: '', object: null, counted: dollars('12.00'), perMonth: dollars('30.00') },
      ])
    })

    test('parallel calls never pass the cap', async () => {
      const asked = Array.from({ length: 40 }, () => ledger.admit(call(recurring('7.00')), capped))
      const allowed = (await Promise.all(asked)).filter((each) => each.decision.verdict === 'allow')
      expect(allowed).toHaveLength(14)
      expect((await counted(ledger, cap)).held).toBe(dollars('98.00'))
      for (const { callId } of allowed) ledger.mayLeave(callId)
      allowed.forEach(({ callId }, i) => ledger.settle(callId, i % 2 ? reply('settled') : reply('released')))
      const more = Array.from({ length: 40 }, () => ledger.admit(call(recurring('7.00')), capped))
      expect((await Promise.all(more)).filter((each) => each.decision.verdict === 'allow')).toHaveLength(7)
    })

    test('a budget of what recurs says nothing of what is left for a call', async () => {
      const { remaining } = await admitted(ledger, draft(key, '5.00', { budgets, commits: recurring('30.00') }))
      expect(remaining).toBe(dollars('995.00'))
    })

    test('a call that commits nothing is counted on no budget of what recurs', async () => {
      await done(ledger, draft(key, '5.00', { budgets }), reply('settled'))
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
      expect((await ledger.entries(0, 100)).filter(({ kind }) => kind === 'counter')).toHaveLength(1)
    })

    test('a replay commits nothing again, and its answer names what the first one made', async () => {
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1' }
      const first = await done(ledger, call(recurring('30.00'), keyed), reply('assumed'))
      const again = await admitted(ledger, call(recurring('30.00'), keyed))
      expect(again).toMatchObject({ replayOf: first, usage: { recurring: ZERO } })
      ledger.mayLeave(again.callId)
      ledger.settle(again.callId, reply('settled', { object: 'sub_1' }))
      expect(await standing()).toMatchObject([{ id: first, object: 'sub_1', perMonth: dollars('30.00') }])
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('30.00'), held: ZERO })
    })

    describe('the answer to a replay', () => {
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1' }
      const replayed = async (more: Partial<Settlement>): Promise<void> => {
        await done(ledger, call(recurring('30.00'), keyed), reply('settled', more))
      }
      const named = async (): Promise<readonly { readonly callId: string | null; readonly said: unknown }[]> =>
        (await ledger.entries(0, 100))
          .filter(({ kind }) => kind === 'commitment.named')
          .map(({ callId, detail }) => ({ callId, said: JSON.parse(detail) as unknown }))

      test('is written down when it names what the first one made, once', async () => {
        const first = await done(ledger, call(recurring('30.00'), keyed), reply('assumed'))
        await replayed({ object: 'in_1', commitment: 'sub_1' })
        await replayed({ object: 'in_1', commitment: 'sub_2' })
        expect(await named()).toEqual([{ callId: first, said: { by: 2, object: 'sub_1' } }])
        expect(await standing()).toMatchObject([{ id: first, object: 'sub_1' }])
      })

      test('that names nothing changes nothing', async () => {
        await done(ledger, call(recurring('30.00'), keyed), reply('assumed'))
        await replayed({})
        expect(await named()).toEqual([])
        expect(await standing()).toMatchObject([{ object: null }])
      })

      test('names nothing that has ended meanwhile', async () => {
        await done(ledger, call(recurring('30.00'), keyed), reply('settled', { object: 'sub_1' }))
        await done(ledger, draft(key, '0.00', { budgets }), reply('settled', { ends: 'sub_1' }))
        await replayed({ object: 'sub_1' })
        expect(await named()).toEqual([])
        expect(await standing()).toEqual([])
      })
    })

    test('a call turned away while its replay may go through stays committed', async () => {
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1' }
      const first = await ledger.admit(call(recurring('30.00'), keyed), allow)
      const again = await ledger.admit(call(recurring('30.00'), keyed), allow)
      for (const { callId } of [first, again]) ledger.mayLeave(callId)
      ledger.settle(first.callId, reply('released', { status: 429 }))
      ledger.settle(again.callId, reply('settled', { object: 'sub_1' }))
      expect(await standing()).toMatchObject([{ id: first.callId, object: 'sub_1' }])
    })

    describe('changed by a later call', () => {
      test('adds only what it costs more, and stays known by the call that made it', async () => {
        const id = await subscribed('30.00')
        const { usage } = await admitted(
          ledger,
          call(recurring('50.00', { object: 'sub_1' })),
          refuse('reason_required'),
        )
        expect(usage.recurring).toBe(dollars('20.00'))
        await changed('50.00')
        expect(await standing()).toMatchObject([{ id, perMonth: dollars('50.00') }])
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('50.00'), held: ZERO })
      })

      test('that lowers it adds nothing, and gives the rest back to whose key raised it last', async () => {
        const other = await newKey(ledger)
        const theirs = monthly('key:b|recurring', '100.00')
        const id = await subscribed('30.00')
        const raise = call(recurring('50.00', { object: 'sub_1' }), { key: other, budgets: [theirs] })
        await done(ledger, raise, reply('settled'))
        expect([(await counted(ledger, cap)).spent, (await counted(ledger, theirs)).spent]).toEqual(
          ['30.00', '20.00'].map(dollars),
        )
        const { usage } = await admitted(
          ledger,
          call(recurring('40.00', { object: 'sub_1' })),
          refuse('reason_required'),
        )
        expect(usage.recurring).toBe(ZERO)
        await changed('40.00')
        expect([(await counted(ledger, cap)).spent, (await counted(ledger, theirs)).spent]).toEqual(
          ['30.00', '10.00'].map(dollars),
        )
        await changed('5.00')
        expect([(await counted(ledger, cap)).spent, (await counted(ledger, theirs)).spent]).toEqual(
          ['5.00', '0.00'].map(dollars),
        )
        expect(await standing()).toMatchObject([{ id, perMonth: dollars('5.00') }])
      })

      test('that lowers it says what each call gave back, and on account of which, and nothing of those that gave none', async () => {
        await subscribed('30.00')
        const raise = await done(ledger, call(recurring('50.00', { object: 'sub_1' })), reply('settled'))
        await changed('40.00')
        const returned = (await ledger.entries(0, 100)).filter(({ kind }) => kind === 'commitment.returned')
        expect(returned).toMatchObject([{ callId: raise, amount: dollars('10.00') }])
        expect(JSON.parse(returned[0]!.detail)).toEqual({ by: 3, object: 'sub_1' })
      })

      test('counts the larger while it is under way and when its outcome is unknown', async () => {
        await subscribed('30.00')
        const { callId } = await ledger.admit(call(recurring('50.00', { object: 'sub_1' })), capped)
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('30.00'), held: dollars('20.00') })
        ledger.mayLeave(callId)
        ledger.settle(callId, reply('assumed'))
        expect(await standing()).toMatchObject([{ perMonth: dollars('50.00') }])
        const lower = await done(ledger, call(recurring('10.00', { object: 'sub_1' })), reply('assumed'))
        expect(await standing()).toMatchObject([{ perMonth: dollars('50.00') }])
        ledger.settle(callId, reply('released'))
        expect(await standing()).toMatchObject([{ perMonth: dollars('30.00') }])
        // It was done, but whether before or after the others nobody can say any more.
        ledger.settle(lower, reply('settled'))
        expect(await standing()).toMatchObject([{ perMonth: dollars('30.00') }])
      })

      test('does not lend what it holds to another that is under way', async () => {
        await subscribed('30.00')
        const both = [await ledger.admit(call(recurring('60.00', { object: 'sub_1' })), capped)]
        both.push(await ledger.admit(call(recurring('60.00', { object: 'sub_1' })), capped))
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('30.00'), held: dollars('60.00') })
        for (const { callId } of both) ledger.mayLeave(callId)
        for (const { callId } of both) ledger.settle(callId, reply('settled'))
        await ledger.flushed()
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('60.00'), held: ZERO })
      })

      test('two changes whose order nobody knows leave the larger', async () => {
        await subscribed('30.00')
        const up = await ledger.admit(call(recurring('60.00', { object: 'sub_1' })), capped)
        const down = await ledger.admit(call(recurring('10.00', { object: 'sub_1' })), capped)
        for (const { callId } of [up, down]) ledger.mayLeave(callId)
        for (const { callId } of [up, down]) ledger.settle(callId, reply('settled'))
        expect(await standing()).toMatchObject([{ perMonth: dollars('60.00') }])
      })

      test('of an object spendgate has not seen made becomes its commitment', async () => {
        const id = await changed('50.00')
        expect(await standing()).toMatchObject([{ id, object: 'sub_1', perMonth: dollars('50.00') }])
      })

      test('is not renamed after the invoice that the change was paid by', async () => {
        await subscribed('30.00')
        await changed('50.00', reply('settled', { object: 'in_7' }))
        expect(await standing()).toMatchObject([{ object: 'sub_1', perMonth: dollars('50.00') }])
      })

      test('the same id under another credential is another object', async () => {
        await subscribed('30.00')
        const elsewhere = call(recurring('50.00', { object: 'sub_1' }), { credentialId: 'cred_2' })
        expect((await admitted(ledger, elsewhere, refuse('reason_required'))).usage.recurring).toBe(dollars('50.00'))
      })

      test('gets the terms of the last call', async () => {
        await done(ledger, call(later('scheduled', { dueAt: 1, quantity: 3n })), reply('settled', { object: 'SM1' }))
        expect(await standing()).toEqual([])
        const dueAt = book.clock.at + DAY
        const moved = later('scheduled', { dueAt, quantity: null, object: 'SM1' })
        await done(ledger, call(moved), reply('settled'))
        expect(await standing()).toMatchObject([{ dueAt, quantity: null }])
      })
    })

    describe('ended', () => {
      const cancel = (object: string): Promise<string> =>
        done(ledger, draft(key, '0.00', { budgets }), reply('settled', { ends: object }))

      test('stands no more and gives back what it counted a month, whoever raised it', async () => {
        await subscribed('30.00')
        await changed('50.00')
        await cancel('sub_1')
        expect(await standing()).toEqual([])
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
        await cancel('sub_1')
        await cancel('sub_unknown')
      })

      test('says by which call', async () => {
        const id = await subscribed('30.00')
        await cancel('sub_1')
        const ended = (await ledger.entries(0, 100)).filter(({ kind }) => kind === 'commitment.ended')
        expect(ended).toMatchObject([{ callId: id, amount: dollars('30.00') }])
        expect(JSON.parse(ended[0]!.detail)).toEqual({ by: 2, object: 'sub_1' })
      })

      test('is the origin of what comes later only if it recurred', async () => {
        const ends = async (commits: Commitment, commitment: string): Promise<string> => {
          const id = await done(ledger, call(commits), reply('settled', { commitment }))
          await cancel(commitment)
          return id
        }
        const billed = await ends(recurring('30.00'), 'sub_1')
        await ends(later('open'), 'plink_1')
        await ends(later('scheduled'), 'SM1')
        expect(await ledger.originOf(['cred_1'], ['plink_1', 'SM1', 'sub_1'])).toMatchObject({
          callId: billed,
          object: 'sub_1',
        })
        expect(await standing()).toEqual([])
      })

      test('by the very call that made it, which was done at once, stands never', async () => {
        await done(ledger, call(later('open')), reply('settled', { object: 'pi_1', ends: 'pi_1' }))
        expect(await standing()).toEqual([])
      })

      test('by a call that changes it too, ends with what that call made of it', async () => {
        await subscribed('30.00')
        await changed('50.00', reply('settled', { ends: 'sub_1' }))
        expect(await standing()).toEqual([])
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
      })

      test('what a call makes in place of an object that nobody knows stands', async () => {
        const id = await done(ledger, call(recurring('30.00')), reply('settled', { object: 'sub_2', ends: 'sub_1' }))
        expect(await standing()).toMatchObject([{ id, object: 'sub_2' }])
      })

      test('ends nothing of the same name elsewhere', async () => {
        await done(ledger, call(recurring('30.00'), { credentialId: 'cred_2' }), reply('settled', { object: 'sub_1' }))
        await cancel('sub_1')
        expect(await standing()).toHaveLength(1)
      })

      test('a change that comes in after the end still stands: nobody knows which was last', async () => {
        await subscribed('30.00')
        const change = await ledger.admit(call(recurring('50.00', { object: 'sub_1' })), capped)
        ledger.mayLeave(change.callId)
        await cancel('sub_1')
        ledger.settle(change.callId, reply('settled'))
        expect(await standing()).toMatchObject([{ id: change.callId, perMonth: dollars('50.00') }])
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('50.00'), held: ZERO })
      })

      test('what was scheduled is not to come any more once it fell due', async () => {
        const dueAt = book.clock.at + HOUR
        await done(ledger, call(later('scheduled', { dueAt })), reply('settled', { object: 'SM1' }))
        book.clock.at = dueAt - 1
        expect(await standing()).toHaveLength(1)
        book.clock.at = dueAt
        expect(await standing()).toEqual([])
      })
    })

    test('only what is scheduled comes to an end by the time alone, and only if somebody knows when', async () => {
      const dueAt = book.clock.at + HOUR
      const kept = [later('scheduled'), later('open', { dueAt }), recurring('3.00', { dueAt })]
      for (const commits of kept) await done(ledger, call(commits), reply('settled', { commitment: unique('made') }))
      book.clock.at = dueAt + DAY
      expect((await standing()).map(({ kind, dueAt: due }) => [kind, due])).toEqual([
        ['scheduled', null],
        ['open', dueAt],
        ['recurring', dueAt],
      ])
    })

    describe('taken back', () => {
      const link = (): Promise<string> =>
        done(
          ledger,
          draft(key, '80.00', { budgets, commits: later('open') }),
          reply('settled', { object: 'plink_1', total: dollars('80.00') }),
        )

      test('gives what its object counts for back to the day it was counted on, and names who did it', async () => {
        const id = await link()
        expect(await standing()).toMatchObject([{ id, counted: dollars('80.00') }])
        book.clock.at += 2 * DAY
        const heard: string[] = []
        ledger.onChange((each) => heard.push(each.id))
        await ledger.takenBack(id, 'ada')
        expect(heard).toEqual([id])
        expect(await standing()).toEqual([])
        expect((await row(ledger, id)).settled).toBe(ZERO)
        expect(await counted(ledger, money)).toEqual({ spent: ZERO, held: ZERO })
        expect(await ledger.spend('day', {})).toMatchObject([{ by: '2026-11-21', spent: ZERO }])
        const entries = await ledger.entries(0, 100)
        const [entry] = entries.filter(({ kind }) => kind === 'commitment.taken_back')
        expect(entry).toMatchObject({ callId: id })
        expect(JSON.parse(entry!.detail)).toMatchObject({ actor: 'ada', object: 'plink_1' })
        await ledger.takenBack(id, 'ada')
        expect(await ledger.entries(0, 100)).toHaveLength(entries.length)
      })

      test('is durable when it resolves', async () => {
        const id = await subscribed('30.00')
        await ledger.takenBack(id, 'ada')
        const after = await book.crash()
        expect(await standing(null, after)).toEqual([])
        expect(await counted(after, cap)).toEqual({ spent: ZERO, held: ZERO })
      })

      test('waits for what was settled before it, and takes back every change with it', async () => {
        const id = await subscribed('30.00')
        const { callId } = await ledger.admit(call(recurring('50.00', { object: 'sub_1' })), capped)
        ledger.mayLeave(callId)
        ledger.settle(callId, reply('settled'))
        await ledger.takenBack(id, 'ada')
        expect(await standing()).toEqual([])
        expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: ZERO })
      })

      test('without an id is taken back by itself', async () => {
        const [first, second] = [
          await done(ledger, call(recurring('30.00')), reply('assumed')),
          await done(ledger, call(recurring('8.00')), reply('assumed')),
        ]
        await ledger.takenBack(first, 'ada')
        expect(await standing()).toMatchObject([{ id: second, object: null }])
        expect(await counted(ledger, cap)).toEqual({ spent: dollars('8.00'), held: ZERO })
        const [entry] = (await ledger.entries(0, 100)).filter(({ kind }) => kind === 'commitment.taken_back')
        expect(JSON.parse(entry!.detail)).toEqual({ actor: 'ada', object: null, commitment: first })
      })

      test('what a call of unknown outcome counts stays counted', async () => {
        const id = await link()
        const raise = draft(key, '100.00', {
          budgets,
          object: 'plink_1',
          commits: later('open', { object: 'plink_1' }),
        })
        await done(ledger, raise, reply('assumed'))
        await ledger.takenBack(id, 'ada')
        expect((await counted(ledger, money)).spent).toBe(dollars('20.00'))
      })

      test('what is under way, denied or long gone is nothing to take back', async () => {
        const { callId } = await ledger.admit(call(recurring('30.00')), allow)
        await ledger.takenBack(callId, 'ada')
        expect((await counted(ledger, cap)).held).toBe(dollars('30.00'))
        const denied = await ledger.admit(call(recurring('30.00')), refuse('budget_exceeded'))
        await ledger.takenBack(denied.callId, 'ada')
        expect((await ledger.entries(0, 100)).filter(({ kind }) => kind === 'commitment.taken_back')).toEqual([])
      })
    })

    test('is listed for a key with its descendants, oldest first, page by page', async () => {
      const child = await newKey(ledger, { parentId: key.id })
      const other = await newKey(ledger)
      const made: string[] = []
      for (let i = 0; i < 7; i++) {
        const owner = [key, child, other][i % 3]!
        const id = await done(
          ledger,
          call(later('open'), { key: owner, perMinute: [null, null] }),
          reply('settled', { object: `pi_${i}` }),
        )
        if (owner !== other) made.push(id)
      }
      const paged: string[] = []
      let cursor: string | undefined
      do {
        const page = await ledger.commitments(key.id, { limit: 2, ...(cursor === undefined ? {} : { cursor }) })
        paged.push(...page.rows.map(({ id }) => id))
        cursor = page.next ?? undefined
      } while (cursor !== undefined)
      expect(paged).toEqual(made)
      const three = await ledger.commitments(key.id, { limit: 3 })
      expect([three.next, three.rows.at(-1)!.id]).toEqual([made[2], made[2]])
      expect((await ledger.commitments(key.id, { limit: made.length })).next).toBeNull()
      expect(await standing()).toHaveLength(7)
      expect(await standing(child.id)).toHaveLength(2)
      expect(await standing('key_nobody')).toEqual([])
    })

    test('numbers beyond all limits are kept as the largest, and no cap lets them through', async () => {
      const vast = recurring('0.00', { perMonth: usd(10n ** 30n), quantity: 10n ** 30n })
      expect((await admitted(ledger, call(vast))).decision.verdict).toBe('deny')
      await done(ledger, call(vast, { budgets: [money] }), reply('settled', { object: 'sub_1' }))
      expect(await standing()).toMatchObject([{ perMonth: 2n ** 62n, quantity: 2n ** 62n }])
    })

    test('a reissued key takes over what stands and what is under way, and gets it back when it ends', async () => {
      const child = await newKey(ledger, { parentId: key.id })
      const fresh = monthly('key:new|recurring', '100.00')
      const twilio = { ...monthly('key:new|twilio|recurring', '100.00'), vendor: 'twilio' }
      await subscribed('30.00')
      await done(
        ledger,
        call(recurring('5.00'), { key: child, vendor: 'twilio', perMinute: [null, null] }),
        reply('settled', { object: 'PN1' }),
      )
      const { callId } = await ledger.admit(call(recurring('8.00')), allow)
      await ledger.carryOver(key.id, [fresh, twilio], 'ada')
      expect(await counted(ledger, fresh)).toEqual({ spent: dollars('35.00'), held: dollars('8.00') })
      expect(await counted(ledger, twilio)).toEqual({ spent: dollars('5.00'), held: ZERO })
      ledger.mayLeave(callId)
      ledger.settle(callId, reply('released'))
      await done(ledger, draft(key, '0.00'), reply('settled', { ends: 'sub_1' }))
      expect(await counted(ledger, fresh)).toEqual({ spent: dollars('5.00'), held: ZERO })
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('5.00'), held: ZERO })
    })

    test('a reissued key takes over what went the way its budget counts, or nobody knows which way', async () => {
      await done(ledger, draft(key, '30.00', { direction: 'out' }), reply('settled'))
      await done(ledger, draft(key, '4.00', { direction: 'in' }), reply('settled'))
      await done(ledger, draft(key, '0.50', { direction: 'none' }), reply('settled'))
      const out = budget('key:new|out', '100.00', { direction: 'out' })
      await ledger.carryOver(key.id, [out], 'ada')
      expect((await counted(ledger, out)).spent).toBe(dollars('30.50'))
    })

    test.each([
      ['what a commitment costs a month', 'update commitments set per_month = per_month + 1'],
      ['what it counts', 'update commitments set counted = counted - 1'],
      ['where it counts', `update commitments set counters = ''`],
      ['which object it is', `update commitments set object = 'sub_2'`],
      ['whose it is', `update commitments set credential_id = 'cred_2'`],
      ['its kind', `update commitments set kind = 'open'`],
      ['when it is due', 'update commitments set due_at = 5'],
      ['how many it is for', 'update commitments set quantity = 2'],
      ['that it stands', 'update commitments set standing = 0'],
      ['that it is', 'delete from commitments'],
      ['that there is another', `insert into commitments values (3, 'cred_1', 'sub_9', 'open', 0, null, 1, 1, 0, '')`],
      ['what recurs by its counter', `update counters set spent = spent - 1 where counter like '%recurring'`],
      ['the entry that made it', `update entries set detail = replace(detail, '30000000', '10000000')`],
      ['the entry that ended one', `update entries set kind = 'commitment.named' where kind = 'commitment.ended'`],
    ])('verify finds when somebody changed %s', async (_what, sql) => {
      await subscribed('30.00', 'sub_0')
      await done(ledger, draft(key, '0.00', { budgets }), reply('settled', { ends: 'sub_0' }))
      await done(ledger, draft(key, '0.00', { budgets }), reply('settled'))
      await subscribed('30.00')
      expect(await ledger.verify()).toEqual([])
      const own = book
      const faults = await (await own.alter(sql)).verify()
      expect(faults).not.toEqual([])
      for (const fault of faults) expect(fault).toMatch(/^\S.*\.$/)
      // The book is damaged on purpose; the next test and the check after this one get a sound one.
      await own.close()
      book = await open()
    })

    test('random work with crashes in between keeps counters, rows and the book in step', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(aStep, { minLength: 5, maxLength: 50 }), async (steps) => {
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

const object = fc.constantFrom(null, 'sub_1', 'sub_2')
const aStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('admit' as const),
      cents: fc.integer({ min: 0, max: 4_000 }),
      times: fc.integer({ min: 1, max: 4 }),
      object,
      key: fc.integer({ min: 0, max: 1 }),
      idempotency: fc.constantFrom(null, null, 'idem_1'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(),
      outcome: fc.constantFrom('settled' as const, 'settled' as const, 'released' as const, 'assumed' as const),
      object,
      ends: fc.constantFrom(null, null, 'sub_1', 'sub_2'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resolve' as const), which: fc.nat(), happened: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('take back' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'reopen' as const) }) },
)
type Step = typeof aStep extends fc.Arbitrary<infer T> ? T : never

/** Plays steps; after each, what the counters have spent is what stands a month, and nothing is held when nothing is under way. */
async function playOut(book: Book, steps: readonly Step[]): Promise<void> {
  let { ledger } = book
  const keys = [await newKey(ledger), await newKey(ledger)]
  const caps = keys.map((_, i) => monthly(`key:${i}|recurring`, '100.00'))
  let open: string[] = []
  for (const step of steps) {
    if (step.do === 'admit') {
      const before = await counted(ledger, caps[step.key]!)
      const calls = Array.from({ length: step.times }, () =>
        draft(keys[step.key]!, '0.00', {
          budgets: [caps[step.key]!],
          commits: recurring('0.00', {
            perMonth: usd(BigInt(step.cents) * 10_000n),
            ...(step.object === null ? {} : { object: step.object }),
          }),
          idempotencyHash: step.idempotency,
          requestHash: step.idempotency ? 'request_1' : unique('request'),
        }),
      )
      for (const { decision, callId } of await Promise.all(calls.map((each) => ledger.admit(each, capped)))) {
        if (decision.verdict === 'deny') continue
        ledger.mayLeave(callId)
        open.push(callId)
      }
      const { spent, held } = await counted(ledger, caps[step.key]!)
      // A settlement may pass the cap, an admission never.
      if (spent + held > caps[step.key]!.cap) expect(held).toBe(before.held)
    } else if (step.do === 'settle' && open.length > 0) {
      const [id] = open.splice(step.which % open.length, 1)
      const more = { ...(step.object && { object: step.object }), ...(step.ends && { ends: step.ends }) }
      ledger.settle(id!, reply(step.outcome, more))
    } else if (step.do === 'resolve') {
      const assumed = (await rows(ledger)).filter(({ state }) => state === 'assumed')
      if (assumed.length === 0) continue
      ledger.settle(assumed[step.which % assumed.length]!.id, reply(step.happened ? 'settled' : 'released'))
    } else if (step.do === 'take back') {
      const found = (await ledger.commitments(null, { limit: 100 })).rows
      if (found.length > 0) await ledger.takenBack(found[step.which % found.length]!.id, 'ada')
    } else if (step.do === 'crash' || step.do === 'reopen') {
      ledger = await book[step.do]()
      open = []
    }
    await ledger.flushed()
    const found = (await ledger.commitments(null, { limit: 1_000 })).rows
    const totals = await Promise.all(caps.map((each) => counted(ledger, each)))
    expect(sum(totals.map(({ spent }) => spent))).toBe(sum(found.map(({ perMonth }) => perMonth)))
    if (open.length === 0) expect(sum(totals.map(({ held }) => held))).toBe(ZERO)
    const names = found.flatMap(({ object: name }) => (name === null ? [] : [name]))
    expect(new Set(names).size).toBe(names.length)
  }
  expect(await ledger.verify()).toEqual([])
}
