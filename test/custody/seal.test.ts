import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { SealFault, Vault } from '../../src/custody/seal.js'
import { Secret } from '../../src/custody/secret.js'

const master = randomBytes(32)
const vault = new Vault(master)
const binding = { id: 'cred_A', vendor: 'stripe' }
const parts = { api_key: 'rk_live_CANARY_0123456789' }

describe('the vault', () => {
  test('what is sealed opens again, and the sealed text shows nothing of it', () => {
    const sealed = vault.seal(binding, parts)
    expect(vault.open(binding, sealed)).toEqual(parts)
    expect(sealed).not.toContain('CANARY')
    expect(Buffer.from(sealed.split('.')[3]!, 'base64url').includes('CANARY')).toBe(false)
  })

  test('the same secret sealed twice gives two texts', () => {
    const [first, second] = [vault.seal(binding, parts), vault.seal(binding, parts)]
    expect(first.split('.')[2]).not.toBe(second.split('.')[2])
    expect(first.split('.')[3]).not.toBe(second.split('.')[3])
  })

  test('another process with the same master key opens it', () => {
    expect(new Vault(Buffer.from(master)).open(binding, vault.seal(binding, parts))).toEqual(parts)
  })

  test('a sealed secret does not open in the row of another credential or vendor', () => {
    const sealed = vault.seal(binding, parts)
    expect(() => vault.open({ ...binding, id: 'cred_B' }, sealed)).toThrow(SealFault)
    expect(() => vault.open({ ...binding, vendor: 'twilio' }, sealed)).toThrow(/altered, or belongs to another row/)
  })

  test('a binding cannot be written so that it reads like another', () => {
    const sealed = vault.seal({ id: 'a","b', vendor: 'c' }, parts)
    expect(() => vault.open({ id: 'a', vendor: 'b","c' }, sealed)).toThrow(SealFault)
  })

  test('a changed bit anywhere is noticed', () => {
    const sealed = vault.seal(binding, parts)
    const fields = sealed.split('.')
    for (const field of [2, 3]) {
      const bytes = Buffer.from(fields[field]!, 'base64url')
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes)
        changed[at]! ^= 1
        const text = fields.with(field, changed.toString('base64url')).join('.')
        expect(() => vault.open(binding, text)).toThrow(SealFault)
      }
    }
  })

  test('parts of two sealed texts of one credential cannot be combined', () => {
    const older = vault.seal(binding, parts).split('.')
    const newer = vault.seal(binding, { api_key: 'rk_live_next' }).split('.')
    expect(() => vault.open(binding, newer.with(3, older[3]!).join('.'))).toThrow(SealFault)
  })

  test.each([
    ['nothing', () => ''],
    ['another version', (sealed: string) => sealed.replace('v1.', 'v2.')],
    ['a field more', (sealed: string) => `${sealed}.AAAA`],
    ['a field less', (sealed: string) => sealed.split('.').slice(0, 3).join('.')],
    ['a shortened tag', (sealed: string) => sealed.split('.').with(3, 'AAAA').join('.')],
    ['padding', (sealed: string) => `${sealed}=`],
    ['whitespace', (sealed: string) => `${sealed}\n`],
    ['a fingerprint that is none', (sealed: string) => sealed.split('.').with(1, 'x').join('.')],
  ])('%s is refused with a sentence', (_name, change) => {
    expect(() => vault.open(binding, change(vault.seal(binding, parts)))).toThrow(
      /^cannot open credential cred_A \(stripe\)/,
    )
  })

  test('another master key is named with both fingerprints', () => {
    const other = new Vault(randomBytes(32))
    expect(() => other.open(binding, vault.seal(binding, parts))).toThrow(
      'cannot open the vault: SPENDGATE_MASTER_KEY does not match this database ' +
        `(fingerprint ${other.fingerprint}, expected ${vault.fingerprint})`,
    )
    expect(() => other.confirm(vault.fingerprint)).toThrow(SealFault)
    expect(() => vault.confirm(vault.fingerprint)).not.toThrow()
  })

  test('a forged fingerprint does not make another key fit', () => {
    const other = new Vault(randomBytes(32))
    const forged = vault.seal(binding, parts).replace(vault.fingerprint, other.fingerprint)
    expect(() => other.open(binding, forged)).toThrow(/altered/)
  })

  test('rewrapping moves a secret to the next master key and leaves its encrypted parts as they are', () => {
    const next = new Vault(randomBytes(32))
    const sealed = vault.seal(binding, parts)
    const moved = vault.rewrap(binding, sealed, next)
    expect(next.open(binding, moved)).toEqual(parts)
    expect(moved.split('.')[3]).toBe(sealed.split('.')[3])
    expect(() => vault.open(binding, moved)).toThrow(/does not match/)
    expect(() => vault.rewrap({ ...binding, id: 'cred_B' }, sealed, next)).toThrow(SealFault)
  })

  test('a master key of another length is refused', () => {
    expect(() => new Vault(randomBytes(16))).toThrow('the master key must have 32 bytes, not 16')
  })

  test('a credential has the same fingerprint whatever the order of its parts, and another secret another one', () => {
    const print = vault.credentialFingerprint({ account_sid: 'AC1', auth_token: 'x' })
    expect(print).toMatch(/^[0-9a-f]{12}$/)
    expect(vault.credentialFingerprint({ auth_token: 'x', account_sid: 'AC1' })).toBe(print)
    expect(vault.credentialFingerprint({ account_sid: 'AC1', auth_token: 'y' })).not.toBe(print)
    expect(new Vault(randomBytes(32)).credentialFingerprint({ account_sid: 'AC1', auth_token: 'x' })).not.toBe(print)
  })

  test('printing the vault shows no key', () => {
    const printed = inspect(vault, { depth: 5, showHidden: true }) + JSON.stringify(vault)
    expect(printed).not.toContain(master.toString('hex'))
    expect(printed).not.toContain(master.toString('base64'))
  })
})

describe('a secret', () => {
  test('prints as its fingerprint wherever it is put', () => {
    const secret = new Secret('rk_live_CANARY')
    const printed = [
      `${secret}`,
      String(secret),
      JSON.stringify({ secret }),
      inspect({ deep: { secret } }, { depth: 5, showHidden: true }),
      Object.values(secret).join(),
    ]
    expect(printed.join('\n')).not.toContain('CANARY')
    expect(printed.slice(0, 4).every((text) => text.includes(`[secret ${secret.fingerprint}]`))).toBe(true)
    expect(secret.reveal()).toBe('rk_live_CANARY')
  })

  test('a given fingerprint is used', () => {
    expect(`${new Secret('text', 'abcd')}`).toBe('[secret abcd]')
  })
})
