import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { outgoing, Outgoing } from '../../../src/wire/client/outgoing.js'
import { LONG, runs } from '../runs.js'
import { oursWrites, undiciWrites, type Asked } from './against-undici.js'

const asked = (overrides: Partial<Asked> = {}): Asked => ({
  method: 'POST',
  target: '/v1/refunds',
  headers: ['host', 'vendor.example', 'authorization', 'Bearer real'],
  body: 'a=1',
  ...overrides,
})
const written = (overrides: Partial<Asked> = {}): Outgoing => {
  const { method, target, headers, body } = asked(overrides)
  const made = outgoing(method, target, headers, body, 'vendor.example')
  expect(made).toBeInstanceOf(Outgoing)
  return made as Outgoing
}

describe('what goes on the wire', () => {
  test('is head and body in one piece', () => {
    expect(written().bytes).toBe(
      'POST /v1/refunds HTTP/1.1\r\nhost: vendor.example\r\nconnection: keep-alive\r\nauthorization: Bearer real\r\ncontent-length: 3\r\n\r\na=1',
    )
  })

  test.each(['é', '€', '😀', 'a\u0000b', '\ud800'])('has a body of %j as long as it says', (body) => {
    const { bytes } = written({ body })
    const text = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    const end = text.indexOf('\r\n\r\n') + 4
    expect(text.subarray(0, end).toString()).toContain(`content-length: ${Buffer.byteLength(body)}\r\n`)
    expect(text.subarray(end)).toEqual(Buffer.from(body))
  })

  test('keeps latin1 in a header one byte, whatever the body is', () => {
    const headers = ['host', 'v.example', 'x-name', 'caf\xe9']
    const bytes = Buffer.from(written({ headers, body: '€' }).bytes as Buffer)
    expect(bytes.includes(Buffer.from('caf\xe9\r\n', 'latin1'))).toBe(true)
  })

  test.each([
    ['a HEAD', { method: 'HEAD', body: null }, true, true],
    ['a body that a server may overlook', { method: 'DELETE', body: 'x' }, false, true],
    ['a wish to close', { headers: ['host', 'x', 'connection', 'te, Close'] }, false, true],
    ['a POST', {}, false, false],
    ['a DELETE without a body', { method: 'DELETE', body: null }, false, false],
  ])('%s', (_what, overrides, bodiless, last) => {
    expect(written(overrides)).toMatchObject({ bodiless, last })
  })

  test.each<[string, Partial<Asked>]>([
    ['a line in a target', { target: '/a\r\nX: y' }],
    ['a space in a target', { target: '/a b' }],
    ['a character that is no byte in a target', { target: '/\u010d' }],
    ['a target that is a whole address', { target: 'http://elsewhere/' }],
    ['a line in a value', { headers: ['host', 'a\r\nX: y'] }],
    ['a NUL in a value', { headers: ['host', 'a', 'x', 'a\0'] }],
    ['a character in a value whose low byte ends a line', { headers: ['host', 'a', 'x', '\u010d\u010a'] }],
    ['a line in a name', { headers: ['host', 'a', 'x: y\r\nz', 'a'] }],
    ['an empty name', { headers: ['host', 'a', '', 'a'] }],
    ['a name without a value', { headers: ['host'] }],
    ['two hosts', { headers: ['host', 'a', 'Host', 'b'] }],
    ['two lengths', { headers: ['host', 'a', 'content-length', '3', 'Content-Length', '3'] }],
    ['another length', { headers: ['host', 'a', 'content-length', '4'] }],
    ['a coding', { headers: ['host', 'a', 'Transfer-Encoding', 'chunked'] }],
    ['an expectation', { headers: ['host', 'a', 'expect', '100-continue'] }],
    ['an upgrade', { headers: ['host', 'a', 'upgrade', 'h2c'] }],
    ['a method that is two words', { method: 'GET /' }],
    ['a tunnel', { method: 'CONNECT' }],
  ])('%s is not written', (_what, overrides) => {
    const { method, target, headers, body } = asked(overrides)
    expect(typeof outgoing(method, target, headers, body, 'vendor.example')).toBe('string')
  })
})

const word = fc.constantFrom(
  'a',
  'Z',
  '0',
  '-',
  '_',
  ' ',
  ':',
  '\r',
  '\n',
  '\t',
  '\0',
  '\x7f',
  '\x80',
  '\xff',
  '\u010a',
  '€',
  ',',
  '"',
)
const text = fc.array(word, { maxLength: 6 }).map((parts) => parts.join(''))
const names = fc.oneof(
  fc.constantFrom('authorization', 'Content-Type', 'X-One', 'accept', 'content-length', 'connection', 'Keep-Alive'),
  fc.constantFrom(
    'host',
    'Host',
    'expect',
    'upgrade',
    'transfer-encoding',
    'te',
    'trailer',
    '__proto__',
    'constructor',
  ),
  text,
)
const values = fc.oneof(fc.constantFrom('close', 'keep-alive', '3', '0', '', 'a, close', 'chunked', 'x y'), text)
const asking: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom(
    'GET',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'HEAD',
    'OPTIONS',
    'post',
    'QUERY',
    'A B',
    'CONNECT',
    '',
  ),
  target: fc.oneof(
    { weight: 3, arbitrary: fc.constant('/v1/refunds?a=b') },
    { weight: 1, arbitrary: text.map((end) => `/${end}`) },
  ),
  headers: fc.array(fc.tuple(names, values), { maxLength: 4 }).map((all) => all.flat()),
  body: fc.oneof(
    fc.constantFrom(null, '', 'abc', 'é'),
    text,
    text.map((each) => Buffer.from(each)),
  ),
})

test(
  'whatever is asked for, what leaves is byte for byte what undici writes, or nothing leaves',
  async () => {
    await fc.assert(
      fc.asyncProperty(asking, async (request) => {
        const [ours, theirs] = [oursWrites(request), await undiciWrites(request)]
        if (ours === null && theirs !== null) expect(STRICTER.some((shows) => shows(request))).toBe(true)
        else expect(ours).toBe(theirs)
      }),
      runs(300),
    )
  },
  LONG,
)

const lengthOf = ({ headers }: Asked): string | undefined =>
  headers.find((_, at) => at % 2 === 1 && headers[at - 1]!.toLowerCase() === 'content-length')
/** What undici writes and we do not: a declared length that it overlooks where the body or the method makes it pointless. */
const STRICTER: readonly ((request: Asked) => boolean)[] = [
  (request) => lengthOf(request) !== undefined && lengthOf(request) !== String(Buffer.byteLength(request.body ?? '')),
]
