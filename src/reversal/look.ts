import type { Look, Steps } from '../contracts/reversal.js'
import type { JsonObject } from '../contracts/vendor.js'
import type { OpenCredential, VendorRuntime } from '../engine.js'
import { EMPTY, Form, parseForm } from '../wire/form.js'
import { canonical, upstreamRequest } from '../wire/prepare.js'
import { isCanonicalPath } from '../wire/target.js'
import type { Means } from './means.js'

const REPLY_BYTES_MAX = 1024 * 1024

/**
 * One look at how an object stands. That the vendor has none is known from a 404 alone: a credential that may not read it
 * says nothing of it.
 *
 * @returns what follows, or why nothing was seen
 */
export async function lookAt(
  look: Look,
  runtime: VendorRuntime,
  credential: OpenCredential,
  timeoutMs: number,
  { upstream }: Pick<Means, 'upstream'>,
): Promise<Steps | string> {
  const { name, hosts } = runtime.vendor
  const slash = look.path.indexOf('/')
  const form = look.params === undefined ? EMPTY : new Form(look.params)
  const host = look.path.slice(0, slash)
  // Our own rules bind us too: an id must not become another path or parameter.
  if (
    !isCanonicalPath(look.path.slice(slash)) ||
    (host !== '' && !hosts.includes(host)) ||
    !(parseForm(form.serialise()) instanceof Form)
  )
    return `its id is none that ${name} would have given.`
  const request = canonical(runtime, 'GET', look.path, { form, json: undefined, place: 'query' })
  const result = await upstream.send(
    upstreamRequest(request, runtime, credential, () => undefined, null),
    () => null,
    timeoutMs,
  )
  if (result.kind !== 'reply') return `${name} gave no answer.`
  if (result.status === 404) return look.decide(null)
  if (result.status !== 200) return `${name} answered ${result.status}.`
  const reply = result.body.length > REPLY_BYTES_MAX ? null : objectIn(result.body)
  return reply === null ? `${name} gave a reply that could not be read.` : look.decide(reply)
}

export function objectIn(body: Buffer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
  } catch {
    return null // Not JSON: the caller says so, or an empty reply to a DELETE is as good as one.
  }
}
