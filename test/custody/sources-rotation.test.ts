import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadMasterKey } from '../../src/custody/master-key.js'
import { Vault } from '../../src/custody/seal.js'
import { internalSecrets } from '../../src/internal-secrets.js'
import { rotateMasterKey } from '../../src/ledger/offline.js'
import { openSqlite } from '../../src/ledger/sqlite.js'

const clock = { now: () => 1_764_000_000_000, monotonic: () => 0 }
const old = Buffer.alloc(32, 7).toString('base64')
const next = Buffer.alloc(32, 9).toString('base64')
const path = process.env.PATH

let home: string
let dataDir: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'spendgate-rotation-'))
  dataDir = join(home, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  mkdirSync(join(home, 'bin'))
  process.env.PATH = `${join(home, 'bin')}:/usr/bin:/bin`
  // One program for both ways: it prints what is kept under the name that it is asked for.
  const body = '#!/bin/sh\n[ "$1" = lookup ] && name=$3 || name=$1\ncat "$(dirname "$0")/$name.key"\n'
  for (const name of ['keyholder', 'secret-tool']) {
    writeFileSync(join(home, 'bin', name), body)
    chmodSync(join(home, 'bin', name), 0o700)
  }
  writeFileSync(join(home, 'bin', 'present.key'), old)
  writeFileSync(join(home, 'bin', 'upcoming.key'), next)
  writeFileSync(join(home, 'old'), old, { mode: 0o600 })
  writeFileSync(join(home, 'next'), next, { mode: 0o600 })
})
afterEach(() => {
  process.env.PATH = path
  rmSync(home, { recursive: true, force: true })
})

/** A ledger with one sealed credential. */
async function begun(env: Record<string, string>): Promise<void> {
  const ledger = openSqlite({ file: join(dataDir, 'spendgate.db'), clock })
  const vault = new Vault(loadMasterKey(env, dataDir).key)
  await internalSecrets(ledger, vault)
  const sealed = vault.seal({ id: 'cred_A', vendor: 'stripe' }, { api_key: 'sk_live_x' })
  const facts = { account: '', test: false, apiVersion: '', fingerprint: 'f', last4: 'live' }
  const record = { id: 'cred_A', vendor: 'stripe', name: 'main', ...facts, sealed, createdAt: 0, rotatedAt: null }
  await ledger.putCredential(record, 'credential.added', 'test')
  await ledger.close()
}

async function opened(key: Buffer): Promise<unknown> {
  const ledger = openSqlite({ file: join(dataDir, 'spendgate.db'), clock })
  try {
    return new Vault(key).open({ id: 'cred_A', vendor: 'stripe' }, ledger.credential('cred_A')!.sealed)
  } finally {
    await ledger.close()
  }
}

describe('the master key is rotated, wherever it is kept', () => {
  const from = (): Record<string, Record<string, string>> => ({
    variable: { SPENDGATE_MASTER_KEY: old },
    file: { SPENDGATE_MASTER_KEY_FILE: join(home, 'old') },
    command: { SPENDGATE_MASTER_KEY_COMMAND: 'keyholder present' },
    keychain: { SPENDGATE_MASTER_KEY_KEYCHAIN: 'present' },
  })
  const to = (): Record<string, Record<string, string>> => ({
    variable: { SPENDGATE_NEW_MASTER_KEY: next },
    file: { SPENDGATE_NEW_MASTER_KEY_FILE: join(home, 'next') },
    command: { SPENDGATE_NEW_MASTER_KEY_COMMAND: 'keyholder upcoming' },
    keychain: { SPENDGATE_NEW_MASTER_KEY_KEYCHAIN: 'upcoming' },
  })

  test.runIf(process.platform === 'linux').each([
    ['variable', 'file'],
    ['file', 'command'],
    ['command', 'keychain'],
    ['keychain', 'variable'],
  ])('from a %s to a %s', async (before, after) => {
    await begun(from()[before]!)
    const env = { ...from()[before]!, ...to()[after]! }
    const done = await rotateMasterKey(dataDir, env)
    expect(done).toMatchObject({ rewrapped: 1, remains: expect.stringContaining(Object.keys(to()[after]!)[0]!) })
    expect(await opened(Buffer.alloc(32, 9))).toEqual({ api_key: 'sk_live_x' })
    await expect(opened(Buffer.alloc(32, 7))).rejects.toThrow(/does not match this database/)
    // Told twice, it finds that it is done.
    expect(await rotateMasterKey(dataDir, env)).toMatchObject({ rewrapped: 0 })
  })

  test('in the data directory it is made and put in its place', async () => {
    await begun({})
    const before = readFileSync(join(dataDir, 'master-key'), 'utf8')
    expect(await rotateMasterKey(dataDir, {})).toMatchObject({ rewrapped: 1, remains: null })
    expect(readFileSync(join(dataDir, 'master-key'), 'utf8')).not.toBe(before)
    expect(await opened(loadMasterKey({}, dataDir).key)).toEqual({ api_key: 'sk_live_x' })
  })
})
