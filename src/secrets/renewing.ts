import {
  Upstream,
  type Reading,
  type UpstreamFault,
  type UpstreamReply,
  type UpstreamRequest,
  type Withheld,
} from '../wire/upstream.js'

/**
 * Statuses with which vendors refuse a key that they do not know: most 401, Resend 403 (resend.com/docs/api-reference/errors,
 * `invalid_api_key`, November 2026). A 403 of another cause costs a look at the backend and is answered as it came.
 */
export const REFUSED: readonly number[] = [401, 403]

/**
 * Where a secret is kept elsewhere, its owner may exchange it at the vendor before we have heard of it. The vendor then
 * refuses the old one, which is its word that nothing was done: the newer one is fetched, and if there is one, the same
 * request goes out under it, once. The gate is asked again; nothing else is ever sent twice.
 */
export class RenewingUpstream extends Upstream {
  override send<T>(
    request: UpstreamRequest,
    gate: () => T | null,
    timeoutMs?: number,
    reading: Reading | null = null,
  ): Promise<UpstreamReply | UpstreamFault | Withheld<T>> {
    if (request.renewed === undefined) return super.send(request, gate, timeoutMs, reading)
    const { renewed, ...once } = request
    return super.send(once, gate, timeoutMs, reading).then(async (result) => {
      if (result.kind !== 'reply' || !REFUSED.includes(result.status)) return result
      const again = await renewed(once)
      if (again === null) return result
      const { renewed: _, ...last } = again
      return super.send(last, gate, timeoutMs, reading)
    })
  }
}
