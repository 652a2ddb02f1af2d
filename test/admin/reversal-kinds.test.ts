import { describe, expect, test } from 'vitest'
import { resend } from '../../vendors/resend/index.js'
import { stripe } from '../../vendors/stripe/index.js'
import { twilio } from '../../vendors/twilio/index.js'
import type { Rates } from '../../src/contracts/money.js'
import type { Look, Step, Steps, Undo } from '../../src/contracts/reversal.js'
import type { JsonObject, Vendor } from '../../src/contracts/vendor.js'

/* What undoes each kind of object, by how it stands. */

const rates: Rates = { convert: () => null, why: (currency) => `No rate for ${currency}.` }
const AC = `AC${'a1'.repeat(16)}`

/** What a vendor says of an object, given what its looks are answered in turn. */
function said(vendor: Vendor, operation: string, object: string | null, ...replies: (JsonObject | null)[]): string[] {
  const looked = (steps: Steps): string[] =>
    ([steps].flat() as Step[]).flatMap((step) => {
      if (step.step === 'look') return looked(step.decide(replies.shift() ?? null))
      if (step.step !== 'undo') return [step.step]
      const { method, path, params = [] } = step.request
      return [`${method} ${path} ${params.map(([name, value]) => `${name}=${value}`).join('&')}`.trimEnd()]
    })
  const steps = vendor.reversal!.undo({ operation, object, account: AC, rates })
  return steps === null ? ['nothing'] : looked(steps)
}

const charge = { id: 'ch_1', amount: 900, amount_captured: 900, amount_refunded: 0, currency: 'usd', captured: true }
const intent = { status: 'succeeded', latest_charge: { ...charge, payment_intent: 'pi_1' } }
const paid = { id: 'in_1', status: 'paid', payments: { data: [{ payment: { payment_intent: 'pi_1' } }] } }

describe('Stripe', () => {
  const cases: readonly (readonly [string, readonly (JsonObject | null)[], readonly string[]])[] = [
    ['pi_1', [{ status: 'requires_action' }], ['POST /v1/payment_intents/pi_1/cancel']],
    ['pi_1', [{ status: 'requires_capture' }], ['POST /v1/payment_intents/pi_1/cancel']],
    ['pi_1', [{ status: 'canceled' }], ['undone']],
    ['pi_1', [{ ...intent, status: 'canceled', amount_received: 900 }], ['POST /v1/refunds charge=ch_1&amount=900']],
    ['pi_1', [{ status: 'processing' }], ['impossible']],
    ['pi_1', [{ status: 'succeeded', latest_charge: 'ch_1' }], ['impossible']],
    ['pi_1', [intent], ['POST /v1/refunds charge=ch_1&amount=900']],
    ['pi_1', [null], ['impossible']],
    ['ch_1', [{ ...charge, amount_refunded: 400 }], ['POST /v1/refunds charge=ch_1&amount=500']],
    ['ch_1', [{ ...charge, amount_captured: 700 }], ['POST /v1/refunds charge=ch_1&amount=700']],
    ['ch_1', [{ ...charge, captured: false }], ['POST /v1/refunds charge=ch_1&amount=900']],
    ['ch_1', [{ ...charge, transfer: 'tr_1' }], ['POST /v1/refunds charge=ch_1&amount=900&reverse_transfer=true']],
    ['ch_1', [{ ...charge, amount_refunded: 900 }], ['undone']],
    ['ch_1', [{ ...charge, disputed: true }], ['impossible']],
    ['ch_1', [{ ...charge, status: 'failed' }], ['undone']],
    ['ch_1', [{ ...charge, amount: '9.00' }], ['impossible']],
    ['in_1', [{ status: 'draft' }], ['DELETE /v1/invoices/in_1']],
    ['in_1', [{ status: 'open' }], ['POST /v1/invoices/in_1/void']],
    ['in_1', [{ status: 'void' }], ['undone']],
    ['in_1', [paid, intent], ['POST /v1/refunds charge=ch_1&amount=900']],
    ['in_1', [{ status: 'paid' }], ['impossible']],
    ['in_1', [{ ...paid, paid_out_of_band: true }], ['impossible']],
    ['ii_1', [{ invoice: null }], ['DELETE /v1/invoiceitems/ii_1']],
    ['ii_1', [{ invoice: 'in_1' }], ['impossible']],
    ['sub_1', [{ status: 'active', latest_invoice: null }], ['DELETE /v1/subscriptions/sub_1']],
    [
      'sub_1',
      [{ status: 'active', latest_invoice: paid }, intent],
      ['DELETE /v1/subscriptions/sub_1', 'POST /v1/refunds charge=ch_1&amount=900'],
    ],
    [
      'sub_1',
      [{ status: 'canceled', latest_invoice: paid }, intent],
      ['undone', 'POST /v1/refunds charge=ch_1&amount=900'],
    ],
    ['sub_1', [{ status: 'canceled' }], ['undone']],
    ['sub_sched_1', [{ status: 'active' }], ['POST /v1/subscription_schedules/sub_sched_1/cancel']],
    ['sub_sched_1', [{ status: 'released' }], ['undone']],
    ['plink_1', [{ active: true }], ['POST /v1/payment_links/plink_1 active=false']],
    ['plink_1', [{ active: false }], ['undone']],
    ['cs_1', [{ status: 'open' }], ['POST /v1/checkout/sessions/cs_1/expire']],
    ['cs_1', [{ status: 'complete', payment_intent: 'pi_1' }, intent], ['POST /v1/refunds charge=ch_1&amount=900']],
    ['cs_1', [{ status: 'expired' }], ['undone']],
    ['qt_1', [{ status: 'open' }], ['POST /v1/quotes/qt_1/cancel']],
    ['qt_1', [{ status: 'accepted' }], ['impossible']],
    ['seti_1', [{ status: 'requires_action' }], ['POST /v1/setup_intents/seti_1/cancel']],
    [
      'seti_1',
      [{ status: 'succeeded', payment_method: 'pm_1' }, { customer: 'cus_1' }],
      ['POST /v1/payment_methods/pm_1/detach'],
    ],
    ['seti_1', [{ status: 'succeeded', payment_method: 'pm_1' }, { customer: null }], ['undone']],
    [
      'tr_1',
      [{ amount: 500, amount_reversed: 100, currency: 'usd' }],
      ['POST /v1/transfers/tr_1/reversals amount=400'],
    ],
    ['tr_1', [{ amount: 500, amount_reversed: 500, currency: 'usd' }], ['undone']],
    ['po_1', [{ status: 'pending' }], ['POST /v1/payouts/po_1/cancel']],
    ['po_1', [{ status: 'paid' }], ['impossible']],
    ['tu_1', [{ status: 'pending' }], ['POST /v1/topups/tu_1/cancel']],
    ['tu_1', [{ status: 'succeeded' }], ['impossible']],
    ['re_1', [{ status: 'requires_action' }], ['POST /v1/refunds/re_1/cancel']],
    ['re_1', [{ status: 'succeeded' }], ['impossible']],
    ['cn_1', [{ status: 'issued' }], ['POST /v1/credit_notes/cn_1/void']],
    ['cn_1', [{ status: 'issued', refunds: [{ refund: 're_1' }] }], ['impossible']],
    ['ic_1', [{ status: 'active' }], ['POST /v1/issuing/cards/ic_1 status=inactive']],
  ]
  test.each(cases)('%s of which Stripe shows %j', (object, replies, expected) => {
    expect(said(stripe, 'some.create', object, ...replies)).toEqual(expected)
  })

  test('what goes on by itself is ended where the run made it, not where it changed it', () => {
    const standing = { status: 'active', latest_invoice: paid }
    for (const changes of ['subscriptions.update', 'subscription_items.create', 'subscriptions.resume'])
      expect(said(stripe, changes, 'sub_1', standing, intent)).toEqual(['impossible'])
    expect(said(stripe, 'payment_links.update', 'plink_1', { active: true })).toEqual(['impossible'])
    expect(said(stripe, 'quotes.accept', 'sub_1', standing, intent)[0]).toBe('DELETE /v1/subscriptions/sub_1')
  })

  test('what was paid in part keeps what it counts for when the rest is cancelled', () => {
    const keeps = (object: string, reply: JsonObject): boolean => {
      const look = stripe.reversal!.undo({ operation: 'some.create', object, account: AC, rates }) as Look
      return (look.decide(reply) as Undo).request.keepsCounted === true
    }
    const reply = { status: 'requires_capture', amount_received: 0 }
    expect([keeps('pi_1', reply), keeps('pi_1', { ...reply, amount_received: 400 })]).toEqual([false, true])
    expect([keeps('in_1', { status: 'open' }), keeps('in_1', { status: 'open', amount_paid: 1 })]).toEqual([
      false,
      true,
    ])
    expect([keeps('ch_1', { ...charge, captured: false }), keeps('ch_1', charge)]).toEqual([false, true])
  })

  test('what nothing brings back is said by the operation, and what has no id is looked for', () => {
    for (const operation of ['refunds.create', 'disputes.close', 'transfers.reversals.create'])
      expect(said(stripe, operation, 're_1', { status: 'requires_action' })).toEqual(['impossible'])
    expect(said(stripe, 'transfers.create', null)).toEqual(['unnamed'])
    expect(said(stripe, 'customers.update', null)).toEqual(['nothing'])
    expect(said(stripe, 'some.operation', '../../v1/payouts')).toEqual(['impossible'])
  })

  test('a reply that says it failed is no success, and money is named as the records name it', () => {
    const read = stripe.reversal!.read!
    expect(read('/v1/refunds', { id: 're_1', status: 'failed' }, rates)).toHaveProperty('failed')
    const refund = { id: 're_1', status: 'pending', amount: 900, currency: 'xyz' }
    expect(read('/v1/refunds', refund, rates)).toEqual({
      moved: { id: 're_1', kind: 'refund', direction: 'out', amount: null },
    })
    expect(read('/v1/payment_intents/pi_1/cancel', { id: 'pi_1', amount: 900 }, rates)).toEqual({ moved: null })
  })
})

describe('Twilio and Resend', () => {
  const SM = `SM${'0'.repeat(32)}`
  const CA = `CA${'0'.repeat(32)}`
  const PN = `PN${'0'.repeat(32)}`
  const at = (rest: string): string => `/2010-04-01/Accounts/${AC}/${rest}.json`
  const cases: readonly (readonly [Vendor, string, string | null, JsonObject | null, string])[] = [
    [twilio, 'messages.create', SM, { status: 'scheduled' }, `POST ${at(`Messages/${SM}`)} Status=canceled`],
    [twilio, 'messages.create', SM, { status: 'delivered' }, 'impossible'],
    [twilio, 'messages.create', SM, { status: 'undelivered' }, 'impossible'],
    [twilio, 'messages.create', SM, { status: 'canceled' }, 'undone'],
    [twilio, 'messages.create', SM, null, 'impossible'],
    [twilio, 'messages.create', null, null, 'impossible'],
    [twilio, 'messages.create', '../Calls', null, 'impossible'],
    [twilio, 'calls.create', CA, { status: 'in-progress' }, `POST ${at(`Calls/${CA}`)} Status=completed`],
    [twilio, 'calls.create', CA, { status: 'completed' }, 'impossible'],
    [twilio, 'numbers.rent', PN, { sid: PN }, `DELETE ${at(`IncomingPhoneNumbers/${PN}`)}`],
    [twilio, 'numbers.rent', PN, null, 'undone'],
    [twilio, 'verify.verifications.create', null, null, 'impossible'],
    [twilio, 'chat.services.create', null, null, 'nothing'],
    [resend, 'emails.send', 'e-1', { last_event: 'scheduled' }, 'POST /emails/e-1/cancel'],
    [resend, 'emails.send', 'e-1', { last_event: 'delivered' }, 'impossible'],
    [resend, 'emails.send', 'e-1', { last_event: 'canceled' }, 'undone'],
    [resend, 'emails.send', null, null, 'impossible'],
    [resend, 'emails.update', 'e-1', { last_event: 'scheduled' }, 'impossible'],
    [resend, 'emails.batch', null, null, 'impossible'],
    [resend, 'broadcasts.send', 'b-1', { status: 'scheduled' }, 'POST /broadcasts/b-1/cancel'],
    [resend, 'contacts.create', null, null, 'nothing'],
  ]
  test.each(cases)('$name %s of %s', (vendor, operation, object, reply, expected) => {
    expect(said(vendor, operation, object, reply)).toEqual([expected])
  })
})

test('what a vendor puts in place of an id or a status goes no further', () => {
  const secret = 'sk_live_CANARY and more'
  const shown = (object: string, reply: JsonObject): string => {
    const step = stripe.reversal!.undo({ operation: 'x', object, account: '', rates }) as Step
    return JSON.stringify(step.step === 'look' ? step.decide(reply) : step)
  }
  const payments = { data: [{ payment: { payment_intent: secret } }] }
  for (const [object, reply] of [
    ['ch_1', { ...charge, id: secret }],
    ['in_1', { status: 'paid', payments }],
    ['ii_1', { invoice: secret }],
    ['tu_1', { status: secret }],
    ['sub_sched_1', { status: secret }],
  ] as const)
    expect(shown(object, reply)).not.toContain('CANARY')
})
