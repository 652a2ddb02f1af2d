import type { Authorization } from '../contracts/vendor.js'
import type { Exchange } from '../exchange.js'

/*
 * What the head of a request says of its caller, whichever surface it came to. Names are lower case.
 */
type Headers = ReadonlyMap<string, string>

/** Credentials of an Authorization header; null when absent or not readable. */
export function readAuthorization(header: string | undefined): Authorization | null {
  if (header === undefined) return null
  if (/^bearer [\x21-\x7e]+$/i.test(header)) return { scheme: 'bearer', token: header.slice('bearer '.length) }
  const basic = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header)
  if (!basic) return null
  const text = Buffer.from(basic[1]!, 'base64').toString('latin1')
  const colon = text.indexOf(':')
  return colon < 0 ? null : { scheme: 'basic', user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** Origin and run prefix under which the agent reached us. A TLS front says so in X-Forwarded-Proto; whoever lies there only gets links of its own that lead nowhere. */
export function baseOf(headers: Headers, pathRun: string | null): string | null {
  const host = headers.get('host')
  if (host === undefined || !/^[A-Za-z0-9.:[\]-]{1,255}$/.test(host)) return null
  const scheme = headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http'
  return `${scheme}://${host}${pathRun === null ? '' : `/run/${pathRun}`}`
}

/** Run labels, strongest first: path, header, trace. */
export function labelsIn(headers: Headers, pathRun: string | null): Exchange['labels'] {
  const labels: { source: 'path' | 'header' | 'traceparent'; run: string }[] = []
  if (pathRun !== null) labels.push({ source: 'path', run: pathRun })
  const header = headers.get('x-agent-run-id')
  if (header !== undefined) labels.push({ source: 'header', run: header })
  // W3C Trace Context, version 00; a malformed one is ignored, as the recommendation says.
  const traceparent = headers.get('traceparent')
  const trace = traceparent === undefined ? null : /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent)
  if (trace && !/^0+$/.test(trace[1]!)) labels.push({ source: 'traceparent', run: trace[1]! })
  return labels
}
