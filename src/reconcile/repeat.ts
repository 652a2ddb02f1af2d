import type { Denial } from '../contracts/call.js'
import type { CredentialRecord, DoubtRow, Settlement } from '../contracts/ledger.js'
import type { JsonObject } from '../contracts/vendor.js'
import type { Engine, VendorRuntime } from '../engine.js'
import { scrubbed, settlementOf } from '../pipeline.js'
import { standstill } from '../standstill.js'
import { upstreamRequest } from '../wire/prepare.js'
import type { Evidence } from './evidence.js'
import { judgedAnew } from './judged-anew.js'
import { headerIn, type Understood } from './understand.js'

type Outcome = Settlement & { readonly outcome: 'settled' | 'released' }

/**
 * Sends the very same request once more, under the same idempotency key: the vendor gives the answer it has stored, or
 * executes what it never got. Only while the vendor certainly knows the key, and only where the call could leave now, by
 * its key and by the policies in force: what has no answer yet may be executed by this. Once it has left, it is in flight
 * until the ledger is told that it came back.
 *
 * @returns what it comes to, or a sentence on why that is still not known
 */
export async function repeat(
  row: DoubtRow,
  evidence: Evidence | null,
  understood: Understood,
  runtime: VendorRuntime,
  record: CredentialRecord,
  engine: Engine,
): Promise<Outcome | string> {
  const { ledger, clock } = engine
  const { match, question, explanation } = understood
  const { vendor, override } = runtime
  const withinMs = vendor.records?.repeatableMs?.(match.operation.id, row.path) ?? null
  if (withinMs === null || !vendor.idempotent(match.operation, row.method) || match.operation.hostedTool !== undefined)
    return 'It is not sent again: the vendor would not know it for the same.'
  // The vendor remembers the key from its first use on, which was the original's.
  if (row.replayOf !== null) return `It is not sent again: it repeats ${row.replayOf}, and that may be.`
  if (evidence === null || evidence.upstreamKey === null)
    return 'It cannot be sent again: what was sent was not kept, because it was too large or the server ended first.'
  if (clock.now() - row.at >= withinMs)
    return 'It is not sent again: the vendor may have forgotten its idempotency key, and would act anew.'
  // Another account knows neither the key nor what was done under it.
  if (record.account === '' && record.rotatedAt !== null && record.rotatedAt >= row.at)
    return 'It is not sent again: its credential was exchanged since, maybe for one of another account.'
  const key = ledger.key(row.keyId)
  if (key === null) return 'It is not sent again: its key is gone.'
  const stopped = (): Denial | null => {
    const stands = ledger.stands(key, row.run, vendor.name)
    return stands === true ? standstill(engine) : stands
  }
  const credential = engine.credentials.open(record)
  const judged = stopped()?.message ?? (await judgedAnew(row, understood, runtime, credential, stopped, engine))
  const stops = typeof judged === 'string' ? judged : judged()?.message
  if (typeof judged === 'string' || stops !== undefined) return `It is not sent again: ${stops}`

  const { request } = evidence
  // Where it goes follows from the catalogue and the configuration of today, never from what was stored.
  const host = match.operation.host ?? vendor.hosts[0]!
  const origin = override ?? `https://${host}`
  const outgoing = upstreamRequest(
    { ...request, origin, host: new URL(origin).host, hash: row.requestHash },
    runtime,
    credential,
    (name) => headerIn(request.headers, name),
    evidence.upstreamKey,
  )
  // Others were looked at since it was read, and somebody may have said meanwhile what became of it.
  if ((await ledger.call(row.id))?.state !== 'assumed') return 'It is not sent again: its outcome is known by now.'
  const result = await engine.upstream.send(outgoing, () => {
    // Whatever changed since it was judged counts, and from here on a revocation names it.
    const stops = standstill(engine) ?? judged()
    if (stops !== null) return stops
    const leaves = ledger.mayLeaveAgain(row)
    return leaves === true ? null : leaves
  })
  if (result.kind === 'withheld') return `It was not sent again: ${result.because.message}`
  if (result.kind === 'fault') return 'It was sent again under its key, and that was not answered either.'
  if (vendor.records?.repeatTells?.(result.status, objectIn(result.body)) === false)
    return `It was sent again, and the answer (${result.status}) says nothing of the first time.`
  const settlement = scrubbed(settlementOf(result, runtime, match, question, explanation, row), credential.scrubber)
  return settlement.outcome === 'assumed'
    ? `It was sent again under its key, and the answer (${result.status}) does not say what was done.`
    : { ...settlement, outcome: settlement.outcome }
}

function objectIn(body: Buffer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
  } catch {
    return null // Not JSON: then it is no refusal of the vendor's own either.
  }
}
