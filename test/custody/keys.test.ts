import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BASE62 } from '../../src/custody/base62.js'
import { issueKey, isRunId, KeyDigest, mentionsVaultKey, parseKey, sameDigest } from '../../src/custody/keys.js'

describe('vault keys', () => {
  test('a fresh key says its mode, holds 43 random base62 characters and six of checksum', () => {
    expect(issueKey(false).key).toMatch(/^vault_live_[0-9A-Za-z]{49}$/)
    expect(issueKey(true).key).toMatch(/^vault_test_[0-9A-Za-z]{49}$/)
    expect(issueKey(false).publicId).toMatch(/^[0-9a-f]{32}$/)
    const fresh = issueKey(false)
    expect(fresh.key.endsWith(fresh.last4)).toBe(true)
    expect(fresh.last4).toHaveLength(4)
  })

  test('the checksum is the CRC-32 of everything before it, in base62', () => {
    for (let round = 0; round < 50; round++) {
      const { key } = issueKey(round % 2 === 0)
      const claimed = [...key.slice(54)].reduce((value, digit) => value * 62 + BASE62.indexOf(digit), 0)
      expect(claimed).toBe(crc32(key.slice(0, 54)))
    }
  })

  test('keys and public ids do not repeat', () => {
    const made = Array.from({ length: 200 }, () => issueKey(false))
    expect(new Set(made.map((fresh) => fresh.key)).size).toBe(200)
    expect(new Set(made.map((fresh) => fresh.publicId)).size).toBe(200)
  })

  test('a key is recognised, with its run suffix and without', () => {
    const { key } = issueKey(false)
    expect(parseKey(key)).toEqual({ key, run: null })
    expect(parseKey(`${key}.run_42`)).toEqual({ key, run: 'run_42' })
    expect(parseKey(`${key}.${'r'.repeat(64)}`)).toEqual({ key, run: 'r'.repeat(64) })
  })

  test('any single changed character is noticed', () => {
    const { key } = issueKey(true)
    fc.assert(
      fc.property(
        fc.nat(key.length - 1),
        fc.constantFrom(...BASE62, '_', '-', '.', 'é', ' ', '\u0000'),
        (at, character) => {
          fc.pre(key[at] !== character)
          return parseKey(key.slice(0, at) + character + key.slice(at + 1)) === null
        },
      ),
    )
  })

  test.each([
    ['nothing', () => ''],
    ['a prefix alone', () => 'vault_live_'],
    ['one character too few', (key: string) => key.slice(0, -1)],
    ['one character too many', (key: string) => `${key}A`],
    ["a vendor's skin, which the vendor takes off", (key: string) => `rk_${key}`],
    ['an empty suffix', (key: string) => `${key}.`],
    ['a suffix of 65 characters', (key: string) => `${key}.${'r'.repeat(65)}`],
    ['a suffix with a slash', (key: string) => `${key}.run/1`],
    ['a suffix with a newline', (key: string) => `${key}.run\n`],
    ['a second suffix', (key: string) => `${key}.run.1`],
    ['the other mode under the same checksum', (key: string) => key.replace('vault_live_', 'vault_test_')],
    ['a real key', () => `sk_live_${'a'.repeat(60)}`],
  ])('%s is no key', (_name, text) => {
    expect(parseKey(text(issueKey(false).key))).toBeNull()
  })

  test('no other text is taken for a key, and none throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => parseKey(`vault_live_${text}`) === null),
    )
  })

  test('a run id has 1 to 64 letters, digits, underscores and hyphens', () => {
    expect(['run_42', 'A', '-', 'a'.repeat(64)].every(isRunId)).toBe(true)
    expect(['', 'a b', 'a/b', 'ä', 'a'.repeat(65), 'run\n'].some(isRunId)).toBe(false)
  })

  test('a vault key is seen in every skin', () => {
    const { key } = issueKey(false)
    expect([key, `rk_${key}`, `sk_${key}.run_1`, `re_${key}`, `SK00:${key}`].every(mentionsVaultKey)).toBe(true)
    expect(mentionsVaultKey('sgadmin_abc')).toBe(false)
  })
})

describe('digests of keys', () => {
  const digest = new KeyDigest(Buffer.alloc(32, 1))

  test('a digest is stable, does not hold the key, and depends on key and pepper', () => {
    const { key } = issueKey(false)
    expect(digest.of(key)).toBe(digest.of(key))
    expect(digest.of(key)).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(digest.of(key)).not.toContain(key.slice(11, 30))
    expect(digest.of(key)).not.toBe(digest.of(issueKey(false).key))
    expect(digest.of(key)).not.toBe(new KeyDigest(Buffer.alloc(32, 2)).of(key))
  })

  test('a short pepper is refused', () => {
    expect(() => new KeyDigest(Buffer.alloc(31))).toThrow(/at least 32 bytes/)
  })

  test('digests compare by content, whatever their lengths', () => {
    expect(sameDigest('abc', 'abc')).toBe(true)
    expect(sameDigest('abc', 'abd')).toBe(false)
    expect(sameDigest('abc', 'abcd')).toBe(false)
    expect(sameDigest('', '')).toBe(true)
  })
})
