import type { CredentialRecord } from './contracts/ledger.js'
import type { JsonObject } from './contracts/vendor.js'
import type { Engine } from './engine.js'
import { EMPTY, Form } from './wire/form.js'
import { canonical, upstreamRequest } from './wire/prepare.js'
import { isCanonicalPath } from './wire/target.js'

/** What a vendor answered to a read: an object, that it is too busy, or a sentence on why there is neither. */
export type ReadAnswer = { readonly reply: JsonObject } | { readonly busy: true } | { readonly why: string }
export type OperatorRead = (path: string, params: readonly (readonly [string, string])[]) => Promise<ReadAnswer>

/**
 * Reads at a vendor that the operator asks for, under one of their credentials: no agent, no policy, no row, GET only.
 *
 * @throws SealFault when the master key does not open the credential
 */
export function operatorReads(
  engine: Pick<Engine, 'vendors' | 'credentials' | 'upstream'>,
  record: CredentialRecord,
): OperatorRead {
  const runtime = engine.vendors.get(record.vendor)!
  return async (path, params) => {
    const slash = path.indexOf('/')
    if (!isCanonicalPath(path.slice(slash)) || !(slash === 0 || runtime.vendor.hosts.includes(path.slice(0, slash))))
      return { why: `${path.slice(0, 100)} is no address of ${record.vendor}.` }
    const form = params.length === 0 ? EMPTY : new Form(params)
    const request = canonical(runtime, 'GET', path, { form, json: undefined, place: 'query' })
    const credential = engine.credentials.open(record)
    const result = await engine.upstream.send(
      upstreamRequest(request, runtime, credential, () => undefined, null),
      () => null,
    )
    if (result.kind !== 'reply') return { why: `${record.vendor} gave no answer at ${path}.` }
    if (result.status === 429) return { busy: true }
    if (result.status !== 200) return { why: `${record.vendor} answered ${result.status} at ${path}.` }
    const reply = objectIn(result.body)
    return reply === null ? { why: `${record.vendor} gave a reply at ${path} that could not be read.` } : { reply }
  }
}

function objectIn(body: Buffer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
  } catch {
    return null // Not JSON: the caller says so.
  }
}
