import { expect, test } from 'vitest'
import { parseJson } from '../../src/wire/json.js'

// A mail with attachments may have ten megabytes, in one string.

const MEGABYTES = 10

test.each([
  ['plain', 'x'],
  ['lines', '<p class="a">word</p>\n'],
  ['escapes alone', '\n'],
])('a long text is read as it is: %s', (_what, piece) => {
  const text = piece.repeat(Math.floor((MEGABYTES * 1024 * 1024) / JSON.stringify(piece).length))
  expect(parseJson(JSON.stringify({ html: text }))).toEqual({ value: { html: text } })
})

test('a long text of \\u escapes is read', () => {
  expect(parseJson(`["${'\\u0041'.repeat(1_700_000)}"]`)).toEqual({ value: ['A'.repeat(1_700_000)] })
})

test.each([
  ['does not end', '', 'a string does not end'],
  ['holds a raw line break', '\n"', 'a control character stands in a string'],
  ['holds a raw line break behind an escape that is none', '\\x \n"', 'a control character stands in a string'],
  ['holds an escape that is none', '\\x"', 'an escape in a string is not valid'],
  ['holds half an escape', '\\u00"', 'an escape in a string is not valid'],
  ['ends with a backslash', '\\', 'a string does not end'],
])('one that %s is refused at its place', (_what, end, fault) => {
  const before = `["${'x'.repeat(5_000)}`
  const parsed = parseJson(before + end)
  const message = 'message' in parsed ? parsed.message : ''
  expect(message).toContain(fault)
  expect(Number(/character (\d+)/.exec(message)![1])).toBeGreaterThanOrEqual(before.length)
})
