import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { KeyDigest } from '../../src/custody/keys.js'
import { Operators } from '../../src/ledger/operators.js'
import { restore } from '../../src/ledger/restore.js'
import { openSqlite, type SqliteLedger } from '../../src/ledger/sqlite.js'

/*
 * Somebody whom an admin shuts out is still known at the provider, and signs in as often as they like.
 */

const dir = mkdtempSync(join(tmpdir(), 'spendgate-comes-back-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const clock = { now: () => 1_780_000_000_000, monotonic: () => 0 }
const digest = new KeyDigest(Buffer.alloc(32, 7))
const EVE = { issuer: 'https://id.example', subject: 'u-5', name: 'eve@example.com', role: 'viewer' } as const

function opened(name: string): { readonly ledger: SqliteLedger; readonly operators: Operators } {
  const ledger = openSqlite({ file: join(dir, name), clock })
  return { ledger, operators: new Operators(ledger, digest, clock) }
}

test('a sign-in under a new name or role at the very moment does not take the revocation back', async () => {
  const { ledger, operators } = opened('race.db')
  const { actor } = (await operators.enter(EVE))!
  const changed = { ...EVE, name: 'eve@married.example', role: 'admin' } as const
  const [, late] = await Promise.all([operators.revoke(actor, 'admin'), operators.enter(changed)])
  expect(late?.stands() ?? false).toBe(false)
  expect(operators.find(actor)!.revokedAt).toBe(clock.now())
  expect(await operators.enter(changed)).toBeNull()
  await operators.readmit(actor, 'admin')
  const [early] = await Promise.all([operators.enter(changed), operators.revoke(actor, 'admin')])
  expect(early?.stands() ?? false).toBe(false)
  expect(await operators.enter(changed)).toBeNull()
  await ledger.close()
})

test('two first sign-ins at once are one person, so that one revocation ends both; on two nodes too', async () => {
  const { ledger, operators } = opened('twice.db')
  const node = new Operators(ledger, digest, clock)
  const both = await Promise.all([operators.enter(EVE), operators.enter(EVE), node.enter(EVE)])
  expect(operators.list().map(({ name }) => name)).toEqual([EVE.name])
  await operators.revoke(both[0]!.actor, 'admin')
  expect(both.map((principal) => principal!.stands())).toEqual([false, false, false])
  expect(await operators.enter(EVE)).toBeNull()
  await ledger.close()
})

test('a fault while one change is written does not keep the next from being made', async () => {
  const { ledger } = opened('fault.db')
  let faulty = true
  const once: SqliteLedger['settingOnce'] = (...given) =>
    faulty ? Promise.reject(new Error('the disk is full')) : ledger.settingOnce(...given)
  const operators = new Operators(
    {
      setting: (name) => ledger.setting(name),
      settingOnce: once,
      putSetting: (...given) => ledger.putSetting(...given),
    },
    digest,
    clock,
  )
  await expect(operators.enter(EVE)).rejects.toThrow('the disk is full')
  faulty = false
  expect((await operators.enter(EVE))!.name).toBe('oidc:eve@example.com')
  await ledger.close()
})

test('whoever came after a backup and was shut out stays out when it is put back', async () => {
  const { ledger, operators } = opened('restored.db')
  await operators.add({ name: 'first', role: 'admin', expiresAt: null }, 'admin')
  const backup = join(dir, 'backup.db')
  await ledger.backup(backup)
  await operators.add({ name: 'late', role: 'admin', expiresAt: null }, 'admin')
  const { actor } = (await operators.enter(EVE))!
  await operators.revoke(actor, 'admin')
  const mallory = (await operators.enter({ ...EVE, subject: 'u-6', name: 'mallory@example.com' }))!
  await ledger.close()
  expect((await restore(join(dir, 'restored.db'), backup, { clock })).carried).toBe(1)

  const back = opened('restored.db')
  expect(await back.operators.enter(EVE)).toBeNull()
  expect(back.operators.find(actor)!.name).toBe(EVE.name)
  // Who was not shut out comes in as somebody new, behind those who are there.
  expect((await back.operators.enter({ ...EVE, subject: 'u-6' }))!.actor).not.toBe(mallory.actor)
  expect(back.operators.list()).toHaveLength(3)
  expect(await back.ledger.verify()).toEqual([])
  await back.ledger.close()
})
