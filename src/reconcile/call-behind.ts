import { setImmediate as turn } from 'node:timers/promises'
import type { Ledger, SentCall } from '../contracts/ledger.js'
import type { Moved } from '../contracts/records.js'
import type { Engine } from '../engine.js'

/** How the idempotency keys look that we send (src/internal-secrets.ts). */
export const OWN_KEY = /^sg_[A-Za-z0-9_-]{43}$/

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
/** Calls read at once; other work goes on in between. */
const CALLS = 1_000

/** Calls looked through for one movement, at most. */
const LOOKED_MAX = 100_000

/**
 * How far around a movement its call is looked for, in turn: most stand within seconds; a request may wait a minute, and
 * clocks may differ by some. A call that was in doubt may have been repeated under its key within the day.
 */
const SPANS: readonly { readonly beforeMs: number; readonly afterMs: number; readonly inDoubt: boolean }[] = [
  { beforeMs: 10 * SECOND_MS, afterMs: 5 * SECOND_MS, inDoubt: false },
  { beforeMs: 5 * MINUTE_MS, afterMs: 2 * MINUTE_MS, inDoubt: false },
  { beforeMs: 24 * 60 * MINUTE_MS, afterMs: 2 * MINUTE_MS, inDoubt: true },
]

/**
 * The call whose request moved the money: the one that went out under its idempotency key, or got its request id back.
 * What was turned away may have been asked again under the same key: then a call that was not is the one.
 */
export async function callBehind(
  { at, upstreamKey, requestId }: Moved,
  credentialIds: readonly string[],
  { ledger, namespace }: { readonly ledger: Pick<Ledger, 'sent'> } & Pick<Engine, 'namespace'>,
): Promise<SentCall | null> {
  const ownKey = upstreamKey !== null && OWN_KEY.test(upstreamKey)
  // Somebody else's key: the request was not ours, whatever it was.
  if (!ownKey && (upstreamKey !== null || requestId === null)) return null
  const isIt = (call: SentCall): boolean =>
    call.requestId !== null && call.requestId === requestId
      ? true
      : ownKey &&
        (call.idempotencyHash === upstreamKey ||
          namespace('call', `${call.callId}/${call.requestHash}`) === upstreamKey)
  let turnedAway: SentCall | null = null
  for (const { beforeMs, afterMs, inDoubt } of SPANS) {
    const range = { from: at - beforeMs, to: at + afterMs, inDoubt }
    let after = 0
    for (let looked = 0; looked < LOOKED_MAX; looked += CALLS) {
      const calls = await ledger.sent(credentialIds, { ...range, after }, CALLS)
      const own = calls.filter(isIt)
      const found = own.find(({ state }) => state !== 'released')
      if (found !== undefined) return found
      turnedAway ??= own[0] ?? null
      if (calls.length < CALLS) break
      after = calls.at(-1)!.seq
      await turn()
    }
  }
  return turnedAway
}
