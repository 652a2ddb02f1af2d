import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { start } from '../../bench/growth.js'
import { multiplyKeys } from '../../bench/seed.js'
import { SystemClock } from '../../src/clock.js'
import { openSqlite } from '../../src/ledger/sqlite.js'

describe('ledgers that are seeded', () => {
  let directory: string
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'seed-'))))
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  // The growth run itself adds up what it seeded, and refuses a ledger whose sums are not those of its rows.
  test('sum up to their rows, and go on as if each call had been made', { timeout: 60_000 }, async () => {
    const growth = await start({ directory, sizes: [1_250], rounds: 1 })
    try {
      const [grown] = await growth.ask!('measure')
      expect(grown).toMatchObject({ rows: 1_250 })
      expect(grown!.rowsAfter).toBeGreaterThan(1_250)
    } finally {
      await growth.stop()
    }
  })

  test('have as many keys as were asked for, each found by its own digest', async () => {
    const file = join(directory, 'spendgate.db')
    const ledger = openSqlite({ file, clock: new SystemClock() })
    const { id: policyId } = await ledger.addPolicy('bench', { name: 'bench' }, 'bench')
    const digest = createHash('sha256').update('first').digest('hex')
    await ledger.addKey({
      id: 'key_bench',
      publicId: '0'.repeat(32),
      digest,
      last4: 'abcd',
      name: 'agent',
      parentId: null,
      policyId,
      narrowings: [],
      credentialIds: [],
      run: null,
      runCap: null,
      test: true,
      expiresAt: null,
      createdAt: 0,
      actor: 'bench',
    })
    await ledger.close()
    multiplyKeys(file, 50)
    const again = openSqlite({ file, clock: new SystemClock() })
    try {
      const { rows } = await again.keys({ limit: 100 })
      expect(rows).toHaveLength(50)
      expect(new Set(rows.map((key) => key.digest)).size).toBe(50)
      expect(again.findKey(digest)?.id).toBe('key_bench')
      for (const key of rows) expect(again.findKey(key.digest)?.rootId).toBe(key.id)
    } finally {
      await again.close()
    }
  })
})
