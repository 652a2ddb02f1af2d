import type { Doubt, Finding, Reach, Reading, Records } from '../../src/contracts/records.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { addressesIn, asObject } from './answers.js'
import { mailbox } from './addresses.js'

const MINUTE_MS = 60_000
/** Resend's clock and ours may differ, and a request may wait at Resend. */
const BEFORE_MS = 2 * MINUTE_MS
const AFTER_MS = 5 * MINUTE_MS
const PAGE = '100'
const PAGES_MAX = 10

/**
 * Resend lists what it has sent, without the key it was asked under: one e-mail can be recognised there by its parties and
 * subject. That it is missing proves nothing, because nobody says how soon the list is complete.
 */
export const records: Records = {
  open: async (reach) => new ResendReading(reach),
}

class ResendReading implements Reading {
  readonly #reach: Reach
  readonly #claimed = new Set<string>()

  constructor(reach: Reach) {
    this.#reach = reach
  }

  async find(doubt: Doubt): Promise<Finding> {
    if (doubt.operation !== 'emails.send')
      return unknown(`Resend keeps no list in which one ${doubt.operation} could be told from another.`)
    const sent = doubt.request?.body == null ? null : objectIn(doubt.request.body)
    if (sent === null)
      return unknown(
        'What was sent was not kept, because it was too large or the server ended first, so it cannot be recognised.',
      )
    const near = (await this.#since(doubt.at - BEFORE_MS)).filter(({ at }) => at <= doubt.until + AFTER_MS)
    const own = near.filter(({ email }) => same(email, sent))
    const taken = await doubt.taken(own.map(({ id }) => id))
    const free = own.filter(({ id }) => !taken.has(id) && !this.#claimed.has(id))
    const [only] = free
    if (free.length === 1 && only !== undefined) {
      this.#claimed.add(only.id)
      return {
        found: 'executed',
        reply: { id: only.id },
        id: only.id,
        why: `Resend lists ${only.id}: the same sender, recipients and subject, at that time, and no other call’s.`,
      }
    }
    if (free.length > 1) return unknown(`Resend lists ${free.length} e-mails that it may be.`)
    return unknown(
      'Resend’s list does not hold it, which proves nothing: it may be in it later. It counts at its estimate.',
    )
  }

  /** From the newest back to an instant, as far as a bounded number of pages goes. */
  async #since(since: number): Promise<{ id: string; at: number; email: JsonObject }[]> {
    const rows: { id: string; at: number; email: JsonObject }[] = []
    let after: string | undefined
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const reply = await this.#reach.read('/emails', [
        ['limit', PAGE],
        ...(after ? ([['after', after]] as const) : []),
      ])
      const data = Array.isArray(reply.data) ? reply.data.map(asObject).filter((each) => each !== null) : []
      for (const email of data) {
        const { id, created_at: created } = email
        const at = typeof created === 'string' ? Date.parse(created) : Number.NaN
        if (typeof id === 'string' && !Number.isNaN(at)) rows.push({ id, at, email })
      }
      const last = rows.at(-1)
      if (reply.has_more !== true || last === undefined || last.at < since || last.id === after) break
      after = last.id
    }
    return rows.filter(({ at }) => at >= since)
  }
}

const unknown = (why: string): Finding => ({ found: 'unknown', why })

function objectIn(body: string): JsonObject | null {
  try {
    return asObject(JSON.parse(body))
  } catch {
    return null // Not JSON: there is nothing to compare.
  }
}

/** The list holds parties and subject, and neither text nor attachments. */
function same(email: JsonObject, sent: JsonObject): boolean {
  const from = (value: JsonObject): string | null => (typeof value.from === 'string' ? mailbox(value.from) : null)
  return (
    from(email) !== null &&
    from(email) === from(sent) &&
    (email.subject ?? '') === (sent.subject ?? '') &&
    (['to', 'cc', 'bcc'] as const).every((name) => {
      const [listed, asked] = [addressesIn(email[name]), addressesIn(sent[name])]
      return listed !== null && asked !== null && [...listed].sort().join() === [...asked].sort().join()
    })
  )
}
