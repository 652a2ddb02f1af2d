import { describe, test } from 'vitest'
import { onStage, resend, stripe } from './stage.js'

const stage = onStage()

describe('bytes that parsers read differently are malformed', () => {
  test.each([
    ['an escape of no digits', 'amount=%zz'],
    ['an escape that ends early', 'amount=%'],
    ['an escape of one digit', 'amount=5%2'],
    ['an escape of full-width digits', 'amount=%\xef\xbc\x90\xef\xbc\x90'],
    ['a byte that is no UTF-8', 'metadata[a]=%FF'],
    ['an overlong slash', 'charge=ch_1%C0%AF..'],
    ['an overlong slash of three bytes', 'charge=ch_1%E0%80%AF..'],
    ['an overlong NUL', 'metadata[a]=%C0%80'],
    ['half a surrogate pair', 'metadata[a]=%ED%A0%80'],
    ['beyond the last code point', 'metadata[a]=%F4%90%80%80'],
    ['a sequence that breaks off', 'metadata[a]=%E2%82'],
    ['raw bytes that are no UTF-8', 'metadata[a]=\xff\xfe'],
    ['raw UTF-8', 'metadata[a]=\xc3\xa9'],
    ['a byte-order mark before a name', '%EF%BB%BFamount=1'],
    ['a byte-order mark before a value', 'amount=%EF%BB%BF1'],
    ['a raw byte-order mark', '\xef\xbb\xbfamount=1'],
    ['a raw space before a name', 'amount=1& amount=100000'],
    ['a raw space in a value', 'amount=1 &reason=duplicate'],
    ['a plus before a name', 'amount=1&+amount=100000'],
    ['a raw tab', 'amount=1&\tamount=100000'],
    ['a raw line end', 'amount=1\r\n'],
    ['a raw NUL', 'amount=1\x00'],
    ['an escaped NUL', 'amount=1%00'],
    ['an escaped NUL in a name', 'amount%00=1'],
    ['a semicolon between pairs', 'amount=1;amount=100000'],
    ['an empty pair', 'amount=1&&reason=duplicate'],
    ['an empty pair in front', '&amount=1'],
    ['an empty pair at the end', 'amount=1&'],
    ['a name without a value', 'amount'],
    ['a value without a name', '=5&amount=1'],
    ['a question mark in front', '?amount=5'],
    ['a raw double quote', 'amount="1"'],
    ['a raw backslash', 'metadata[a]=\\'],
    ['a raw brace', '{"amount":1}'],
  ])('%s', async (_, body) => {
    await stage.refuses(
      stripe('/v1/refunds', `charge=ch_A&${body}`.replace(/^charge=ch_A&(?=[?\xef])/, '')),
      'request_malformed',
    )
  })

  test.each(['limit=1;limit=100', 'limit=%31%', 'limit=1&&', 'limit', 'limit=1%00'])(
    'in a query: %s',
    async (query) => {
      await stage.refuses({ line: `GET /stripe/v1/charges?${query}` }, 'request_malformed')
    },
  )

  test.each([
    ['a byte-order mark', '\ufeff{}'],
    ['a raw NUL', '{"a":"\u0000"}'],
    ['an escaped NUL', '{"subject":"a\\u0000b"}'],
    ['half a surrogate pair', '{"subject":"\\ud800"}'],
    ['a raw control character', '{"subject":"a\nb"}'],
    ['an escape JSON does not have', '{"subject":"\\x41"}'],
  ])('in JSON: %s', async (_, body) => {
    await stage.refuses(resend('/emails', body), 'request_malformed')
  })

  test('in JSON: bytes that are no UTF-8', async () => {
    await stage.refuses({ ...resend('/emails', ''), body: '{"subject":"\xff"}' }, 'request_malformed')
  })
})
