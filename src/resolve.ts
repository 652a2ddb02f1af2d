import type { Denial } from './contracts/call.js'
import type { Clock } from './contracts/clock.js'
import type { Explained, Explanation, JsonObject, LookUp } from './contracts/vendor.js'
import type { OpenCredential, VendorRuntime } from './engine.js'
import { parseForm, Form, EMPTY } from './wire/form.js'
import { canonical, upstreamRequest } from './wire/prepare.js'
import { isCanonicalPath } from './wire/target.js'
import type { Upstream } from './wire/upstream.js'

/** Look-ups one call may cause. The longest honest chain is a dispute's: dispute, charge, intent. Line items take one each. */
export const LOOK_UPS_MAX = 6
const REPLY_BYTES_MAX = 1024 * 1024
/** All look-ups of a call together, ms. Clients wait for the answer meanwhile. */
const LOOK_UPS_MS_MAX = 20_000

export interface Resolved {
  readonly explanation: Explanation | null
  /** Set when a look-up was stopped or failed; nothing was sent but reads. */
  readonly denial: Denial | null
  readonly count: number
}

/**
 * Runs the bounded reads an operation asks for until it can explain itself.
 *
 * @param gate asked before each look-up leaves: revoke and freeze stop them
 */
export async function resolve(
  first: Explained,
  runtime: VendorRuntime,
  credential: OpenCredential,
  upstream: Upstream,
  clock: Clock,
  gate: () => Denial | null,
): Promise<Resolved> {
  let explained = first
  let count = 0
  const until = clock.monotonic() + LOOK_UPS_MS_MAX
  while ('lookUp' in explained) {
    if (count === LOOK_UPS_MAX)
      return {
        explanation: UNKNOWN(`It would take more than ${LOOK_UPS_MAX} look-ups to find out.`),
        denial: null,
        count,
      }
    const request = requestFor(explained, runtime)
    if (request === null)
      return {
        explanation: UNKNOWN('An id in the request is not one the vendor would have given.'),
        denial: null,
        count,
      }
    count++
    const leftMs = Math.ceil(until - clock.monotonic())
    if (leftMs <= 0)
      return failed(`the look-ups at ${runtime.vendor.name} took longer than ${LOOK_UPS_MS_MAX / 1000} s`, count - 1)
    const headers = upstreamRequest(request, runtime, credential, () => undefined, null)
    const result = await upstream.send(headers, gate, leftMs)
    if (result.kind === 'withheld') return { explanation: null, denial: result.because, count }
    if (result.kind === 'fault')
      return failed(
        `a look-up at ${runtime.vendor.name} failed (${result.timedOut ? 'timed out' : 'no answer'})`,
        count,
      )
    if (result.status === 404) explained = explained.then(null)
    else if (result.status >= 200 && result.status < 300) {
      const reply = result.body.length > REPLY_BYTES_MAX ? null : objectIn(result.body)
      if (reply === null)
        return failed(`a look-up at ${runtime.vendor.name} gave a reply that could not be read`, count)
      explained = explained.then(reply)
    } else if (result.status >= 500 || result.status === 429)
      return failed(`a look-up at ${runtime.vendor.name} was answered ${result.status}`, count)
    // Refused or malformed: the credential may not see the object, which is as good as its not existing.
    else explained = explained.then(null)
  }
  return { explanation: explained, denial: null, count }
}

function requestFor(step: LookUp, runtime: VendorRuntime) {
  const { method = 'GET', path, params = [] } = step.lookUp
  const slash = path.indexOf('/')
  if (
    slash < 0 ||
    !isCanonicalPath(path.slice(slash)) ||
    (slash > 0 && !runtime.vendor.hosts.includes(path.slice(0, slash)))
  )
    return null
  const form = params.length === 0 ? EMPTY : new Form(params)
  // Our own rules bind us too: an id with brackets or control characters in it must not become another parameter.
  if (params.length > 0 && !(parseForm(form.serialise()) instanceof Form)) return null
  const host = runtime.catalogue.match(method, path)?.operation.host
  return canonical(
    runtime,
    method,
    path,
    { form, json: undefined, place: method === 'GET' ? 'query' : 'form' },
    [],
    host,
  )
}

function objectIn(body: Buffer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
  } catch {
    return null // Not JSON: the caller says so.
  }
}

const UNKNOWN = (why: string): Explanation => ({ quote: { basis: 'unpriceable', why }, subjects: { customers: null } })

function failed(what: string, count: number): Resolved {
  return {
    explanation: null,
    count,
    denial: {
      code: 'upstream_unavailable',
      rule: 'look-up',
      message: `Nothing was sent: ${what}, so the amount or the customer could not be found out.`,
      retrySafe: true,
    },
  }
}
