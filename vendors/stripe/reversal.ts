import type { Usd } from '../../src/contracts/money.js'
import type {
  Done,
  Impossible,
  Look,
  MovedBack,
  ReadBack,
  Reversal,
  Steps,
  Undo,
  Undone,
} from '../../src/contracts/reversal.js'
import type { JsonObject, TakeBack } from '../../src/contracts/vendor.js'
import { minus, priceOf } from './pricing.js'
import { idIn, integer, list, object, text } from './replies.js'

/*
 * What undoes what at Stripe, by the prefix of the object's id and by how the object stands (API reference of
 * 2026-10-28, read November 2026). Each fact is in the branch that rests on it.
 */
export const reversal: Reversal = { undo, read }

function undo(done: Done): Steps | null {
  const { operation, object: id } = done
  const never = NEVER[operation]
  if (never !== undefined) return impossible(id, never)
  if (id === null) return MAKES[operation] === undefined ? null : { step: 'unnamed', why: MAKES[operation] }
  if (!ID.test(id)) return impossible(null, 'Its id is none that Stripe gives.')
  if (STANDS_FOR_ITSELF.test(id) && !MADE.test(operation)) return impossible(id, CHANGED)
  return KINDS.find(([prefix]) => id.startsWith(prefix))?.[1](id, done) ?? null
}

const ID = /^[A-Za-z0-9_]{1,255}$/

/**
 * Objects that go on whoever has changed them: ending one that was only changed (a seat more) would end what somebody else
 * began, and refund what that billed.
 */
const STANDS_FOR_ITSELF = /^(?:sub|plink|qt|ic)_/
/** Operations that made the object, and money that followed from it. An item is added to a subscription that is there. */
const MADE = /^(?!subscription_items\.).+\.(?:create|accept)$|^movement$/
const CHANGED =
  'The run has changed it, and not made it. What it was like before is not known here: change it back in the Dashboard.'

/** Operations after which nothing of ours takes the money back. */
const NEVER: Readonly<Record<string, string>> = {
  'refunds.create':
    'The money went back to the customer. Stripe has no request that takes it again: only the customer can pay anew.',
  'disputes.close': 'A dispute that was accepted is lost for good.',
  'application_fees.refunds.create':
    'The fee went back to the connected account. Only a new charge there earns it again.',
  'transfers.reversals.create': 'The money is back in the own balance. A new transfer would send it again.',
}

/** What makes an object that a reply in US dollars leaves no id of in the ledger. */
const MAKES: Readonly<Record<string, string>> = {
  'payment_intents.create': 'The intent it made is not known by its id.',
  'charges.create': 'The charge it made is not known by its id.',
  'transfers.create': 'The transfer it made is not known by its id.',
  'payouts.create': 'The payout it made is not known by its id.',
  'topups.create': 'The top-up it made is not known by its id.',
  'invoices.create': 'The invoice it made is not known by its id.',
  'invoiceitems.create': 'The invoice item it made is not known by its id.',
  'subscriptions.create': 'The subscription it made is not known by its id.',
  'payment_links.create': 'The payment link it made is not known by its id.',
}

/** Stripe keeps its fee when a payment is refunded (docs.stripe.com/refunds, November 2026). */
const FEE = 'Stripe keeps the fee of the payment.'

type Kind = (id: string, done: Done) => Steps
const KINDS: readonly (readonly [prefix: string, kind: Kind])[] = [
  ['pi_', payment],
  ['ch_', (id, done) => look(id, '/v1/charges', (charge) => ofCharge(charge, done))],
  ['py_', (id, done) => look(id, '/v1/charges', (charge) => ofCharge(charge, done))],
  ['in_', (id, done) => look(id, '/v1/invoices', (invoice) => ofInvoice(id, invoice, done), ['payments'])],
  ['ii_', (id) => look(id, '/v1/invoiceitems', (item) => ofInvoiceItem(id, item))],
  ['sub_sched_', (id) => look(id, '/v1/subscription_schedules', (schedule) => ofSchedule(id, schedule))],
  ['sub_', (id, done) => look(id, '/v1/subscriptions', (found) => ofSubscription(id, found, done), INVOICE_OF)],
  ['plink_', (id) => look(id, '/v1/payment_links', (link) => ofLink(id, link))],
  ['cs_', (id, done) => look(id, '/v1/checkout/sessions', (session) => ofSession(id, session, done))],
  ['qt_', (id) => look(id, '/v1/quotes', (quote) => ofQuote(id, quote))],
  ['seti_', (id) => look(id, '/v1/setup_intents', (intent) => ofSetup(id, intent))],
  ['tr_', (id, done) => look(id, '/v1/transfers', (transfer) => ofTransfer(id, transfer, done))],
  ['po_', (id) => look(id, '/v1/payouts', (payout) => ofPayout(id, payout))],
  ['tu_', (id) => look(id, '/v1/topups', (topup) => ofTopup(id, topup))],
  ['re_', (id) => look(id, '/v1/refunds', (refund) => ofRefund(id, refund))],
  ['pyr_', (id) => look(id, '/v1/refunds', (refund) => ofRefund(id, refund))],
  ['cn_', (id) => look(id, '/v1/credit_notes', (note) => ofCreditNote(id, note))],
  ['ic_', (id) => look(id, '/v1/issuing/cards', (card) => ofCard(id, card))],
]
const INVOICE_OF = ['latest_invoice', 'latest_invoice.payments']

function look(id: string, place: string, then: (found: JsonObject) => Steps, expand: readonly string[] = []): Look {
  return {
    step: 'look',
    path: `${place}/${id}`,
    params: expand.map((field) => ['expand[]', field] as const),
    decide: (reply) =>
      reply === null
        ? {
            step: 'impossible',
            on: id,
            why: `Stripe has no ${id} under this credential. If the call named a connected account, undo it there.`,
            absent: true,
          }
        : then(reply),
  }
}

function payment(id: string, done: Done): Look {
  return look(id, '/v1/payment_intents', (intent) => ofIntent(id, intent, done), ['latest_charge'])
}

function ofIntent(id: string, intent: JsonObject, done: Done): Steps {
  const status = text(intent.status)
  // Of one that is captured in parts, what was taken stays taken when the rest is canceled.
  const taken = BigInt(integer(intent.amount_received) ?? '0') > 0n
  if (status === 'canceled' && !taken) return undone(id, 'It is canceled.')
  if (status === 'processing')
    return impossible(id, 'It is being processed, and can be neither canceled nor refunded now. Plan again later.')
  if (status !== 'succeeded' && status !== 'canceled')
    return cancel(
      id,
      'Cancels the intent: nobody can pay it any more.',
      `/v1/payment_intents/${id}/cancel`,
      taken ? { keepsCounted: true } : {},
    )
  const charge = object(intent.latest_charge)
  return charge === null
    ? impossible(id, 'Stripe does not show its charge. Refund it in the Dashboard.')
    : ofCharge(charge, done, id)
}

/** @param intent the intent that the charge is of, where it was found by that */
function ofCharge(charge: JsonObject, { rates }: Done, intent: string | null = idIn(charge.payment_intent)): Steps {
  const id = text(charge.id)
  const on = intent ?? (id !== null && ID.test(id) ? id : null)
  const [amount, refunded, currency] = [integer(charge.amount), integer(charge.amount_refunded), text(charge.currency)]
  if (id === null || !ID.test(id) || amount === null || refunded === null || currency === null)
    return impossible(on, 'Stripe shows no amount of the charge that could be read.')
  if (charge.status === 'failed') return undone(on, 'The payment failed: nothing moved.')
  if (charge.disputed === true)
    return impossible(on, 'The customer’s bank disputes it, and Stripe refunds no disputed charge. Answer the dispute.')
  const captured = charge.captured === false ? null : (integer(charge.amount_captured) ?? amount)
  const left = minus(captured ?? amount, refunded)
  if (BigInt(left) <= 0n) return undone(on, 'It was refunded in full.')
  // A destination charge has sent a part on, which comes back only when that is asked for (API reference, refunds).
  const sentOn = idIn(charge.transfer) !== null
  return {
    step: 'undo',
    on: on!,
    does: `${captured === null ? 'Releases what was authorised and not captured' : 'Refunds what is left of the payment'}${inItsOwn(left, currency)}.`,
    request: {
      method: 'POST',
      path: '/v1/refunds',
      params: [['charge', id], ['amount', left], ...(sentOn ? ([['reverse_transfer', 'true']] as const) : [])],
      // What was paid has been used: a refund fills no cap.
      ...(captured !== null && { keepsCounted: true }),
    },
    amount: inUsd(left, currency, rates),
    leaves: captured === null ? null : FEE,
  }
}

function ofInvoice(id: string, invoice: JsonObject, done: Done): Steps {
  const status = text(invoice.status)
  if (status === 'void') return undone(id, 'It is void.')
  if (status === 'draft') return undoing(id, 'Deletes the draft.', { method: 'DELETE', path: `/v1/invoices/${id}` })
  if (status === 'open' || status === 'uncollectible')
    return cancel(
      id,
      'Voids the invoice: it asks for no payment any more.',
      `/v1/invoices/${id}/void`,
      BigInt(integer(invoice.amount_paid) ?? '0') > 0n ? { keepsCounted: true } : {},
    )
  if (status !== 'paid') return impossible(id, 'Its status is not known here. Look at it in the Dashboard.')
  if (invoice.paid_out_of_band === true)
    return impossible(id, 'It was marked as paid outside of Stripe: a credit note corrects the books, by hand.')
  const intents = list(object(invoice.payments)?.data)
    .map((each) => idIn(object(each.payment)?.payment_intent) ?? '')
    .filter((id) => ID.test(id))
  if (intents.length === 0) return impossible(id, 'Stripe names no payment of it. Refund it in the Dashboard.')
  return intents.map((intent) => payment(intent, done))
}

function ofInvoiceItem(id: string, item: JsonObject): Steps {
  const invoice = idIn(item.invoice)
  if (invoice !== null)
    return impossible(id, `It stands on an invoice${ID.test(invoice) ? `, ${invoice}` : ''}, and is undone with that.`)
  return undoing(id, 'Deletes the item before an invoice takes it up.', {
    method: 'DELETE',
    path: `/v1/invoiceitems/${id}`,
  })
}

function ofSubscription(id: string, subscription: JsonObject, done: Done): Steps {
  const invoice = object(subscription.latest_invoice)
  const billed =
    invoice === null || invoice.status !== 'paid' ? [] : [ofInvoice(text(invoice.id) ?? id, invoice, done)].flat()
  if (subscription.status === 'canceled') return [undone(id, 'It has ended.'), ...billed]
  return [
    undoing(
      id,
      'Ends the subscription now.',
      { method: 'DELETE', path: `/v1/subscriptions/${id}`, keepsCounted: true },
      'What earlier invoices have billed is refunded by itself; only the latest stands here.',
    ),
    ...billed,
  ]
}

function ofSchedule(id: string, schedule: JsonObject): Steps {
  const status = text(schedule.status)
  if (status !== 'not_started' && status !== 'active') return undone(id, itIs(status))
  return cancel(
    id,
    'Cancels the schedule, and the subscription it has begun.',
    `/v1/subscription_schedules/${id}/cancel`,
    { keepsCounted: true },
  )
}

function ofLink(id: string, link: JsonObject): Steps {
  if (link.active === false) return undone(id, 'It is not active.')
  return undoing(
    id,
    'Deactivates the link: nobody can pay by it any more.',
    { method: 'POST', path: `/v1/payment_links/${id}`, params: [['active', 'false']], keepsCounted: true },
    'What was paid by it before is refunded payment by payment.',
  )
}

function ofSession(id: string, session: JsonObject, done: Done): Steps {
  if (session.status === 'expired') return undone(id, 'It has expired.')
  if (session.status === 'open')
    return cancel(id, 'Expires the page: nobody can pay by it any more.', `/v1/checkout/sessions/${id}/expire`)
  const sold = [idIn(session.subscription), idIn(session.payment_intent)].flatMap((made) => made ?? [])
  const steps = sold.flatMap((made) => undo({ ...done, operation: 'movement', object: made }) ?? [])
  return steps.length > 0 ? steps : impossible(id, 'It was completed, and Stripe names no payment of it.')
}

function ofQuote(id: string, quote: JsonObject): Steps {
  if (quote.status === 'canceled') return undone(id, 'It is canceled.')
  if (quote.status === 'accepted')
    return impossible(id, 'It was accepted: what it made, an invoice or a subscription, is undone by itself.')
  return cancel(id, 'Cancels the quote.', `/v1/quotes/${id}/cancel`)
}

function ofSetup(id: string, intent: JsonObject): Steps {
  const method = idIn(intent.payment_method)
  if (intent.status === 'canceled') return undone(id, 'It is canceled.')
  if (intent.status !== 'succeeded') return cancel(id, 'Cancels the setup.', `/v1/setup_intents/${id}/cancel`)
  if (method === null || !ID.test(method))
    return impossible(id, 'It succeeded, and Stripe names no payment method of it.')
  return look(method, '/v1/payment_methods', ({ customer }) =>
    idIn(customer) === null
      ? undone(id, 'The payment method is saved with no customer.')
      : cancel(
          id,
          'Detaches the saved payment method: it can be charged no more.',
          `/v1/payment_methods/${method}/detach`,
        ),
  )
}

function ofTransfer(id: string, transfer: JsonObject, { rates }: Done): Steps {
  const [amount, reversed, currency] = [
    integer(transfer.amount),
    integer(transfer.amount_reversed),
    text(transfer.currency),
  ]
  if (amount === null || reversed === null || currency === null)
    return impossible(id, 'Stripe shows no amount of the transfer that could be read.')
  const left = minus(amount, reversed)
  if (BigInt(left) <= 0n) return undone(id, 'It was reversed in full.')
  return {
    step: 'undo',
    on: id,
    does: `Takes back what is left of the transfer, from the balance of the connected account${inItsOwn(left, currency)}.`,
    request: { method: 'POST', path: `/v1/transfers/${id}/reversals`, params: [['amount', left]] },
    amount: inUsd(left, currency, rates),
    leaves: 'Stripe refuses it where the connected account holds too little.',
  }
}

function ofPayout(id: string, payout: JsonObject): Steps {
  const status = text(payout.status)
  if (status === 'canceled' || status === 'failed') return undone(id, `${itIs(status)} The money is in the balance.`)
  // «in_transit» is with the bank (API reference, payouts).
  if (status === 'pending') return cancel(id, 'Cancels the payout before it leaves.', `/v1/payouts/${id}/cancel`)
  return impossible(
    id,
    'It is with the bank. The money is in the bank account it was sent to: send it back from there.',
  )
}

function ofTopup(id: string, topup: JsonObject): Steps {
  const status = text(topup.status)
  if (status === 'pending') return cancel(id, 'Cancels the top-up before it is collected.', `/v1/topups/${id}/cancel`)
  if (status === 'succeeded') return impossible(id, 'The money is in the own balance: a payout sends it back.')
  return undone(id, itIs(status))
}

/** Only a refund that waits for the customer can be canceled (API reference, refunds). */
function ofRefund(id: string, refund: JsonObject): Steps {
  if (refund.status === 'canceled' || refund.status === 'failed') return undone(id, itIs(text(refund.status)))
  if (refund.status === 'requires_action') return cancel(id, 'Cancels the refund.', `/v1/refunds/${id}/cancel`)
  return impossible(id, NEVER['refunds.create']!)
}

function ofCreditNote(id: string, note: JsonObject): Steps {
  if (note.status === 'void') return undone(id, 'It is void.')
  if (list(note.refunds).length > 0 || idIn(note.customer_balance_transaction) !== null)
    return impossible(id, 'It has given money or credit to the customer, which voiding it does not take back.')
  return cancel(id, 'Voids the credit note.', `/v1/credit_notes/${id}/void`)
}

function ofCard(id: string, card: JsonObject): Steps {
  if (card.status !== 'active') return undone(id, 'It is not active.')
  return undoing(
    id,
    'Sets the card inactive: it pays nothing any more.',
    { method: 'POST', path: `/v1/issuing/cards/${id}`, params: [['status', 'inactive']], keepsCounted: true },
    'What was bought with it is claimed from the merchant.',
  )
}

/** A status of Stripe's is one plain word. */
const itIs = (status: string | null): string =>
  /^[a-z_]{1,40}$/.test(status ?? '') ? `It is ${status}.` : 'It is over.'

const undone = (on: string | null, why: string): Undone => ({ step: 'undone', on, why })
const impossible = (on: string | null, why: string): Impossible => ({ step: 'impossible', on, why })

const undoing = (on: string, does: string, request: TakeBack, leaves: string | null = null): Undo => ({
  step: 'undo',
  on,
  does,
  request,
  amount: null,
  leaves,
})

const cancel = (on: string, does: string, path: string, more: Pick<TakeBack, 'keepsCounted'> = {}): Undo =>
  undoing(on, does, { method: 'POST', path, ...more })

/** Without a rate nobody would see how much it is. */
const inItsOwn = (minor: string, currency: string): string =>
  currency === 'usd' || !/^[a-z]{3}$/.test(currency) ? '' : ` (${minor} of the smallest unit of ${currency})`

function inUsd(minor: string, currency: string, rates: Done['rates']): Usd | null {
  const price = priceOf({ rates }, minor, currency)
  return typeof price === 'string' ? null : price.settle
}

const MOVES: readonly (readonly [path: RegExp, kind: string, direction: MovedBack['direction']])[] = [
  [/^\/v1\/refunds$/, 'refund', 'out'],
  [/^\/v1\/transfers\/[^/]+\/reversals$/, 'transfer_reversal', 'in'],
]

/** A refund may fail in its very reply; what is pending is on its way. */
function read(path: string, reply: JsonObject, rates: Done['rates']): ReadBack {
  if (reply.status === 'failed') return { failed: 'Stripe made it, and it failed at once.' }
  const moves = MOVES.find(([place]) => place.test(path))
  const [id, amount, currency] = [text(reply.id), integer(reply.amount), text(reply.currency)]
  if (moves === undefined || id === null) return { moved: null }
  const [, kind, direction] = moves
  return {
    moved: {
      id,
      kind,
      direction,
      amount: amount === null || currency === null ? null : inUsd(amount, currency, rates),
    },
  }
}
