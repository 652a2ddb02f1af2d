import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Scrubber } from '../../src/wire/scrub.js'
import { encodingsOf } from '../attacks/encodings-of.js'
import { LONG, runs } from './runs.js'

const secret = 'sk_live_51abc/+=DEF"\\xyz'
/** Made anew by each test that uses it. */
const scrubber = () => new Scrubber([secret])

describe('a credential in a reply is taken out', () => {
  test.each(encodingsOf(secret).map((form, at) => [at, form] as const))('in form %i', (_, form) => {
    expect(scrubber().text(`before ${form} between ${form} after`)).toBe('before [redacted] between [redacted] after')
    expect(scrubber().body(Buffer.from(form)).toString()).toBe('[redacted]')
  })

  test('inside longer base64, wherever it begins in it', () => {
    for (const before of ['', 'a', 'ab', 'abc', 'user:', 'Basic ']) {
      const shown = scrubber().text(Buffer.from(`${before}${secret}:and more`).toString('base64'))
      expect(shown).toContain('[redacted]')
      expect(Buffer.from(shown.replace('[redacted]', ''), 'base64').toString('latin1')).not.toContain(secret)
    }
  })

  test('in the base64 of URLs, too', () => {
    // Its base64 holds both characters that URLs have others for.
    const odd = '>>>???>>>???'
    expect(Buffer.from(odd).toString('base64')).toBe('Pj4+Pz8/Pj4+Pz8/')
    const of = new Scrubber([odd])
    for (const before of ['', 'a', 'ab'])
      for (const encoding of ['base64', 'base64url'] as const) {
        const shown = of.text(Buffer.from(`${before}${odd}, and more`).toString(encoding))
        expect(shown).toContain('[redacted]')
        expect(Buffer.from(shown.replace('[redacted]', ''), 'base64').toString()).not.toContain('>>>???')
      }
  })

  test('however often in one body, from eight characters on', () => {
    const short = new Scrubber(['12345678', '1234567'])
    expect(short.text('12345678 1234567')).toBe('[redacted] 1234567')
    expect(short.body(Buffer.from('a12345678b12345678')).toString()).toBe('a[redacted]b[redacted]')
  })

  test('twice in a row, and next to itself', () => {
    expect(scrubber().text(secret + secret)).toBe('[redacted][redacted]')
    expect(scrubber().text(`s${secret}z`)).toBe('s[redacted]z')
  })

  test('each of several', () => {
    const both = new Scrubber(['first-secret-1', 'second-secret-2'])
    expect(both.text('second-secret-2, first-secret-1')).toBe('[redacted], [redacted]')
  })
})

describe('what is no credential stays', () => {
  test('the very same buffer when nothing was found', () => {
    const body = Buffer.from('{"object":"refund","amount":100}')
    expect(scrubber().body(body)).toBe(body)
    expect(new Scrubber([]).body(body)).toBe(body)
  })

  test('bytes that are no text', () => {
    const body = Buffer.from([0xff, 0xfe, 0x00, 0x80])
    expect(scrubber().body(body)).toBe(body)
    const mixed = Buffer.concat([body, Buffer.from(secret), body])
    expect(scrubber().body(mixed)).toEqual(Buffer.concat([body, Buffer.from('[redacted]'), body]))
  })

  test('a part of one, and an empty one', () => {
    expect(scrubber().text(secret.slice(0, -1))).toBe(secret.slice(0, -1))
    expect(new Scrubber(['', 'short']).text('a short text')).toBe('a short text')
  })
})

test(
  'whatever the credential and whatever stands around it, no form of it remains',
  () => {
    const printable = fc.string({
      unit: fc.constantFrom(...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))),
      minLength: 12,
      maxLength: 48,
    })
    fc.assert(
      fc.property(
        printable,
        fc.string({ maxLength: 40 }),
        fc.nat(1000),
        fc.string({ maxLength: 40 }),
        (text, before, pick, after) => {
          fc.pre(text !== '[redacted]')
          const forms = encodingsOf(text)
          const shown = new Scrubber([text]).text(before + forms[pick % forms.length]! + after)
          for (const form of forms) expect(shown.includes(form)).toBe(false)
        },
      ),
      runs(1500),
    )
  },
  LONG,
)
