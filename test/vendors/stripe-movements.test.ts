import { describe, expect, test } from 'vitest'
import { usd, type Rates } from '../../src/contracts/money.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { EVENT_TYPES, movedIn, movedInTransaction } from '../../vendors/stripe/movements.js'

const RATES: Rates = {
  convert: (minor, exponent, currency) => {
    if (currency !== 'usd' || exponent !== 2) return null
    const exact = usd(BigInt(minor) * 10_000n)
    return { reserve: exact, settle: exact }
  },
  why: () => 'No exchange rate is set.',
}

const event = (type: string, object: JsonObject, more: JsonObject = {}): JsonObject => ({
  id: 'evt_1',
  type,
  created: 1_795_521_600,
  livemode: true,
  data: { object },
  request: { id: null, idempotency_key: null },
  ...more,
})

describe('what Stripe’s events say has moved', () => {
  test.each<[what: string, event: JsonObject, said: object | null]>([
    [
      'a renewal, as it is written today',
      event('invoice.paid', {
        id: 'in_1',
        amount_paid: 1_500,
        currency: 'usd',
        billing_reason: 'subscription_cycle',
        parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1' } },
      }),
      { id: 'in_1', kind: 'renewal', cause: 'object', objects: ['in_1', 'sub_1'], amount: 15_000_000n },
    ],
    [
      'a renewal of a version before basil',
      event('invoice.payment_succeeded', { id: 'in_1', amount_paid: 1_500, currency: 'usd', subscription: 'sub_1' }),
      { id: 'in_1', kind: 'invoice', objects: ['in_1', 'sub_1'] },
    ],
    ['an invoice over nothing', event('invoice.paid', { id: 'in_1', amount_paid: 0, currency: 'usd' }), null],
    [
      'an invoice paid elsewhere',
      event('invoice.paid', { id: 'in_1', amount_paid: 1_500, currency: 'usd', paid_out_of_band: true }),
      null,
    ],
    [
      'the charge of an intent, under the intent’s id',
      event('charge.succeeded', {
        id: 'ch_1',
        object: 'charge',
        captured: true,
        amount: 900,
        amount_captured: 900,
        currency: 'usd',
        payment_intent: 'pi_1',
      }),
      { id: 'pi_1', kind: 'charge', objects: ['pi_1', 'ch_1'], amount: 9_000_000n, complete: false },
    ],
    [
      'a part of an authorisation that was captured',
      event('charge.captured', { id: 'ch_1', captured: true, amount: 900, amount_captured: 400, currency: 'usd' }),
      { id: 'ch_1', amount: 4_000_000n },
    ],
    [
      'an authorisation',
      event('charge.succeeded', { id: 'ch_1', captured: false, amount: 900, currency: 'usd' }),
      null,
    ],
    [
      'the charge of an invoice, which tells of itself',
      event('charge.succeeded', { id: 'ch_1', captured: true, amount: 900, currency: 'usd', invoice: 'in_1' }),
      null,
    ],
    [
      'a page, by the link it was opened from, with what it sold',
      event('checkout.session.completed', {
        id: 'cs_1',
        mode: 'subscription',
        payment_status: 'paid',
        amount_total: 1_500,
        currency: 'usd',
        payment_link: 'plink_1',
        invoice: 'in_1',
        subscription: 'sub_1',
      }),
      { id: 'in_1', kind: 'page', objects: ['plink_1', 'cs_1', 'in_1'], makes: ['sub_1'], complete: true },
    ],
    [
      'a page whose payment is still under way',
      event('checkout.session.completed', { id: 'cs_1', payment_status: 'unpaid', amount_total: 9, currency: 'usd' }),
      null,
    ],
    [
      'a page that begins a trial: nothing is paid, and a subscription begins',
      event('checkout.session.completed', {
        id: 'cs_1',
        payment_status: 'no_payment_required',
        amount_total: 0,
        currency: 'usd',
        subscription: 'sub_1',
      }),
      { id: 'cs_1', amount: 0n, makes: ['sub_1'] },
    ],
    [
      'a refund, with the request that asked for it',
      event(
        'refund.created',
        { id: 're_1', amount: 500, currency: 'usd', charge: 'ch_1', payment_intent: 'pi_1', status: 'succeeded' },
        { request: { id: 'req_1', idempotency_key: 'sg_x' } },
      ),
      { id: 're_1', cause: 'request', direction: 'out', upstreamKey: 'sg_x', requestId: 'req_1' },
    ],
    [
      'a refund that failed',
      event('refund.created', { id: 're_1', amount: 500, currency: 'usd', status: 'failed' }),
      null,
    ],
    [
      'a request as old versions write it',
      event('payout.created', { id: 'po_1', amount: 500, currency: 'usd', automatic: false }, { request: 'req_1' }),
      { id: 'po_1', cause: 'request', requestId: 'req_1', upstreamKey: null },
    ],
    [
      'a payout on the account’s schedule',
      event('payout.created', { id: 'po_1', amount: 500, currency: 'usd', automatic: true }),
      { cause: 'schedule' },
    ],
    [
      'a payout that takes what is owed',
      event('payout.created', { id: 'po_1', amount: -500, currency: 'usd', automatic: true }),
      { direction: 'in', amount: 5_000_000n },
    ],
    [
      'a transfer that somebody asked for',
      event('transfer.created', { id: 'tr_1', amount: 500, currency: 'usd' }, { request: { id: 'req_1' } }),
      { id: 'tr_1', cause: 'request', direction: 'out' },
    ],
    [
      'a transfer that a payment brought along',
      event('transfer.created', { id: 'tr_1', amount: 500, currency: 'usd', source_transaction: 'ch_1' }),
      null,
    ],
    [
      'a reversal, which the event shows within its transfer',
      event('transfer.reversed', {
        id: 'tr_1',
        object: 'transfer',
        reversals: { data: [{ id: 'trr_2', amount: 200, currency: 'usd', transfer: 'tr_1' }, { id: 'trr_1' }] },
      }),
      { id: 'trr_2', kind: 'transfer_reversal', direction: 'in', amount: 2_000_000n },
    ],
    [
      'an inquiry, which takes nothing',
      event('charge.dispute.created', { id: 'du_1', amount: 500, currency: 'usd', status: 'warning_needs_response' }),
      null,
    ],
    [
      'what was bought with an issued card',
      event('issuing_transaction.created', { id: 'ipi_1', amount: -700, currency: 'usd', card: 'ic_1' }),
      { id: 'ipi_1', kind: 'card_spend', objects: ['ic_1'], amount: 7_000_000n },
    ],
    [
      'what a shop gave back to an issued card',
      event('issuing_transaction.created', { id: 'ipi_1', amount: 700, currency: 'usd', card: 'ic_1' }),
      null,
    ],
    [
      'money without a rate, which is no reason to forget it',
      event('topup.succeeded', { id: 'tu_1', amount: 500, currency: 'eur' }),
      { id: 'tu_1', amount: null },
    ],
    [
      'anything of a connected account, which only follows from what is known',
      event('refund.created', { id: 're_1', amount: 500, currency: 'usd', charge: 'ch_1' }, { account: 'acct_1' }),
      { cause: 'object', complete: false },
    ],
    ['a type that tells of no money', event('customer.created', { id: 'cus_1' }), null],
    ['a type nobody knows', event('constructor', { id: 'x' }), null],
    ['an event without an object', event('invoice.paid', {}, { data: {} }), null],
    ['an event without an instant', event('refund.created', { id: 're_1' }, { created: 'soon' }), null],
  ])('%s', (_what, told, said) => {
    const moved = movedIn(told, RATES)
    if (said === null) expect(moved).toBeNull()
    else expect(moved).toMatchObject(said)
  })

  test('no more types are asked for than Stripe takes in one request', () => {
    expect(EVENT_TYPES.length).toBeLessThanOrEqual(20)
    expect(new Set(EVENT_TYPES).size).toBe(EVENT_TYPES.length)
  })
})

describe('what balance transactions say that no event has told', () => {
  const transaction = (type: string, source: JsonObject | string | null): JsonObject => ({
    id: 'txn_1',
    type,
    created: 1_795_521_700,
    amount: -500,
    currency: 'usd',
    source,
  })
  test.each<[what: string, transaction: JsonObject, said: object | null]>([
    [
      'a refund, at the instant it was made',
      transaction('refund', { object: 'refund', id: 're_1', amount: 500, currency: 'usd', created: 1_795_521_600 }),
      { id: 're_1', at: 1_795_521_600_000, upstreamKey: null },
    ],
    [
      'a payment, under its intent',
      transaction('charge', {
        object: 'charge',
        id: 'ch_1',
        captured: true,
        amount: 5,
        currency: 'usd',
        payment_intent: 'pi_1',
      }),
      { id: 'pi_1', at: 1_795_521_700_000 },
    ],
    ['a payout that came back', transaction('payout_failure', { object: 'payout', id: 'po_1', amount: 5 }), null],
    ['a fee', transaction('stripe_fee', null), null],
    ['a source that was not expanded', transaction('refund', 're_1'), null],
  ])('%s', (_what, told, said) => {
    const moved = movedInTransaction(told, RATES)
    if (said === null) expect(moved).toBeNull()
    else expect(moved).toMatchObject(said)
  })
})
