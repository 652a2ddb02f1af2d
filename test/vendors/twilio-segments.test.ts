import fc from 'fast-check'
import { SegmentedMessage } from 'sms-segments-calculator'
import { describe, expect, test } from 'vitest'
import { countSegments, countSegmentsSmart, SEGMENTS_MAX } from '../../vendors/twilio/segments.js'

const a = (n: number) => 'a'.repeat(n)
const VECTORS: readonly (readonly [string, string, number])[] = [
  ['160 letters', a(160), 1],
  ['161 letters', a(161), 2],
  ['306 letters', a(306), 2],
  ['307 letters', a(307), 3],
  ['80 euro signs', '€'.repeat(80), 1],
  ['81 euro signs', '€'.repeat(81), 2],
  ['159 letters and a euro sign', a(159) + '€', 2],
  ['a euro sign across a boundary', a(152) + '€' + a(152), 3],
  ['70 Cyrillic letters', 'й'.repeat(70), 1],
  ['71 Cyrillic letters', 'й'.repeat(71), 2],
  ['134 Cyrillic letters', 'й'.repeat(134), 2],
  ['135 Cyrillic letters', 'й'.repeat(135), 3],
  ['35 emoji', '😀'.repeat(35), 1],
  ['36 emoji', '😀'.repeat(36), 2],
  ['an emoji across a boundary', 'й'.repeat(66) + '😀' + 'й'.repeat(66), 3],
  ['1600 Cyrillic letters', 'й'.repeat(1600), 24],
  ['800 emoji', '😀'.repeat(800), 25],
  ['nothing', '', 1],
]

const alphabet = fc.constantFrom(
  ...'aZ09 @£éΔ\n\r\f^{}\\[~]|€',
  'й',
  '😀',
  'ç',
  '`',
  '\t',
  '\u00a0',
  '…',
  '½',
  '“',
  '\u200b',
)
const bodies = fc.oneof(
  fc.string({ unit: alphabet, maxLength: 400 }),
  fc.string({ unit: fc.constantFrom(...'abc €^|'), minLength: 140, maxLength: 700 }),
  fc.string({ unit: fc.constantFrom('й', 'ж', '😀', 'a'), minLength: 60, maxLength: 300 }),
)
const oracle = (text: string, smart = false) => new SegmentedMessage(text, 'auto', smart).segmentsCount

describe('SMS segments', () => {
  test.each(VECTORS)('%s take %#', (_name, text, expected) => {
    expect(countSegments(text)).toBe(expected)
    expect(oracle(text)).toBe(expected)
  })

  test.each(['\t', '`', '\u00a0', 'ç'])('%j forces UCS-2', (character) => {
    expect(countSegments(a(70) + character)).toBe(2)
    expect(countSegments(a(71))).toBe(1)
  })

  test('agree with Twilio’s own calculator on random texts', () => {
    fc.assert(
      fc.property(bodies, (text) => countSegments(text) === oracle(text)),
      { numRuns: 2000 },
    )
  })

  test('with smart encoding are never fewer than either reading', () => {
    fc.assert(
      fc.property(bodies, (text) => {
        const counted = countSegmentsSmart(text)
        return counted >= oracle(text) && counted >= oracle(text, true)
      }),
      { numRuns: 1000 },
    )
  })

  test('an ellipsis makes a smart-encoded message longer, not shorter', () => {
    expect(countSegments('…'.repeat(70))).toBe(1)
    expect(countSegmentsSmart('…'.repeat(70))).toBe(2)
  })

  test('the worst case is the dearest text of 1,600 units', () => {
    expect(SEGMENTS_MAX).toBe(oracle('😀'.repeat(800)))
  })
})
