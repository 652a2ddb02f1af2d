import { describe, expect, test } from 'vitest'
import { usd } from '../../src/contracts/money.js'
import {
  displayWidth,
  dollars,
  facts,
  instant,
  json,
  safe,
  span,
  styleFor,
  sumUsd,
  table,
  usedBar,
} from '../../src/cli/output.js'

const plain = styleFor(false, {}, true)
const terminal = styleFor(true, { TERM: 'xterm' }, true)

describe('width', () => {
  test.each([
    ['', 0],
    ['abc', 3],
    ['é', 1],
    ['e\u0301', 1],
    ['日本', 4],
    ['ｆｕｌｌ', 8],
    ['한국', 4],
    ['👩‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['✔', 1],
    ['█░', 2],
    ['\u200b', 0],
    ['…', 1],
  ])('%s takes %i columns', (text, columns) => {
    expect(displayWidth(text)).toBe(columns)
  })

  test('a table is aligned by it', () => {
    const rows = [
      ['日本', '$1.00'],
      ['abc', '$10.00'],
    ]
    expect(table(plain, [{ title: 'NAME' }, { title: 'USD', right: true }], rows)).toBe(
      'NAME     USD\n日本   $1.00\nabc   $10.00\n',
    )
  })
})

describe('text from outside', () => {
  test('loses what moves the cursor or turns the reading direction', () => {
    expect(safe('a\u001b[2Jb\rc\u202ed\u009be')).toBe('a\ufffd[2Jb\ufffdc\ufffdd\ufffde')
    expect(table(plain, [{ title: 'A' }], [['x\ny']])).toBe('A\nx\ufffdy\n')
    expect(
      facts(plain, [
        ['a', 'x\ny'],
        ['b', null],
        ['c', ''],
      ]),
    ).toBe('  a  x\ufffdy\n')
  })

  test('keeps its meaning in JSON, escaped', () => {
    const text = json({ path: '\u009b\u202e\u007fé' }, true)
    expect(text).toBe('{\n  "path": "\\u009b\\u202e\\u007fé"\n}')
    expect(JSON.parse(text)).toEqual({ path: '\u009b\u202e\u007fé' })
  })
})

describe('colour', () => {
  test.each([
    ['a terminal', true, { TERM: 'xterm' }, true, true],
    ['a pipe', false, {}, true, false],
    ['NO_COLOR', true, { NO_COLOR: '1' }, true, false],
    ['--no-color', true, { TERM: 'xterm' }, false, false],
    ['a dumb terminal', true, { TERM: 'dumb' }, true, false],
    ['FORCE_COLOR in a pipe', false, { FORCE_COLOR: '1' }, true, true],
    ['NO_COLOR over FORCE_COLOR', true, { FORCE_COLOR: '1', NO_COLOR: '1' }, true, false],
  ])('%s', (_where, tty, env, wanted, colored) => {
    expect(styleFor(tty, env, wanted).paint('bad', 'x')).toBe(colored ? '\u001b[31mx\u001b[0m' : 'x')
  })
})

describe('money', () => {
  test('is shown as the API wrote it', () => {
    expect([
      dollars('41.80'),
      dollars('0.0083'),
      dollars('-1.50'),
      dollars(null),
      dollars('900719925474099.123457'),
    ]).toEqual(['$41.80', '$0.0083', '-$1.50', '–', '$900719925474099.123457'])
  })

  test('adds up without a float', () => {
    expect(sumUsd('0.10', '0.20', null)).toBe(300_000n)
    expect(sumUsd('0.1', 'much')).toBeNull()
  })

  test.each([
    [47n, 50n, '██████████████████░░  94%'],
    [0n, 50n, '░░░░░░░░░░░░░░░░░░░░   0%'],
    [50n, 50n, '████████████████████ 100%'],
    [75n, 50n, '████████████████████ 150%'],
    [0n, 0n, '–'],
    [1n, 0n, 'over'],
  ])('%s of %s is drawn', (used, cap, bar) => {
    expect(usedBar(terminal, usd(used), usd(cap))).toBe(bar)
  })

  test('bars are only for terminals', () => {
    expect(usedBar(plain, usd(47n), usd(50n))).toBe(' 94%')
  })
})

describe('time', () => {
  test('instants are cut to the second, others left alone', () => {
    expect([instant('2026-11-21T14:03:11.123Z'), instant(null), instant('soon')]).toEqual([
      '2026-11-21 14:03:11',
      '–',
      'soon',
    ])
  })

  test.each([
    [0, '0 s'],
    [9_000, '9 s'],
    [60_000, '1 m'],
    [61_000, '1 m 1 s'],
    [22_320_000, '6 h 12 m'],
    [172_800_000, '2 d'],
    [90_000_000, '1 d 1 h'],
  ])('%i ms is %s', (ms, text) => {
    expect(span(ms)).toBe(text)
  })
})
