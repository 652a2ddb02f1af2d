import { expect, test } from 'vitest'
import { parseJson } from '../../src/wire/json.js'

test.each([
  ['0.7', '0.7'],
  ['-0.25', '-0.25'],
  ['1e3', '1000'],
  ['1.50', '1.5'],
  ['0.00000015', '1.5e-7'],
  ['123456789.012345', '123456789.012345'],
  ['0.0', '0'],
  ['42', '42'],
])('the number %s of an API by configuration is sent as %s', (text, sent) => {
  const parsed = parseJson(`{"n":${text}}`, true)
  expect('value' in parsed ? JSON.stringify(parsed.value) : parsed).toBe(`{"n":${sent}}`)
})

test.each(['1E400', '0.1234567890123456', '-0.0', '1e-400', '9007199254740993', '1e16', '01.5', '.5', '1.', 'NaN'])(
  '%s is read differently by some parsers and refused',
  (text) => {
    expect(parseJson(`{"n":${text}}`, true)).toMatchObject({ code: 'request_malformed' })
  },
)

test('a vendor with a catalogue takes whole numbers only', () => {
  expect(parseJson('{"n":0.7}')).toMatchObject({ code: 'request_malformed' })
})
