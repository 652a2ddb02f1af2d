import type { Clock } from '../contracts/clock.js'
import { LedgerFault, type CommitmentRow, type CredentialRecord, type Ledger } from '../contracts/ledger.js'
import type { TakeBack } from '../contracts/vendor.js'
import { SealFault } from '../custody/seal.js'
import type { Credentials, OpenCredential, VendorRuntime } from '../engine.js'
import { EMPTY, Form, parseForm } from '../wire/form.js'
import { canonical, upstreamRequest } from '../wire/prepare.js'
import type { Canonical } from '../wire/prepare.js'
import { isCanonicalPath } from '../wire/target.js'
import type { Upstream } from '../wire/upstream.js'

/** How the admin API reaches vendors. */
export interface Reach {
  readonly vendors: ReadonlyMap<string, VendorRuntime>
  readonly credentials: Credentials
  readonly upstream: Upstream
}

/** Commitments that one request cancels at most, how many at a time, and how long it tries. */
export const TAKE_BACK_MAX = 500
const AT_A_TIME = 8
const ALL_MS_MAX = 15_000
const ONE_MS_MAX = 10_000

/**
 * Cancels at the vendors what still stands, with the real credential, and books what they confirm. The operator asks
 * for it, so neither the revoked key nor a freeze holds it back.
 *
 * @returns for each row, in order, null when it is cancelled, else why not and what to do
 */
export async function takeBackAll(
  rows: readonly CommitmentRow[],
  reach: Reach,
  { ledger, clock }: { readonly ledger: Ledger; readonly clock: Clock },
  actor: string,
): Promise<(string | null)[]> {
  const until = clock.monotonic() + ALL_MS_MAX
  const results: (string | null)[] = rows.map(() => null)
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < rows.length; i = next++) {
      const row = rows[i]!
      const leftMs = Math.ceil(until - clock.monotonic())
      const done =
        leftMs <= 0
          ? `Not tried: cancelling took longer than ${ALL_MS_MAX / 1000} s. Ask again.`
          : await takeBackOne(row, ledger.credential(row.credentialId), reach, Math.min(leftMs, ONE_MS_MAX))
      results[i] = typeof done === 'string' ? done : await booked(ledger, row, actor, done.keepsCounted === true)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, rows.length) }, worker))
  return results
}

async function booked(
  ledger: Ledger,
  { id, vendor, object }: CommitmentRow,
  actor: string,
  keepsCounted: boolean,
): Promise<string | null> {
  try {
    await ledger.takenBack(id, actor, keepsCounted)
    return null
  } catch (fault) {
    if (!(fault instanceof LedgerFault)) throw fault
    return `${vendor} has cancelled ${object}, but the ledger could not write that down, so it stays counted. See the server log.`
  }
}

async function takeBackOne(
  row: CommitmentRow,
  record: CredentialRecord | null,
  reach: Reach,
  timeoutMs: number,
): Promise<string | TakeBack> {
  const { vendor, object } = row
  if (object === null)
    return `The vendor's id of what ${row.id} made is not known. Look at ${vendor} for what was made then, and cancel it there.`
  const runtime = reach.vendors.get(vendor)
  if (runtime === undefined || record === null)
    return `The credential ${row.credentialId} was removed. Cancel ${object} at ${vendor} by hand.`
  const wanted = runtime.vendor.takeBack?.({ operation: row.operation, object, account: record.account }) ?? null
  const request = wanted === null ? null : requestOf(wanted, runtime)
  if (wanted === null || request === null)
    return `${vendor} has no request that takes back what ${row.operation} made. End ${object} at ${vendor} by hand.`
  const credential = opened(() => reach.credentials.open(record))
  if (credential === null)
    return `The credential ${record.id} cannot be opened with this master key. Cancel ${object} at ${vendor} by hand.`
  const result = await reach.upstream.send(
    upstreamRequest(request, runtime, credential, () => undefined, null),
    () => null,
    timeoutMs,
  )
  if (result.kind !== 'reply')
    return `${vendor} gave no answer, so whether ${object} was cancelled is not known. It stays counted; ask again.`
  if (result.status >= 200 && result.status <= 299) return wanted
  if (result.status === 404)
    return `${vendor} answered 404: it has no ${object}, or not any more. It stays counted; look there.`
  if (result.status === 429 || result.status >= 500)
    return `${vendor} answered ${result.status}. ${object} stays as it is; ask again.`
  return `${vendor} answered ${result.status}: ${object} cannot be cancelled, or it is done or cancelled already. It stays counted; look there.`
}

/** Our own rules bind us too: an id must not become another path or parameter. */
export function requestOf({ method, path, params = [], json }: TakeBack, runtime: VendorRuntime): Canonical | null {
  const slash = path.indexOf('/')
  if (slash < 0 || !isCanonicalPath(path.slice(slash))) return null
  if (slash > 0 && !runtime.vendor.hosts.includes(path.slice(0, slash))) return null
  const form = params.length === 0 ? EMPTY : new Form(params)
  if (params.length > 0 && !(parseForm(form.serialise()) instanceof Form)) return null
  const place = json !== undefined ? 'json' : method === 'DELETE' ? 'query' : params.length > 0 ? 'form' : 'none'
  const host = runtime.catalogue.match(method, path)?.operation.host
  return canonical(runtime, method, path, { form, json, place }, [], host)
}

function opened(open: () => OpenCredential): OpenCredential | null {
  try {
    return open()
  } catch (fault) {
    if (fault instanceof SealFault) return null
    throw fault
  }
}
