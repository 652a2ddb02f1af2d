import { requestOf } from '../admin/take-back.js'
import { LedgerFault } from '../contracts/ledger.js'
import { COUNTABLE_MAX, formatUsd, ZERO } from '../contracts/money.js'
import type { MovedBack, ReadBack } from '../contracts/reversal.js'
import type { JsonObject } from '../contracts/vendor.js'
import { isVendorId } from '../vendor-id.js'
import { upstreamRequest } from '../wire/prepare.js'
import { objectIn } from './look.js'
import type { Means } from './means.js'
import { noteOf, noteOnce, putNote, type Note } from './notes.js'
import type { OpenItem, Plan } from './plan.js'

/** How long one request may take, and until when another one is begun. */
const ONE_MS_MAX = 30_000
const ALL_MS_MAX = 60_000
/** Stripe keeps idempotency keys for a day and Twilio shorter; after so long the answer is no replay any more. */
const REPLAYED_MS = 23 * 3_600_000

/**
 * done: the vendor says so, and it is booked. refused: the vendor says it did nothing. unknown: it gave no answer, and
 * asking again sends the same request under the same key. not_sent: nothing left. gone: there is nothing to do by that id.
 */
export interface Result {
  readonly id: string
  readonly state: 'done' | 'refused' | 'unknown' | 'not_sent' | 'gone'
  /** Whether it had been done before. */
  readonly before: boolean
  readonly why: string
  readonly note: Note | null
}

/**
 * Does what the operator confirmed of a plan, one after the other.
 *
 * @param plan made now: what has been undone meanwhile is not in it
 * @param by who confirmed
 * @throws SealFault when the master key does not open a credential, LedgerFault when the ledger cannot write; what was
 *   begun before stays begun
 */
export async function undo(plan: Plan, ids: readonly string[], by: string, means: Means): Promise<readonly Result[]> {
  const until = means.clock.monotonic() + ALL_MS_MAX
  const results: Result[] = []
  for (const id of [...new Set(ids)]) {
    if (means.clock.monotonic() > until) {
      const why = `Not tried: what was confirmed with it took longer than ${ALL_MS_MAX / 1000} s. Ask again.`
      results.push({ id, state: 'not_sent', before: false, why, note: null })
      continue
    }
    const item = plan.items.find((each): each is OpenItem => each.state === 'open' && each.id === id) ?? null
    results.push(await undoOne(id, item, plan, by, means))
  }
  return results
}

async function undoOne(id: string, item: OpenItem | null, plan: Plan, by: string, means: Means): Promise<Result> {
  const { run } = plan
  const known = noteOf(means.ledger, id)
  if (known !== null && known.run !== run) return gone(id)
  if (item === null) return known === null ? gone(id) : finished(id, known, plan, means)
  const fresh = begun(item, run, by, known?.state === 'begun' ? known.attempt : (known?.attempt ?? 0) + 1, means)
  if (known === null) {
    const standing = await noteOnce(means.ledger, id, fresh)
    // Another node was first: with the same, or for another run.
    if (standing.run !== run) return gone(id)
    return standing.state === 'begun' ? send(id, standing, means) : finished(id, standing, plan, means)
  }
  // What was begun goes out as it was begun; what was refused, or done and is open again, is a new attempt.
  if (known.state === 'begun') return send(id, known, means)
  await putNote(means.ledger, id, fresh)
  return send(id, fresh, means)
}

const gone = (id: string): Result => ({
  id,
  state: 'gone',
  before: false,
  why: 'The plan has no such item any more: it is undone, or stands otherwise. Plan again.',
  note: null,
})

function begun(
  { deed, on, undo: { request, amount } }: OpenItem,
  run: string,
  by: string,
  attempt: number,
  { clock }: Means,
): Note {
  return {
    state: 'begun',
    attempt,
    at: clock.now(),
    by,
    run,
    calls: deed.callIds,
    vendor: deed.vendor,
    credential: deed.record!.id,
    on: on ?? '',
    request,
    commitment: commitmentEnded(deed, on),
    amount: amount === null ? null : formatUsd(amount),
    outcome: null,
  }
}

/** What stands of the deed, where the request is about that: the refund of what a subscription billed does not end it. */
function commitmentEnded({ commitment, object }: OpenItem['deed'], on: string | null): string | null {
  if (commitment === null) return null
  const standing = commitment.object ?? object
  return standing === null || standing === on ? commitment.id : null
}

/** The plan has it no more. Where the last attempt was not seen to its end, the vendor tells whether it did it. */
async function finished(id: string, note: Note, plan: Plan, means: Means): Promise<Result> {
  if (note.state === 'done') return { id, state: 'done', before: true, why: 'It was done before.', note }
  if (note.state === 'refused') return gone(id)
  // The vendor gives the stored answer once more, which names the money that went back.
  if (isKeyed(note, means) && means.clock.now() - note.at < REPLAYED_MS) return send(id, note, means)
  if (isSeen(note, plan)) {
    // Of what lies so far back nobody knows whether our request ended it, or it was paid and refunded since: it stays counted.
    const request = isKeyed(note, means) ? { ...note.request, keepsCounted: true as const } : note.request
    return booked(id, { ...note, request }, { moved: null }, 'The vendor shows that it is done.', means)
  }
  const why = `How it stands at ${note.vendor} could not be seen. Ask again, or look there.`
  return { id, state: 'unknown', before: false, why, note }
}

/** Whether the plan says of the very object that it is undone, or gone where the request was to delete it. */
const isSeen = ({ credential, on, request }: Note, { items }: Plan): boolean =>
  items.some(
    (item) =>
      item.deed.record?.id === credential &&
      item.on === on &&
      (item.state === 'undone' || (item.state === 'impossible' && item.absent === true && request.method === 'DELETE')),
  )

function isKeyed({ vendor, request: { method, path } }: Note, { vendors }: Means): boolean {
  const runtime = vendors.get(vendor)
  const operation = runtime?.catalogue.match(method, path)?.operation
  return operation !== undefined && runtime!.vendor.idempotent(operation, method)
}

async function send(id: string, note: Note, means: Means): Promise<Result> {
  const { ledger, vendors, credentials, upstream, namespace } = means
  const runtime = vendors.get(note.vendor)
  const record = ledger.credential(note.credential)
  const request = runtime === undefined ? null : requestOf(note.request, runtime)
  if (runtime === undefined || record === null || request === null)
    return { id, state: 'not_sent', before: false, why: 'Its credential was removed. Undo it at the vendor.', note }
  const key = isKeyed(note, means) ? namespace('reversal', `${id}/${note.attempt}`) : null
  const credential = credentials.open(record)
  const outgoing = upstreamRequest(request, runtime, credential, () => undefined, key)
  const result = await upstream.send(outgoing, () => null, ONE_MS_MAX)
  const { vendor } = runtime
  if (result.kind !== 'reply') {
    const sent = result.kind === 'fault' && result.sent
    const why = sent
      ? `${note.vendor} gave no answer. Ask again: the same request goes out under the same idempotency key.`
      : `${note.vendor} could not be reached, and nothing was sent. Ask again.`
    return { id, state: sent ? 'unknown' : 'not_sent', before: false, why, note }
  }
  if (result.status < 200 || result.status > 299) {
    if (vendor.verdict(result.status) !== 'released')
      return { id, state: 'unknown', before: false, why: `${note.vendor} answered ${result.status}. Ask again.`, note }
    return refused(id, note, `${note.vendor} answered ${result.status}${saidIn(result.body)}`, means)
  }
  const reply = objectIn(result.body) ?? {}
  const read: ReadBack = vendor.reversal?.read?.(note.request.path, reply, means.tables.rates) ?? { moved: null }
  if ('failed' in read) return refused(id, note, read.failed, means)
  return booked(id, note, { moved: bookable(read.moved) }, 'Done.', means)
}

/** What the ledger cannot hold is left to reconciliation, which names it. */
function bookable(moved: MovedBack | null): MovedBack | null {
  if (moved === null || !isVendorId(moved.id)) return null
  return (moved.amount ?? ZERO) > COUNTABLE_MAX ? { ...moved, amount: null } : moved
}

async function refused(id: string, note: Note, why: string, { ledger }: Means): Promise<Result> {
  const now: Note = { ...note, state: 'refused', outcome: why }
  await putNote(ledger, id, now)
  return { id, state: 'refused', before: false, why, note: now }
}

/** Books the money on no key, ends what stood, and says so for good; each step changes nothing when it is done again. */
async function booked(
  id: string,
  note: Note,
  { moved }: Extract<ReadBack, { moved: unknown }>,
  why: string,
  { ledger, clock, log }: Means,
): Promise<Result> {
  const now: Note = { ...note, state: 'done', outcome: moved?.id ?? null }
  try {
    if (moved !== null)
      await ledger.moved(
        {
          at: clock.now(),
          vendor: note.vendor,
          credentialId: note.credential,
          externalId: moved.id,
          kind: moved.kind,
          direction: moved.direction,
          amount: moved.amount,
          origin: null,
          makes: [],
          why: null,
        },
        [],
      )
    if (note.commitment !== null) await ledger.takenBack(note.commitment, note.by, note.request.keepsCounted === true)
    await putNote(ledger, id, now)
  } catch (fault) {
    if (!(fault instanceof LedgerFault)) throw fault
    return {
      id,
      state: 'unknown',
      before: false,
      why: `${note.vendor} has done it, and the ledger could not write that down. Ask again; nothing is done twice.`,
      note,
    }
  }
  log('info', 'reversal_done', { item: id, run: note.run, vendor: note.vendor, on: note.on, by: note.by })
  return { id, state: 'done', before: false, why, note: now }
}

/** What the vendor's error says, without what could be a secret: a short word. */
function saidIn(body: Buffer): string {
  const { error, code, name } = objectIn(body) ?? {}
  const said = (error as JsonObject | undefined)?.code ?? code ?? name
  return /^[a-z0-9_]{1,40}$/.test(String(said)) ? ` (${String(said)}).` : '.'
}
