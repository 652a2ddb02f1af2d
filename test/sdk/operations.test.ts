import type { Resend } from 'resend'
import type { Stripe } from 'stripe'
import type { Twilio } from 'twilio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resendClient, stripeClient, twilioClient } from '../../fixtures/simulators/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { allCalls, books, startWorld } from '../pipeline/given.js'

// The vendors' own, unmodified packages go through the proxy with as many operations as a busy agent would, some
// allowed and some refused. What each is held at, or why it is refused, stands beside the call.

let world: World

/** `$12.00` held for it, or the code of the refusal. */
type Expected = string
type Row<Client> = readonly [
  name: string,
  act: (client: Client) => Promise<unknown>,
  expected: Expected,
  under?: 'strict',
]

const OPEN = {
  endpoints: { allow: ['* *'] },
  permit: ['future_spend', 'credential', 'routing', 'destructive'],
  callback_hosts: ['ok.example'],
}
const BLOCKS = {
  open: {
    stripe: { ...OPEN, max_amount_usd: '500.00', beneficiaries: ['acct_B', 'ba_A'], connected_accounts: ['acct_B'] },
    twilio: OPEN,
    resend: OPEN,
  },
  /** Allowlists, and nothing that needs a permit. */
  strict: {
    stripe: { ...OPEN, permit: [], customers: ['cus_A'] },
    twilio: { ...OPEN, permit: [], recipients: ['+1415*'], senders: ['+14155550100'] },
    resend: { ...OPEN, permit: [], recipients: ['*@acme.com'], senders: ['billing@acme.com'] },
  },
} as const
type Under = keyof typeof BLOCKS
const VENDORS = ['stripe', 'twilio', 'resend'] as const
type VendorName = (typeof VENDORS)[number]

interface Agent {
  readonly keys: Record<VendorName, IssuedKey>
  readonly stripe: Stripe
  readonly twilio: Twilio
  readonly resend: Resend
}
const agents = {} as Record<Under, Agent>

async function agentUnder(under: Under): Promise<Agent> {
  const keys = {} as Record<VendorName, IssuedKey>
  for (const vendor of VENDORS)
    keys[vendor] = await world.key(
      { daily_cap_usd: '100000.00', vendors: { [vendor]: BLOCKS[under][vendor] } },
      { vendors: [vendor] },
    )
  const { account_sid: account, api_key_sid: sid, api_key_secret: secret } = keys.twilio.presentations.twilio!
  return {
    keys,
    stripe: await stripeClient(world.url, keys.stripe.presentations.stripe![0]!),
    twilio: await twilioClient(world.url, account, sid, secret, { prefix: '/twilio' }),
    resend: await resendClient(`${world.url}/resend`, keys.resend.presentations.resend!),
  }
}

beforeAll(async () => {
  world = await startWorld()
  agents.open = await agentUnder('open')
  agents.strict = await agentUnder('strict')
})
afterAll(async () => {
  await books(world)
  await world.close()
})

/** What a call came to: what its row says. A refusal must have reached the caller as an error of its SDK. */
async function outcome<V extends VendorName>(
  vendor: V,
  act: (client: Agent[V]) => Promise<unknown>,
  under: Under,
): Promise<string> {
  const { keys, [vendor]: client } = agents[under]
  const query = `&key=${keys[vendor].id}`
  const before = new Set((await allCalls(world, query)).map(({ id }) => id))
  let failed: unknown = null
  const reply = await act(client).catch((error: unknown) => (failed = error))
  const error = failed ?? (reply as { error?: unknown } | undefined)?.error ?? null
  const [row, ...pages] = (await allCalls(world, query)).filter(({ id }) => !before.has(id))
  expect(row, `a row for the call; the SDK says ${String(error)}`).toBeDefined()
  // An SDK that is asked for two of a list asks for the next page when the first has only one.
  for (const page of pages) expect(page).toMatchObject({ method: 'GET', operation: row.operation, state: 'settled' })
  if (row.state !== 'denied') {
    expect(error).toBeNull()
    expect(row.state).toBe('settled')
    return `$${row.quoted_usd}`
  }
  expect(JSON.stringify(error) + String((error as Error).message)).toContain(row.decision.code)
  return row.decision.code
}

const PAID = {
  amount: 1200,
  currency: 'usd',
  customer: 'cus_A',
  payment_method: 'pm_card_visa',
  confirm: true,
} as const

const STRIPE: readonly Row<Stripe>[] = [
  ['balance.retrieve', (s) => s.balance.retrieve(), '$0.00'],
  ['customers.create', (s) => s.customers.create({ email: 'eve@example.com' }), '$0.00'],
  ['customers.retrieve', (s) => s.customers.retrieve('cus_A'), '$0.00'],
  ['customers.update', (s) => s.customers.update('cus_A', { metadata: { tier: 'gold' } }), '$0.00'],
  ['customers.list', (s) => s.customers.list({ limit: 3 }), '$0.00'],
  [
    'customers.createBalanceTransaction',
    (s) => s.customers.createBalanceTransaction('cus_A', { amount: -700, currency: 'usd' }),
    '$7.00',
  ],
  ['paymentIntents.create', (s) => s.paymentIntents.create(PAID), '$12.00'],
  ['paymentIntents.create, too much', (s) => s.paymentIntents.create({ ...PAID, amount: 99_999 }), 'amount_over_limit'],
  [
    'paymentIntents.create, elsewhere',
    (s) => s.paymentIntents.create({ ...PAID, transfer_data: { destination: 'acct_EVIL' } }),
    'beneficiary_not_allowed',
  ],
  ['paymentIntents.retrieve', (s) => s.paymentIntents.retrieve('pi_A'), '$0.00'],
  ['paymentIntents.confirm', (s) => s.paymentIntents.confirm('pi_A'), '$40.00'],
  ['paymentIntents.capture', (s) => s.paymentIntents.capture('pi_Ahold', { amount_to_capture: 5000 }), '$50.00'],
  ['paymentIntents.update', (s) => s.paymentIntents.update('pi_B', { amount: 8000 }), '$80.00'],
  ['paymentIntents.cancel', (s) => s.paymentIntents.cancel('pi_B'), '$0.00'],
  ['paymentIntents.list', (s) => s.paymentIntents.list({ customer: 'cus_A' }), '$0.00'],
  ['charges.retrieve', (s) => s.charges.retrieve('ch_A'), '$0.00'],
  ['charges.list', (s) => s.charges.list({ customer: 'cus_A' }), '$0.00'],
  ['refunds.create', (s) => s.refunds.create({ charge: 'ch_A', amount: 1100 }), '$11.00'],
  ['refunds.create, everything that is left', (s) => s.refunds.create({ charge: 'ch_A' }), '$89.00'],
  ['refunds.list', (s) => s.refunds.list({ charge: 'ch_A' }), '$0.00'],
  ['setupIntents.create', (s) => s.setupIntents.create({ customer: 'cus_A' }), '$0.00'],
  ['products.create', (s) => s.products.create({ name: 'Lamp' }), '$0.00'],
  ['prices.create', (s) => s.prices.create({ product: 'prod_A', currency: 'usd', unit_amount: 500 }), '$0.00'],
  ['prices.retrieve', (s) => s.prices.retrieve('price_month'), '$0.00'],
  ['invoices.create', (s) => s.invoices.create({ customer: 'cus_A' }), '$0.00'],
  ['invoiceItems.create', (s) => s.invoiceItems.create({ customer: 'cus_A', amount: 300, currency: 'usd' }), '$3.00'],
  ['invoices.pay', (s) => s.invoices.pay('in_A'), '$30.00'],
  // With the item above, which the first invoice takes up.
  [
    'subscriptions.create',
    (s) => s.subscriptions.create({ customer: 'cus_A', items: [{ price: 'price_month' }] }),
    '$18.00',
  ],
  ['subscriptions.retrieve', (s) => s.subscriptions.retrieve('sub_A'), '$0.00'],
  ['subscriptions.cancel', (s) => s.subscriptions.cancel('sub_A'), '$0.00'],
  ['quotes.create', (s) => s.quotes.create({ customer: 'cus_A', line_items: [{ price: 'price_once' }] }), '$0.00'],
  [
    'paymentLinks.create',
    (s) => s.paymentLinks.create({ line_items: [{ price: 'price_once', quantity: 1 }] }),
    '$9.00',
  ],
  [
    'checkout.sessions.create',
    (s) =>
      s.checkout.sessions.create({
        mode: 'payment',
        customer: 'cus_A',
        success_url: 'https://ok.example/',
        line_items: [{ price: 'price_once', quantity: 2 }],
      }),
    '$18.00',
  ],
  ['transfers.create', (s) => s.transfers.create({ amount: 2500, currency: 'usd', destination: 'acct_B' }), '$25.00'],
  [
    'transfers.create, elsewhere',
    (s) => s.transfers.create({ amount: 2500, currency: 'usd', destination: 'acct_EVIL' }),
    'beneficiary_not_allowed',
  ],
  ['transfers.createReversal', (s) => s.transfers.createReversal('tr_A', { amount: 1000 }), '$10.00'],
  ['payouts.create', (s) => s.payouts.create({ amount: 1500, currency: 'usd', destination: 'ba_A' }), '$15.00'],
  ['payouts.cancel', (s) => s.payouts.cancel('po_A'), '$0.00'],
  ['topups.create', (s) => s.topups.create({ amount: 2000, currency: 'usd' }), '$20.00'],
  ['disputes.close', (s) => s.disputes.close('du_A'), '$25.00'],
  ['coupons.create', (s) => s.coupons.create({ percent_off: 100, duration: 'forever' }), 'amount_unknown'],
  [
    'webhookEndpoints.create',
    (s) => s.webhookEndpoints.create({ url: 'https://ok.example/h', enabled_events: ['charge.failed'] }),
    '$0.00',
  ],
  [
    'webhookEndpoints.create, elsewhere',
    (s) => s.webhookEndpoints.create({ url: 'https://evil.example/h', enabled_events: ['*'] }),
    'url_not_allowed',
  ],
  [
    'accountLinks.create',
    (s) =>
      s.accountLinks.create({
        account: 'acct_B',
        type: 'account_onboarding',
        refresh_url: 'https://ok.example/',
        return_url: 'https://ok.example/',
      }),
    '$0.00',
  ],
  ['billingPortal.sessions.create', (s) => s.billingPortal.sessions.create({ customer: 'cus_A' }), '$0.00'],
  [
    'issuing.cards.retrieve, with its number',
    (s) => s.issuing.cards.retrieve('ic_A', { expand: ['number'] }),
    'request_malformed',
  ],
  [
    'tax.calculations.create',
    (s) => s.tax.calculations.create({ currency: 'usd', line_items: [{ amount: 100, reference: 'a' }] }),
    '$0.00',
  ],
  ['terminal.readers.list', (s) => s.terminal.readers.list(), '$0.00'],
  ['apps.secrets.list', (s) => s.apps.secrets.list({ scope: { type: 'account' } }), '$0.00'],
  [
    'forwarding.requests.create',
    (s) =>
      s.forwarding.requests.create({
        payment_method: 'pm_1',
        url: 'https://ok.example/',
        request: { body: '{}' },
        replacements: ['card_number'],
      }),
    'operation_not_allowed',
  ],
  ['v2.core.eventDestinations.list', (s) => s.v2.core.eventDestinations.list(), '$0.00'],
  ['charges.list, of everybody', (s) => s.charges.list(), 'customer_not_allowed', 'strict'],
  [
    'subscriptions.update, not permitted',
    (s) => s.subscriptions.update('sub_A', { trial_end: 'now' }),
    'effect_not_permitted',
    'strict',
  ],
  ['customers.del', (s) => s.customers.del('cus_B'), '$0.00'],
]

const [TO, FROM] = ['+14155550123', '+14155550100']
const HEX = 'a'.repeat(32)

const TWILIO: readonly Row<Twilio>[] = [
  ['messages.create', (t) => t.messages.create({ to: TO, from: FROM, body: 'hi' }), '$0.016675'],
  [
    'messages.create, to somebody else',
    (t) => t.messages.create({ to: '+14165550123', from: FROM, body: 'hi' }),
    'recipient_not_allowed',
    'strict',
  ],
  ['messages.list', (t) => t.messages.list({ to: TO, limit: 2 }), '$0.00'],
  [
    'calls.create',
    (t) => t.calls.create({ to: TO, from: FROM, twiml: '<Response><Say>hi</Say></Response>', timeLimit: 60 }),
    '$0.0161',
  ],
  ['calls.list', (t) => t.calls.list({ to: TO, limit: 2 }), '$0.00'],
  ['verify.services.list', (t) => t.verify.v2.services.list({ limit: 2 }), '$0.00'],
  [
    'verify.verifications.create',
    (t) => t.verify.v2.services(world.twilio.serviceSid).verifications.create({ to: TO, channel: 'sms' }),
    '$0.074175',
  ],
  [
    'verify.verificationChecks.create',
    (t) => t.verify.v2.services(world.twilio.serviceSid).verificationChecks.create({ to: TO, code: '000000' }),
    '$0.0575',
  ],
  ['lookups.phoneNumbers.fetch', (t) => t.lookups.v2.phoneNumbers(TO).fetch({ fields: 'caller_name' }), '$0.0115'],
  ['incomingPhoneNumbers.list', (t) => t.incomingPhoneNumbers.list({ limit: 2 }), '$0.00'],
  ['incomingPhoneNumbers.create', (t) => t.incomingPhoneNumbers.create({ phoneNumber: '+14155550188' }), '$1.3225'],
  [
    'incomingPhoneNumbers.update, calls to elsewhere',
    (t) => t.incomingPhoneNumbers(`PN${HEX}`).update({ voiceUrl: 'https://evil.example/v' }),
    'url_not_allowed',
  ],
  ['api.account.fetch', (t) => t.api.v2010.accounts(world.twilio.accountSid).fetch(), 'operation_not_allowed'],
  ['newKeys.create', (t) => t.newKeys.create({ friendlyName: 'x' }), 'operation_not_allowed'],
  ['balance.fetch', (t) => t.balance.fetch(), '$0.00'],
  ['usage.records.list', (t) => t.usage.records.list({ limit: 2 }), '$0.00'],
  ['recordings.list', (t) => t.recordings.list({ limit: 2 }), '$0.00'],
  [
    'conferences.participants.create',
    (t) => t.conferences('room').participants.create({ to: TO, from: FROM, timeLimit: 60 }),
    'amount_unknown',
  ],
  [
    'validationRequests.create, a call that proves a number',
    (t) => t.validationRequests.create({ phoneNumber: TO }),
    '$0.161',
  ],
  ['conversations.create', (t) => t.conversations.v1.conversations.create({ friendlyName: 'x' }), '$0.00'],
  [
    'conversations.messages.create',
    (t) => t.conversations.v1.conversations(`CH${HEX}`).messages.create({ body: 'hi' }),
    '$0.016675',
  ],
  ['messaging.services.list', (t) => t.messaging.v1.services.list({ limit: 2, pageSize: 1 }), '$0.00'],
  ['messaging.services.create', (t) => t.messaging.v1.services.create({ friendlyName: 'x' }), '$0.00'],
  [
    'studio.executions.create',
    (t) => t.studio.v2.flows(`FW${HEX}`).executions.create({ to: TO, from: FROM }),
    'amount_unknown',
  ],
  [
    'serverless.services.create',
    (t) => t.serverless.v1.services.create({ uniqueName: 'x', friendlyName: 'x' }),
    'operation_not_allowed',
  ],
  [
    'notify.notifications.create',
    (t) =>
      t.notify.v1
        .services(`IS${HEX}`)
        .notifications.create({ body: 'x', toBinding: ['{"binding_type":"sms","address":"+14155550123"}'] }),
    '$0.016675',
  ],
  [
    'sync.documents.create',
    (t) => t.sync.v1.services(`IS${HEX}`).documents.create({ uniqueName: 'x' }),
    'amount_unknown',
  ],
  ['video.rooms.create', (t) => t.video.v1.rooms.create({ uniqueName: 'x', type: 'group' }), 'amount_unknown'],
  [
    'taskrouter.tasks.create',
    (t) => t.taskrouter.v1.workspaces(`WS${HEX}`).tasks.create({ attributes: '{}' }),
    'amount_unknown',
  ],
  ['trunking.trunks.list', (t) => t.trunking.v1.trunks.list({ limit: 2, pageSize: 1 }), '$0.00'],
  ['pricing.countries.fetch', (t) => t.pricing.v1.messaging.countries('US').fetch(), '$0.00'],
  [
    'events.sinks.create',
    (t) =>
      t.events.v1.sinks.create({
        description: 'x',
        sinkConfiguration: { destination: 'https://evil.example' },
        sinkType: 'webhook',
      }),
    'url_not_allowed',
  ],
  ['proxy.services.list', (t) => t.proxy.v1.services.list({ limit: 2, pageSize: 1 }), '$0.00'],
  [
    'voice.dialingPermissions.update',
    (t) => t.voice.v1.dialingPermissions.bulkCountryUpdates.create({ updateRequest: '[]' }),
    'operation_not_allowed',
  ],
  ['messages.remove', (t) => t.messages([...world.twilio.state.messages.keys()][0]!).remove(), '$0.00'],
]

const MAIL = { from: 'Acme <billing@acme.com>', to: 'ann@acme.com', subject: 'Your invoice', text: 'Thank you.' }
const ID = '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'

const RESEND: readonly Row<Resend>[] = [
  ['emails.send', (r) => r.emails.send({ ...MAIL, cc: 'bob@acme.com' }), '$0.0018'],
  [
    'emails.send, to somebody else',
    (r) => r.emails.send({ ...MAIL, to: 'x@evil.com' }),
    'recipient_not_allowed',
    'strict',
  ],
  ['emails.list', (r) => r.emails.list(), '$0.00'],
  ['emails.list, of everybody', (r) => r.emails.list(), 'recipient_not_allowed', 'strict'],
  ['batch.send', (r) => r.batch.send([MAIL, MAIL]), '$0.0018'],
  ['domains.list', (r) => r.domains.list(), '$0.00'],
  ['domains.create', (r) => r.domains.create({ name: 'new.acme.com' }), 'amount_unknown'],
  ['domains.verify', (r) => r.domains.verify(ID), '$0.00'],
  ['domains.remove', (r) => r.domains.remove(ID), '$0.00'],
  ['apiKeys.create', (r) => r.apiKeys.create({ name: 'x' }), 'operation_not_allowed'],
  ['apiKeys.list', (r) => r.apiKeys.list(), 'operation_not_allowed'],
  ['contacts.create', (r) => r.contacts.create({ email: 'ann@acme.com' }), 'amount_unknown'],
  ['contacts.get', (r) => r.contacts.get({ id: ID }), '$0.00'],
  ['contacts.list', (r) => r.contacts.list(), '$0.00'],
  ['contacts.update', (r) => r.contacts.update({ id: ID, unsubscribed: true }), '$0.00'],
  ['contacts.remove', (r) => r.contacts.remove({ id: ID }), '$0.00'],
  ['segments.create', (r) => r.segments.create({ name: 'x' }), '$0.00'],
  ['segments.list', (r) => r.segments.list(), '$0.00'],
  [
    'broadcasts.create',
    (r) => r.broadcasts.create({ segmentId: ID, from: 'billing@acme.com', subject: 's', html: '<p>x</p>' }),
    '$0.00',
  ],
  ['broadcasts.send', (r) => r.broadcasts.send(ID), '$0.0009'],
  ['broadcasts.list', (r) => r.broadcasts.list(), '$0.00'],
  ['broadcasts.remove', (r) => r.broadcasts.remove(ID), '$0.00'],
  [
    'webhooks.create',
    (r) => r.webhooks.create({ endpoint: 'https://ok.example/h', events: ['email.sent'] }),
    'operation_not_allowed',
  ],
  ['webhooks.list', (r) => r.webhooks.list(), 'operation_not_allowed'],
  ['templates.list', (r) => r.templates.list(), '$0.00'],
  ['topics.create', (r) => r.topics.create({ name: 'News', defaultSubscription: 'opt_in' }), '$0.00'],
]

const cases = <Client>(rows: readonly Row<Client>[]) =>
  rows.map(([name, act, expected, under]) => ({ name, act, expected, under: under ?? ('open' as const) }))

describe('the real packages, one operation after the other', () => {
  test.each(cases(STRIPE))('stripe $name', async ({ act, expected, under }) => {
    expect(await outcome('stripe', act, under)).toBe(expected)
  })
  test.each(cases(TWILIO))('twilio $name', async ({ act, expected, under }) => {
    expect(await outcome('twilio', act, under)).toBe(expected)
  })
  test.each(cases(RESEND))('resend $name', async ({ act, expected, under }) => {
    expect(await outcome('resend', act, under)).toBe(expected)
  })

  test('they are at least 60 different operations, let through and refused', async () => {
    const rows = await allCalls(world)
    const operations = new Set(rows.map(({ vendor, operation }) => `${vendor} ${operation}`))
    expect([...operations].filter((each) => each.endsWith(' null'))).toEqual([])
    expect(operations.size).toBeGreaterThanOrEqual(60)
    expect(rows.filter(({ state }) => state === 'denied').length).toBeGreaterThan(15)
    expect(rows.filter(({ state }) => state === 'settled').length).toBeGreaterThan(50)
  })
})
