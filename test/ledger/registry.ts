import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LedgerConflict, type FreezeScope, type Ledger } from '../../src/contracts/ledger.js'
import { admitted, allow, credential, draft, HOUR, newKey, SECOND } from './book.js'
import type { Book } from './contract.js'

/** Who may call, and what that rests on: part of the promises of src/contracts/ledger.ts, for any store behind them. */
export function registryContract(name: string, open: () => Promise<Book>): void {
  describe(`${name} ledger: keys, credentials and freezes`, () => {
    let book: Book
    let ledger: Ledger
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
    })
    afterEach(async () => {
      expect(await book.ledger.verify()).toEqual([])
      await book.close()
    })

    test('for a key that was revoked answers the last one it was reissued as, for its descendants too', async () => {
      const first = await newKey(ledger)
      const child = await newKey(ledger, { parentId: first.id })
      const second = await newKey(ledger, { replaces: first.id })
      const third = await newKey(ledger, { replaces: second.id })
      const answers = (of: Ledger): unknown[] =>
        [first, child, second, third, { id: 'key_nobody' }].map(({ id }) => of.successor(id)?.id ?? null)
      expect(answers(ledger)).toEqual([first.id, child.id, second.id, third.id, null])
      await ledger.revoke(first.id, null, 'operator')
      expect(answers(ledger)).toEqual([second.id, second.id, second.id, third.id, null])
      await ledger.revoke(second.id, null, 'operator')
      expect(answers(ledger)).toEqual([third.id, third.id, third.id, third.id, null])
      expect(answers(await book.reopen())).toEqual([third.id, third.id, third.id, third.id, null])
    })

    test('a key that was revoked and never reissued answers for itself', async () => {
      const key = await newKey(ledger)
      await ledger.revoke(key.id, 'gone', 'operator')
      expect(ledger.successor(key.id)).toMatchObject({ id: key.id, revokeReason: 'gone' })
    })

    test('with a key all its descendants are revoked, and one that was revoked before keeps its own reason', async () => {
      const root = await newKey(ledger)
      const [beside, before] = [
        await newKey(ledger, { parentId: root.id }),
        await newKey(ledger, { parentId: root.id }),
      ]
      const below = await newKey(ledger, { parentId: beside.id })
      const early = await ledger.revoke(before.id, 'early', 'operator')
      book.clock.at += HOUR
      const { callId } = await ledger.admit(draft(root, '1.00'), allow)
      ledger.mayLeave(callId)
      const late = await ledger.revoke(root.id, 'late', 'operator')
      expect(late).toEqual({ revokedAt: early.revokedAt + HOUR, inFlight: [callId] })
      const [entry] = (await ledger.entries(0, 100)).slice(-1)
      const { rows } = JSON.parse(entry!.detail) as { rows: object }
      expect(Object.keys(rows)).toEqual([root, beside, below].map(({ id }) => `keys ${id}`))
      for (const again of [async () => ledger, () => book.crash()]) {
        const of = await again()
        expect([before, beside, below].map(({ id }) => of.key(id)!.revokeReason)).toEqual(['early', 'late', 'late'])
        expect(of.key(before.id)!.revokedAt).toBe(early.revokedAt)
        // What was in flight under the root is named with the root.
        for (const { id } of [beside, below])
          expect(await of.revoke(id, null, 'operator')).toEqual({ revokedAt: late.revokedAt, inFlight: [] })
        expect(await of.revoke(root.id, null, 'operator')).toEqual(late)
      }
    })

    test('a key says when it was last used', async () => {
      const key = await newKey(ledger)
      expect(ledger.key(key.id)!.lastUsedAt).toBeNull()
      book.clock.at += HOUR
      await ledger.admit(draft(key, '1.00'), allow)
      expect(ledger.key(key.id)!.lastUsedAt).toBe(book.clock.at)
    })

    test('an id belongs to one key', async () => {
      const { id } = await newKey(ledger)
      await expect(newKey(ledger, { id })).rejects.toThrow(LedgerConflict)
      await expect(newKey(ledger, { id })).rejects.toThrow(`The key ${id} exists`)
    })

    test('what is for tests and what is not are told apart after a restart', async () => {
      const keys = [await newKey(ledger, { test: true }), await newKey(ledger, { test: false })]
      const kept = [credential({ test: true }), credential({ test: false })]
      for (const each of kept) await ledger.putCredential(each, 'credential.added', 'operator')
      const after = await book.crash()
      expect(keys.map(({ id }) => after.key(id))).toEqual(keys)
      expect(kept.map(({ id }) => after.credential(id))).toEqual(kept)
    })

    test('a page that ends with the last key names no next one, any other page the last key on it', async () => {
      const made: string[] = []
      for (let i = 0; i < 5; i++) made.unshift((await newKey(ledger)).id)
      const page = await ledger.keys({ limit: 3 })
      expect([page.rows.map(({ id }) => id), page.next]).toEqual([made.slice(0, 3), made[2]])
      expect((await ledger.keys({ limit: 5 })).next).toBeNull()
      expect((await ledger.keys({ limit: 2, cursor: made[2]! })).next).toBeNull()
    })

    test('a name is taken once for each vendor', async () => {
      const main = credential({ name: 'main' })
      await ledger.putCredential(main, 'credential.added', 'operator')
      const others = [credential({ name: 'main', vendor: 'twilio' }), credential({ name: 'other' })]
      for (const each of others) await ledger.putCredential(each, 'credential.added', 'operator')
      expect(ledger.credentials()).toEqual([main, ...others])
      const second = ledger.putCredential(credential({ name: 'main' }), 'credential.added', 'operator')
      await expect(second).rejects.toThrow(`${main.id}`)
    })

    test('a credential stays for a key that never expires, and is free of keys that use others', async () => {
      const [used, free] = [credential(), credential()]
      for (const each of [used, free]) await ledger.putCredential(each, 'credential.added', 'operator')
      const key = await newKey(ledger, { credentialIds: [used.id] })
      await expect(ledger.removeCredential(used.id, 'operator')).rejects.toThrow(`used by the key ${key.id}`)
      await ledger.removeCredential(free.id, 'operator')
      expect(ledger.credentials()).toEqual([used])
    })

    test('a version of a policy has an id of its own', async () => {
      expect((await ledger.addPolicy('refunds', {}, 'operator')).id).toMatch(/^pol_[0-9A-Za-z]{20}$/)
    })

    test('a freeze stops what it names, and nothing of another kind that is called the same', async () => {
      const key = await newKey(ledger)
      const others: FreezeScope[] = [
        { kind: 'run', value: 'stripe' },
        { kind: 'run', value: key.id },
        { kind: 'vendor', value: 'run_1' },
        { kind: 'vendor', value: key.id },
        { kind: 'key', value: 'stripe' },
        { kind: 'key', value: 'run_1' },
      ]
      for (const scope of others) await ledger.freeze(scope, null, 'operator')
      expect(ledger.stands(key, 'run_1', 'stripe')).toBe(true)
      expect((await admitted(ledger, draft(key, '1.00'))).usage.frozen).toBeNull()
    })

    test.each<[FreezeScope, string]>([
      [{ kind: 'all' }, 'all'],
      [{ kind: 'run', value: 'run_1' }, 'run run_1'],
      [{ kind: 'vendor', value: 'stripe' }, 'vendor stripe'],
    ])('a call is told which freeze covers it: %o', async (scope, told) => {
      const key = await newKey(ledger)
      await ledger.freeze(scope, 'stop', 'operator')
      const { usage } = await admitted(ledger, draft(key, '1.00'), allow)
      expect(usage.frozen).toEqual({ scope: told, at: book.clock.at, reason: 'stop' })
      expect(ledger.stands(key, 'run_1', 'stripe')).toEqual({
        code: 'key_frozen',
        rule: 'freeze',
        message: expect.stringContaining(`(${told})`) as string,
      })
    })

    test('a key that has expired or was revoked is refused by the rule of standing', async () => {
      const expiresAt = book.clock.at + SECOND
      const [brief, gone] = [await newKey(ledger, { expiresAt }), await newKey(ledger)]
      await ledger.revoke(gone.id, null, 'operator')
      expect(ledger.stands(brief, 'run_1', 'stripe')).toBe(true)
      book.clock.at = expiresAt
      expect(ledger.stands(brief, 'run_1', 'stripe')).toMatchObject({ code: 'key_expired', rule: 'standing' })
      expect(ledger.stands(gone, 'run_1', 'stripe')).toMatchObject({ code: 'key_revoked', rule: 'standing' })
    })

    test('nothing stops a key that is not in the book, and no freeze of another covers it', async () => {
      const key = await newKey(ledger)
      await ledger.freeze({ kind: 'key', value: key.id }, null, 'operator')
      expect(ledger.stands({ ...key, id: 'key_nobody' }, 'run_1', 'stripe')).toBe(true)
    })
  })
}
