import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  LedgerConflict,
  type Admission,
  type ApprovalRow,
  type CallDraft,
  type KeyRecord,
  type Ledger,
} from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Decision, Usage } from '../../src/contracts/policy.js'
import {
  admitted,
  ALLOW,
  allow,
  budget,
  capped,
  counted,
  dollars,
  draft,
  HOUR,
  newKey,
  refuse,
  reply,
  row,
  rows,
  SECOND,
  unique,
  runsOn,
} from './book.js'
import type { Book } from './contract.js'

/** What any rule on approvals must do: let through what an approval covers, and name the request where there is one. */
const approving =
  (quoted: string) =>
  ({ approval, earlier }: Usage): Decision => {
    if (earlier?.sameRequest === true && earlier.stands) return ALLOW
    if (approval?.state === 'approved' && dollars(quoted) <= approval.ceiling) return ALLOW
    const message = `Approve it: ${approval?.state ?? 'nothing'} ${approval?.id ?? ''}`
    return { verdict: 'deny', denial: { code: 'approval_required', rule: 'test', message } }
  }

/** Requests for approval: part of the promises of src/contracts/ledger.ts, for any store behind them. */
export function approvalsContract(name: string, open: () => Promise<Book>): void {
  describe(`${name} ledger: approvals`, () => {
    let book: Book
    let ledger: Ledger
    let key: KeyRecord
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
      key = await newKey(ledger)
    })
    afterEach(async () => {
      expect(await book.ledger.verify()).toEqual([])
      await book.close()
    })

    const call = (quoted: string, more: Partial<CallDraft> = {}): CallDraft =>
      draft(more.key ?? key, quoted, { requestHash: 'request_1', approvalMs: HOUR, ...more })
    const send = (quoted = '60.00', more: Partial<CallDraft> = {}, of = ledger): Promise<Admission> =>
      of.admit(call(quoted, more), approving(quoted))
    const all = async (of = ledger): Promise<readonly ApprovalRow[]> => (await of.approvals({}, { limit: 500 })).rows
    const only = async (of = ledger): Promise<ApprovalRow> => {
      const found = await all(of)
      expect(found).toHaveLength(1)
      return found[0]!
    }
    const approve = async (id: string, of = ledger): Promise<ApprovalRow> =>
      (await of.decideApproval(id, 'approved', null, 'ada'))!
    const kinds = async (of = ledger): Promise<string[]> =>
      (await of.entries(0, 10_000)).map(({ kind }) => kind).filter((kind) => kind.startsWith('approval.'))

    test('a refusal opens a request, and names it in its row', async () => {
      const { callId, decision } = await send('60.00', { customer: 'cus_A', reason: 'She asked for it.' })
      const request = await only()
      expect(request).toEqual({
        id: expect.stringMatching(/^appr_[0-9A-Za-z]{20}$/),
        at: book.clock.at,
        state: 'open',
        keyId: key.id,
        rootId: key.id,
        callId,
        run: 'run_1',
        vendor: 'stripe',
        operation: 'refunds.create',
        method: 'POST',
        path: '/v1/refunds',
        customer: 'cus_A',
        callReason: 'She asked for it.',
        requestHash: 'request_1',
        ceiling: dollars('60.00'),
        expiresAt: book.clock.at + HOUR,
        decidedAt: null,
        decidedBy: null,
        reason: null,
        usedBy: null,
      })
      expect(decision.denial!.message).toBe(`Approve it: open ${request.id}`)
      expect((await row(ledger, callId)).message).toBe(decision.denial!.message)
      expect(await ledger.approval(request.id)).toEqual(request)
      expect(await ledger.approvalFor(key.id, 'request_1')).toEqual(request)
      expect(await ledger.approvalFor(key.id, 'request_2')).toBeNull()
    })

    test('asking again finds the same request, in the same commit too', async () => {
      const asked = await Promise.all(Array.from({ length: 8 }, () => send()))
      asked.push(await send())
      const { id, callId } = await only()
      expect(new Set(asked.map(({ decision }) => decision.denial!.message))).toEqual(
        new Set([`Approve it: open ${id}`]),
      )
      expect(callId).toBe(asked[0]!.callId)
      expect(await kinds()).toEqual(['approval.requested'])
    })

    test('every other refusal opens none, nor does one where no policy wants approvals', async () => {
      await ledger.admit(call('60.00'), refuse('daily_cap_exceeded'))
      await ledger.admit(call('60.00'), (): Decision => {
        const { denial } = refuse('approval_required')()
        return { verdict: 'would_deny', denial }
      })
      await send('60.00', { approvalMs: null })
      await ledger.admit(draft(key, '60.00'), refuse('approval_required'))
      expect(await all()).toEqual([])
    })

    test('refusals that share a row still open a request each', async () => {
      const hashes = Array.from({ length: 50 }, () => unique('request'))
      await Promise.all(hashes.map((requestHash) => send('60.00', { requestHash })))
      expect((await rows(ledger)).length).toBeLessThan(30)
      expect((await all()).map(({ requestHash }) => requestHash)).toEqual([...hashes].reverse())
    })

    test('a key has at most 100 open, and is told so', async () => {
      const seen: boolean[] = []
      const ask = (more: Partial<CallDraft> = {}): Promise<Admission> =>
        ledger.admit(call('60.00', { requestHash: unique('request'), ...more }), (usage) => {
          seen.push(usage.approvalsFull)
          return approving('60.00')(usage)
        })
      for (let i = 0; i < 100; i++) await ask()
      expect(seen).not.toContain(true)
      expect((await ask()).decision.denial!.message).toBe('Approve it: nothing ')
      expect(seen.at(-1)).toBe(true)
      expect(await all()).toHaveLength(100)
      await ask({ key: await newKey(ledger) })
      expect(await all()).toHaveLength(101)
      await ledger.decideApproval((await all())[1]!.id, 'denied', null, 'ada')
      await ask()
      expect(await all()).toHaveLength(102)
      book.clock.at += HOUR
      await ask()
      expect(await all()).toHaveLength(103)
    })

    test('an approved request lets the same call through once, which counts like any other', async () => {
      const cap = budget('key:a', '100.00')
      await send('60.00', { budgets: [cap] })
      expect(await approve((await only()).id)).toMatchObject({ state: 'approved', decidedBy: 'ada', usedBy: null })
      const { callId, decision } = await send('60.00', { budgets: [cap] })
      expect(decision.verdict).toBe('allow')
      expect(await only()).toMatchObject({ state: 'used', usedBy: callId })
      expect((await counted(ledger, cap)).held).toBe(dollars('60.00'))
      expect((await send('60.00', { budgets: [cap] })).decision.verdict).toBe('deny')
      expect((await all()).map(({ state }) => state)).toEqual(['open', 'used'])
      expect(await kinds()).toEqual(['approval.requested', 'approval.approved', 'approval.used', 'approval.requested'])
    })

    test('of identical calls in one commit exactly one passes; the others ask anew, for one request', async () => {
      await send()
      await approve((await only()).id)
      const all20 = await Promise.all(Array.from({ length: 20 }, () => send()))
      expect(all20.map(({ decision }) => decision.verdict)).toEqual(['allow', ...Array<string>(19).fill('deny')])
      expect((await all()).map(({ state }) => state)).toEqual(['open', 'used'])
    })

    test('covers no other request, vendor or key, and not a child of its key', async () => {
      const child = await newKey(ledger, { parentId: key.id, policyId: key.policyId })
      const other = await newKey(ledger)
      await send()
      await approve((await only()).id)
      expect((await send('60.00', { requestHash: 'request_2' })).decision.verdict).toBe('deny')
      expect((await send('60.00', { vendor: 'twilio' })).decision.verdict).toBe('deny')
      expect((await send('60.00', { key: child, perMinute: [null, null] })).decision.verdict).toBe('deny')
      expect((await send('60.00', { key: other })).decision.verdict).toBe('deny')
      expect((await all()).map(({ keyId, state }) => [keyId, state])).toEqual([
        [other.id, 'open'],
        [child.id, 'open'],
        [key.id, 'open'],
        [key.id, 'open'],
        [key.id, 'approved'],
      ])
      const of = async (id: string): Promise<string[]> =>
        (await ledger.approvals({ key: id }, { limit: 10 })).rows.map(({ keyId }) => keyId)
      expect(await of(key.id)).toEqual([child.id, key.id, key.id, key.id])
      expect(await of(child.id)).toEqual([child.id])
    })

    test('covers no more than the quote it was given for, and still covers that after a dearer one was asked for', async () => {
      await send()
      const { id } = await only()
      await approve(id)
      expect((await send('60.01')).decision.verdict).toBe('deny')
      expect((await all()).map(({ state, ceiling }) => [state, ceiling])).toEqual([
        ['open', dollars('60.01')],
        ['approved', dollars('60.00')],
      ])
      expect((await send('59.00')).decision.verdict).toBe('allow')
      expect(await ledger.approval(id)).toMatchObject({ state: 'used' })
    })

    test('an open request for less is asked anew when the call has become dearer', async () => {
      await send('60.00')
      await send('61.00')
      await send('60.50')
      expect((await all()).map(({ ceiling }) => ceiling)).toEqual([dollars('61.00'), dollars('60.00')])
    })

    test('a replay of the call that used it needs no other, and uses none up', async () => {
      const keyed = { idempotencyHash: 'idem_1' }
      await send('60.00', keyed)
      await approve((await only()).id)
      const first = await send('60.00', keyed)
      const again = await send('60.00', keyed)
      expect(again).toMatchObject({ decision: ALLOW, replayOf: first.callId, reserved: 0n })
      expect(await only()).toMatchObject({ usedBy: first.callId })
    })

    test('one that is open expires, and the next refusal opens another', async () => {
      await send()
      const { id, expiresAt } = await only()
      book.clock.at = expiresAt - 1
      await send()
      expect(await only()).toMatchObject({ id, state: 'open' })
      book.clock.at = expiresAt
      expect(await only()).toMatchObject({ id, state: 'expired' })
      await expect(approve(id)).rejects.toThrow(LedgerConflict)
      await expect(approve(id)).rejects.toThrow(`${id} expired at ${new Date(expiresAt).toISOString()}`)
      await send()
      expect((await all()).map(({ state }) => state)).toEqual(['open', 'expired'])
    })

    test('one that is approved must be used within the same time, counted from the decision', async () => {
      await send()
      const { id } = await only()
      book.clock.at += HOUR - SECOND
      const { expiresAt } = await approve(id)
      expect(expiresAt).toBe(book.clock.at + HOUR)
      book.clock.at = expiresAt
      expect((await send()).decision.verdict).toBe('deny')
      expect(await ledger.approval(id)).toMatchObject({ state: 'expired', decidedBy: 'ada' })
      await expect(approve(id)).rejects.toThrow('approved and not used')
      const [next] = await all()
      await approve(next!.id)
      book.clock.at += HOUR - 1
      expect((await send()).decision.verdict).toBe('allow')
    })

    test('one that was denied says so, opens no other while that stands, and may be asked again after', async () => {
      await send()
      const { id } = await only()
      const denied = await ledger.decideApproval(id, 'denied', 'Twice already.', 'ada')
      expect(denied).toMatchObject({ state: 'denied', reason: 'Twice already.', decidedAt: book.clock.at })
      const { decision, usage } = await admitted(ledger, call('60.00'), approving('60.00'))
      expect(decision.denial!.message).toBe(`Approve it: denied ${id}`)
      expect(usage.approval).toMatchObject({ reason: 'Twice already.' })
      expect((await send('70.00')).decision.denial!.message).toBe(`Approve it: denied ${id}`)
      book.clock.at += HOUR
      await send()
      expect((await all()).map(({ state }) => state)).toEqual(['open', 'denied'])
    })

    test('the first decision stands: the same again changes nothing, the other one is a conflict', async () => {
      await send()
      const { id } = await only()
      const first = await approve(id)
      book.clock.at += SECOND
      expect(await ledger.decideApproval(id, 'approved', 'Again.', 'bob')).toEqual(first)
      await expect(ledger.decideApproval(id, 'denied', null, 'bob')).rejects.toThrow(LedgerConflict)
      const { callId } = await send()
      expect(await approve(id)).toMatchObject({ state: 'used', usedBy: callId })
      await expect(ledger.decideApproval(id, 'denied', null, 'bob')).rejects.toThrow(`used by ${callId}`)
      await send('80.00', { requestHash: 'request_2' })
      const [other] = await all()
      await ledger.decideApproval(other!.id, 'denied', null, 'ada')
      book.clock.at += 3 * HOUR
      expect(await ledger.decideApproval(other!.id, 'denied', null, 'bob')).toMatchObject({ decidedBy: 'ada' })
      await expect(approve(other!.id)).rejects.toThrow('The first decision stands')
      expect(await ledger.decideApproval('appr_nobody', 'approved', null, 'ada')).toBeNull()
      expect(await kinds()).toHaveLength(5)
    })

    test('an approved call that another rule refuses keeps its approval', async () => {
      await send()
      await approve((await only()).id)
      const full = budget('key:a', '10.00')
      expect((await ledger.admit(call('60.00', { budgets: [full] }), capped)).decision.verdict).toBe('deny')
      expect(await only()).toMatchObject({ state: 'approved' })
    })

    test('is neither seen nor used up where no policy wants approvals, or nothing is paid', async () => {
      await send()
      const { id } = await only()
      await approve(id)
      for (const more of [{ approvalMs: null }, { quoted: ZERO }]) {
        const { usage } = await admitted(ledger, call('60.00', more), allow)
        expect(usage).toMatchObject({ approval: null, approvalsFull: false })
      }
      expect(await ledger.approval(id)).toMatchObject({ state: 'approved' })
    })

    test('a call that passes by itself leaves alone what does not cover it: a request still open, or approved for less', async () => {
      await send()
      const { id } = await only()
      await ledger.admit(call('60.00'), allow)
      expect(await ledger.approval(id)).toMatchObject({ state: 'open', usedBy: null })
      await approve(id)
      await ledger.admit(call('60.01'), allow)
      expect(await only()).toMatchObject({ state: 'approved', usedBy: null })
      expect(await kinds()).toEqual(['approval.requested', 'approval.approved'])
    })

    test('what the person at the client approved lets a call through only where every policy lets that person decide', async () => {
      await send()
      const { id } = await only()
      await ledger.decideApproval(id, 'approved', null, 'client:mcp')
      for (const more of [{}, { clientApproves: false }]) {
        const { decision, usage } = await admitted(ledger, call('60.00', more), approving('60.00'))
        expect(decision.verdict).toBe('deny')
        expect(usage.approval?.id).not.toBe(id)
      }
      expect((await send('60.00', { clientApproves: true })).decision.verdict).toBe('allow')
      expect(await ledger.approval(id)).toMatchObject({ state: 'used', decidedBy: 'client:mcp' })
    })

    test('one for an operation that nobody knows names none', async () => {
      await send('60.00', { operation: null })
      expect(await only()).toMatchObject({ operation: '' })
    })

    test('an id that nobody was given names no request, and no page goes on after it', async () => {
      await send()
      expect(await ledger.approval('appr_nobody')).toBeNull()
      expect(await ledger.approvals({}, { limit: 10, cursor: 'appr_nobody' })).toEqual({ rows: [], next: null })
    })

    test('a judgement that fails once the request is named leaves nothing behind', async () => {
      const broken = ledger.admit(call('60.00'), (usage) => {
        if (usage.approval !== null) throw new Error('a bug')
        return approving('60.00')(usage)
      })
      const beside = ledger.admit(call('1.00', { requestHash: 'request_2' }), allow)
      await expect(broken).rejects.toThrow('a bug')
      expect((await beside).decision.verdict).toBe('allow')
      expect(await all()).toEqual([])
    })

    test('are listed newest first, by state and page by page', async () => {
      for (let i = 0; i < 12; i++) await send('60.00', { requestHash: `request_${i}` })
      const ids = (await all()).map(({ id }) => id)
      await approve(ids[0]!)
      await ledger.decideApproval(ids[1]!, 'denied', null, 'ada')
      const of = async (state: ApprovalRow['state']): Promise<string[]> =>
        (await ledger.approvals({ state }, { limit: 500 })).rows.map(({ id }) => id)
      expect(await of('open')).toEqual(ids.slice(2))
      expect([await of('approved'), await of('denied')]).toEqual([[ids[0]], [ids[1]]])
      const walked: string[] = []
      const sizes: number[] = []
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<Ledger['approvals']>> = await ledger.approvals(
          { state: 'open' },
          { limit: 4, ...(cursor === null ? {} : { cursor }) },
        )
        walked.push(...page.rows.map(({ id }) => id))
        sizes.push(page.rows.length)
        cursor = page.next
      } while (cursor !== null)
      expect(walked).toEqual(ids.slice(2))
      expect(sizes).toEqual([4, 4, 2])
      book.clock.at += HOUR
      expect(await of('expired')).toEqual([ids[0], ...ids.slice(2)])
      expect(await of('open')).toEqual([])
    })

    test.each<[string, (of: Book) => Promise<Ledger>]>([
      ['a restart', (of) => of.reopen()],
      ['a crash', (of) => of.crash()],
    ])('stand over %s, whatever became of them', async (_what, again) => {
      for (let i = 0; i < 4; i++) await send('60.00', { requestHash: `request_${i}` })
      const [open, denied, used, approved] = await all()
      await approve(approved!.id)
      await approve(used!.id)
      await ledger.decideApproval(denied!.id, 'denied', 'No.', 'ada')
      await send('60.00', { requestHash: 'request_1' })
      const before = await all()
      const after = await again(book)
      expect(await all(after)).toEqual(before)
      const at = after.key(key.id)!
      const verdict = async (requestHash: string): Promise<string> =>
        (await send('60.00', { requestHash, key: at }, after)).decision.verdict
      expect([await verdict('request_0'), await verdict('request_1'), await verdict('request_2')]).toEqual([
        'allow',
        'deny',
        'deny',
      ])
      expect(await after.approval(open!.id)).toMatchObject({ state: 'open' })
    })

    test('is used up by a call that a crash cut off: nobody knows whether the vendor acted', async () => {
      await send()
      await approve((await only()).id)
      const { callId } = await send()
      ledger.mayLeave(callId)
      const after = await book.crash()
      expect((await row(after, callId)).state).toBe('assumed')
      expect(await only(after)).toMatchObject({ state: 'used', usedBy: callId })
    })

    test.each([
      ['that one was approved', `update approvals set state = 'approved', decided_by = 'ada' where state = 'open'`],
      ['that one was used', `update approvals set state = 'approved', used_by = null where state = 'used'`],
      ['what one covers', `update approvals set ceiling = ceiling * 10`],
      ['which request one is for', `update approvals set request_hash = 'request_9' where state = 'approved'`],
      ['whose one is', `update approvals set key_id = 'key_other'`],
      ['how long one stands', `update approvals set expires_at = expires_at + 1`],
      ['how long one will stand', `update approvals set span_ms = span_ms * 10`],
      ['who decided', `update approvals set decided_by = 'bob' where state = 'denied'`],
      ['why', `update approvals set reason = null where state = 'denied'`],
      ['which call used one', `update approvals set used_by = 1 where state = 'used'`],
      ['what the operator saw', `update approvals set path = '/v1/balance'`],
      ['that one was asked for', `delete from approvals where state = 'denied'`],
      [
        'that one was never asked for',
        `insert into approvals select 99, 'appr_x', at, key_id, root_id, call_seq, run, vendor, operation, method, path, customer, call_reason,
           'request_9', ceiling, span_ms, expires_at, state, decided_at, decided_by, reason, used_by, salt from approvals where state = 'approved'`,
      ],
      ['an entry', `update entries set detail = replace(detail, 'ada', 'bob') where kind = 'approval.approved'`],
      ['an entry to something unreadable', `update entries set detail = '' where kind = 'approval.requested'`],
    ])('verify finds when somebody changed %s', async (_what, sql) => {
      const own = await open()
      try {
        const of = await newKey(own.ledger)
        for (let i = 0; i < 4; i++) await send('60.00', { key: of, requestHash: `request_${i}` }, own.ledger)
        const [, denied, used, approved] = await all(own.ledger)
        for (const each of [approved, used]) await own.ledger.decideApproval(each!.id, 'approved', null, 'ada')
        await own.ledger.decideApproval(denied!.id, 'denied', 'No.', 'ada')
        const { callId } = await send('60.00', { key: of, requestHash: 'request_1' }, own.ledger)
        own.ledger.settle(callId, reply('settled'))
        await own.ledger.flushed()
        expect(await own.ledger.verify()).toEqual([])
        const faults = await (await own.alter(sql)).verify()
        expect(faults).not.toEqual([])
        for (const fault of faults) expect(fault).toMatch(/^\S.*\.$/)
      } finally {
        await own.close()
      }
    })

    test('however calls, decisions, time and crashes are mixed, no more passes than was approved', async () => {
      const aStep = fc.oneof(
        { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), hash: fc.nat(2), times: fc.nat(3) }) },
        {
          weight: 4,
          arbitrary: fc.record({ do: fc.constant('decide' as const), which: fc.nat(), yes: fc.boolean() }),
        },
        { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(HOUR) }) },
        { weight: 1, arbitrary: fc.constant({ do: 'crash' as const }) },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(aStep, { maxLength: 40 }), async (steps) => {
          const own = await open()
          try {
            let at = await newKey(own.ledger)
            let approved = 0
            let passed = 0
            for (const step of steps) {
              if (step.do === 'wait') own.clock.at += step.ms
              else if (step.do === 'crash') at = (await own.crash()).key(at.id)!
              else if (step.do === 'send') {
                const asked = Array.from({ length: step.times + 1 }, () =>
                  send('60.00', { key: at, requestHash: `request_${step.hash}` }, own.ledger),
                )
                for (const { decision } of await Promise.all(asked)) if (decision.verdict === 'allow') passed++
              } else {
                const { rows: open } = await own.ledger.approvals({ state: 'open' }, { limit: 100 })
                if (open.length === 0) continue
                const { id } = open[step.which % open.length]!
                await own.ledger.decideApproval(id, step.yes ? 'approved' : 'denied', null, 'ada')
                if (step.yes) approved++
              }
              expect(passed).toBeLessThanOrEqual(approved)
            }
            const used = (await own.ledger.approvals({ state: 'used' }, { limit: 500 })).rows
            expect(used).toHaveLength(passed)
            expect(await own.ledger.verify()).toEqual([])
          } finally {
            await own.close()
          }
        }),
        { numRuns: runsOn(name, 20) },
      )
    })
  })
}
