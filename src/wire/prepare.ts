import * as crypto from 'node:crypto'
import type { OpenCredential, VendorRuntime } from '../engine.js'
import type { Content } from '../exchange.js'
import { encodePath } from './target.js'
import type { UpstreamRequest } from './upstream.js'

/** The canonical request: what was judged, written out again. */
export interface Canonical {
  readonly method: string
  readonly origin: string
  readonly host: string
  readonly target: string
  readonly body: string | null
  readonly contentType: string | null
  /** Hex SHA-256 over method, host, target, body and the accounts a header names. Two requests with the same hash are the same request. */
  readonly hash: string
}

/**
 * @param path canonical; a vendor's other products stand before it (`verify.twilio.com/v2/…`)
 * @param accounts other accounts of the vendor that the call's headers name
 * @param at the host that serves a path which names none; the vendor's main one by default
 */
export function canonical(
  runtime: VendorRuntime,
  method: string,
  path: string,
  content: Content,
  accounts: readonly string[] = [],
  at: string = runtime.vendor.hosts[0]!,
): Canonical {
  const { vendor } = runtime
  const slash = path.indexOf('/')
  const product = slash === 0 ? at : path.slice(0, slash)
  // Whoever leads the vendor elsewhere leads its MCP server there, too, or to a place of its own.
  const override = (product === vendor.mcpHost ? runtime.mcpOverride : null) ?? runtime.override
  const origin = override ?? `https://${product}`
  // A stand-in for several products still needs to be told which one is meant.
  const host = override !== null && !vendor.productByHost ? override.slice(override.indexOf('//') + 2) : product
  const query = content.place === 'query' ? content.form.serialise() : ''
  const target = encodePath(path.slice(slash)) + (query === '' ? '' : `?${query}`)
  const body =
    content.place === 'form' ? content.form.serialise() : content.place === 'json' ? JSON.stringify(content.json) : null
  const contentType =
    content.place === 'form'
      ? 'application/x-www-form-urlencoded'
      : content.place === 'json'
        ? 'application/json'
        : null
  return {
    method,
    origin,
    host,
    target,
    body,
    contentType,
    hash: crypto.hash('sha256', `${method} ${product}${target}\n${accounts.join()}\n${body ?? ''}`, 'hex'),
  }
}

/** The request with the real credential in it. Headers come from an allow-list; everything else the agent sent ends here. */
export function upstreamRequest(
  request: Canonical,
  runtime: VendorRuntime,
  credential: Pick<OpenCredential, 'authorization' | 'fixedHeaders' | 'bound' | 'renewed'>,
  header: (name: string) => string | undefined,
  idempotencyKey: string | null,
): UpstreamRequest {
  const { bound } = credential
  const headers =
    bound === undefined
      ? ['host', request.host, 'authorization', credential.authorization, 'accept-encoding', 'identity']
      : ['host', bound.host, 'accept-encoding', 'identity']
  let agent = false
  for (const name of runtime.vendor.requestHeaders) {
    // What the operator fixed for a credential is not the agent's to say.
    const fixed = bound !== undefined && credential.fixedHeaders.includes(name)
    if (fixed && name === 'user-agent') agent = true
    const value = fixed ? undefined : header(name)
    if (value === undefined) continue
    if (name === 'user-agent') agent = true
    headers.push(name, value)
  }
  // Some vendors refuse a request without one.
  if (!agent) headers.push('user-agent', 'spendgate')
  headers.push(...credential.fixedHeaders)
  if (request.contentType !== null) headers.push('content-type', request.contentType)
  if (idempotencyKey !== null) headers.push('idempotency-key', idempotencyKey)
  const plain = { origin: request.origin, method: request.method, target: request.target, headers, body: request.body }
  const made = bound === undefined ? plain : bound.enter(plain)
  const { renewed } = credential
  if (renewed === undefined) return made
  const own = made.headers.length
  const underNewer = async (refused: UpstreamRequest): Promise<UpstreamRequest | null> => {
    const next = await renewed()
    if (next === null) return null
    // What was sent may be more than this request: a hosted tool takes several, each with a body of its own.
    if (next.bound === undefined) return { ...refused, headers: withAuthorization(refused.headers, next.authorization) }
    const again = upstreamRequest(request, runtime, next, header, idempotencyKey)
    // What the caller has added since, such as a traceparent.
    again.headers.push(...made.headers.slice(own))
    return again
  }
  return { ...made, renewed: underNewer }
}

const withAuthorization = (headers: readonly string[], value: string): string[] =>
  headers.map((each, at) => (at % 2 === 1 && headers[at - 1] === 'authorization' ? value : each))
