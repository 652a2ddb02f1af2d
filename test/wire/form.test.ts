import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readForm, type Tree, type TreeMap } from '../../fixtures/simulators/form.js'
import { EMPTY, Form, parseForm, type ParseFault } from '../../src/wire/form.js'
import { LONG, runs, times } from './runs.js'

const accepted = (text: string, repeats?: readonly string[]): Form => {
  const form = parseForm(text, repeats)
  expect(form).toBeInstanceOf(Form)
  return form as Form
}
const refused = (text: string): string => {
  const form = parseForm(text)
  return form instanceof Form ? 'accepted' : form.code
}

describe('what is accepted', () => {
  test.each<[string, [string, string][]]>([
    ['', []],
    ['amount=100', [['amount', '100']]],
    [
      'a=1&b=2&c=',
      [
        ['a', '1'],
        ['b', '2'],
        ['c', ''],
      ],
    ],
    ['a=x+y', [['a', 'x y']]],
    ['a=x%20y', [['a', 'x y']]],
    ['a=x%2By', [['a', 'x+y']]],
    ['a=%C3%A9%E2%82%AC', [['a', 'é€']]],
    ['a=%F0%9F%98%80', [['a', '😀']]],
    ['a=b=c', [['a', 'b=c']]],
    ['%61mount=9', [['amount', '9']]],
    ['metadata[order%20id]=1', [['metadata[order id]', '1']]],
    ['metadata%5Ba.b%5D=1', [['metadata[a.b]', '1']]],
    ['name=T-shirt%20[L]', [['name', 'T-shirt [L]']]],
    [
      'expand[]=a&expand[]=b',
      [
        ['expand[]', 'a'],
        ['expand[]', 'b'],
      ],
    ],
    [
      'expand[0]=a&expand[1]=b',
      [
        ['expand[0]', 'a'],
        ['expand[1]', 'b'],
      ],
    ],
    [
      'items[0][price]=p&items[0][quantity]=1&items[1][price]=q',
      [
        ['items[0][price]', 'p'],
        ['items[0][quantity]', '1'],
        ['items[1][price]', 'q'],
      ],
    ],
    ['DateSent%3C=2026-01-01', [['DateSent<', '2026-01-01']]],
    ['DateSent>=2026-01-01', [['DateSent>', '2026-01-01']]],
    ['url=https://a.example/b?c=d', [['url', 'https://a.example/b?c=d']]],
    ['metadata[9999]=x', [['metadata[9999]', 'x']]],
    ['metadata[a1]=x', [['metadata[a1]', 'x']]],
    ['metadata[1a]=x', [['metadata[1a]', 'x']]],
    [
      'a[b][]=1&a[b][]=2',
      [
        ['a[b][]', '1'],
        ['a[b][]', '2'],
      ],
    ],
    [`a[${'x'.repeat(100)}]=1`, [[`a[${'x'.repeat(100)}]`, '1']]],
  ])('%s', (text, entries) => {
    expect(accepted(text).entries()).toEqual(entries)
  })

  test('a plain name twice, where the operation says that it repeats, in order', () => {
    const form = accepted('MediaUrl=a&Body=x&MediaUrl=b', ['MediaUrl'])
    expect(form.all('MediaUrl')).toEqual(['a', 'b'])
    expect(form.serialise()).toBe('MediaUrl=a&Body=x&MediaUrl=b')
    expect(refused('MediaUrl=a&MediaUrl=b')).toBe('request_ambiguous')
  })

  test('a thousand pairs, and not one more', () => {
    const pairs = (count: number) => Array.from({ length: count }, (_, i) => `a${i}=1`).join('&')
    expect(accepted(pairs(1000)).entries()).toHaveLength(1000)
    expect(refused(pairs(1001))).toBe('request_malformed')
  })

  test('eight levels, and not one more', () => {
    expect(accepted('a[b][c][d][e][f][g][h]=1').get('a[b][c][d][e][f][g][h]')).toBe('1')
    expect(refused('a[b][c][d][e][f][g][h][i]=1')).toBe('request_malformed')
  })
})

describe('what is refused', () => {
  test.each([
    [
      'request_malformed',
      [
        '&',
        'a',
        'ab',
        'ab&c=1',
        'a=1&bc',
        'a=1&',
        '&a=1',
        'a=1&&b=2',
        '=1',
        '[]=1',
        '[a]=1',
        ']a=1',
        'a]=1',
        'a[=1',
        'a[b=1',
        'a[b]c=1',
        'a[[b]]=1',
        'a[b]]=1',
        'a[b[c]=1',
        'a[b][c[d]=1',
      ],
    ],
    [
      'request_malformed',
      [
        'a=%',
        'a=%1',
        'a=%zz',
        'a=%FF',
        'a=%C0%80',
        'a=%ED%A0%80',
        'a=%00',
        'a=\u0000',
        'a=\u00e9',
        'a= b',
        'a=b;c=d',
        'a="',
        'a=\\',
        'a=b\n',
        '%EF%BB%BFa=1',
        'a=%EF%BB%BF1',
      ],
    ],
    [
      'request_malformed',
      [
        '1a=1',
        '-a=1',
        'a b=1',
        'a%20=1',
        'é=1',
        '%C3%A9=1',
        '__proto__=1',
        'a[__proto__]=1',
        'a[constructor]=1',
        'prototype[a]=1',
      ],
    ],
    ['request_malformed', ['a[00]=1', 'a[01]=1', 'a[10000]=1', 'a[%01]=1', `a[${'x'.repeat(101)}]=1`]],
    [
      'request_ambiguous',
      ['a=1&a=1', 'a=1&%61=2', 'a[b]=1&a[b]=2', 'a=1&a[b]=2', 'a[b]=1&a=2', 'a[b]=1&a[b][c]=2', 'a[b][c]=1&a[b]=2'],
    ],
    [
      'request_ambiguous',
      [
        'a[]=1&a[0]=2',
        'a[0]=1&a[]=2',
        'a[b]=1&a[]=2',
        'a[0]=1&a[b]=2',
        'a[][b]=1',
        'a[][]=1',
        'a=1&a[]=2',
        'a[]=1&a=2',
      ],
    ],
  ])('%s: %j', (code, texts) => {
    for (const text of texts) expect([text, refused(text)]).toEqual([text, code])
  })

  test('a name that repeats and is a map or a list as well, although the operation says that it repeats', () => {
    for (const text of ['M[a]=1&M=2', 'M=1&M[a]=2', 'M[]=1&M=2', 'M=1&M=2&M[]=3', 'M[0]=1&M=2'])
      expect([text, (parseForm(text, ['M']) as ParseFault).code]).toEqual([text, 'request_ambiguous'])
  })

  test('the sentence says how the name was used before', () => {
    const said = (text: string): string => (parseForm(text) as ParseFault).message
    expect([said('a[b]=1&a=2'), said('a[b][c]=1&a[b]=2')]).toEqual([
      '«a» is both a value and a map.',
      '«a[b]» is both a value and a map.',
    ])
    expect([said('a[]=1&a=2'), said('a[0]=1&a=2'), said('a[b][0]=1&a[b]=2')]).toEqual([
      '«a» is both a value and a list.',
      '«a» is both a value and a list.',
      '«a[b]» is both a value and a list.',
    ])
    expect([said('a=1&a=2'), said('a[b]=1&a[b]=2')]).toEqual([
      '«a» stands more than once.',
      '«a[b]» stands more than once.',
    ])
  })

  test('of a long name the sentence shows sixty characters', () => {
    const shown = (length: number): string =>
      /x+/.exec((parseForm(`1${'x'.repeat(length - 1)}=1`) as ParseFault).message)![0]
    expect([shown(59), shown(60), shown(61), shown(500)].map((x) => x.length + 1)).toEqual([59, 60, 60, 60])
    expect((parseForm(`1${'x'.repeat(59)}=1`) as ParseFault).message).toBe(
      `«1${'x'.repeat(59)}» is not a parameter name.`,
    )
    expect((parseForm('%C3%A9%07=1') as ParseFault).message).toBe('«??» is not a parameter name.')
  })

  test('a fault names what it found, in printable characters and not too long', () => {
    const fault = parseForm(`${'x'.repeat(500)}\u0007%=1`)
    expect(fault).toMatchObject({ code: 'request_malformed' })
    expect((fault as { message: string }).message).toMatch(/^[\x20-\x7e«»…]{1,200}$/)
  })
})

describe('reading a form', () => {
  const form = () =>
    accepted(
      'amount=5&expand[]=a&expand[]=b&items[1][price]=q&items[0][price]=p&items[0][m][k]=v&card[number]=4&card[exp][y]=27&list[1]=y&list[0]=x',
    )

  test('scalars by their full name', () => {
    expect([form().get('amount'), form().get('card[exp][y]'), form().get('card'), form().get('nothing')]).toEqual([
      '5',
      '27',
      undefined,
      undefined,
    ])
  })

  test('of a name that repeats the first', () => {
    expect(accepted('M=a&M=b', ['M']).get('M')).toBe('a')
  })

  test('a list holds what has its very name, a number and nothing behind it', () => {
    const lists = accepted(
      'list[10]=k&list[9]=j&card[3]=4&list2[0]=n&deep[0][a]=1&deep[1]=x&part[2][a]=5&words[a]=1&words[b][0]=2' +
        '&many[10][a]=k&many[9][a]=j&map[k][0][a]=1',
    )
    expect(lists.all('list')).toEqual(['j', 'k'])
    expect(lists.all('deep')).toEqual(['x'])
    expect([lists.all('words'), lists.all('lis')]).toEqual([[], []])
    const elements = (name: string) => lists.list(name).map((each) => each.entries())
    expect(elements('deep')).toEqual([[['a', '1']]])
    expect(elements('many')).toEqual([[['a', 'j']], [['a', 'k']]])
    expect([elements('list'), elements('map'), elements('words')]).toEqual([[], [], []])
  })

  test('lists in the order of their numbers', () => {
    expect(form().all('expand')).toEqual(['a', 'b'])
    expect(form().all('list')).toEqual(['x', 'y'])
    expect(
      form()
        .list('items')
        .map((item) => item.entries()),
    ).toEqual([
      [
        ['price', 'p'],
        ['m[k]', 'v'],
      ],
      [['price', 'q']],
    ])
  })

  test('maps, and what is inside them', () => {
    expect(form().map('card').entries()).toEqual([
      ['number', '4'],
      ['exp[y]', '27'],
    ])
    expect(form().map('card').map('exp').get('y')).toBe('27')
    expect(form().map('nothing').entries()).toEqual([])
  })

  test('names once each, without brackets', () => {
    expect(form().names()).toEqual(['amount', 'expand', 'items', 'card', 'list'])
    expect([form().has('card'), form().has('amount'), form().has('car'), form().has('nothing')]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('with other scalars in the place of its own', () => {
    expect(accepted('a=1&b=2').with({ a: '9', c: '3' }).entries()).toEqual([
      ['b', '2'],
      ['a', '9'],
      ['c', '3'],
    ])
    expect(EMPTY.with({}).serialise()).toBe('')
  })
})

/** Pieces of which hostile forms are made. */
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('amount', 'a', 'b', 'metadata', 'items', 'x') },
  { weight: 6, arbitrary: fc.constantFrom('=', '&', '=1', '=2&', '&a=', 'a=1') },
  {
    weight: 5,
    arbitrary: fc.constantFrom('[', ']', '[]', '[a]', '[b]', '[0]', '[1]', '[01]', '%5B', '%5D', '[[', ']]'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '%61',
      '%',
      '%2',
      '%00',
      '%20',
      '%26',
      '%3D',
      '%25',
      '%FF',
      '%C3%A9',
      '%F0%9F%98%80',
      '%EF%BB%BF',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '+',
      ' ',
      ';',
      '?',
      '#',
      '/',
      '\\',
      '"',
      '\u0000',
      '\n',
      'é',
      '__proto__',
      '100000',
      '.',
      '<',
      '~',
      "'",
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
)
const hostile = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''))

/** Mostly sound pairs, with something hostile in between. */
const name = fc
  .tuple(
    fc.constantFrom('a', 'b', 'amount', 'metadata'),
    fc.array(fc.constantFrom('[a]', '[b]', '[0]', '[1]', '[]', '[a b]', '[a[b]', '[a', 'b]'), { maxLength: 3 }),
  )
  .map(([base, segments]) => base + segments.join(''))
const pair = fc.tuple(name, fc.string({ unit: 'binary', maxLength: 5 })).map(([key, value]) => {
  const wellFormed = value.isWellFormed() ? value : 'v'
  return `${key.replace(' ', '%20')}=${encodeURIComponent(wellFormed)}`
})
const nearlySound = fc
  .array(fc.oneof({ weight: 9, arbitrary: pair }, { weight: 1, arbitrary: hostile }), { maxLength: 6 })
  .map((pairs) => pairs.join('&'))
const anyForm = fc.oneof(hostile, nearlySound)

/** Nests accepted pairs by the letter: what everybody has to find in them. */
function nested(form: Form): TreeMap {
  const root: TreeMap = {}
  for (const [key, value] of form.entries()) {
    const segments = key.replaceAll(']', '').split('[')
    let at: Tree = root
    segments.forEach((segment, depth) => {
      const last = depth === segments.length - 1
      if (Array.isArray(at)) at.push(value)
      else {
        const map = at as TreeMap
        if (last) map[segment] = value
        else at = map[segment] ??= segments[depth + 1] === '' ? [] : {}
      }
    })
  }
  return root
}
const plain = (tree: Tree): unknown => JSON.parse(JSON.stringify(tree))

describe('every accepted form has one reading', () => {
  test(
    'the same for us, for URLSearchParams and for Rack, as it came and as it goes out',
    () => {
      let taken = 0
      fc.assert(
        fc.property(anyForm, (text) => {
          const form = parseForm(text)
          if (!(form instanceof Form)) return
          taken++
          const sent = form.serialise()
          for (const wire of [text, sent]) {
            expect([...new URLSearchParams(wire)]).toEqual(form.entries())
            expect(plain(readForm(wire, /& */))).toEqual(plain(nested(form)))
            // Where `;` separates too, as in Rack's queries, nothing changes.
            expect(plain(readForm(wire, /[&;] */))).toEqual(plain(nested(form)))
          }
        }),
        runs(6000),
      )
      // A property about accepted forms says nothing when none is accepted.
      expect(taken).toBeGreaterThan(500)
    },
    LONG,
  )

  test(
    'and what goes out is what comes back',
    () => {
      fc.assert(
        fc.property(anyForm, (text) => {
          const form = parseForm(text)
          if (!(form instanceof Form)) return
          const again = parseForm(form.serialise())
          expect(again).toBeInstanceOf(Form)
          expect((again as Form).entries()).toEqual(form.entries())
          expect((again as Form).serialise()).toBe(form.serialise())
          expect(form.serialise()).toMatch(/^[A-Za-z0-9_.~!'()*%&=\[\]-]*$/)
        }),
        runs(4000),
      )
    },
    LONG,
  )

  test(
    'any value survives the way out and back, whatever characters it has',
    () => {
      const value = fc
        .string({ unit: 'binary', maxLength: 30 })
        .filter((text) => text.isWellFormed() && !text.includes('\u0000') && !text.startsWith('\ufeff'))
      const segment = fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 10 })
        .filter(
          (text) =>
            !/[[\]\u0000-\u001f\u007f]/.test(text) &&
            !/^[0-9]+$/.test(text) &&
            !/^(__proto__|prototype|constructor)$/.test(text) &&
            text.isWellFormed() &&
            !text.startsWith('\ufeff'),
        )
      fc.assert(
        fc.property(
          fc.uniqueArray(fc.tuple(segment, value), { selector: ([key]) => key, maxLength: 8 }),
          value,
          (metadata, description) => {
            const pairs = [
              ['description', description],
              ...metadata.map(([key, text]) => [`metadata[${key}]`, text]),
            ] as [string, string][]
            const again = parseForm(new Form(pairs).serialise())
            expect(again).toBeInstanceOf(Form)
            expect((again as Form).entries()).toEqual(pairs)
          },
        ),
        runs(2000),
      )
    },
    LONG,
  )

  test(
    'nothing makes the parser throw or linger',
    () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
          const form = parseForm(text)
          expect(form instanceof Form || ['request_malformed', 'request_ambiguous'].includes(form.code)).toBe(true)
        }),
        runs(2000),
      )
      const started = performance.now()
      for (const text of [
        '['.repeat(times(200_000)),
        `a${'[a]'.repeat(times(60_000))}=1`,
        '%'.repeat(times(200_000)),
        `a=${'%41'.repeat(times(80_000))}`,
        '&'.repeat(times(200_000)),
      ])
        parseForm(text)
      expect(performance.now() - started).toBeLessThan(2000)
    },
    LONG,
  )
})
