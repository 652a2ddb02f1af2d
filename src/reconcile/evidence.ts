import type { Commitment, Effect } from '../contracts/call.js'
import { parseUsd, formatUsd, usd, type Usd } from '../contracts/money.js'
import type { KeptRequest } from '../contracts/records.js'
import type { Explanation } from '../contracts/vendor.js'
import { SealFault, Vault } from '../custody/seal.js'
import type { Engine } from '../engine.js'

/** What is kept of a call whose outcome is not known: enough to find it at the vendor, and to send it once more. */
export interface Evidence {
  readonly request: KeptRequest
  /** The key it went out under; null where the vendor knows none. */
  readonly upstreamKey: string | null
  /** What of its explanation says how a success is booked. */
  readonly settle: Usd | null
  readonly effects: readonly Effect[]
  readonly commits: Commitment | null
}

/** A request with larger attachments is not kept: what is not known of it then stays so. */
const BODY_BYTES_MAX = 256 * 1024

type Namespace = Engine['namespace']

/** @returns what was sent, sealed for this call alone; null when it is too large to keep */
export function sealEvidence(
  callId: string,
  request: KeptRequest,
  upstreamKey: string | null,
  { settle, effects = [], commits }: Explanation,
  namespace: Namespace,
): string | null {
  if (request.body !== null && Buffer.byteLength(request.body) > BODY_BYTES_MAX) return null
  const { method, host, target, body, contentType, headers } = request
  const kept = {
    request: { method, host, target, body, contentType, headers },
    upstreamKey,
    settle: settle === undefined ? null : formatUsd(settle),
    effects,
    commits: commits === undefined ? null : { ...commits, perMonth: String(commits.perMonth), quantity: text(commits) },
  }
  return vaultOf(namespace).seal({ id: callId, vendor: 'evidence' }, { kept: JSON.stringify(kept) })
}

/** Null when it does not open: then the call is looked for without it. */
export function openEvidence(callId: string, sealed: string | null, namespace: Namespace): Evidence | null {
  if (sealed === null) return null
  try {
    const { kept } = vaultOf(namespace).open({ id: callId, vendor: 'evidence' }, sealed)
    const found = JSON.parse(kept!) as Written
    return {
      ...found,
      settle: found.settle === null ? null : parseUsd(found.settle),
      commits: found.commits && {
        ...found.commits,
        perMonth: usd(BigInt(found.commits.perMonth)),
        quantity: found.commits.quantity === null ? null : BigInt(found.commits.quantity),
      },
    }
  } catch (fault) {
    if (fault instanceof SealFault) return null
    throw fault
  }
}

type Written = Omit<Evidence, 'settle' | 'commits'> & {
  readonly settle: string | null
  readonly commits: (Omit<Commitment, 'perMonth' | 'quantity'> & { perMonth: string; quantity: string | null }) | null
}

const text = ({ quantity }: Commitment): string | null => (quantity === null ? null : String(quantity))

/**
 * Sealed under a key of its own, which follows from the secret that idempotency keys are made with: it outlives a change
 * of the master key, as the doubt may.
 */
function vaultOf(namespace: Namespace): Vault {
  let vault = vaults.get(namespace)
  if (vault === undefined) {
    vault = new Vault(Buffer.from(namespace('spendgate', 'evidence').slice('sg_'.length), 'base64url'))
    vaults.set(namespace, vault)
  }
  return vault
}
const vaults = new WeakMap<Namespace, Vault>()
