/** A request as it goes on the wire, and what a connection has to know of it. */
export class Outgoing {
  constructor(
    /** Head and body in one. A text is written as latin1. */
    readonly bytes: string | Buffer,
    /** As its Host header names it, whose certificate is asked for. */
    readonly host: string,
    /** The reply to it has no body, whatever its head says. */
    readonly bodiless: boolean,
    /** No other request follows on its connection. */
    readonly last: boolean,
  ) {}
}

/** Characters 0x80 to 0xff are one byte each; a target may hold them, and what is above could be any byte. */
const TARGET = /^\/[\x21-\xff]*$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/
/** Methods whose body servers expect: after a body that may have been overlooked the connection is not to be trusted. */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH'])

/**
 * Writes a request down. What frames it is written here and nowhere else: a name, a value or a target that could end a
 * line is refused, as is a header that speaks of framing.
 *
 * @param host for a request that names none
 * @returns why it cannot be sent, in a sentence
 */
export function outgoing(
  method: string,
  target: string,
  headers: readonly string[],
  body: string | Buffer | null,
  host: string,
): Outgoing | string {
  if (!TARGET.test(target)) return 'The target is none that can be written.'
  if (!TOKEN.test(method) || method === 'CONNECT') return 'The method is none that can be sent.'
  if (headers.length % 2 !== 0) return 'A header has no value.'
  let named: string | null = null
  let declared: string | null = null
  let last = method === 'HEAD'
  let fields = ''
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!
    const value = headers[at + 1]!
    if (NO_VALUE.test(value)) return 'A header has a value that cannot be written.'
    switch (kindOf(name)) {
      case 'plain':
        fields += `${name}: ${value}\r\n`
        break
      case 'host':
        if (named !== null) return 'There are two Host headers.'
        named = value
        break
      case 'length':
        if (declared !== null) return 'There are two Content-Length headers.'
        declared = value
        break
      case 'connection':
        if (!value.split(',').every((token) => TOKEN.test(token.trim()))) return 'The Connection header is none.'
        last ||= /(?:^|,)\s*close\s*(?:,|$)/i.test(value)
        break
      case 'ours':
        return `The header ${name} is not for a request to bring.`
      case 'none':
        return 'A header has a name that cannot be written.'
    }
  }
  const length = body === null ? 0 : Buffer.byteLength(body)
  if (declared !== null && (!/^[0-9]{1,15}$/.test(declared) || Number(declared) !== length))
    return 'The Content-Length is not that of the body.'
  named ??= host
  const expected = WITH_BODY.has(method)
  const head =
    `${method} ${target} HTTP/1.1\r\nhost: ${named}\r\nconnection: ${last ? 'close' : 'keep-alive'}\r\n${fields}` +
    (length > 0 || expected ? `content-length: ${length}\r\n\r\n` : '\r\n')
  return new Outgoing(withBody(head, body, length), named, method === 'HEAD', last || (length > 0 && !expected))
}

/** One piece, because two would be two packets. Text whose length is its length in UTF-8 is ASCII. */
function withBody(head: string, body: string | Buffer | null, length: number): string | Buffer {
  if (body === null || length === 0) return head
  if (typeof body === 'string' && body.length === length) return head + body
  const bytes = Buffer.allocUnsafe(head.length + length)
  bytes.write(head, 0, 'latin1')
  if (typeof body === 'string') bytes.write(body, head.length, 'utf8')
  else body.copy(bytes, head.length)
  return bytes
}

type Kind = 'plain' | 'host' | 'length' | 'connection' | 'ours' | 'none'
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['host', 'host'],
  ['content-length', 'length'],
  ['connection', 'connection'],
  ['transfer-encoding', 'ours'],
  ['keep-alive', 'ours'],
  ['upgrade', 'ours'],
  ['expect', 'ours'],
])
/** Names are few, and what one is gets found out once. */
const known = new Map<string, Kind>()
const KNOWN_MAX = 1_000

function kindOf(name: string): Kind {
  let kind = known.get(name)
  if (kind === undefined) {
    kind = TOKEN.test(name) ? (KINDS.get(name.toLowerCase()) ?? 'plain') : 'none'
    if (known.size < KNOWN_MAX) known.set(name, kind)
  }
  return kind
}
