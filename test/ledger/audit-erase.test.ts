import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Subject } from '../../src/ledger/erasure.js'
import { AuditBook, EMAIL, PHONE } from './audit-book.js'
import { allow, DAY, draft, newKey, refuse, row } from './book.js'

const DIGEST = 'd1'.repeat(32)
let book: AuditBook
beforeEach(async () => void (book = await AuditBook.begun()))
afterEach(() => book.close())

/** Whether a text is anywhere in the file or its log, deleted pages among them. */
function onDisk(text: string): boolean {
  return ['', '-wal'].some((tail) => {
    try {
      return readFileSync(book.file + tail).includes(text)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw cause
    }
  })
}

describe('erasing', () => {
  test('takes a person out of every row, and the book stays sound', async () => {
    const key = await book.furnish()
    book.clock.at += 3 * DAY
    expect(onDisk(EMAIL)).toBe(true)
    const erased = await book.ledger.erase(EMAIL, DIGEST, 'ada')
    // The policy, the key that was revoked and the approval; and the freeze.
    expect(erased).toEqual({ calls: 4, rows: 4, kept: [] })
    expect(await book.ledger.verify()).toEqual([])
    expect(onDisk(EMAIL)).toBe(false)
    const denied = await row(book.ledger, 'call_0000000005')
    expect(denied).toMatchObject({ reason: '[erased] asked for it', message: '[erased] is not allowed.' })
    expect(denied.path).toContain(PHONE)
    expect(book.ledger.freezes()[0]!.reason).toBe('asked for by [erased]')
    expect((await book.ledger.keys({ limit: 10 })).rows.map(({ revokeReason }) => revokeReason)).toContain(
      'complaint of [erased]',
    )
    await (await book.reopen()).admit(draft(book.ledger.key(key.id)!, '1.00'), allow)
    expect(await book.ledger.verify()).toEqual([])
  })

  test('leaves an entry that names the person by a keyed digest only', async () => {
    await book.furnish()
    await book.ledger.erase(PHONE, DIGEST, 'ada')
    const entries = await book.ledger.entries(0, 10_000)
    const last = entries.at(-1)!
    expect(last.kind).toBe('erased')
    expect(JSON.parse(last.detail)).toMatchObject({ actor: 'ada', subject: DIGEST })
    expect(entries.some(({ detail }) => detail.includes(PHONE))).toBe(false)
  })

  test('is written down even where nothing was found', async () => {
    await book.furnish()
    const before = book.ledger.lastEntry()
    expect(await book.ledger.erase('bob@example.com', DIGEST, 'ada')).toEqual({ calls: 0, rows: 0, kept: [] })
    expect(book.ledger.lastEntry()).toBe(before + 1)
    expect(await book.ledger.verify()).toEqual([])
  })

  test('keeps what is in force, and says so', async () => {
    const key = await book.furnish()
    await newKey(book.ledger, {
      policyId: book.ledger.policies().find(({ name, version }) => name === 'support' && version === 1)!.id,
    })
    await book.ledger.narrowKey(key.id, { recipients: [PHONE] }, 'ada')
    const { kept } = await book.ledger.erase(PHONE, DIGEST, 'ada')
    expect(kept).toEqual([
      'The policy support@1 is in force: store a version without it.',
      `The key ${key.id} is narrowed to it and lives: revoke the key first.`,
    ])
    expect(await book.ledger.verify()).toEqual([])
    await book.ledger.revoke(key.id, null, 'ada')
    expect((await book.ledger.erase(PHONE, DIGEST, 'ada')).kept).toHaveLength(1)
    expect(JSON.stringify(book.ledger.key(key.id)!.narrowings)).toBe('[{"recipients":["[erased]"]}]')
    expect(await book.ledger.verify()).toEqual([])
  })

  test('keeps an approval that may still be used, and erases it once it has expired', async () => {
    const { ledger, clock } = book
    const key = await newKey(ledger)
    const call = draft(key, '60.00', { approvalMs: 3_600_000, path: `/v2/PhoneNumbers/${PHONE}` })
    await ledger.admit(call, refuse('approval_required'))
    const { id } = (await ledger.approvalFor(key.id, call.requestHash))!
    expect((await ledger.erase(PHONE, DIGEST, 'ada')).kept).toEqual([`The approval ${id} is open and has not expired.`])
    expect((await ledger.approval(id))!.path).toContain(PHONE)
    clock.at += 2 * 3_600_000
    expect((await ledger.erase(PHONE, DIGEST, 'ada')).kept).toEqual([])
    expect((await ledger.approval(id))!.path).toBe('/v2/PhoneNumbers/[erased]')
    expect(await ledger.verify()).toEqual([])
  })

  test("keeps a request's hash while a retry may come, and takes it away after that", async () => {
    const { ledger, clock } = book
    const key = await newKey(ledger)
    const call = draft(key, '1.00', { path: `/v2/PhoneNumbers/${PHONE}` })
    const { callId } = await ledger.admit(call, allow)
    await ledger.erase(PHONE, DIGEST, 'ada')
    expect((await row(ledger, callId)).requestHash).toBe(call.requestHash)
    const later = await ledger.admit(draft(key, '1.00', { path: `/v2/PhoneNumbers/${PHONE}` }), allow)
    clock.at += 3 * DAY
    await ledger.erase(PHONE, DIGEST, 'ada')
    expect((await row(ledger, later.callId)).requestHash).toBe('[erased]')
    // The one that had to be left goes with the next erasure, whomever that is about.
    expect((await row(ledger, callId)).requestHash).toBe('[erased]')
    expect(await ledger.verify()).toEqual([])
  })

  test('many calls takes several transactions, each sound by itself', async () => {
    const { ledger } = book
    const key = await newKey(ledger)
    const all = Array.from({ length: 1_203 }, () => ledger.admit(draft(key, '0.00', { customer: 'cus_Ann' }), allow))
    await Promise.all(all)
    expect(await ledger.erase('cus_Ann', DIGEST, 'ada')).toEqual({ calls: 1_203, rows: 0, kept: [] })
    expect((await ledger.entries(0, 10_000)).filter(({ kind }) => kind === 'erased')).toHaveLength(3)
    expect(await ledger.verify()).toEqual([])
  })

  test('looks at what is no call once, however many calls there are, and notes no transaction that erased nothing', async () => {
    const { ledger } = book
    const key = await newKey(ledger)
    const { id } = await ledger.addPolicy('cus_Ann', { for: 'cus_Ann' }, 'ada')
    await newKey(ledger, { policyId: id })
    // As many as one transaction takes: only the next one finds that there are no more.
    const all = Array.from({ length: 500 }, () => ledger.admit(draft(key, '0.00', { customer: 'cus_Ann' }), allow))
    await Promise.all(all)
    const { calls, kept } = await ledger.erase('cus_Ann', DIGEST, 'ada')
    expect([calls, kept.length]).toEqual([500, 1])
    expect((await ledger.entries(0, 10_000)).filter(({ kind }) => kind === 'erased')).toHaveLength(1)
    const more = Array.from({ length: 501 }, () => ledger.admit(draft(key, '0.00', { customer: 'cus_Bob' }), allow))
    await Promise.all(more)
    const bob = await ledger.addPolicy('bob', { for: 'cus_Bob' }, 'ada')
    await newKey(ledger, { policyId: bob.id })
    expect((await ledger.erase('cus_Bob', DIGEST, 'ada')).kept).toHaveLength(1)
    expect(await ledger.verify()).toEqual([])
  })

  test('is found when somebody takes it back', async () => {
    await book.furnish()
    await book.ledger.erase(EMAIL, DIGEST, 'ada')
    const faults = await book.changed(`update calls set reason = '${EMAIL} asked for it' where seq = 5`)
    expect(faults).toEqual(['call_0000000005 says something else about who asked for what than its entries.'])
  })
})

describe('a subject', () => {
  test.each([
    [PHONE, `/v2/PhoneNumbers/${PHONE}.json`, '/v2/PhoneNumbers/[erased].json'],
    [PHONE, '/v1/lookup?to=%2B14155550123&x=1', '/v1/lookup?to=[erased]&x=1'],
    [PHONE, 'called 14155550123 twice', 'called [erased] twice'],
    ['14155550123', `/to/${PHONE} or %2B14155550123`, '/to/[erased] or [erased]'],
    [PHONE, 'to +141555501239', 'to +141555501239'],
    [PHONE, 'to ++14155550123', 'to ++14155550123'],
    [EMAIL, `Ann <${EMAIL}>, ANN.SMITH@EXAMPLE.COM.`, 'Ann <[erased]>, [erased].'],
    [EMAIL, '/emails/ann.smith%40example.com', '/emails/[erased]'],
    [EMAIL, '%3Cann.smith%40example.com%3E', '%3C[erased]%3E'],
    [EMAIL, 'joann.smith@example.com', 'joann.smith@example.com'],
    [EMAIL, 'ann.smith@example.com.au', 'ann.smith@example.com.au'],
    ['cus_A', '/v1/customers/cus_A/sources', '/v1/customers/[erased]/sources'],
    ['cus_A', '/v1/customers/cus_AB', '/v1/customers/cus_AB'],
    ['a.*b', 'a.*b and axxb', '[erased] and axxb'],
  ])('%s is taken out of «%s»', (subject, text, left) => {
    expect(new Subject(subject).within(text)).toBe(left)
  })

  test('is taken out of every text of a document, names among them', () => {
    expect(new Subject(PHONE).withinDocument({ [PHONE]: [PHONE, { to: `x ${PHONE}` }, 4, null] })).toEqual({
      '[erased]': ['[erased]', { to: 'x [erased]' }, 4, null],
    })
  })
})
