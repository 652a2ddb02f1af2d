import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CredentialRecord } from '../contracts/ledger.js'
import type { Delivery, Webhooks } from '../contracts/records.js'
import { hear, type Means } from '../reconcile/hearing.js'
import { readBody } from './body.js'

/** Stripe's largest events are some hundred KiB. */
const BODY_BYTES_MAX = 1024 * 1024
/** Deliveries being read at once: nobody has shown yet that they are a vendor's. */
const UNDER_WAY_MAX = 64

export interface WebhookMeans extends Means {
  readonly tables: { readonly rates: Parameters<Webhooks['read']>[3]['rates'] }
  readonly credentials: { part(record: CredentialRecord, name: string): string | null }
}

/** What a vendor gets for an answer. A status outside 200 to 299 has it deliver again. */
interface Reply {
  readonly status: number
  readonly text: string
}

/**
 * Where vendors tell what moves without a call. Nothing here takes a key: the signature of the vendor is the way in, and
 * a delivery can do no more than have money counted. It is answered when what it tells is durable.
 */
export class WebhookListener {
  readonly #means: WebhookMeans
  readonly #vendors: ReadonlyMap<string, string>
  #underWay = 0

  constructor(means: WebhookMeans) {
    this.#means = means
    const telling = [...means.vendors.values()].filter(({ vendor }) => vendor.movements?.webhooks !== undefined)
    this.#vendors = new Map(telling.map(({ vendor: { name } }) => [`/webhooks/${name}`, name]))
  }

  /** Which vendor tells something at this target. Null: it is no path of this listener's, though a vendor may have one like it. */
  vendorAt(target: string): string | null {
    return this.#vendors.get(target) ?? null
  }

  async handle(
    vendor: string,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    full: string | null,
  ): Promise<void> {
    const { metrics, log } = this.#means
    let reply: Reply
    this.#underWay++
    try {
      reply =
        full !== null || this.#underWay > UNDER_WAY_MAX
          ? { status: 503, text: full ?? 'Too many deliveries are under way.' }
          : await this.#answer(vendor, incoming)
    } catch (cause) {
      log('error', 'webhook_fault', { vendor, message: (cause as Error).message })
      reply = { status: 503, text: 'What this tells could not be booked. Deliver it again.' }
    } finally {
      this.#underWay--
    }
    if (reply.status !== 404) metrics.count('spendgate_webhooks_total', `vendor="${vendor}",status="${reply.status}"`)
    if (outgoing.destroyed || outgoing.headersSent) return
    const body = Buffer.from(`${reply.text}\n`)
    outgoing.writeHead(reply.status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(body.length),
      // Bytes of a body that was not read must not be taken for a request.
      ...(incoming.complete ? {} : { connection: 'close' }),
    })
    outgoing.end(body)
  }

  async #answer(vendor: string, incoming: IncomingMessage): Promise<Reply> {
    const { vendors, credentials, ledger, tables, clock } = this.#means
    const webhooks = vendors.get(vendor)?.vendor.movements?.webhooks
    const signers =
      webhooks === undefined
        ? []
        : ledger.credentials().flatMap((record) => {
            const secret = record.vendor === vendor ? credentials.part(record, webhooks.part) : null
            return secret === null ? [] : [{ record, secret }]
          })
    if (webhooks === undefined || signers.length === 0) return NOWHERE
    if (incoming.method !== 'POST') return { status: 405, text: 'Deliveries are POSTs.' }
    const headers = new Map(
      Object.entries(incoming.headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value] as const] : [],
      ),
    )
    const body = await readBody(incoming, headers, BODY_BYTES_MAX, (work) => work())
    if (!Buffer.isBuffer(body))
      return {
        status: body.code === 'body_too_large' ? 413 : 400,
        text: 'The body is too large or did not arrive whole.',
      }
    const secrets = signers.map(({ secret }) => secret)
    const delivery = await webhooks.read(body, (name) => headers.get(name), secrets, {
      rates: tables.rates,
      now: () => clock.now(),
    })
    if (delivery === null) return { status: 400, text: 'No secret of ours signed this, or too long ago.' }
    return this.#book(delivery, signers[delivery.signer]!.record)
  }

  async #book({ moved, test, id }: Delivery, record: CredentialRecord): Promise<Reply> {
    if (moved === null || test !== record.test) return { status: 200, text: 'Nothing moved that concerns us.' }
    const heard = await hear(moved, record, false, this.#means)
    this.#means.log('info', 'webhook', { vendor: record.vendor, event: id, movement: moved.id, verdict: heard.verdict })
    return { status: 200, text: heard.verdict }
  }
}

/** The same as for any other path that is nobody's. */
const NOWHERE: Reply = { status: 404, text: 'This path belongs to no vendor of this proxy.' }
