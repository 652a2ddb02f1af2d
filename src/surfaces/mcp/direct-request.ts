import type { CredentialRecord } from '../../contracts/ledger.js'
import type { Json, JsonObject } from '../../contracts/vendor.js'
import type { VendorRuntime } from '../../engine.js'
import type { Fault } from '../../exchange.js'
import { parseTarget } from '../../wire/target.js'
import { faulty, fill, isIdempotencyKey, malformed, printable } from './asking.js'
import type { Asked } from './tool-exchange.js'

/** Headers that callers of other brokers send by habit; what a call is sent with is ours to write. */
const WRITTEN_BY_US = new Set(['accept', 'accept-encoding', 'content-length', 'user-agent'])
/** Headers that concern us and go no further as they are. */
const READ_HERE = new Set(['content-type', 'idempotency-key'])

/**
 * The request that `execute` names by method and path. Its path is read as strictly as one that came over HTTP; a
 * placeholder in it is filled in from the parameters, the account's from the credential.
 */
export function directRequest(args: JsonObject, runtime: VendorRuntime, credential: CredentialRecord | null): Asked {
  const {
    method,
    path: written,
    params = {},
    body,
  } = args as {
    readonly method: string
    readonly path: string
    readonly params?: JsonObject
    readonly body?: string
  }
  // Agents of other brokers leave the first slash out. An address with a scheme is none of ours.
  const target = /^[a-z0-9]/i.test(written) && !/^[a-z][a-z0-9+.-]*:/i.test(written) ? `/${written}` : written
  const refused = (fault: Fault): Asked => faulty(`tools/execute/${printable(target)}`, fault, method)
  if (body !== undefined && Object.keys(params).length > 0)
    return refused({ code: 'request_ambiguous', message: 'Give params or body, not both. Do not retry.' })
  const mark = target.indexOf('?')
  const template = mark < 0 ? target : target.slice(0, mark)
  const filled = template.includes('{')
    ? fill(template, params, [], credential?.account ?? '')
    : { path: template, rest: params }
  if ('code' in filled) return refused(filled)
  const parsed = parseTarget(filled.path + (mark < 0 ? '' : target.slice(mark)))
  if ('fault' in parsed) return refused(malformed(parsed.fault))
  const headers = headersOf((args.headers ?? {}) as JsonObject, runtime)
  if ('code' in headers) return refused(headers)
  const { 'idempotency-key': named, 'content-type': mediaType, ...others } = headers.given
  const idempotencyKey = (args.idempotency_key as string | undefined) ?? named
  if (idempotencyKey !== undefined && !isIdempotencyKey(idempotencyKey))
    return refused(malformed('The idempotency key must be 1 to 255 printable characters.'))
  return {
    method,
    path: atProduct(parsed.path, runtime),
    parameters: filled.rest,
    query: parsed.query,
    headers: others,
    ...(body === undefined ? {} : { text: body }),
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  }
}

/** `/verify.twilio.com/v2/…`: the vendor's other products stand as the first segment; its main host is left out. */
function atProduct(path: string, { vendor }: VendorRuntime): string {
  const second = path.indexOf('/', 1)
  const first = second < 0 ? '' : path.slice(1, second)
  if (!vendor.hosts.includes(first)) return path
  return first === vendor.hosts[0] || vendor.productByHost !== true ? path.slice(second) : path.slice(1)
}

function headersOf(
  headers: JsonObject,
  { vendor }: VendorRuntime,
): { readonly given: Readonly<Record<string, string>> } | Fault {
  const given: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers) as [string, Json][]) {
    const lower = name.toLowerCase()
    const taken = vendor.requestHeaders.includes(lower)
    if (WRITTEN_BY_US.has(lower) && (!taken || vendor.bindings === undefined)) continue
    if (!READ_HERE.has(lower) && !taken) {
      const why = vendor.bindings === undefined ? '' : `: what ${vendor.name} wants with every call is its credential's`
      return malformed(`The header ${printable(name)} is not taken here${why}.`)
    }
    if (typeof value !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(value))
      return malformed(`The header ${printable(name)} must be printable text.`)
    if (lower in given) return { code: 'request_ambiguous', message: `The header ${lower} stands more than once.` }
    given[lower] = value
  }
  return { given }
}
