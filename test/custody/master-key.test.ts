import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  CustodyFault,
  loadAdminToken,
  loadMasterKey,
  resetAdminToken,
  stageMasterKey,
} from '../../src/custody/master-key.js'

let home: string
let dir: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'spendgate-custody-'))
  dir = join(home, 'state', 'spendgate')
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const mode = (path: string): number => statSync(path).mode & 0o777
const write = (name: string, text: string, bits = 0o600): string => {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, name)
  writeFileSync(path, text, { mode: bits })
  chmodSync(path, bits)
  return path
}
const key = Buffer.alloc(32, 7).toString('base64')

describe('the master key', () => {
  test('is made at the first start, closed to others, and found again at the second', () => {
    const first = loadMasterKey({}, dir)
    expect(first).toMatchObject({ created: true, source: join(dir, 'master-key') })
    expect(first.key).toHaveLength(32)
    expect(mode(dir)).toBe(0o700)
    expect(mode(join(dir, 'master-key'))).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['master-key'])
    const second = loadMasterKey({}, dir)
    expect(second.created).toBe(false)
    expect(second.key.equals(first.key)).toBe(true)
  })

  test('comes from the environment, and then no file is made', () => {
    expect(loadMasterKey({ SPENDGATE_MASTER_KEY: key }, dir)).toEqual({
      key: Buffer.alloc(32, 7),
      source: 'SPENDGATE_MASTER_KEY',
      created: false,
    })
    expect(loadMasterKey({ SPENDGATE_MASTER_KEY: key.replace('=', '') }, dir).key).toEqual(Buffer.alloc(32, 7))
    expect(existsSync(dir)).toBe(false)
  })

  test('comes from a mounted file, which the group may read and nobody else', () => {
    const path = write('mounted', `${key}\n`, 0o440)
    expect(loadMasterKey({ SPENDGATE_MASTER_KEY_FILE: path }, dir).key).toEqual(Buffer.alloc(32, 7))
    chmodSync(path, 0o444)
    expect(() => loadMasterKey({ SPENDGATE_MASTER_KEY_FILE: path }, dir)).toThrow(
      `${path} is open to others (mode 0444)`,
    )
  })

  test('an empty variable counts as unset', () => {
    expect(loadMasterKey({ SPENDGATE_MASTER_KEY: '', SPENDGATE_MASTER_KEY_FILE: ' ' }, dir).created).toBe(true)
  })

  test.each([0o640, 0o604, 0o660, 0o644])('a file of mode %o is refused', (bits) => {
    const path = write('master-key', key, bits)
    expect(() => loadMasterKey({}, dir)).toThrow(`Close it: chmod 600 ${path}`)
  })

  test('a directory open to others is refused, unless it is empty: then it is closed', () => {
    write('master-key', key)
    chmodSync(dir, 0o755)
    expect(() => loadMasterKey({}, dir)).toThrow(
      `the data directory ${dir} is open to others (mode 0755). Close it: chmod 700 ${dir}`,
    )
    rmSync(join(dir, 'master-key'))
    expect(loadMasterKey({}, dir).created).toBe(true)
    expect(mode(dir)).toBe(0o700)
  })

  test.each([
    ['16 bytes', Buffer.alloc(16).toString('base64'), /has 16 bytes and must have 32/],
    ['33 bytes', Buffer.alloc(33).toString('base64'), /has 33 bytes and must have 32/],
    ['64 hex characters', 'ab'.repeat(32), /has 48 bytes and must have 32/],
    ['no base64', 'correct horse battery staple', /is not base64/],
    ['base64 with a stray bit', `${key.slice(0, 42)}d=`, /is not base64/],
  ])('%s are refused without being shown', (_name, text, sentence) => {
    expect(() => loadMasterKey({ SPENDGATE_MASTER_KEY: text }, dir)).toThrow(sentence)
    try {
      loadMasterKey({ SPENDGATE_MASTER_KEY: text }, dir)
    } catch (fault) {
      expect(String(fault)).not.toContain(text)
    }
  })

  test('an empty file, a missing mounted file and a directory in its place are refused', () => {
    write('master-key', '\n')
    expect(() => loadMasterKey({}, dir)).toThrow(/is empty/)
    expect(() => loadMasterKey({ SPENDGATE_MASTER_KEY_FILE: join(dir, 'absent') }, dir)).toThrow(
      /cannot be read \(ENOENT\)/,
    )
    expect(() => loadMasterKey({ SPENDGATE_MASTER_KEY_FILE: dir }, dir)).toThrow(/is not a regular file/)
  })

  test('two sources are refused', () => {
    const path = write('mounted', key)
    expect(() => loadMasterKey({ SPENDGATE_MASTER_KEY: key, SPENDGATE_MASTER_KEY_FILE: path }, dir)).toThrow(
      'both SPENDGATE_MASTER_KEY and SPENDGATE_MASTER_KEY_FILE are set',
    )
  })

  test('a data directory that cannot be made is a sentence', () => {
    writeFileSync(join(home, 'state'), 'a file')
    expect(() => loadMasterKey({}, dir)).toThrow(CustodyFault)
  })
})

describe('the next master key', () => {
  test('waits beside the present one until it is installed, and is found again by a rotation that was cut short', () => {
    const old = loadMasterKey({}, dir)
    const staged = stageMasterKey({}, dir)
    expect(staged.key.equals(old.key)).toBe(false)
    expect(mode(join(dir, 'master-key.next'))).toBe(0o600)
    expect(stageMasterKey({}, dir).key.equals(staged.key)).toBe(true)
    expect(loadMasterKey({}, dir).key.equals(old.key)).toBe(true)
    staged.install()
    expect(loadMasterKey({}, dir).key.equals(staged.key)).toBe(true)
    expect(readdirSync(dir)).toEqual(['master-key'])
  })

  test('comes from the environment when the present one does, and from nowhere else', () => {
    const next = Buffer.alloc(32, 9).toString('base64')
    const both = { SPENDGATE_MASTER_KEY: key, SPENDGATE_NEW_MASTER_KEY: next }
    expect(stageMasterKey(both, dir).key).toEqual(Buffer.alloc(32, 9))
    expect(() => stageMasterKey({ SPENDGATE_MASTER_KEY: key }, dir)).toThrow(
      /put the new one in SPENDGATE_NEW_MASTER_KEY/,
    )
    expect(() => stageMasterKey({ SPENDGATE_NEW_MASTER_KEY: next }, dir)).toThrow(/Unset it/)
    expect(existsSync(dir)).toBe(false)
  })
})

describe('the admin token', () => {
  test('is made at the first start and admits nobody else', () => {
    const made = loadAdminToken({}, dir)
    expect(made.created).toBe(true)
    expect(made.current().reveal()).toMatch(/^sgadmin_[0-9A-Za-z]{43}$/)
    expect(mode(join(dir, 'admin-token'))).toBe(0o600)
    expect(made.check(made.current().reveal())).toBe(true)
    expect(made.check(`${made.current().reveal()} `)).toBe(false)
    expect(made.check('')).toBe(false)
    expect(loadAdminToken({}, dir).check(made.current().reveal())).toBe(true)
  })

  test('a replaced token file holds at once, and the old token no longer does', () => {
    const running = loadAdminToken({}, dir)
    const old = running.current().reveal()
    const next = resetAdminToken(dir).reveal()
    expect(next).not.toBe(old)
    expect(running.check(old)).toBe(false)
    expect(running.check(next)).toBe(true)
    expect(mode(join(dir, 'admin-token'))).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['admin-token'])
  })

  test('a token file that is gone, damaged or opened to others admits nobody until it is put right', () => {
    const running = loadAdminToken({}, dir)
    const token = running.current().reveal()
    const path = join(dir, 'admin-token')
    chmodSync(path, 0o644)
    expect(running.check(token)).toBe(false)
    chmodSync(path, 0o600)
    expect(running.check(token)).toBe(true)
    rmSync(path)
    expect(running.check(token)).toBe(false)
    write('admin-token', 'short')
    expect(running.check('short')).toBe(false)
    write('admin-token', token)
    expect(running.check(token)).toBe(true)
  })

  test('a token given in the environment is used and not written down', () => {
    const given = loadAdminToken({ SPENDGATE_ADMIN_TOKEN: 'operators-own-token' }, dir)
    expect(given).toMatchObject({ source: 'SPENDGATE_ADMIN_TOKEN', created: false })
    expect(given.check('operators-own-token')).toBe(true)
    expect(given.check('operators-own-tokem')).toBe(false)
    expect(existsSync(dir)).toBe(false)
    expect(JSON.stringify(given)).not.toContain('operators')
  })

  test.each([
    ['too short', 'seven77', /8 to 512 visible/],
    ['a space', 'two words here', /without spaces/],
    ['a vault key', `rk_vault_live_${'a'.repeat(49)}`, /is a vault key/],
  ])('%s is refused without being shown', (_name, token, sentence) => {
    const attempt = (): unknown => loadAdminToken({ SPENDGATE_ADMIN_TOKEN: token }, dir)
    expect(attempt).toThrow(sentence)
    expect(attempt).not.toThrow(token)
  })
})
