import type { Clock } from '../contracts/clock.js'
import type { JsonObject } from '../contracts/vendor.js'
import type { VendorRuntime } from '../engine.js'
import {
  Upstream,
  type UpstreamFault,
  type UpstreamReply,
  type UpstreamRequest,
  type Withheld,
} from '../wire/upstream.js'

/**
 * Vendor objects by their path, `/stripe/v1/charges/ch_1` or without the vendor, as the vendor would reply with them.
 * Null: the vendor says there is none.
 */
export type Objects = Readonly<Record<string, JsonObject | null>>

/** Answers look-ups from objects at hand, and what is not among them from the vendor, where that may be asked. */
export class ObjectsAtHand extends Upstream {
  /** What was asked for and is not at hand, as `GET /stripe/v1/charges/ch_1`. */
  readonly missing: string[] = []
  readonly #runtime: VendorRuntime
  readonly #objects: Objects
  readonly #beyond: Upstream | null

  /** @param beyond who is asked for the rest; null: nothing leaves the process */
  constructor(runtime: VendorRuntime, objects: Objects, beyond: Upstream | null, clock: Clock) {
    super({ timeoutMs: 1, clock })
    this.#runtime = runtime
    this.#objects = objects
    this.#beyond = beyond
  }

  override send<T>(
    request: UpstreamRequest,
    gate: () => T | null,
    timeoutMs?: number,
  ): Promise<UpstreamReply | UpstreamFault | Withheld<T>> {
    const names = namesOf(request, this.#runtime)
    const name = names.find((each) => Object.hasOwn(this.#objects, each))
    if (name === undefined) {
      if (this.#beyond !== null) return this.#beyond.send(request, gate, timeoutMs)
      const path = names[0]!
      this.missing.push(`${request.method} ${path}`)
      const message = `${path} is not at hand`
      return Promise.resolve({ kind: 'fault', sent: false, timedOut: false, message, ms: 0 })
    }
    const object = this.#objects[name]
    return Promise.resolve({
      kind: 'reply',
      status: object === null ? 404 : 200,
      headers: ['content-type', 'application/json'],
      body: Buffer.from(JSON.stringify(object)),
      ms: 0,
    })
  }
}

/** How an operator may have named the object: with its vendor or without, with its query or without. */
function namesOf({ target, headers }: UpstreamRequest, { vendor }: VendorRuntime): string[] {
  const host = headers[headers.indexOf('host') + 1]!
  const product = vendor.productByHost === true && host !== vendor.hosts[0] && vendor.hosts.includes(host)
  const full = product ? `/${host}${target}` : target
  const bare = full.split('?')[0]!
  return [`/${vendor.name}${bare}`, bare, `/${vendor.name}${full}`, full]
}
