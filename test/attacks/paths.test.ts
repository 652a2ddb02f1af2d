import { describe, expect, test } from 'vitest'
import { onStage, presented, type Attack } from './stage.js'

const stage = onStage()
const refund = (target: string): Attack => ({ line: `POST ${target}`, body: 'charge=ch_A&amount=100' })

/** Front ends normalise these, routers decode them, and rules that were written for `/v1/refunds` see another text. */
describe('a path with more than one reading is malformed', () => {
  test.each([
    ['a dot-dot segment', '/stripe/v1/customers/../refunds'],
    ['a dot segment', '/stripe/v1/./refunds'],
    ['a dot-dot segment at the end', '/stripe/v1/refunds/x/..'],
    ['a dot-dot segment, encoded', '/stripe/v1/customers/%2e%2e/refunds'],
    ['a dot-dot segment, half encoded', '/stripe/v1/customers/.%2E/refunds'],
    ['a dot-dot segment, encoded twice', '/stripe/v1/customers/%252e%252e/refunds'],
    ['a dot-dot segment with a path parameter', '/stripe/v1/customers/..;x=1/refunds'],
    ['an empty segment', '/stripe/v1//refunds'],
    ['an empty first segment', '//stripe/v1/refunds'],
    ['an empty segment behind the prefix', '/stripe//v1/refunds'],
    ['three slashes', '/stripe/v1///refunds'],
    ['a slash at the end', '/stripe/v1/refunds/'],
    ['an encoded slash', '/stripe/v1%2Frefunds'],
    ['an encoded slash, lower case', '/stripe/v1%2frefunds'],
    ['an encoded slash at the end', '/stripe/v1/refunds%2F'],
    ['an encoded slash inside an id', '/stripe/v1/customers/x%2F..%2F..%2Frefunds'],
    ['an encoded backslash', '/stripe/v1/customers/x%5c..%5c..%5crefunds'],
    ['a NUL', '/stripe/v1/refunds%00'],
    ['a line end', '/stripe/v1/refunds%0d%0aX:1'],
    ['a tab', '/stripe/v1/refunds%09'],
    ['a space', '/stripe/v1/refunds%20'],
    ['a path parameter', '/stripe/v1/refunds;x=1'],
    ['a path parameter, encoded', '/stripe/v1/refunds%3Bx=1'],
    ['an encoded letter', '/stripe/v1/%72efunds'],
    ['an encoded digit', '/stripe/v%31/refunds'],
    ['an encoded question mark', '/stripe/v1/refunds%3famount=1'],
    ['an encoded number sign', '/stripe/v1/refunds%23'],
    ['an encoded percent sign', '/stripe/v1/refunds%25'],
    ['a broken escape', '/stripe/v1/refunds%'],
    ['a broken escape of one digit', '/stripe/v1/refunds%2'],
    ['bytes of UTF-8, encoded', '/stripe/v1/refunds%C3%A9'],
    ['a full-width dot, encoded', '/stripe/v1/customers/%EF%BC%8E%EF%BC%8E/refunds'],
    ['an overlong dot, encoded', '/stripe/v1/customers/%C0%AE%C0%AE/refunds'],
    ['a fragment', '/stripe/v1/refunds#x'],
    ['a fragment behind a query', '/stripe/v1/refunds?a=1#x'],
    ['the absolute form of the vendor', 'http://api.stripe.com/v1/refunds'],
    ['the absolute form of somebody else', 'http://evil.example/stripe/v1/refunds'],
    ['the absolute form with a user', 'http://api.stripe.com@evil.example/v1/refunds'],
    ['more than 4096 characters', `/stripe/v1/customers/${'x'.repeat(4096)}`],
    ['braces, as a template has them', '/stripe/v1/charges/{charge}/refund'],
    ['a pipe', '/stripe/v1/refunds|x'],
    ['a quote', "/stripe/v1/refunds'"],
  ])('%s', async (_, target) => {
    await stage.refuses(refund(target), 'request_malformed')
  })

  test('and the row shows a beginning of it, as it was written', async () => {
    await stage.refuses(refund(`/stripe/v1/%0d%0a${'x'.repeat(1000)}`), 'request_malformed')
    const [row] = await stage.world.calls('&state=denied')
    expect(row.path).toMatch(/^\/v1\/%0d%0ax{150,190}…$/)
  })
})

describe('a path that is written otherwise is another path', () => {
  test.each([
    ['upper case', '/stripe/v1/Refunds'],
    ['an upper-case version', '/stripe/V1/refunds'],
    ['another version', '/stripe/v3/refunds'],
    ['an extension', '/stripe/v1/refunds.json'],
    ['one segment more', '/stripe/v1/refunds/re_1/refunds'],
    ['the prefix alone', '/stripe'],
    ['the prefix and a slash', '/stripe/'],
    ['the prefix twice', '/stripe/stripe/v1/refunds'],
    ['dots that are no dot segment', '/stripe/v1/.../refunds'],
    ['an id of a colon', '/stripe/v1/refunds:x'],
  ])('%s', async (_, target) => {
    await stage.refuses(refund(target), 'operation_unknown')
  })

  test.each(['/STRIPE/v1/refunds', '/Stripe/v1/refunds', '/stripex/v1/refunds', '/v3/refunds', '/admin/v1/keys', '/'])(
    'and %s belongs to nobody: a plain 404 and no row',
    async (target) => {
      const reply = await stage.ignores(refund(target), 404)
      expect(reply.headers['content-type']).toMatch(/^text\/plain/)
    },
  )
})

describe("a target that Node's parser rejects gets a plain 400 and no row", () => {
  test.each([
    ['raw UTF-8', '/stripe/v1/refunds\xc3\xa9'],
    ['a raw space', '/stripe/v1/refunds x'],
    ['a raw tab', '/stripe/v1/refunds\tx'],
    ['a raw NUL', '/stripe/v1/refunds\x00'],
    ['no slash in front', 'stripe/v1/refunds'],
  ])('%s', async (_, target) => {
    expect((await stage.ignores(refund(target), 400)).body).toBe('')
  })
})

describe('ids in a path go out as they were judged', () => {
  test.each([
    ['/stripe/v1/charges/ch_A', '/v1/charges/ch_A'],
    ['/stripe/v1/charges/ch%3AA', '/v1/charges/ch:A'],
    ['/stripe/v1/charges/ch%2BA', '/v1/charges/ch%2BA'],
    ['/stripe/v1/charges/ch+A', '/v1/charges/ch%2BA'],
    ['/stripe/v1/charges/ch%40A%3D%2C', '/v1/charges/ch@A=,'],
  ])('%s', async (target, sent) => {
    const key = await stage.key()
    stage.forget()
    await stage.send({ line: `GET ${target}` }, presented('stripe', key))
    expect(stage.seen()).toEqual([`GET ${sent}`])
  })
})
