import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../src/wire/json.js'
import { LONG, runs, times } from './runs.js'

const code = (text: string): string => {
  const parsed = parseJson(text)
  return 'code' in parsed ? parsed.code : 'accepted'
}

describe('what is accepted', () => {
  test.each<[string, unknown]>([
    ['null', null],
    [' true ', true],
    ['0', 0],
    ['-1', -1],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['""', ''],
    ['"\\u0041\\n\\"\\/"', 'A\n"/'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"a b"', 'a b'],
    ['"\u2028"', '\u2028'],
    ['[]', []],
    ['\r\n\t[ 1 , [ ] , { } ]', [1, [], {}]],
    ['{"a":{"b":[1,"2",null]}}', { a: { b: [1, '2', null] } }],
    ['{"":1}', { '': 1 }],
    ['{"toString":1,"hasOwnProperty":2}', { toString: 1, hasOwnProperty: 2 }],
  ])('%s', (text, value) => {
    expect(parseJson(text)).toEqual({ value })
  })

  test('32 levels, and not one more', () => {
    expect(code('['.repeat(32) + '1' + ']'.repeat(32))).toBe('accepted')
    expect(code('['.repeat(33) + '1' + ']'.repeat(33))).toBe('request_malformed')
    expect(code('{"a":'.repeat(32) + '1' + '}'.repeat(32))).toBe('accepted')
    expect(code('{"a":'.repeat(33) + '1' + '}'.repeat(33))).toBe('request_malformed')
    expect(code('{"a":['.repeat(17) + '1' + ']}'.repeat(17))).toBe('request_malformed')
  })
})

describe('what is refused', () => {
  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"x":{"a":1,"b":2,"a":3}}',
    '[{"a":1,"a":2}]',
    '{"é":1,"\\u00e9":2}',
  ])('a name twice: %s', (text) => {
    expect(code(text)).toBe('request_ambiguous')
  })

  test.each(['{"é":1,"e\u0301":2}', '{"a":1,"A":2}'])('but names that only look alike are two: %s', (text) => {
    expect(code(text)).toBe('accepted')
  })

  test.each([
    '1.0',
    '1.5',
    '1e2',
    '1E2',
    '1e-2',
    '-0',
    '1E400',
    '9007199254740992',
    '9007199254740993',
    '-9007199254740992',
    `1${'0'.repeat(50)}`,
    '01',
    '+1',
    '.5',
    '5.',
    '0x10',
    '1_000',
    'NaN',
    'Infinity',
    '-',
    '--1',
    '١',
  ])('a number that is no integer within 2^53: %s', (number) => {
    expect(code(number)).toBe('request_malformed')
    expect(code(`{"amount":${number}}`)).toBe('request_malformed')
  })

  test.each(['"\\ud800"', '"\\udc00"', '"\\udc00\\ud800"', '"a\\ud83db"', '{"\\ud800":1}', '"\ud800"'])(
    'half a surrogate pair: %j',
    (text) => {
      expect(code(text)).toBe('request_malformed')
    },
  )

  test.each([
    '"\\u0000"',
    '"\u0000"',
    '"\n"',
    '"\t"',
    '"\u001f"',
    '"\\x41"',
    '"\\u00g0"',
    '"\\u41"',
    '"\\"',
    '"',
    '"a',
    "'a'",
    '"\\',
    '"\\q\\""',
  ])('a string that is none: %j', (text) => {
    expect(code(text)).toBe('request_malformed')
  })

  test.each(['{"__proto__":1}', '{"a":{"constructor":{}}}', '[{"prototype":1}]', '{"\\u005f_proto__":1}'])(
    'a name that JavaScript gives a meaning: %s',
    (text) => {
      expect(code(text)).toBe('request_malformed')
    },
  )

  test.each([
    '',
    ' ',
    '{',
    '}',
    '[',
    '[1',
    '[1,]',
    '[,]',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    '{a":1}',
    '{1:1}',
    '1 2',
    '{}x',
    '/**/1',
    '1//',
    'tru',
    'nul',
    'True',
    'undefined',
    '\ufeff1',
    '\u00a01',
    '[1]]',
    '[x,1]',
    '{"a":x,"b":1}',
    '{"a":1}}',
    '\v1',
  ])('what the grammar does not have: %j', (text) => {
    expect(code(text)).toBe('request_malformed')
  })
})

test('a name that stands twice is shown in printable characters, and sixty of them', () => {
  const said = (name: string): string => {
    const parsed = parseJson(`{"${name}":1,"${name}":2}`)
    return 'message' in parsed ? parsed.message : 'accepted'
  }
  expect(said('amount')).toBe('The JSON body holds the name «amount» more than once.')
  expect(said('\u00e9a')).toBe('The JSON body holds the name «?a» more than once.')
  const shown = (length: number): number => /x+/.exec(said('x'.repeat(length)))![0].length
  expect([shown(59), shown(60), shown(61), shown(500)]).toEqual([59, 60, 60, 60])
  expect(said('x'.repeat(60))).toBe(`The JSON body holds the name «${'x'.repeat(60)}» more than once.`)
})

const letters = fc
  .string({ unit: 'binary', maxLength: 6 })
  .filter((text) => text.isWellFormed() && !text.includes('\u0000'))
const names = letters.filter((text) => !['__proto__', 'prototype', 'constructor'].includes(text))
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'json' },
    letters,
    fc.maxSafeInteger().map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4, depthIdentifier: 'json' }),
    fc.dictionary(names, tie('value'), { maxKeys: 4, depthIdentifier: 'json', noNullPrototype: true }),
  ),
}))

describe('it is JSON.parse, only stricter', () => {
  test(
    'what it should take, it takes, and means the same, however it is spaced',
    () => {
      fc.assert(
        fc.property(value, fc.constantFrom(undefined, 1, '\t', '\n'), (given, space) => {
          expect(parseJson(JSON.stringify(given, null, space))).toEqual({ value: given })
        }),
        runs(2000),
      )
    },
    LONG,
  )

  test(
    'wherever it accepts it agrees with JSON.parse, and what is sent reads the same again',
    () => {
      const noise = fc.constantFrom(
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '1',
        '-',
        '.',
        'e',
        '0',
        ' ',
        '\n',
        'null',
        '\\u0000',
        '\\ud800',
        '"a":1,',
        '/',
        '\u0000',
        'é',
        '\ufeff',
      )
      const edited = fc
        .tuple(value, fc.array(fc.tuple(fc.nat(), fc.nat(3), noise), { maxLength: 4 }))
        .map(([given, edits]) => {
          let text = JSON.stringify(given)
          for (const [at, cut, put] of edits) {
            const place = at % (text.length + 1)
            text = text.slice(0, place) + put + text.slice(place + cut)
          }
          return text
        })
      let taken = 0
      let left = 0
      fc.assert(
        fc.property(edited, (text) => {
          const parsed = parseJson(text)
          if ('code' in parsed) {
            left++
            return
          }
          taken++
          expect(parsed.value).toEqual(JSON.parse(text))
          const sent = JSON.stringify(parsed.value)
          expect(parseJson(sent)).toEqual(parsed)
          expect(JSON.stringify(JSON.parse(sent))).toBe(sent)
        }),
        runs(6000),
      )
      expect(taken).toBeGreaterThan(500)
      expect(left).toBeGreaterThan(500)
    },
    LONG,
  )

  test(
    'a name twice is refused wherever it stands and however it is written',
    () => {
      const escaped = (text: string): string =>
        [...text]
          .map((char) => (char.length === 1 ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : char))
          .join('')
      fc.assert(
        fc.property(
          names.filter((text) => text !== ''),
          value,
          value,
          fc.boolean(),
          (twice, first, second, inside) => {
            const text = `{${JSON.stringify(twice)}:${JSON.stringify(first)},"${escaped(twice)}":${JSON.stringify(second)}}`
            expect(code(inside ? `[{"x":${text}}]` : text)).toBe('request_ambiguous')
          },
        ),
        runs(1000),
      )
    },
    LONG,
  )

  test(
    'a number with a fraction or an exponent is refused wherever it stands',
    () => {
      const fraction = fc
        .tuple(fc.integer(), fc.nat(999), fc.constantFrom('.', 'e', 'E', 'e+', 'e-'))
        .map(([whole, rest, mark]) => `${whole}${mark}${rest}`)
      fc.assert(
        fc.property(fraction, (number) => {
          expect(code(`{"amount":${number}}`)).toBe('request_malformed')
          expect(code(`[${number}]`)).toBe('request_malformed')
        }),
        runs(1000),
      )
    },
    LONG,
  )

  test('neither depth nor length makes it throw or linger', () => {
    const started = performance.now()
    for (const text of [
      '['.repeat(times(300_000)),
      '{"a":'.repeat(times(60_000)),
      '"'.repeat(times(300_000)),
      `"${'\\u0041'.repeat(times(50_000))}`,
      `[${'1,'.repeat(times(100_000))}`,
      '-'.repeat(times(300_000)),
      `${'9'.repeat(times(300_000))}`,
    ]) {
      expect(code(text)).toBe('request_malformed')
    }
    expect(code(`[${'{},'.repeat(times(50_000))}{}]`)).toBe('accepted')
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
