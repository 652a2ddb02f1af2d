import { describe, expect, test } from 'vitest'
import { onStage, resend, stripe, twilio } from './stage.js'

const stage = onStage()
const intent = 'amount=4900&currency=usd&confirm=true&customer=cus_A&payment_method=pm_card_visa'
const charge = 'amount=4900&currency=usd&customer=cus_A&source=tok_visa'

describe('money that would land elsewhere is refused', () => {
  test.each([
    ['a destination charge', '/v1/payment_intents', `${intent}&transfer_data[destination]=acct_EVIL`],
    ['its brackets percent-encoded', '/v1/payment_intents', `${intent}&transfer_data%5Bdestination%5D=acct_EVIL`],
    ['its letters percent-encoded', '/v1/payment_intents', `${intent}&%74ransfer_data[%64estination]=acct_EVIL`],
    ['on behalf of somebody', '/v1/payment_intents', `${intent}&on_behalf_of=acct_EVIL`],
    [
      'with a fee of nothing',
      '/v1/payment_intents',
      `${intent}&transfer_data[destination]=acct_EVIL&application_fee_amount=0`,
    ],
    ['a legacy destination', '/v1/charges', `${charge}&destination=acct_EVIL`],
    ['a legacy destination as a map', '/v1/charges', `${charge}&destination[account]=acct_EVIL`],
    ['a charge on behalf of somebody', '/v1/charges', `${charge}&on_behalf_of=acct_EVIL`],
    ['a transfer', '/v1/transfers', 'amount=4900&currency=usd&destination=acct_EVIL'],
    ['a payout to a bank account', '/v1/payouts', 'amount=4900&currency=usd&destination=ba_EVIL'],
    ['a payout to whatever is the default', '/v1/payouts', 'amount=4900&currency=usd'],
    [
      'a subscription',
      '/v1/subscriptions',
      'customer=cus_A&items[0][price]=price_month&transfer_data[destination]=acct_EVIL',
    ],
    ['an invoice and its issuer', '/v1/invoices', 'customer=cus_A&issuer[type]=account&issuer[account]=acct_EVIL'],
    [
      'a link',
      '/v1/payment_links',
      'line_items[0][price]=price_once&line_items[0][quantity]=1&transfer_data[destination]=acct_EVIL',
    ],
    [
      'a checkout',
      '/v1/checkout/sessions',
      'mode=payment&line_items[0][price]=price_once&line_items[0][quantity]=1&payment_intent_data[transfer_data][destination]=acct_EVIL',
    ],
  ])('%s', async (_, path, body) => {
    const before = stage.world.stripe.moved().length
    const key = await stage.key()
    stage.forget()
    const reply = await stage.send(stripe(path, body), `Bearer ${key.presentations.stripe![0]}`)
    expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'beneficiary_not_allowed' } })
    expect(
      stage
        .seen()
        .filter((request) => !request.startsWith('GET ') && !request.startsWith('POST /v1/invoices/create_preview')),
    ).toEqual([])
    expect(stage.world.stripe.moved()).toHaveLength(before)
    expect(await stage.rows(key)).toMatchObject([{ state: 'denied', decision: { code: 'beneficiary_not_allowed' } }])
  })

  test('an intent that already routes elsewhere is not confirmed', async () => {
    stage.world.stripe.addIntent({ id: 'pi_elsewhere', customer: 'cus_A', amount: 4900 }).transfer_data = {
      destination: 'acct_EVIL',
    } as never
    await stage.refuses(
      stripe('/v1/payment_intents/pi_elsewhere/confirm', 'payment_method=pm_card_visa'),
      'beneficiary_not_allowed',
      {
        lookUps: ['GET /v1/payment_intents/pi_elsewhere'],
      },
    )
  })
})

describe('a URL to a host nobody listed is refused', () => {
  const hosts = { vendors: { stripe: { callback_hosts: ['acme.com'] } } }
  test.each([
    'https://evil.example/',
    'https://acme.com@evil.example/',
    'https://acme.com.evil.example/',
    'https://evil.example/acme.com',
    'https://acme.com%2eevil.example/',
    'https://acme.com\\.evil.example/',
    'https://acme.com:8443/',
    'https://acme.com../',
    '//evil.example/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'https://аcme.com/',
  ])('%s', async (url) => {
    const body = `${intent}&return_url=${encodeURIComponent(url)}`
    await stage.refuses(stripe('/v1/payment_intents', body), 'url_not_allowed', { policy: hosts })
  })

  test.each([
    'StatusCallback=https%3A%2F%2Fevil.example%2F',
    'MediaUrl=https%3A%2F%2Facme.com%2Fa&MediaUrl=https%3A%2F%2Fevil.example%2Fb',
  ])('at Twilio: %s', async (pair) => {
    const body = `To=%2B14155550101&From=%2B14155550100&Body=hi&${pair}`
    await stage.refuses(twilio(stage, '/Messages.json', body), 'url_not_allowed', {
      policy: { vendors: { twilio: { callback_hosts: ['acme.com'] } } },
    })
  })

  test('at Resend, where attachments are fetched', async () => {
    const email = {
      from: 'a@acme.com',
      to: 'b@acme.com',
      subject: 's',
      text: 't',
      attachments: [{ path: 'https://intranet.example/secret', filename: 'x' }],
    }
    await stage.refuses(resend('/emails', JSON.stringify(email)), 'url_not_allowed')
  })
})
