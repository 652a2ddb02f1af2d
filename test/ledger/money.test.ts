import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatUsd, larger, onePlus, parseUsd, priced, sumOfProducts, usd, ZERO } from '../../src/contracts/money.js'

describe('an amount as an operator writes it', () => {
  test.each([
    ['0', 0n],
    ['50', 50_000_000n],
    ['50.00', 50_000_000n],
    ['0.000001', 1n],
    ['0.1', 100_000n],
    ['10.25', 10_250_000n],
    ['1.234567', 1_234_567n],
    ['999999999999.999999', 999_999_999_999_999_999n],
  ])('%s is %s micro-dollars', (text, micro) => expect(parseUsd(text)).toBe(micro))

  test.each([
    ['nothing', ''],
    ['a sign', '-1'],
    ['a plus', '+1'],
    ['a zero before it', '01'],
    ['two zeros', '00'],
    ['thirteen digits', '1000000000000'],
    ['seven digits behind the point', '0.0000001'],
    ['nothing behind the point', '1.'],
    ['nothing before the point', '.5'],
    ['two points', '1.2.3'],
    ['a comma', '1,50'],
    ['an exponent', '1e3'],
    ['a space before', ' 1'],
    ['a space after', '1 '],
    ['a line after', '1\n'],
    ['a letter behind the point', '1.0a'],
    ['a currency', '$1'],
    ['hexadecimal', '0x10'],
    ['other digits', '１'],
  ])('%s is no amount', (_what, text) => expect(parseUsd(text)).toBeNull())
})

describe('an amount as it is shown', () => {
  test.each([
    [0n, '0.00'],
    [1n, '0.000001'],
    [10n, '0.00001'],
    [100n, '0.0001'],
    [1_000n, '0.001'],
    [10_000n, '0.01'],
    [100_000n, '0.10'],
    [8_300n, '0.0083'],
    [1_000_000n, '1.00'],
    [50_000_000n, '50.00'],
    [10_010_000n, '10.01'],
    [1_234_567n, '1.234567'],
    [-1_500_000n, '-1.50'],
    [-1n, '-0.000001'],
  ])('%s micro-dollars are %s', (micro, text) => expect(formatUsd(usd(micro))).toBe(text))

  test('what is shown is read as the same amount', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 999_999_999_999_999_999n), (micro) => {
        expect(parseUsd(formatUsd(usd(micro)))).toBe(micro)
        expect(formatUsd(usd(-micro - 1n))).toBe(`-${formatUsd(usd(micro + 1n))}`)
      }),
      { numRuns: 200, seed: 20261121 },
    )
  })
})

describe('a price', () => {
  test('is units times price', () => {
    expect(priced('3', '0.0083')).toBe(24_900n)
    expect(priced(2n, '1.09')).toBe(2_180_000n)
  })

  test('is times a factor, if there is one', () => {
    expect(priced('100', '1.09', '1.03')).toBe(112_270_000n)
    expect(priced('100', '1.09', '0.01')).toBe(1_090_000n)
  })

  test('is rounded up, however little is over', () => {
    expect(priced('1', '0.0000001')).toBe(1n)
    expect(priced('1', '0.0000010000000000000000000000000001')).toBe(2n)
    expect(priced('1', '0.0000019')).toBe(2n)
    expect(priced('0', '0.0000019')).toBe(ZERO)
  })

  test('loses no digit of a long amount', () => {
    expect(priced('999999999999999999', '999999.999999')).toBe(999_999_999_998_999_999_000_000_000_001n)
  })

  test('that is not finite is thrown, not counted', () => {
    expect(() => priced('1', 'Infinity')).toThrow(new RangeError('not a finite amount: 1 × Infinity × 1'))
    expect(() => priced('NaN', '1', '2')).toThrow('not a finite amount: NaN × 1 × 2')
  })
})

test('a sum of products is exact and plain', () => {
  expect(sumOfProducts([])).toBe('0')
  expect(sumOfProducts([['3', '0.1']])).toBe('0.3')
  expect(
    sumOfProducts([
      ['3', '0.1'],
      ['7', '0.000000000001'],
      ['100000000000000000000', '10'],
    ]),
  ).toBe('1000000000000000000000.300000000007')
  expect(sumOfProducts([['0.000000000000000001', '0.000000000000000001']])).toBe(
    '0.000000000000000000000000000000000001',
  )
})

test('a rate with its haircut is the rate times one and the share', () => {
  expect(onePlus('0.03', '1.09')).toBe('1.1227')
  expect(onePlus('0', '1.09')).toBe('1.09')
  expect(onePlus('0.0000000000000000001', '1')).toBe('1.0000000000000000001')
})

test('of two amounts the larger is the larger, whichever comes first', () => {
  expect(larger(usd(1n), usd(2n))).toBe(2n)
  expect(larger(usd(2n), usd(1n))).toBe(2n)
  expect(larger(usd(2n), usd(2n))).toBe(2n)
})
