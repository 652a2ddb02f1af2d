import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyRecord, Ledger } from '../../src/contracts/ledger.js'
import { allow, budget, credential, dollars, done, draft, newKey, reply } from './book.js'
import type { Book } from './contract.js'

/** What src/contracts/ledger.ts promises of the entries that changes leave, for any store. */
export function changesContract(name: string, open: () => Promise<Book>): void {
  describe(`${name}: what a change leaves in the book`, () => {
    let book: Book
    let ledger: Ledger
    beforeEach(async () => {
      book = await open()
      ledger = book.ledger
    })
    afterEach(async () => {
      expect(await ledger.verify()).toEqual([])
      await book.close()
    })

    const DIGEST = expect.stringMatching(/^[0-9a-f]{64}$/)
    /** What the entries of a change say, by their kinds. */
    const left = async (change: () => Promise<unknown>): Promise<[string, unknown][]> => {
      const before = ledger.lastEntry()
      await change()
      return (await ledger.entries(before, 100)).map(({ kind, detail }) => [kind, JSON.parse(detail)])
    }
    const keyRow = ({ id }: Pick<KeyRecord, 'id'>): object => ({ [`keys ${id}`]: DIGEST })

    test('a key: who made it under which key, policy and run, and every change of it with a digest of its row', async () => {
      const root = await newKey(ledger)
      const { policyId } = root
      let child!: KeyRecord
      const made = await left(async () => {
        child = await newKey(ledger, { parentId: root.id, policyId, run: 'run_7', actor: 'ada' })
      })
      expect(made).toEqual([
        [
          'key.created',
          { actor: 'ada', key: child.id, parent: root.id, policy: policyId, run: 'run_7', rows: keyRow(child) },
        ],
      ])
      expect(await left(() => ledger.narrowKey(child.id, { daily_cap_usd: '1.00' }, 'ada'))).toEqual([
        ['key.narrowed', { actor: 'ada', key: child.id, rows: keyRow(child) }],
      ])
      const { callId } = await ledger.admit(draft(child, '1.00', { perMinute: [null, null] }), allow)
      ledger.mayLeave(callId)
      expect(await left(() => ledger.revoke(root.id, 'over', 'ada'))).toEqual([
        [
          'key.revoked',
          { actor: 'ada', key: root.id, in_flight: [callId], rows: { ...keyRow(root), ...keyRow(child) } },
        ],
      ])
      ledger.settle(callId, reply('released'))
    })

    test('a freeze: its scope, and that it is gone', async () => {
      const scope = { kind: 'run', value: 'run_7' } as const
      expect(await left(() => ledger.freeze(scope, 'stop', 'ada'))).toEqual([
        ['frozen', { actor: 'ada', scope: 'run run_7', rows: { 'freezes run run_7': DIGEST } }],
      ])
      expect(await left(() => ledger.unfreeze(scope, 'ada'))).toEqual([
        ['unfrozen', { actor: 'ada', scope: 'run run_7', rows: { 'freezes run run_7': null } }],
      ])
    })

    test('a credential: what it is, and nothing of what is sealed in it', async () => {
      const kept = credential({ name: 'main', apiVersion: '2026-10-28.endive', sealed: 'the secret' })
      const said = { actor: 'ada', credential: kept.id }
      expect(await left(() => ledger.putCredential(kept, 'credential.added', 'ada'))).toEqual([
        [
          'credential.added',
          {
            ...said,
            vendor: 'stripe',
            name: 'main',
            fingerprint: 'f00d',
            api_version: '2026-10-28.endive',
            rows: { [`credentials ${kept.id}`]: DIGEST },
          },
        ],
      ])
      expect(await left(() => ledger.removeCredential(kept.id, 'ada'))).toEqual([
        ['credential.removed', { ...said, rows: { [`credentials ${kept.id}`]: null } }],
      ])
    })

    test('a policy and a setting: its version, its value, and nothing when it was there before', async () => {
      let id = ''
      expect(
        await left(async () => {
          id = (await ledger.addPolicy('refunds', { cap: '1.00' }, 'ada')).id
        }),
      ).toEqual([
        [
          'policy.added',
          { actor: 'ada', policy: id, name: 'refunds', version: 1, rows: { [`policies ${id}`]: DIGEST } },
        ],
      ])
      expect(await left(() => ledger.addPolicy('refunds', { cap: '1.00' }, 'ada'))).toEqual([])
      expect(await left(() => ledger.putSetting('rates', { eur: '1.09' }, 'ada'))).toEqual([
        ['setting.changed', { actor: 'ada', name: 'rates', value: { eur: '1.09' } }],
      ])
    })

    test('a setting that is put once stays the first one, and the second leaves nothing', async () => {
      expect(
        await left(async () => expect(await ledger.settingOnce('secret', 'of a', 'ada')).toBe('of a')),
      ).toHaveLength(1)
      expect(await left(async () => expect(await ledger.settingOnce('secret', 'of b', 'bob')).toBe('of a'))).toEqual([])
      expect(ledger.setting('secret')).toBe('of a')
    })

    test('a reissue: from which key, and what each counter took over', async () => {
      const old = await newKey(ledger)
      await done(ledger, draft(old, '30.00'), reply('settled'))
      const next = budget('key:key_next', '50.00')
      const told = await left(() => ledger.carryOver(old.id, [next], 'ada'))
      expect(told).toEqual([
        ['counter', { id: 1, counter: 'key:key_next', window: '2026-11-21' }],
        ['carried.to', { actor: 'ada', from: old.id, counters: [1] }],
        ['carried', { actor: 'ada', from: old.id }],
      ])
      const amounts = (await ledger.entries(0, 100)).filter(({ kind }) => kind === 'carried.to')
      expect(amounts.map(({ amount }) => amount)).toEqual([dollars('30.00')])
    })
  })
}
