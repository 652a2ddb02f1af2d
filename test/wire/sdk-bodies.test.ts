import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Stripe } from 'stripe'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { resendClient, stripeClient, twilioClient } from '../../fixtures/simulators/clients.js'
import { Form, parseForm } from '../../src/wire/form.js'
import { parseJson } from '../../src/wire/json.js'
import { encodePath, parseTarget } from '../../src/wire/target.js'

interface Recorded {
  readonly method: string
  readonly target: string
  readonly type: string
  readonly body: string
}

let server: Server
let origin: string
const recorded: Recorded[] = []
beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      recorded.push({
        method,
        target: url,
        type: headers['content-type'] ?? '',
        body: Buffer.concat(chunks).toString('utf8'),
      })
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{"id":"x","object":"x","sid":"x","data":[],"messages":[],"calls":[]}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => {
  recorded.length = 0
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const REPEATS = ['MediaUrl', 'PersistentAction', 'StatusCallbackEvent']

/** What we understand of each recorded request must be what was sent, and nothing may be refused. */
function expectUnderstood(count: number): void {
  expect(recorded).toHaveLength(count)
  for (const { method, target, type, body } of recorded) {
    const parsed = parseTarget(target)
    expect(parsed).toHaveProperty('path')
    if ('fault' in parsed) continue
    expect(new URL(encodePath(parsed.path), 'http://x').pathname).toBe(encodePath(parsed.path))
    for (const text of [parsed.query, type.startsWith('application/json') ? '' : body]) {
      const form = parseForm(text, REPEATS)
      expect([method, target, text, form instanceof Form ? '' : form]).toEqual([method, target, text, ''])
      expect((form as Form).entries()).toEqual([...new URLSearchParams(text)])
      expect([...new URLSearchParams((form as Form).serialise())]).toEqual([...new URLSearchParams(text)])
    }
    if (type.startsWith('application/json') && body !== '') expect(parseJson(body)).toEqual({ value: JSON.parse(body) })
  }
}

describe('everything the real SDKs send is understood', () => {
  test('stripe', async () => {
    const client = await stripeClient(origin, 'sk_test_recorded')
    const awkward = {
      'order id': '6735',
      'a.b': '1',
      ключ: 'значение',
      '😀': '😀',
      'q"uote': '\'"',
      'back\\slash': '\\',
      plus: 'a+b c',
      amp: 'a&b=c',
      percent: '100 %',
      empty: '',
      tab: 'a\tb',
      lines: 'a\r\nb',
      html: '<b>&amp;</b>',
      semicolon: 'a;b',
    }
    const calls: ((each: Stripe) => Promise<unknown>)[] = [
      (each) =>
        each.customers.create({
          name: 'Ada',
          email: 'ada+test@example.com',
          description: 'T-shirt [L] & more',
          metadata: awkward,
        }),
      (each) =>
        each.customers.create({
          address: { line1: '1 Main St', country: 'US' },
          preferred_locales: ['en', 'fr'],
          tax_exempt: 'none',
          balance: -500,
        }),
      (each) => each.customers.update('cus_A', { metadata: '', description: '', name: '' }),
      (each) => each.customers.update('cus_A', { metadata: { a: '', b: null } }),
      (each) => each.customers.del('cus_A'),
      (each) =>
        each.customers.retrieve('cus_A', { expand: ['default_source', 'invoice_settings.default_payment_method'] }),
      (each) => each.customers.list({ limit: 3, created: { gte: 1700000000, lt: 1800000000 }, email: 'a@b.example' }),
      (each) => each.customers.search({ query: "email:'a@b.example' AND metadata['order id']:'6735'" }),
      (each) =>
        each.charges.create({
          amount: 1999,
          currency: 'usd',
          source: 'tok_visa',
          capture: false,
          shipping: { name: 'A', address: { line1: 'x' } },
        }),
      (each) => each.charges.search({ query: 'amount>999 AND metadata["a"]:"b"', limit: 10 }),
      (each) =>
        each.refunds.create({
          charge: 'ch_A',
          amount: 1200,
          reason: 'requested_by_customer',
          refund_application_fee: true,
        }),
      (each) => each.refunds.list({ charge: 'ch_A' }),
      (each) =>
        each.paymentIntents.create({
          amount: 4900,
          currency: 'usd',
          confirm: true,
          return_url: 'https://acme.com/back?x=1&y=2#z',
          expand: ['latest_charge'],
        }),
      (each) =>
        each.paymentIntents.create({
          amount: 4900,
          currency: 'usd',
          automatic_payment_methods: { enabled: true },
          transfer_data: { destination: 'acct_1' },
        }),
      (each) => each.paymentIntents.confirm('pi_A', { payment_method: 'pm_card_visa' }),
      (each) => each.paymentIntents.capture('pi_A'),
      (each) => each.paymentIntents.cancel('pi_A', { cancellation_reason: 'duplicate' }),
      (each) =>
        each.invoices.create({ customer: 'cus_A', auto_advance: false, custom_fields: [{ name: 'PO', value: '# 7' }] }),
      (each) =>
        each.invoices.createPreview({
          customer: 'cus_A',
          subscription_details: { items: [{ price: 'price_1', quantity: 2 }] },
        }),
      (each) => each.invoices.pay('in_A', { paid_out_of_band: true }),
      (each) =>
        each.invoiceItems.create({ customer: 'cus_A', amount: -100, currency: 'usd', period: { start: 1, end: 2 } }),
      (each) =>
        each.subscriptions.create({
          customer: 'cus_A',
          items: [
            { price: 'price_1', quantity: 2, metadata: { a: 'b' } },
            {
              price_data: {
                currency: 'usd',
                product: 'prod_A',
                unit_amount_decimal: '12.5' as never,
                recurring: { interval: 'month' },
              },
            },
          ],
        }),
      (each) =>
        each.subscriptions.update('sub_A', {
          items: [{ id: 'si_1', deleted: true }],
          proration_behavior: 'none',
          trial_end: 'now',
        }),
      (each) => each.subscriptions.cancel('sub_A', { invoice_now: true }),
      (each) =>
        each.checkout.sessions.create({
          mode: 'payment',
          line_items: [{ price: 'price_1', quantity: 1, adjustable_quantity: { enabled: true, maximum: 5 } }],
          success_url: 'https://acme.com/ok?session_id={CHECKOUT_SESSION_ID}',
        }),
      (each) =>
        each.paymentLinks.create({
          line_items: [{ price: 'price_1', quantity: 1 }],
          after_completion: { type: 'redirect', redirect: { url: 'https://acme.com/' } },
        }),
      (each) =>
        each.products.create({ name: 'Größe „L“', images: ['https://acme.com/a.png', 'https://acme.com/b.png'] }),
      (each) =>
        each.prices.create({
          currency: 'usd',
          unit_amount: 500,
          product_data: { name: 'x' },
          currency_options: { eur: { unit_amount: 450 } },
        }),
      (each) =>
        each.coupons.create({ percent_off: 12.5, duration: 'repeating', duration_in_months: 3, id: 'SPRING-25' }),
      (each) =>
        each.disputes.update('du_A', { evidence: { uncategorized_text: 'line 1\nline 2 – «quoted»' }, submit: false }),
      (each) => each.balance.retrieve(),
      (each) => each.balanceTransactions.list({ type: 'charge', created: { lte: 1800000000 } }),
      (each) => each.payouts.create({ amount: 100, currency: 'usd' }),
      (each) =>
        each.transfers.create({ amount: 100, currency: 'usd', destination: 'acct_1', transfer_group: 'ORDER 95' }),
      (each) => each.events.list({ types: ['charge.succeeded', 'refund.created'] }),
    ]
    for (const call of calls) await call(client)
    expectUnderstood(calls.length)
  })

  test('twilio', async () => {
    const client = await twilioClient(origin, `AC${'a'.repeat(32)}`, null, 'token-of-32-characters-0123456789', {
      direct: true,
    })
    const sms = { to: '+14155550101', from: '+14155550100' }
    const calls: (() => Promise<unknown>)[] = [
      () => client.messages.create({ ...sms, body: 'Hello & good-bye; 100 % «café» 😀\nline 2' }),
      () =>
        client.messages.create({
          ...sms,
          mediaUrl: ['https://acme.com/a?b=c&d=e', 'https://acme.com/b'],
          persistentAction: ['geo:1,2', 'geo:3,4'],
        }),
      () =>
        client.messages.create({
          to: 'whatsapp:+14155550101',
          from: 'whatsapp:+14155550100',
          contentSid: `HX${'a'.repeat(32)}`,
          contentVariables: '{"1":"Ada","2":"12:00"}',
        }),
      () =>
        client.messages.create({
          ...sms,
          body: 'later',
          messagingServiceSid: `MG${'a'.repeat(32)}`,
          sendAt: new Date('2027-01-01T00:00:00Z'),
          scheduleType: 'fixed',
        }),
      () =>
        client.messages.list({
          to: '+14155550101',
          dateSentAfter: new Date('2026-01-01'),
          dateSentBefore: new Date('2026-12-01'),
          limit: 5,
        }),
      () => client.messages(`SM${'a'.repeat(32)}`).fetch(),
      () => client.messages(`SM${'a'.repeat(32)}`).update({ status: 'canceled' }),
      () =>
        client.calls.create({
          ...sms,
          twiml: '<Response><Say voice="alice">Hi &amp; bye</Say></Response>',
          timeLimit: 60,
          statusCallbackEvent: ['initiated', 'answered'],
        }),
      () => client.calls.create({ ...sms, url: 'https://acme.com/twiml?x=1', method: 'GET' }),
      () => client.calls(`CA${'a'.repeat(32)}`).update({ status: 'completed' }),
      () =>
        client.verify.v2
          .services(`VA${'a'.repeat(32)}`)
          .verifications.create({ to: '+14155550101', channel: 'sms', locale: 'en' }),
      () =>
        client.verify.v2
          .services(`VA${'a'.repeat(32)}`)
          .verificationChecks.create({ to: '+14155550101', code: '123456' }),
      () => client.lookups.v2.phoneNumbers('+14155550101').fetch({ fields: 'caller_name,line_type_intelligence' }),
      () => client.balance.fetch(),
      () => client.usage.records.list({ category: 'sms', startDate: new Date('2026-11-01'), limit: 2 }),
    ]
    for (const call of calls) await call().catch(() => undefined)
    expectUnderstood(calls.length)
  })

  test('resend', async () => {
    const client = await resendClient(origin, 're_recorded')
    const mail = { from: 'Acme <billing@acme.com>', to: ['ann@acme.com'], subject: 'Grüße «1» 😀', text: 'a\r\nb' }
    const calls: (() => Promise<unknown>)[] = [
      () =>
        client.emails.send({
          ...mail,
          cc: 'c@acme.com',
          bcc: ['d@acme.com'],
          replyTo: 'e@acme.com',
          headers: { 'X-Ref': '1' },
          tags: [{ name: 'a', value: 'b' }],
        }),
      () =>
        client.emails.send(
          { ...mail, html: '<p title="x">&amp; \u2028</p>', scheduledAt: 'in 1 hour' },
          { idempotencyKey: 'k/1' },
        ),
      () =>
        client.emails.send({
          ...mail,
          attachments: [
            { filename: 'a.txt', content: Buffer.from('hello').toString('base64') },
            { path: 'https://acme.com/x.pdf', filename: 'x.pdf' },
          ],
        }),
      () => client.batch.send([mail, { ...mail, to: 'bo@acme.com' }]),
      () => client.emails.get('49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'),
      () => client.emails.update({ id: '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794', scheduledAt: '2027-01-01T00:00:00Z' }),
      () => client.emails.cancel('49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'),
      () => client.domains.list(),
      () => client.domains.create({ name: 'mail.acme.com', region: 'eu-west-1' }),
      () => client.domains.verify('d91cd9bd-1176-453e-8fc1-35364d380206'),
      () => client.contacts.get({ email: 'ann+news@acme.com' }),
      () => client.emails.list({ limit: 10 }),
    ]
    for (const call of calls) await call()
    expectUnderstood(calls.length)
  })

  test('but not an id with a slash in it, which the SDK sends escaped', async () => {
    const client = await stripeClient(origin, 'sk_test_recorded')
    await client.customers.retrieve('cus_A/../../charges')
    await client.customers.del('..').catch(() => undefined)
    for (const { target } of recorded) expect(parseTarget(target)).toHaveProperty('fault')
    expect(recorded.length).toBeGreaterThan(0)
  })
})
