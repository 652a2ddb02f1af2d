import type { Body } from './reply.js'

const REDACTED = Buffer.from('[redacted]')

/** Finds a credential in what a vendor sent back, as it is, in base64, in hex or escaped, and takes it out. */
export class Scrubber {
  readonly #needles: Buffer[] = []
  readonly #forms: string[] = []
  /** The bytes of each needle as a text of as many characters. */
  readonly #bytes: string[] = []

  /** @param secrets texts that must never reach an agent */
  constructor(secrets: readonly string[]) {
    for (const secret of secrets) this.add(secret)
  }

  /** One more of them; again, it changes nothing. */
  add(secret: string): void {
    if (secret.length < 8 || this.#forms.includes(secret)) return
    const forms = new Set<string>([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    const hex = Buffer.from(secret).toString('hex')
    for (const digits of [hex, hex.toUpperCase()]) forms.add(digits).add(digits.replace(/../g, '%$&'))
    for (const form of base64Forms(secret)) forms.add(form).add(form.replaceAll('+', '-').replaceAll('/', '_'))
    this.#forms.push(...forms)
    const needles = [...forms].map((form) => Buffer.from(form))
    this.#needles.push(...needles)
    this.#bytes.push(...needles.map((needle) => needle.toString('latin1')))
  }

  /** The same body when nothing was found. */
  body(body: Body): Body {
    // A text is searched in two thirds of the time; what is found is found again among the bytes.
    const text = typeof body === 'string' ? body : body.toString('latin1')
    if (!this.#bytes.some((bytes) => text.includes(bytes))) return body
    let clean = Buffer.from(body)
    for (const needle of this.#needles) {
      let at = clean.indexOf(needle)
      while (at >= 0) {
        clean = Buffer.concat([clean.subarray(0, at), REDACTED, clean.subarray(at + needle.length)])
        at = clean.indexOf(needle, at + REDACTED.length)
      }
    }
    return clean
  }

  text(text: string): string {
    let clean = text
    for (const form of this.#forms) if (clean.includes(form)) clean = clean.replaceAll(form, '[redacted]')
    return clean
  }
}

/** What a secret looks like inside base64 text at each of its three alignments, without the characters that its neighbours decide. */
function base64Forms(secret: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from('\u0000'.repeat(offset) + secret)
      .toString('base64')
      .replace(/=+$/, '')
    const start = offset === 0 ? 0 : offset + 1
    const whole = Math.floor(((offset + secret.length) * 8) / 6)
    return encoded.slice(start, whole)
  })
}
