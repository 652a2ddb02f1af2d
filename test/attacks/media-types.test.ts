import { describe, test } from 'vitest'
import { onStage, stripe, type Attack } from './stage.js'

const stage = onStage()
const FORM = 'charge=ch_A&amount=100'
const JSON_TEXT = '{"from":"billing@acme.com","to":"ann@acme.com","subject":"s","text":"t"}'

const typed = (type: string, body: string): Attack => stripe('/v1/refunds', body, [`Content-Type: ${type}`])
const email = (type: string, body: string): Attack => ({
  vendor: 'resend',
  line: 'POST /resend/emails',
  headers: [`Content-Type: ${type}`],
  body,
})

describe('a form under another media type is ambiguous', () => {
  test.each([
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    'multipart/related',
    'application/x-www-form-urlencoded; charset=utf-16le',
    'application/x-www-form-urlencoded; charset=iso-8859-1',
    'application/x-www-form-urlencoded; charset=utf-8; charset=utf-16',
    'application/x-www-form-urlencoded, application/json',
    'application/x-www-form-urlencoded; boundary=x',
    'application/x-www-form-urlencodedx',
    '*/*',
    'x',
  ])('%s', async (type) => {
    await stage.refuses(typed(type, FORM), 'request_ambiguous')
  })

  test('and under none', async () => {
    await stage.refuses({ ...stripe('/v1/refunds', FORM), without: ['content-type'] }, 'request_ambiguous')
  })

  test('and under two', async () => {
    const headers = ['Content-Type: application/x-www-form-urlencoded', 'Content-Type: application/json']
    await stage.refuses(stripe('/v1/refunds', FORM, headers), 'request_ambiguous')
  })
})

describe('JSON under another media type is ambiguous', () => {
  test.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/json; charset=utf-16',
    'application/json5',
    'application/vnd.api+json',
  ])('%s', async (type) => {
    await stage.refuses(email(type, JSON_TEXT), 'request_ambiguous')
  })

  test('and under none', async () => {
    await stage.refuses({ ...email('', JSON_TEXT), headers: [], without: ['content-type'] }, 'request_ambiguous')
  })
})

describe('a body that is not what its type says is malformed', () => {
  test('JSON as a form', async () => {
    await stage.refuses(
      typed('application/x-www-form-urlencoded', '{"charge":"ch_A","amount":100}'),
      'request_malformed',
    )
  })

  test('a form as JSON', async () => {
    await stage.refuses(email('application/json', 'to=ann%40acme.com'), 'request_malformed')
  })
})

describe('a coded body is malformed', () => {
  test.each(['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip', 'x-gzip', 'utf-7'])(
    'Content-Encoding: %s',
    async (coding) => {
      await stage.refuses(stripe('/v1/refunds', FORM, [`Content-Encoding: ${coding}`]), 'request_malformed')
    },
  )
})
