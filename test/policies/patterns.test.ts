import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allowlist, both, denyMatcher, endpointMatcher, glob, overlap } from '../../policies/patterns.js'

/** Straight from the meaning of `*`, with no thought of speed. */
function reference(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') return reference(pattern.slice(1), text) || (text !== '' && reference(pattern, text.slice(1)))
  return text !== '' && pattern[0] === text[0] && reference(pattern.slice(1), text.slice(1))
}

const letters = (alphabet: string, maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), { maxLength }).map((parts) => parts.join(''))
const pattern = letters('ab/*', 8)
const text = letters('ab/', 10)

test('a pattern matches what its definition says', () => {
  fc.assert(
    fc.property(pattern, text, (p, t) => {
      expect(glob(p)(t)).toBe(reference(p, t))
    }),
    { numRuns: 3_000 },
  )
})

test('matching from an offset is matching the rest', () => {
  fc.assert(
    fc.property(pattern, text, fc.nat(10), (p, t, from) => {
      const start = Math.min(from, t.length)
      expect(glob(p)(t, start)).toBe(reference(p, t.slice(start)))
    }),
    { numRuns: 1_000 },
  )
})

test('patterns overlap exactly when some text matches both', () => {
  const texts = ['']
  for (let i = 0; texts[i]!.length < 7; i++) texts.push(`${texts[i]}a`, `${texts[i]}b`)
  fc.assert(
    fc.property(letters('ab*', 4), letters('ab*', 4), (a, b) => {
      // Letters of both bound the shortest text they share: 3 + 3 where both have a star, 4 where one has none.
      expect(overlap(a, b)).toBe(texts.some((t) => reference(a, t) && reference(b, t)))
    }),
    { numRuns: 400 },
  )
})

describe('of all short patterns', () => {
  const upTo = (alphabet: string, length: number): string[] => {
    const all = ['']
    for (let i = 0; all[i] !== undefined && all[i]!.length < length; i++)
      all.push(...[...alphabet].map((letter) => all[i] + letter))
    return all
  }
  // Four characters hold whatever can go wrong between two stars; six are enough for two such patterns to meet.
  const patterns = upTo('ab*', 4)
  const texts = upTo('ab', 6)
  const matched = patterns.map((p) => new Set(texts.filter((t) => reference(p, t))))

  test('each matches the texts it should, from an offset too', () => {
    const faults = patterns.flatMap((p, i) => {
      const matches = glob(p)
      return texts.filter((t) => {
        const expected = matched[i]!.has(t)
        return matches(t) !== expected || matches(`ba${t}`, 2) !== expected
      })
    })
    expect(faults).toEqual([])
  })

  test('each two overlap if they share a text', () => {
    const faults = patterns.flatMap((a, i) =>
      patterns.filter((b, j) => overlap(a, b) !== [...matched[i]!].some((t) => matched[j]!.has(t))).map((b) => [a, b]),
    )
    expect(faults).toEqual([])
  })
})

test('a pattern made to backtrack costs no more than its length times the text', () => {
  expect(glob(`${'*a'.repeat(200)}*b`)('a'.repeat(20_000))).toBe(false)
})

test('a star in the method stands for the method alone', () => {
  const matches = endpointMatcher(['* /v1/refunds'])
  expect(matches('POST /v1/refunds')).toBe(true)
  expect(matches('POST /v1/x /v1/refunds')).toBe(false)
})

test('only denying treats an open id as any', () => {
  expect(denyMatcher(['POST /v1/charges/ch_1/refund'])('POST /v1/charges/{charge}/refund')).toBe(true)
  expect(denyMatcher(['* /v1/charges/ch_1/refund'])('POST /v1/charges/{charge}/refund')).toBe(true)
  expect(denyMatcher(['POST /v1/charges/ch_1/capture'])('POST /v1/charges/{charge}/refund')).toBe(false)
  expect(endpointMatcher(['POST /v1/charges/ch_1/refund'])('POST /v1/charges/{charge}/refund')).toBe(false)
})

describe('what two lists share', () => {
  test('is what both hold, neither more nor less', () => {
    const shared = both(allowlist(['cus_A', 'cus_B', 'acct_*']), allowlist(['cus_B', 'cus_C', '*_1']))
    expect(['cus_A', 'cus_B', 'cus_C', 'acct_1', 'acct_2', 'x_1'].filter(shared.has)).toEqual(['cus_B', 'acct_1'])
  })
  test('is what both hold', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 3 }), fc.array(pattern, { maxLength: 3 }), text, (a, b, t) => {
        expect(both(allowlist(a), allowlist(b)).has(t)).toBe(allowlist(a).has(t) && allowlist(b).has(t))
      }),
    )
  })
  test('is reported as the narrower entries', () => {
    const shared = (a: string[], b: string[]): readonly string[] => both(allowlist(a), allowlist(b)).entries
    expect(shared(['cus_A', 'cus_B'], ['cus_B', 'cus_C'])).toEqual(['cus_B'])
    expect(shared(['+1415*'], ['+1*', '+44*'])).toEqual(['+1415*'])
    expect(shared(['+1*', '+44*'], ['+1415*'])).toEqual(['+1415*'])
    expect(shared(['cus_*'], ['cus_A'])).toEqual(['cus_A'])
    expect(shared(['a*'], ['*b'])).toEqual(['a* & *b'])
    expect(shared(['a*'], ['b*'])).toEqual([])
  })
  test('is reported for addresses without regard to case, and never an entry that is no address', () => {
    const shared = (a: string[], b: string[]): readonly string[] => both(allowlist(a), allowlist(b)).entries
    expect(shared(['Billing@acme.com'], ['*@ACME.com'])).toEqual(['Billing@acme.com'])
    expect(shared(['two words@acme.com'], ['*@acme.com'])).toEqual([])
    expect(shared(['*@acme.com'], ['two words@acme.com'])).toEqual([])
  })
  test('is empty in the report only if nothing is held', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 3 }), fc.array(pattern, { maxLength: 3 }), text, (a, b, t) => {
        const shared = both(allowlist(a), allowlist(b))
        if (shared.has(t)) expect(shared.entries).not.toEqual([])
      }),
    )
  })
})

test('an address is one address, and stars in it stand for a part of it', () => {
  const list = allowlist(['*@acme.com', 'cus_*'])
  expect(list.entries).toEqual(['*@acme.com', 'cus_*'])
  expect(['a@acme.com', 'A.B+c@ACME.com', 'cus_1'].map(list.has)).toEqual([true, true, true])
  expect(
    [
      'x@evil.com,a@acme.com',
      'x@evil.com a@acme.com',
      'x@evil.com;a@acme.com',
      'a@b@acme.com',
      '<a@acme.com',
      '"a"@acme.com',
      '(a)@acme.com',
      'a\\@acme.com',
      '@acme.com',
      'a@acme.com ',
      '\ta@acme.com',
      'acus_1',
    ].filter(list.has),
  ).toEqual([])
  expect(allowlist(['*']).has('anything, at@all')).toBe(true)
  expect(['a@b c', ' a@b'].filter(allowlist(['*@*']).has)).toEqual([])
})

test('a star that is not the whole method leaves the rest of the method to match', () => {
  const matches = endpointMatcher(['PO*/v1/refunds'])
  expect(matches('POST /v1/refunds')).toBe(true)
  expect(matches('GET /v1/refunds')).toBe(false)
})

test('an endpoint matches exactly, by a star in it, or with any method', () => {
  const list = endpointMatcher(['GET /v1/charges', 'GET /v1/refunds/*', '* /v1/payouts', '*/v1/odd'])
  const listed = ['GET /v1/charges', 'GET /v1/refunds/re_1', 'POST /v1/payouts', 'DELETE /v1/odd']
  expect(listed.filter(list)).toEqual(listed)
  expect(['POST /v1/charges', 'GET /v1/refunds', 'POST /v1/payouts/po_1', 'GET /v1/charges/x'].filter(list)).toEqual([])
  expect(endpointMatcher([])('GET /v1/charges')).toBe(false)
})

test('what is denied is denied with any method, by a star, and for every id that an alias leaves open', () => {
  expect(denyMatcher([])('POST /v1/charges/{charge}/refund')).toBe(false)
  const denies = denyMatcher(['* /v1/charges/*/refund', 'POST /v1/a/x/b/y'])
  expect(denies('POST /v1/charges/{charge}/refund')).toBe(true)
  expect(denies('POST /v1/a/{one}/b/{other}')).toBe(true)
  expect(denies('GET /v1/a/{one}/b/{other}')).toBe(false)
  expect(denies('POST /v1/a/{one}/c/{other}')).toBe(false)
  expect(denies('POST /v1/a/z/b/y')).toBe(false)
})

test('an address is compared without regard to case, an id with it', () => {
  expect(allowlist(['Billing@ACME.com']).has('bILLING@acme.COM')).toBe(true)
  expect(allowlist(['cus_A']).has('cus_a')).toBe(false)
  // An entry without an @ keeps its case, even where what it is held against is an address.
  expect(['Sales@acme.com', 'sales@acme.com'].filter(allowlist(['Sales*']).has)).toEqual(['Sales@acme.com'])
})
