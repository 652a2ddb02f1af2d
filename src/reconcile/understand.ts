import type { Match } from '../catalogue.js'
import type { CredentialRecord, DoubtRow } from '../contracts/ledger.js'
import type { Explanation, Json, Question } from '../contracts/vendor.js'
import type { Engine, VendorRuntime } from '../engine.js'
import { EMPTY, Form, parseForm } from '../wire/form.js'
import { parseJson } from '../wire/json.js'
import type { Evidence } from './evidence.js'

/** A call of the past as its operation would see it again, as far as that is still known. */
export interface Understood {
  readonly match: Match
  readonly question: Question
  readonly explanation: Explanation
}

const NOT_RESTRICTED = { customers: false, recipients: false, senders: false }

/**
 * Reads a row and what was kept of its request as the pipeline once read the request. Without that the parameters are
 * unknown, and what depends on them is booked as it was reserved. Null when the catalogue has the operation no more.
 */
export function understand(
  row: DoubtRow,
  evidence: Evidence | null,
  runtime: VendorRuntime,
  record: CredentialRecord,
  { tables, clock }: Pick<Engine, 'tables' | 'clock'>,
): Understood | null {
  const match = runtime.catalogue.match(row.method, row.path)
  if (match === null) return null
  const headers = evidence?.request.headers ?? []
  return {
    match,
    question: {
      method: row.method,
      path: match.params,
      ...parametersOf(evidence, match),
      header: (name) => headerIn(headers, name),
      account: record.account,
      apiVersion: record.apiVersion,
      rates: tables.rates,
      prices: tables.prices(record.vendor),
      nowMs: clock.now(),
      restricted: NOT_RESTRICTED,
    },
    explanation: {
      quote:
        row.basis === 'exact' || row.basis === 'ceiling'
          ? { basis: row.basis, amount: row.quoted }
          : { basis: 'free', why: 'It was quoted at nothing.' },
      subjects: {},
      ...(row.object === null ? {} : { object: row.object }),
      ...(evidence === null || evidence.settle === null ? {} : { settle: evidence.settle }),
      ...(evidence === null || evidence.commits === null ? {} : { commits: evidence.commits }),
      ...(evidence === null ? {} : { effects: evidence.effects }),
    },
  }
}

function parametersOf(
  evidence: Evidence | null,
  { operation }: Match,
): { readonly params: Form; readonly json: Json | undefined } {
  const { target = '', body = null, contentType = null } = evidence?.request ?? {}
  if (contentType === 'application/json' && body !== null) {
    const parsed = parseJson(body)
    return { params: EMPTY, json: 'value' in parsed ? parsed.value : undefined }
  }
  const mark = target.indexOf('?')
  const form = parseForm(body ?? (mark < 0 ? '' : target.slice(mark + 1)), operation.repeats)
  return { params: form instanceof Form ? form : EMPTY, json: undefined }
}

export function headerIn(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}
