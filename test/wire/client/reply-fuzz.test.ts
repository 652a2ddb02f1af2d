import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LONG, runs } from '../runs.js'
import { oursReads, undiciReads, type Read, type Scripted } from './against-undici.js'

/*
 * Our reader of replies against undici's (llhttp, strict): for the same bytes both find the same reply, or both find none.
 * Where one accepts and the other refuses, the class has a name here, and bytes that fall into it.
 */

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

interface Difference {
  readonly name: string
  /** Our own sentence. */
  readonly why: string
  /** What must be so in bytes of this class. */
  readonly shows: (text: string) => boolean
  readonly witness: string
}

/** What undici reads and we refuse. Nothing that a vendor of sound mind sends, and each a way to be read in two ways. */
const REFUSED: readonly Difference[] = [
  {
    name: 'a coding beside or instead of chunked: undici passes it on undone, or reads to the end of the connection',
    why: 'Its transfer coding is not one that was to be expected.',
    shows: (text) => /transfer-encoding:(?! *chunked *\r\n)/i.test(text),
    witness: `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
  },
  {
    name: 'a tab beside the coding: undici takes it for part of the name, and reads to the end of the connection',
    why: 'Its transfer coding is not one that was to be expected.',
    shows: (text) => /transfer-encoding:[^\r\n]*\t/i.test(text),
    witness: `${OK}Transfer-Encoding: chunked\t\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
  },
  {
    name: 'chunks in HTTP/1.0, which has none (RFC 9112 §6.1)',
    why: 'Its transfer coding is not one that was to be expected.',
    shows: (text) => /HTTP\/1\.0/.test(text),
    witness: 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
  },
  {
    name: 'chunked twice: chunks in chunks, or one of them forgotten',
    why: 'It has two transfer codings.',
    shows: (text) => /transfer-encoding:[^]*transfer-encoding:/i.test(text),
    witness: `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    name: 'a version other than 1.0 and 1.1, which undici reads as 1.1',
    why: 'The status line is none of HTTP/1.1.',
    shows: (text) => /HTTP\/(?:0\.9|2\.0)/.test(text),
    witness: 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nab',
  },
  {
    name: 'empty lines before the status line: what is left of another reply',
    why: 'The status line is none of HTTP/1.1.',
    shows: (text) => /(?:^|\r\n\r\n)[\r\n]/.test(text),
    witness: `\r\n${OK}Content-Length: 2\r\n\r\nab`,
  },
  {
    name: 'a status line that ends in a CR and something else than LF',
    why: 'The status line is none of HTTP/1.1.',
    shows: (text) => /HTTP\/1\.[01] [0-9]{3}[^\r\n]*\r(?!\n)/.test(text),
    witness: 'HTTP/1.1 200 OK\r\rContent-Length: 2\r\n\r\nab',
  },
  {
    name: 'control characters in the reason',
    why: 'The status line is none of HTTP/1.1.',
    shows: (text) => /HTTP\/1\.[01] [0-9]{3} [^\r\n]*[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text),
    witness: 'HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nab',
  },
  {
    name: 'a length of more digits than any length has',
    why: 'Its length is no number.',
    shows: (text) => /content-length:[\t ]*[0-9]{16}/i.test(text),
    witness: `${OK}Content-Length: 0000000000000002\r\n\r\nab`,
  },
  {
    name: 'a tab before a length, where one behind it is refused by both',
    why: 'Its length is no number.',
    shows: (text) => /content-length:[^\r\n]*\t/i.test(text),
    witness: `${OK}Content-Length:\t2\r\n\r\nab`,
  },
  {
    name: 'a size of more digits than any chunk has',
    why: 'A chunk has no size.',
    shows: (text) => /[0-9a-f]{9}/i.test(text),
    witness: `${CHUNKED}000000002\r\nab\r\n0\r\n\r\n`,
  },
  {
    name: 'an extension of a chunk that ends in its sign of equality',
    why: 'A chunk has no size.',
    shows: (text) => /;[^\r\n]*=(?=[;\r])/.test(text),
    witness: `${CHUNKED}2;a=\r\nab\r\n0\r\n\r\n`,
  },
  {
    name: 'trailers about framing',
    why: 'A line after its chunks is no header.',
    shows: (text) => /(?:transfer-encoding|content-length):/i.test(text),
    witness: `${CHUNKED}2\r\nab\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n`,
  },
  {
    name: 'more interim replies than anybody sends',
    why: 'It begins with a 103 that was not asked for.',
    shows: (text) => text.split('HTTP/1.1 103').length > 16,
    witness: `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17)}${OK}Content-Length: 2\r\n\r\nab`,
  },
  {
    name: 'a coding in an interim reply, which has nothing to code',
    why: 'It begins with a 103 that was not asked for.',
    shows: (text) => /HTTP\/1\.1 1[^]*transfer-encoding:/i.test(text),
    witness: `HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n${OK}Content-Length: 2\r\n\r\nab`,
  },
  {
    name: 'a head that is too large by what stands between its names and values',
    why: 'Its head is larger than 16384 bytes.',
    shows: (text) => text.length > 16_384,
    witness: `${OK}${'A:b\r\n'.repeat(4_000)}Content-Length: 2\r\n\r\nab`,
  },
  {
    name: 'more beside the chunks than anybody says',
    why: 'It says more than 16384 bytes beside its chunks.',
    shows: (text) => text.length > 16_384,
    witness: `${CHUNKED}${`1;${'x'.repeat(1_000)}\r\na\r\n`.repeat(17)}0\r\n\r\n`,
  },
  {
    name: 'a line between chunks that does not end',
    why: 'A line between its chunks is longer than 1024 bytes.',
    shows: (text) => /[^\r\n]{1024}/.test(text),
    witness: `${CHUNKED}1;${'x'.repeat(1_030)}\r\na\r\n0\r\n\r\n`,
  },
]

/** What undici refuses and we read, with what RFC 9110 §15.4.5 says of it: the length is that of what was not sent. */
const READ_BY_US_ALONE = /^(?:HTTP\/1\.1 1[^]*\r\n\r\n)?HTTP\/1\.[01] 304/

const scripted = (text: string, cuts: readonly number[] = [], method: 'GET' | 'HEAD' = 'GET'): Scripted => {
  const bytes = Buffer.from(text, 'latin1')
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return {
    method,
    pieces: at.slice(1).map((end, index) => bytes.subarray(at[index], end)),
  }
}

/** Blanks after a value are no part of it (RFC 9112 §5.1); undici leaves them there. */
function seen(read: Read): unknown {
  if (read.kind === 'fault') return 'fault'
  const { status, headers, body } = read
  return { status, headers: headers.map((text) => text.replace(/[\t ]+$/, '')), body }
}

describe('what one reads and the other refuses', () => {
  test.each(REFUSED.map((each) => [each.name, each] as const))('%s', async (_name, { witness, why, shows }) => {
    const script = scripted(witness)
    expect(shows(witness)).toBe(true)
    expect(await undiciReads(script)).toMatchObject({ kind: 'reply' })
    expect(oursReads(script)).toMatchObject({ kind: 'fault', why })
  })

  test('a 304 with the length of what it does not send: undici waits for it', async () => {
    const script = scripted('HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n')
    expect(await undiciReads(script)).toMatchObject({ kind: 'fault' })
    expect(oursReads(script)).toMatchObject({ kind: 'reply', status: 304, body: '' })
  })

  test('blanks after a value', async () => {
    const script = scripted(`${OK}X: \ta b\t \r\nContent-Length: 0\r\n\r\n`)
    expect(await undiciReads(script)).toMatchObject({ headers: ['x', 'a b\t ', 'content-length', '0'] })
    expect(oursReads(script)).toMatchObject({ headers: ['x', 'a b', 'content-length', '0'] })
  })
})

const some = (...texts: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...texts)
const mostly = (usual: string, ...others: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: some(...others) })

const line = fc
  .tuple(
    mostly('HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/0.9', 'http/1.1', 'ICY'),
    mostly(' 200', ' 201', ' 204', ' 304', ' 404', ' 500', ' 999', ' 099', ' 20', ' 100', ' 101', ' 2000', '  200'),
    mostly(' OK', '', ' ', ' a b', ' \xe9', '\tOK', ' O\x01K'),
    mostly('\r\n', '\n', '\r', '\r\r\n'),
  )
  .map((parts) => parts.join(''))
const name = fc.oneof(
  { weight: 4, arbitrary: some('Content-Length', 'Transfer-Encoding', 'Connection', 'content-length') },
  { weight: 2, arbitrary: some('Request-Id', 'X', 'Keep-Alive', 'Content-Type', 'Upgrade') },
  { weight: 1, arbitrary: some('', 'X Y', 'X"', '\xe9', ' X', 'X\0', 'Content-Length ') },
)
const value = fc.oneof(
  { weight: 4, arbitrary: some('0', '2', '3', 'chunked', 'close', 'keep-alive', 'timeout=5') },
  { weight: 2, arbitrary: some('', '2, 2', '+2', '0x2', '02', 'a, close', 'Chunked', 'identity', 'h2c', 'upgrade') },
  { weight: 1, arbitrary: some('\0', 'a\rb', 'a\nb', 'a\r\n b', '\x7f', '\xff', '\t x \t', '99999999999999999999') },
)
const field = fc
  .tuple(name, mostly(': ', ':', ':\t', ' : ', ''), value, mostly('\r\n', '\n', ' \r\n', '\r'))
  .map((parts) => parts.join(''))
const chunk = fc
  .tuple(
    mostly('2', '02', '0', '3', '', '-2', '2 ', '0x2', 'g', '00000002', 'ffffffffffffffffff'),
    mostly('', ';a', ';a=b', ';a="b c"', '; a', ';', ';a="', ';a=b;c', ';a="\\""'),
    mostly('\r\n', '\n', '\r'),
    mostly('ab', 'a', 'abc', ''),
    mostly('\r\n', '\n', '', '\r\n\r\n'),
  )
  .map((parts) => parts.join(''))
const chunks = fc
  .tuple(
    fc.array(chunk, { maxLength: 3 }),
    mostly('0\r\n', '', '0\n', '00\r\n', '0;a\r\n'),
    fc.array(field, { maxLength: 1 }),
  )
  .map(([all, last, trailers]) => `${all.join('')}${last}${trailers.join('')}\r\n`)
const message = fc
  .tuple(
    line,
    mostly('', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 2\r\n', 'Connection: close\r\n'),
    fc.array(field, { maxLength: 4 }),
    mostly('\r\n', '\n', ''),
    fc.oneof(some('ab', 'ab', '', 'abc', 'a'), chunks),
  )
  .map(([first, framing, fields, end, body]) => `${first}${framing}${fields.join('')}${end}${body}`)
/** Replies that are right in all but little: most of what is thrown at a parser must not end in its first line. */
const sound = fc
  .tuple(
    some(OK, OK, 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.1 304 Not Modified\r\n'),
    fc.array(some('Request-Id: req_1\r\n', 'X:y\r\n', 'Connection: keep-alive\r\n', 'Connection: close\r\n'), {
      maxLength: 3,
    }),
    fc.oneof(
      some('Content-Length: 2\r\n\r\nab', 'content-length:0\r\n\r\n', '\r\nto the end'),
      chunks.map((text) => `Transfer-Encoding: chunked\r\n\r\n${text}`),
    ),
  )
  .map(([first, fields, rest]) => `${first}${fields.join('')}${rest}`)
const interim = mostly(
  '',
  'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n',
  'HTTP/1.0 103 Early Hints\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n',
  'HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
)
const damage = fc.array(
  fc.tuple(
    fc.nat(400),
    fc.nat(3),
    some('\r', '\n', '\r\n', '\0', ' ', '\t', ':', ';', ',', '0', 'f', '\x80', '\x7f', 'x'),
  ),
  { maxLength: 2 },
)
const replies = fc
  .tuple(interim, fc.oneof(message, sound), damage, mostly('', '\r\n', 'x', OK))
  .map(([before, text, damages, after]) =>
    damages.reduce((whole, [at, cut, put]) => {
      const from = at % (whole.length + 1)
      return whole.slice(0, from) + put + whole.slice(from + cut)
    }, `${before}${text}${after}`),
  )

test(
  'for any bytes, however they come in pieces, both find the same reply or none',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        replies,
        fc.array(fc.nat(600), { maxLength: 4 }),
        some('GET', 'GET', 'HEAD'),
        async (text, cuts, method) => {
          const script = scripted(text, cuts, method as 'GET' | 'HEAD')
          const [ours, theirs] = [oursReads(script), await undiciReads(script)]
          if (ours.kind === 'fault' && theirs.kind === 'reply') {
            const named = REFUSED.some(
              ({ why, shows }) => sentenceOf(why) === sentenceOf(ours.why.replace('a 102', 'a 103')) && shows(text),
            )
            expect(named, `${ours.why} of ${JSON.stringify(text)}`).toBe(true)
          } else if (ours.kind === 'reply' && theirs.kind === 'fault') expect(text).toMatch(READ_BY_US_ALONE)
          else expect(seen(ours)).toEqual(seen(theirs))
        },
      ),
      runs(400),
    )
  },
  LONG,
)

/** A head that does not come whole is refused by another sentence, for the same reasons. */
const sentenceOf = (why: string): string =>
  why === 'Its head is none of HTTP/1.1.' ? 'The status line is none of HTTP/1.1.' : why

test(
  'for any bytes, the pieces they come in make no difference',
  () => {
    fc.assert(
      fc.property(replies, fc.array(fc.nat(600), { maxLength: 8 }), (text, cuts) => {
        const [whole, cut] = [oursReads(scripted(text)), oursReads(scripted(text, cuts))]
        expect(cut.kind === 'fault' ? 'fault' : cut).toEqual(whole.kind === 'fault' ? 'fault' : whole)
      }),
      runs(400),
    )
  },
  LONG,
)
