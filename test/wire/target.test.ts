import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodePath, isCanonicalPath, parseTarget } from '../../src/wire/target.js'
import { LONG, runs } from './runs.js'

const read = (raw: string): unknown => {
  const target = parseTarget(raw)
  return 'fault' in target ? 'fault' : [target.path, target.query]
}

test.each([
  ['/', ['/', '']],
  ['/v1/refunds', ['/v1/refunds', '']],
  ['/v1/refunds?', ['/v1/refunds', '']],
  ['/v1/charges?limit=1&x=%20?', ['/v1/charges', 'limit=1&x=%20?']],
  ['/v1/charges?a=/../b', ['/v1/charges', 'a=/../b']],
  ['/2010-04-01/Accounts/AC1/Messages.json', ['/2010-04-01/Accounts/AC1/Messages.json', '']],
  ['/v2/PhoneNumbers/+14155550100', ['/v2/PhoneNumbers/+14155550100', '']],
  ['/v2/PhoneNumbers/%2B14155550100', ['/v2/PhoneNumbers/+14155550100', '']],
  ['/contacts/ann%40acme.com', ['/contacts/ann@acme.com', '']],
  ['/contacts/ann@acme.com', ['/contacts/ann@acme.com', '']],
  ['/a/..b/c..d/...', ['/a/..b/c..d/...', '']],
  ['/a~b_c-d', ['/a~b_c-d', '']],
  ['/a%3Ab%2Cc%3Dd', ['/a:b,c=d', '']],
])('%s is read as %j', (raw, read_) => {
  expect(read(raw)).toEqual(read_)
})

test.each([
  '',
  'v1',
  '*',
  'http://x/v1',
  '?a',
  '#',
  '//',
  '//x',
  '/x//y',
  '/x/',
  '/.',
  '/..',
  '/./x',
  '/../x',
  '/x/..',
  '/x/.',
  '/%2e',
  '/%2E%2e/x',
  '/x%2Fy',
  '/x%5Cy',
  '/x\\y',
  '/%00',
  '/%0a',
  '/%20',
  '/ ',
  '/x;y',
  '/x%3By',
  '/%41',
  '/%7E',
  '/%25',
  '/%252e',
  '/%',
  '/%4',
  '/%zz',
  '/é',
  '/%C3%A9',
  '/x#y',
  '/x?y#z',
  '/x|y',
  '/x"',
  '/<x>',
  '/{x}',
  '/x^',
  '/x`',
  "/x'",
  '/x!',
  '/x$',
  '/x&y',
  '/x(',
  '/x*',
  '/x[0]',
  `/${'x'.repeat(4096)}`,
])('%j has no single reading', (raw) => {
  expect(read(raw)).toBe('fault')
})

test('the longest target has 4,096 characters', () => {
  expect(read(`/${'x'.repeat(4095)}`)).toEqual([`/${'x'.repeat(4095)}`, ''])
})

test('what is sent escapes a plus wherever one stands, and nothing else', () => {
  expect(['/v1/refunds', '/a+b+c', '/a@b,c=d:e', ''].map(encodePath)).toEqual([
    '/v1/refunds',
    '/a%2Bb%2Bc',
    '/a@b,c=d:e',
    '',
  ])
})

test('a path of a look-up is canonical when nothing in it would be read otherwise', () => {
  expect(['/v1/charges/ch_1', '/v1/charges/a:b'].map(isCanonicalPath)).toEqual([true, true])
  expect(
    [
      '/v1/charges/',
      '/v1/charges/..',
      '/v1/charges/a/../b',
      '/v1/charges/a?b',
      '/v1/charges/%2B',
      '/v1/charges/é',
      'v1',
      '',
    ].some(isCanonicalPath),
  ).toBe(false)
})

const piece = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('/', '/v1', '/refunds', '/a', 'b', '.', '..', '/..', '/.', '...') },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '%00',
      '%41',
      '%61',
      '%25',
      '%3A',
      '%40',
      '%2C',
      '%3D',
      '%2B',
      '%2',
      '%',
      '%C3%A9',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '+',
      ':',
      '@',
      ',',
      '=',
      '~',
      '_',
      '-',
      ';',
      '\\',
      '?',
      '#',
      '&',
      ' ',
      '\t',
      'é',
      '//',
      '\u0000',
      '[',
      '|',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
)
const target = fc
  .tuple(fc.constantFrom('/', '', '/v1/', 'http://x/', '//'), fc.array(piece, { maxLength: 8 }))
  .map(([first, rest]) => first + rest.join(''))

describe('every accepted target has one reading', () => {
  test(
    'no normalisation changes it, and decoding it again changes nothing',
    () => {
      let taken = 0
      fc.assert(
        fc.property(target, (raw) => {
          const parsed = parseTarget(raw)
          if ('fault' in parsed) return
          taken++
          const mark = raw.indexOf('?')
          const rawPath = mark < 0 ? raw : raw.slice(0, mark)
          const sent = encodePath(parsed.path)
          for (const wire of [rawPath, sent]) {
            expect(new URL(wire, 'http://x').pathname).toBe(wire)
            expect(new URL(wire, 'http://x').host).toBe('x')
            expect(decodeURIComponent(wire)).toBe(parsed.path)
          }
          expect(decodeURIComponent(parsed.path)).toBe(parsed.path)
          expect(parsed.path).not.toMatch(/%|\\|;|\/\/|[^\x21-\x7e]|\/\.{1,2}(\/|$)/)
          expect(parseTarget(sent)).toEqual({ path: parsed.path, query: '' })
        }),
        runs(10_000),
      )
      expect(taken).toBeGreaterThan(500)
    },
    LONG,
  )

  test(
    'every plain path is accepted as it is',
    () => {
      const segment = fc.string({ unit: fc.constantFrom(...'abcXYZ019_-~:@,='), minLength: 1, maxLength: 8 })
      fc.assert(
        fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (segments) => {
          const path = `/${segments.join('/')}`
          expect(parseTarget(path)).toEqual({ path, query: '' })
          expect(isCanonicalPath(path)).toBe(true)
        }),
        runs(1000),
      )
    },
    LONG,
  )
})
