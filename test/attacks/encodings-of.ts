/** Every way in which a text may stand in bytes that an agent, a log or a file gets to see. */
export function encodingsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString('hex')
  return [
    ...new Set([
      secret,
      hex,
      hex.toUpperCase(),
      encodeURIComponent(secret),
      bytes.reduce((text, byte) => `${text}%${byte.toString(16).padStart(2, '0')}`, ''),
      bytes.reduce((text, byte) => `${text}%${byte.toString(16).padStart(2, '0').toUpperCase()}`, ''),
      JSON.stringify(secret).slice(1, -1),
      ...[0, 1, 2].flatMap((offset) => base64At(secret, offset)),
    ]),
  ]
}

/** What the text looks like inside longer base64, at one of its three alignments, without what its neighbours decide. */
function base64At(secret: string, offset: number): readonly string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
  const whole = Math.floor((padded.length * 8) / 6)
  const inner = padded.toString('base64').slice(offset === 0 ? 0 : offset + 1, whole)
  return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
}

/** The encodings of secrets found in a text, for a message that names the form and not the secret. */
export function leaks(secrets: Readonly<Record<string, string>>, text: string): readonly string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    encodingsOf(secret).flatMap((form, at) => (text.includes(form) ? [`${name} in form ${at}`] : [])),
  )
}
