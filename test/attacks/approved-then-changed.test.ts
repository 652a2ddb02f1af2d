import { expect, test } from 'vitest'
import type { IssuedKey } from '../helpers/world.js'
import { onStage, presented, readReply, resend, stripe, written, type Attack } from './stage.js'

// A person approves a request that names something kept at the vendor: an intent, a draft. What it holds is changed
// between the yes and the call. The request is the same to the letter, and the amount is too.

const stage = onStage()

const ABOVE = { approval: { above_usd: '0.0001' } }
const BROADCAST = '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'
const SEGMENT = '3f1a0b7e-51b4-4b9e-8a7b-6a1f5c3e9d11'

async function sent(attack: Attack, key: IssuedKey): Promise<readonly [status: number, code: string | undefined]> {
  const vendor = attack.vendor ?? 'stripe'
  const reply = readReply(await stage.world.raw(written(attack, presented(vendor, key))))
  return [reply.status, reply.headers['x-spendgate-code']]
}

/** Asks, and lets the operator say yes to what was asked. */
async function approved(attack: Attack, key: IssuedKey): Promise<void> {
  expect(await sent(attack, key)).toEqual([403, 'approval_required'])
  const { approvals } = await stage.world.must('GET', `/approvals?key=${key.id}&state=open`)
  expect(approvals).toHaveLength(1)
  await stage.world.must('POST', `/approvals/${approvals[0].id}/approve`, {})
}

function draft(html: string): void {
  const { things } = stage.world.resend.state
  const path = `api.resend.com/broadcasts/${BROADCAST}`
  const content = { from: 'billing@acme.com', subject: 'News', html, text: null, segment_id: SEGMENT }
  things.set(path, { object: 'broadcast', id: BROADCAST, status: 'draft', scheduled_at: null, ...content })
  const contact = { id: 'c1', email: 'ann@acme.com', unsubscribed: false }
  things.set(`api.resend.com/segments/${SEGMENT}/contacts/c1`, contact)
}
const SEND = resend(`/broadcasts/${BROADCAST}/send`, '{}')

function draftOfOne(id: string, to: string, html: string): void {
  const path = `api.resend.com/inboxes/i1/drafts/${id}`
  stage.world.resend.state.things.set(path, { object: 'draft', id, to: [to], cc: [], bcc: [], subject: 'Hi', html })
}
const SEND_DRAFT = resend('/inboxes/i1/drafts/d9/send', '{}')

test('an intent is not confirmed for somebody else than the one it was approved for', async () => {
  const key = await stage.key('stripe', ABOVE)
  const intent = stage.world.stripe.addIntent({ id: 'pi_approved', customer: 'cus_A', amount: 4_000 })
  const confirm = stripe('/v1/payment_intents/pi_approved/confirm', 'payment_method=pm_card_visa')
  await approved(confirm, key)
  intent.customer = 'cus_B'
  expect(await sent(confirm, key)).toEqual([403, 'approval_required'])
  intent.customer = 'cus_A'
  expect((await sent(confirm, key))[0]).toBe(200)
})

test('a broadcast is not sent with other words than those that were approved', async () => {
  const key = await stage.key('resend', ABOVE)
  draft('<p>The office is closed on Monday.</p>')
  await approved(SEND, key)
  draft('<p>Pay your invoice to another account.</p>')
  expect(await sent(SEND, key)).toEqual([403, 'approval_required'])
  draft('<p>The office is closed on Monday.</p>')
  expect((await sent(SEND, key))[0]).toBe(200)
})

test('a draft of a shared mailbox is not sent to others, nor with other words, than was approved', async () => {
  const key = await stage.key('resend', ABOVE)
  draftOfOne('d9', 'ann@acme.com', 'Yes.')
  await approved(SEND_DRAFT, key)
  draftOfOne('d9', 'x@evil.com', 'Yes.')
  expect(await sent(SEND_DRAFT, key)).toEqual([403, 'approval_required'])
  draftOfOne('d9', 'ann@acme.com', 'No.')
  expect(await sent(SEND_DRAFT, key)).toEqual([403, 'approval_required'])
  draftOfOne('d9', 'ann@acme.com', 'Yes.')
  expect((await sent(SEND_DRAFT, key))[0]).toBe(200)
})
