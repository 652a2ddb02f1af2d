import Database from 'better-sqlite3'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { allow, done, draft, HOUR, newKey, reply, StandingClock } from '../ledger/book.js'

test('the idempotency key of a call in doubt, and of one whose repetition is, outlives those of all others', async () => {
  const clock = new StandingClock()
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-keys-'))
  const ledger = openSqlite({ file: join(dir, 'spendgate.db'), clock })
  const key = await newKey(ledger)
  await done(ledger, draft(key, '1.00', { idempotencyHash: 'sg_over' }), reply('settled'))
  const doubt = await done(ledger, draft(key, '1.00', { idempotencyHash: 'sg_doubt' }), reply('assumed'))
  const same = { idempotencyHash: 'sg_repeated', requestHash: 'same' }
  await done(ledger, draft(key, '1.00', same), reply('settled'))
  const repeated = await done(ledger, draft(key, '1.00', same), reply('assumed'))
  clock.at += 72 * HOUR
  // Forgetting comes with every 1024th commit, and each of these calls has one of its own.
  for (let i = 0; i < 1_100; i++) await ledger.admit(draft(key, '0', { effect: 'read', basis: 'free' }), allow)
  const kept = (await ledger.doubts(null, { limit: 9 })).rows
  expect(kept.map(({ id, idempotencyHash }) => [id, idempotencyHash])).toEqual([
    [doubt, 'sg_doubt'],
    [repeated, 'sg_repeated'],
  ])
  await ledger.close()
  const db = new Database(join(dir, 'spendgate.db'), { readonly: true })
  expect(db.prepare('select hash from idempotency order by call_seq').pluck().all()).toEqual([
    'sg_doubt',
    'sg_repeated',
  ])
  db.close()
  rmSync(dir, { recursive: true })
})
