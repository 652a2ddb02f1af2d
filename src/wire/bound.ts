import { createHash, createHmac } from 'node:crypto'
import type { Binding, Signing } from '../contracts/binding.js'
import type { Clock } from '../contracts/clock.js'
import type { Scrubber } from './scrub.js'
import type { UpstreamRequest } from './upstream.js'

/** Where a credential's calls go, and what makes a request one of them. */
export interface Bound {
  /** The value of the Host header. */
  readonly host: string
  /** The request at the credential's own address, with its secret in it. */
  enter(request: UpstreamRequest): UpstreamRequest
}

/**
 * @param id names the credential as it stands, for the tokens that are asked for under it
 * @param scrubber learns of tokens before a reply can show them
 */
export function boundTo(binding: Binding, id: string, scrubber: Scrubber, clock: Clock): Bound {
  const { baseUrl, entry } = binding
  const { origin, host, pathname } = new URL(baseUrl)
  const base = pathname === '/' ? '' : pathname
  const access =
    entry.kind === 'token' ? { id, grant: entry.grant, learn: (token: string) => scrubber.add(token) } : null
  const clean = (text: string): string => scrubber.text(text)
  const placed = (request: UpstreamRequest): UpstreamRequest => ({
    ...request,
    origin,
    target: base + request.target,
    guarded: true,
    clean,
  })
  switch (entry.kind) {
    case 'header':
      return { host, enter: (request) => added(placed(request), [entry.name, entry.value]) }
    case 'query':
      return {
        host,
        enter: (request) => {
          const at = placed(request)
          return { ...at, target: withParameter(at.target, entry.name, entry.value) }
        },
      }
    case 'signature':
      return {
        host,
        enter: (request) => {
          const at = placed(request)
          return added(at, signature(at, entry.signing, clock.now()))
        },
      }
    case 'token':
      return { host, enter: (request) => ({ ...placed(request), access: access! }) }
  }
}

function added(request: UpstreamRequest, more: readonly string[]): UpstreamRequest {
  request.headers.push(...more)
  return request
}

/** The credential's parameter. What an agent put in its place was its own key, and goes nowhere. */
function withParameter(target: string, name: string, value: string): string {
  const mark = target.indexOf('?')
  const pairs = mark < 0 ? [] : target.slice(mark + 1).split('&')
  const others = pairs.filter((pair) => decodeURIComponent(pair.slice(0, pair.indexOf('='))) !== name)
  return `${mark < 0 ? target : target.slice(0, mark)}?${[...others, `${encodeURIComponent(name)}=${encodeURIComponent(value)}`].join('&')}`
}

/** Names and values of the headers that sign a request as it leaves. */
export function signature(request: UpstreamRequest, signing: Signing, nowMs: number): string[] {
  const timestamp = stamps[signing.timestamp](nowMs)
  const body = request.body ?? ''
  const mark = request.target.indexOf('?')
  const parts: Readonly<Record<string, string>> = {
    timestamp,
    method: request.method,
    target: request.target,
    path: mark < 0 ? request.target : request.target.slice(0, mark),
    query: mark < 0 ? '' : request.target.slice(mark + 1),
    body: body.toString(),
    body_sha256: createHash('sha256').update(body).digest('hex'),
  }
  const payload = signing.payload.replace(/\{([a-z0-9_]+)\}/g, (_, name: string) => parts[name] ?? '')
  const mac = createHmac(signing.algorithm, signing.key).update(payload).digest(signing.encoding)
  const key = signing.keyId === null ? [] : [signing.keyHeader, signing.keyId]
  return [...key, signing.timestampHeader, timestamp, signing.signatureHeader, mac]
}

const stamps: Readonly<Record<Signing['timestamp'], (nowMs: number) => string>> = {
  seconds: (nowMs) => String(Math.floor(nowMs / 1000)),
  milliseconds: (nowMs) => String(nowMs),
  iso: (nowMs) => new Date(nowMs).toISOString(),
}
