import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { Explained, Explanation, Json, JsonObject, Question } from '../../src/contracts/vendor.js'
import { parseJson } from '../../src/wire/json.js'
import { stripe } from '../../vendors/stripe/index.js'
import { ask, explain, outcome, type Replies, type Setting } from './stripe-ask.js'

// Payouts, transfers and connected accounts: money that leaves or enters our balance, and who says where it goes.

const text = ({ quote, refuse }: Explanation): string => {
  if (refuse) return refuse.code
  return quote.basis === 'free' || quote.basis === 'unpriceable' ? quote.basis : `USD ${formatUsd(quote.amount)}`
}

const quote = (request: string, form = '', replies: Replies = {}, setting: Setting = {}): string =>
  text(explain(request, form, replies, setting).explanation)

/** The same for a JSON body. */
function tell(request: string, json?: unknown, replies: Replies = {}): Explanation {
  const { operation, question } = asking(request, json)
  let explained: Explained = operation.explain!(question)
  while ('lookUp' in explained) explained = explained.then(replies[`GET ${explained.lookUp.path}`] ?? null)
  return explained
}

function asking(
  request: string,
  json?: unknown,
): { operation: ReturnType<typeof ask>['operation']; question: Question } {
  const { operation, question } = ask(request)
  if (json === undefined) return { operation, question }
  const parsed = parseJson(JSON.stringify(json))
  if ('code' in parsed) throw new Error(parsed.message)
  return { operation, question: { ...question, json: parsed.value as Json } }
}

const usdAmount = (value: number) => ({ value, currency: 'usd' })

const transfer: JsonObject = {
  id: 'tr_1',
  object: 'transfer',
  amount: 5000,
  amount_reversed: 1500,
  currency: 'usd',
  destination: 'acct_A',
}
const fee: JsonObject = {
  id: 'fee_1',
  object: 'application_fee',
  account: 'acct_A',
  amount: 900,
  amount_refunded: 400,
  currency: 'usd',
}
const payout: JsonObject = { id: 'po_1', object: 'payout', amount: 7000, currency: 'usd', destination: 'ba_1' }
const at = {
  transfer: { 'GET /v1/transfers/tr_1': transfer },
  fee: { 'GET /v1/application_fees/fee_1': fee },
  payout: { 'GET /v1/payouts/po_1': payout },
}

describe('what moves money', () => {
  test.each<readonly [name: string, request: string, form: string, replies: Replies, expected: string]>([
    ['a transfer', 'POST /v1/transfers', 'amount=5000&currency=usd&destination=acct_A', {}, 'USD 50.00'],
    ['a reversal of all that is left', 'POST /v1/transfers/tr_1/reversals', '', at.transfer, 'USD 35.00'],
    ['a reversal of a part', 'POST /v1/transfers/tr_1/reversals', 'amount=100', at.transfer, 'USD 1.00'],
    ['a reversal of nothing known', 'POST /v1/transfers/tr_1/reversals', 'amount=100', {}, 'unpriceable'],
    [
      'a reversal that gives back a fee too',
      'POST /v1/transfers/tr_1/reversals',
      'amount=100&refund_application_fee=true',
      at.transfer,
      'unpriceable',
    ],
    ['the rest of a fee', 'POST /v1/application_fees/fee_1/refunds', '', at.fee, 'USD 5.00'],
    ['the same by the old route', 'POST /v1/application_fees/fee_1/refund', '', at.fee, 'USD 5.00'],
    ['a part of a fee', 'POST /v1/application_fees/fee_1/refunds', 'amount=25', at.fee, 'USD 0.25'],
    ['a payout', 'POST /v1/payouts', 'amount=7000&currency=usd', {}, 'USD 70.00'],
    ['a payout taken back from the bank', 'POST /v1/payouts/po_1/reverse', '', at.payout, 'USD 70.00'],
    ['a payout in parts of a forint', 'POST /v1/payouts', 'amount=12345&currency=huf', {}, 'request_malformed'],
    ['a top-up', 'POST /v1/topups', 'amount=2000&currency=usd', {}, 'USD 20.00'],
    ['a top-up in text', 'POST /v1/topups', 'amount=2e3&currency=usd', {}, 'request_malformed'],
    [
      'an outbound payment',
      'POST /v1/treasury/outbound_payments',
      'amount=1000&currency=usd&financial_account=fa_1&destination_payment_method=pm_1',
      {},
      'USD 10.00',
    ],
    [
      'an inbound transfer',
      'POST /v1/treasury/inbound_transfers',
      'amount=1000&currency=usd&financial_account=fa_1&origin_payment_method=pm_1',
      {},
      'USD 10.00',
    ],
    [
      'a credit sent back',
      'POST /v1/treasury/credit_reversals',
      'received_credit=rc_1',
      {
        'GET /v1/treasury/received_credits/rc_1': {
          id: 'rc_1',
          object: 'treasury.received_credit',
          amount: 300,
          currency: 'usd',
        },
      },
      'USD 3.00',
    ],
    ['a debit sent back, unseen', 'POST /v1/treasury/debit_reversals', 'received_debit=rd_1', {}, 'unpriceable'],
    ['a debit without a name', 'POST /v1/treasury/debit_reversals', '', {}, 'unpriceable'],
    [
      'a card payment',
      'POST /v1/issuing/authorizations/iauth_1/approve',
      '',
      {
        'GET /v1/issuing/authorizations/iauth_1': {
          id: 'iauth_1',
          object: 'issuing.authorization',
          pending_request: { amount: 4200, currency: 'usd' },
        },
      },
      'USD 42.00',
    ],
    ['cancelling a payout', 'POST /v1/payouts/po_1/cancel', '', {}, 'free'],
  ])('%s', (_name, request, form, replies, expected) => expect(quote(request, form, replies)).toBe(expected))

  test('a payment that was cancelled before it left gives its amount back', () => {
    const form = 'amount=7000&currency=usd'
    expect(outcome('POST /v1/payouts', form, payout)).toEqual({ object: 'po_1', total: 70_000_000n })
    const cancel = (status: string) => outcome('POST /v1/payouts/po_1/cancel', '', { ...payout, status })
    expect(cancel('canceled')).toEqual({ object: 'po_1', total: 0n })
    expect(cancel('paid')).toEqual({})
  })

  test('a reply that shows less than was asked for is not believed', () => {
    const form = 'amount=7000&currency=usd'
    expect(outcome('POST /v1/payouts', form, { ...payout, amount: 1 })).toEqual({ object: 'po_1', total: 70_000_000n })
  })

  test('the reply to the old way of refunding a fee shows the fee, which is not what was refunded', () => {
    expect(outcome('POST /v1/application_fees/fee_1/refund', '', fee, at.fee)).toEqual({})
  })

  test('nothing can be looked up in another account', () => {
    const headers = { 'stripe-account': 'acct_A' }
    expect(quote('POST /v1/transfers/tr_1/reversals', 'amount=1', at.transfer, { headers })).toBe('unpriceable')
  })
})

describe('where money goes', () => {
  test.each<readonly [name: string, request: string, form: string, replies: Replies, expected: readonly string[]]>([
    ['a transfer', 'POST /v1/transfers', 'amount=1&currency=usd&destination=acct_A', {}, ['acct_A']],
    ['a transfer reversed', 'POST /v1/transfers/tr_1/reversals', '', at.transfer, ['acct_A']],
    ['a fee', 'POST /v1/application_fees/fee_1/refunds', '', at.fee, ['acct_A']],
    ['a payout to the default account', 'POST /v1/payouts', 'amount=1&currency=usd', {}, ['default']],
    ['a payout', 'POST /v1/payouts', 'amount=1&currency=usd&destination=ba_1', {}, ['ba_1']],
    ['a top-up', 'POST /v1/topups', 'amount=1&currency=usd&source=src_1', {}, ['src_1']],
    [
      'a payment to a new bank account',
      'POST /v1/treasury/outbound_payments',
      'amount=1&currency=usd&financial_account=fa_1&destination_payment_method_data[type]=us_bank_account' +
        '&destination_payment_method_data[us_bank_account][account_number]=000123',
      {},
      ['new'],
    ],
    [
      'a payment inside Stripe',
      'POST /v1/treasury/outbound_payments',
      'amount=1&currency=usd&financial_account=fa_1&destination_payment_method_data[financial_account]=fa_2' +
        '&destination_payment_method_data[type]=financial_account',
      {},
      ['fa_2'],
    ],
    ['later payouts', 'POST /v1/accounts/acct_A/external_accounts', 'external_account=btok_1', {}, ['btok_1']],
    [
      'later payouts, to an account in the form',
      'POST /v1/account/external_accounts',
      'external_account[object]=bank_account&external_account[account_number]=1',
      {},
      ['new'],
    ],
    [
      'the balance',
      'POST /v1/balance_settings',
      'payments[payouts][automatic_transfer_rules_by_currency][usd][0][payout_method]=pm_2',
      {},
      ['pm_2'],
    ],
    [
      'what arrives after closing',
      'POST /v1/treasury/financial_accounts/fa_1/close',
      'forwarding_settings[payment_method]=pm_3&forwarding_settings[type]=payment_method',
      {},
      ['pm_3'],
    ],
  ])('%s', (_name, request, form, replies, expected) =>
    expect(explain(request, form, replies).explanation.subjects.beneficiaries).toEqual(expected),
  )
})

describe('cards', () => {
  const limit = (amount: number, interval: string, more = '') =>
    `spending_controls[spending_limits][0][amount]=${amount}&spending_controls[spending_limits][0][interval]=${interval}${more}`
  const card = (fields: JsonObject = {}): JsonObject => ({
    id: 'ic_1',
    object: 'issuing.card',
    currency: 'usd',
    status: 'active',
    spending_controls: { spending_limits: [{ amount: 5000, interval: 'weekly', categories: null }] },
    cardholder: { id: 'ich_1', spending_controls: { spending_limits: [], spending_limits_currency: null } },
    ...fields,
  })
  const cardholder: JsonObject = {
    id: 'ich_1',
    object: 'issuing.cardholder',
    spending_controls: {
      spending_limits: [{ amount: 20000, interval: 'monthly', categories: [] }],
      spending_limits_currency: 'usd',
    },
  }
  const create = 'currency=usd&type=virtual&cardholder=ich_1&status=active'
  const replies = { 'GET /v1/issuing/cards/ic_1': card(), 'GET /v1/issuing/cardholders/ich_1': cardholder }

  test.each<readonly [name: string, request: string, form: string, quoted: string, perMonth: string | null]>([
    ['active, daily limit', 'POST /v1/issuing/cards', `${create}&${limit(1000, 'daily')}`, 'USD 10.00', '310.00'],
    ['active, yearly limit', 'POST /v1/issuing/cards', `${create}&${limit(120000, 'yearly')}`, 'USD 1200.00', '100.00'],
    ['active, once and for all', 'POST /v1/issuing/cards', `${create}&${limit(900, 'all_time')}`, 'USD 9.00', '0.00'],
    [
      'active, limited a purchase',
      'POST /v1/issuing/cards',
      `${create}&${limit(900, 'per_authorization')}`,
      'unpriceable',
      null,
    ],
    [
      'active, limited in some shops',
      'POST /v1/issuing/cards',
      `${create}&${limit(900, 'daily', '&spending_controls[spending_limits][0][categories][0]=taxicabs_limousines')}`,
      'unpriceable',
      null,
    ],
    [
      'active, limited a purchase and to two of them',
      'POST /v1/issuing/cards',
      `${create}&${limit(900, 'per_authorization')}&lifecycle_controls[cancel_after][payment_count]=2`,
      'USD 18.00',
      '0.00',
    ],
    ['active, limited by its cardholder', 'POST /v1/issuing/cards', create, 'USD 200.00', '200.00'],
    ['inactive', 'POST /v1/issuing/cards', 'currency=usd&type=virtual&cardholder=ich_1', 'free', null],
    ['made active', 'POST /v1/issuing/cards/ic_1', 'status=active', 'USD 50.00', '220.833334'],
    ['raised', 'POST /v1/issuing/cards/ic_1', limit(9000, 'monthly'), 'USD 90.00', '90.00'],
    ['cleared', 'POST /v1/issuing/cards/ic_1', 'spending_controls=', 'unpriceable', null],
    ['made inactive', 'POST /v1/issuing/cards/ic_1', 'status=inactive', 'free', null],
    ['relabelled', 'POST /v1/issuing/cards/ic_1', 'metadata[a]=b', 'free', null],
    ['a cardholder', 'POST /v1/issuing/cardholders', 'name=A&type=individual', 'free', null],
    ['a cardholder raised', 'POST /v1/issuing/cardholders/ich_1', limit(30000, 'monthly'), 'USD 300.00', '300.00'],
    ['a cardholder cleared', 'POST /v1/issuing/cardholders/ich_1', 'spending_controls=', 'unpriceable', null],
    ['a cardholder made active', 'POST /v1/issuing/cardholders/ich_1', 'status=active', 'USD 200.00', '200.00'],
  ])('%s', (_name, request, form, quoted, perMonth) => {
    const { explanation } = explain(request, form, replies)
    expect(text(explanation)).toBe(quoted)
    expect(explanation.commits ? formatUsd(explanation.commits.perMonth) : null).toBe(perMonth)
    if (explanation.quote.basis === 'free') expect(explanation.quote.why).toMatch(/\.$/)
  })

  test('what a card may spend is counted under its id, and switching it off gives nothing back', () => {
    const form = `${create}&${limit(1000, 'daily')}`
    expect(outcome('POST /v1/issuing/cards', form, card())).toEqual({
      object: 'ic_1',
      total: 10_000_000n,
      commitment: 'ic_1',
    })
    const off = outcome('POST /v1/issuing/cards/ic_1', 'status=inactive', card({ status: 'inactive' }))
    expect(off).toEqual({ ends: 'ic_1' })
  })
})

describe('JSON bodies', () => {
  const route = 'POST /v2/money_management/outbound_payments'
  const body = {
    amount: usdAmount(4900),
    from: { currency: 'usd', financial_account: 'fa_1' },
    to: { recipient: 'acct_R', payout_method: 'usba_1' },
  }

  test('name an amount, those who get it and every currency', () => {
    const told = tell(route, { ...body, to: { ...body.to, currency: 'eur' } })
    expect(text(told)).toBe('USD 49.00')
    expect(told.subjects).toEqual({ beneficiaries: ['acct_R', 'usba_1'], currencies: ['usd', 'eur'] })
  })

  test.each<readonly [string, unknown]>([
    ['text for a number', { ...body, amount: { value: '4900', currency: 'usd' } }],
    ['a minus', { ...body, amount: usdAmount(-4900) }],
    ['a thirteenth digit', { ...body, amount: usdAmount(1_000_000_000_000) }],
    ['a bare number of unknown kind', { ...body, amount: '4900' }],
    ['an upper-case currency', { ...body, amount: { value: 4900, currency: 'USD' } }],
    ['a payee under a name we do not know', { ...body, to: { ...body.to, account: 'acct_X' } }],
    ['a payee that is no object', { ...body, to: 'acct_X' }],
    ['a list', [body]],
  ])('with %s are refused', (_name, json) => expect(text(tell(route, json))).toBe('request_malformed'))

  test.each<readonly [string, unknown]>([
    ['no amount', { ...body, amount: undefined }],
    ['a further field in the amount', { ...body, amount: { ...usdAmount(1), unit: 'major' } }],
    ['a currency nobody knows', { ...body, amount: { value: 1, currency: 'xyz' } }],
  ])('with %s have no price', (_name, json) => expect(text(tell(route, json))).toBe('unpriceable'))

  test('may hold anything where people write', () => {
    expect(text(tell(route, { ...body, metadata: { currency: 'Any', value: 'x', amount: '1' } }))).toBe('USD 49.00')
  })

  test('are checked on every operation that has one', () => {
    expect(text(tell('POST /v2/core/accounts', { defaults: { currency: 'USD' } }))).toBe('request_malformed')
  })

  const intent = { id: 'pin_1', amount: usdAmount(9900), to: { recipient: 'acct_R' }, from: { currency: 'usd' } }
  const replies: Replies = { 'GET /v2/money_management/payout_intents/pin_1': intent }

  test('a payout intent counts when it is made and is bound to its amount afterwards', () => {
    const made = tell('POST /v2/money_management/payout_intents', { ...body, confirmation_method: 'manual' })
    expect(text(made)).toBe('USD 49.00')
    expect(made.commits).toMatchObject({ kind: 'open', quantity: 1n })
    const confirmed = tell('POST /v2/money_management/payout_intents/pin_1/confirm', undefined, replies)
    expect(text(confirmed)).toBe('USD 99.00')
    expect(confirmed.object).toBe('pin_1')
    expect(confirmed.subjects.beneficiaries).toEqual(['acct_R'])
    expect(text(tell('POST /v2/money_management/payout_intents/pin_1/confirm'))).toBe('unpriceable')
  })

  test('a payout intent that waits for a day is due on it', () => {
    const later = { ...body, schedule_options: { execute_on: '2026-12-24' } }
    const made = tell('POST /v2/money_management/payout_intents', later)
    expect(made.commits).toMatchObject({ kind: 'scheduled', dueAt: Date.parse('2026-12-24T00:00:00Z') })
    expect(made.effects).toEqual(['future_spend'])
  })

  test.each([
    ['processing', undefined, 'pin_1'],
    ['pending', undefined, 'pin_1'],
    ['pending', { execute_on: '2026-12-24' }, undefined],
    ['requires_action', undefined, undefined],
  ])('confirmed and %s, with a day %j, an intent is no more open under %j', (status, schedule_options, ends) => {
    const { operation, question } = ask('POST /v2/money_management/payout_intents/pin_1/confirm')
    const reply = { ...intent, status, ...(schedule_options && { schedule_options }) }
    const told = tell('POST /v2/money_management/payout_intents/pin_1/confirm', undefined, replies)
    expect(operation.outcome!(reply, question, told)).toEqual({
      object: 'pin_1',
      total: 99_000_000n,
      ...(ends !== undefined && { ends }),
    })
  })

  test('changing the payee of an intent concerns the old and the new one', () => {
    const told = tell('POST /v2/money_management/payout_intents/pin_1', { to: { recipient: 'acct_X' } }, replies)
    expect(told.subjects.beneficiaries).toEqual(['acct_X', 'acct_R'])
    expect(text(told)).toBe('USD 99.00')
  })
})

describe('what is never priced', () => {
  test.each([
    ['POST /v2/core/batch_jobs', 'spend'],
    ['POST /v2/extend/workflows/wf_1/invoke', 'spend'],
    ['POST /v2/core/approval_requests/ar_1/execute', 'spend'],
    ['POST /v2/orchestrated_commerce/agreements', 'future_spend'],
    ['POST /v1/forwarding/requests', 'spend'],
    ['POST /v1/files', 'credential'],
  ])('%s', (request, effect) => {
    const told = tell(request)
    expect(ask(request).operation.effect).toBe(effect)
    expect(told.quote).toMatchObject({ basis: 'unpriceable', why: expect.stringMatching(/^[A-Z].*\.$/) as string })
  })

  test.each([
    'POST /oauth/token',
    'GET /oauth/authorize',
    'POST /v1/apps/installs',
    'POST /v1/stripecli/sessions',
    'POST /v1/forwarding/requests',
  ])('%s needs the operator to unlock it', (request) => {
    expect(ask(request).operation.never).toMatch(/^[A-Z].*\.$/)
  })

  test('a reading of a bank account has the price that the operator gives it', () => {
    const { operation, question } = ask('POST /v1/financial_connections/accounts/fca_1/refresh', 'features[]=balance')
    const priced: Question = {
      ...question,
      prices: { ...question.prices, flat: (name) => (name.endsWith('refresh.balance') ? '0.30' : null) },
    }
    expect(text(operation.explain!(question) as Explanation)).toBe('unpriceable')
    expect(text(operation.explain!(priced) as Explanation)).toBe('USD 0.30')
  })

  test('a session that reads every linked account has no price', () => {
    const form = 'account_holder[type]=customer&account_holder[customer]=cus_A&permissions[]=balances'
    expect(quote('POST /v1/financial_connections/sessions', form)).toBe('free')
    expect(quote('POST /v1/financial_connections/sessions', `${form}&prefetch[]=balances`)).toBe('unpriceable')
  })

  test('a locked rate has a fee, an open one has none', () => {
    expect(quote('POST /v1/fx_quotes', 'to_currency=usd&lock_duration=hour')).toBe('unpriceable')
    expect(quote('POST /v1/fx_quotes', 'to_currency=usd')).toBe('free')
  })

  test('a shared token counts what a seller can take with it', () => {
    const form = 'payment_method=pm_1&usage_limits[currency]=usd&usage_limits[max_amount]=2500&seller_details[id]=s_1'
    const { explanation } = explain('POST /v1/shared_payment/issued_tokens', form)
    expect(text(explanation)).toBe('USD 25.00')
    expect(explanation.subjects.beneficiaries).toEqual(['s_1'])
    expect(quote('POST /v1/shared_payment/issued_tokens', form.replace('2500', '2e9'))).toBe('unpriceable')
  })
})

describe('sessions of embedded pages', () => {
  const session = (components: string) =>
    explain('POST /v1/account_sessions', `account=acct_A&${components}`).explanation
  const on = (name: string, off: readonly string[] = []) =>
    [
      `components[${name}][enabled]=true`,
      ...off.map((feature) => `components[${name}][features][${feature}]=false`),
    ].join('&')

  test.each<readonly [string, string, string, boolean]>([
    ['lists', on('payouts_list'), 'free', false],
    ['onboarding', on('account_onboarding'), 'free', true],
    ['onboarding without bank account', on('account_onboarding', ['external_account_collection']), 'free', false],
    ['payouts, nothing said', on('payouts'), 'unpriceable', true],
    ['payouts, switched off', on('payouts', ['instant_payouts', 'standard_payouts']), 'free', true],
    ['refunds', on('payments', ['capture_payments', 'dispute_management']), 'unpriceable', false],
    ['a page nobody knows', on('wormhole'), 'unpriceable', false],
  ])('%s', (_name, components, quoted, routes) => {
    const explanation = session(components)
    expect(text(explanation)).toBe(quoted)
    expect(explanation.effects?.includes('routing') ?? false).toBe(routes)
  })
})

describe('secrets in replies', () => {
  const reveals = (request: string) => ask(request).operation.reveals ?? []
  test.each([
    ['GET /v1/issuing/cards/ic_1', ['cvc', 'number']],
    ['GET /v1/apps/secrets/find', ['payload']],
    ['GET /v1/webhook_endpoints/we_1', ['secret']],
    ['POST /v1/webhook_endpoints', ['secret']],
    ['POST /v2/core/event_destinations', ['signing_secret']],
    ['GET /v1/file_links/link_1', ['url']],
    ['POST /v1/account_links', ['url']],
    ['POST /v1/ephemeral_keys', ['secret']],
    ['POST /v1/financial_connections/sessions', ['client_secret']],
    ['GET /v1/financial_connections/accounts/fca_1', ['account_numbers']],
    ['GET /v1/treasury/financial_accounts/fa_1', ['account_number']],
    ['GET /v2/money_management/financial_addresses/finaddr_1', ['account_number', 'iban']],
    ['GET /v2/core/vault/us_bank_accounts/usba_1', ['account_number']],
  ])('%s withholds %j', (request, fields) => {
    expect(reveals(request)).toEqual(expect.arrayContaining(fields))
  })
})

test.each([
  ['POST /v1/account_links', 'account=acct_A&type=x&refresh_url=https://a.example&return_url=https://b.example'],
  ['POST /v1/webhook_endpoints', 'enabled_events[]=*&url=https://a.example&metadata[url]=no'],
  ['POST /v1/webhook_endpoints/we_1', 'url=https://a.example'],
  ['POST /v1/accounts/acct_A/login_links', 'redirect_url=https://a.example'],
  ['POST /v1/financial_connections/sessions', 'account_holder[customer]=cus_A&return_url=https://a.example'],
])('%s names the addresses it sends to', (request, form) => {
  const expected = form.split('&').flatMap((pair) => /=(https:.*)$/.exec(pair)?.[1] ?? [])
  expect(explain(request, form).explanation.subjects.urls).toEqual(expected)
})

describe('whose it is', () => {
  test('a bank account belongs to the customer who linked it', () => {
    const replies = {
      'GET /v1/financial_connections/accounts/fca_1': {
        id: 'fca_1',
        object: 'financial_connections.account',
        account_holder: { type: 'customer', customer: 'cus_A' },
      },
    }
    const read = (setting: Setting) =>
      explain('GET /v1/financial_connections/accounts/fca_1', '', replies, setting).explanation.subjects.customers
    expect(read({ customers: true })).toEqual(['cus_A'])
    expect(read({})).toBeNull()
  })

  test('an account of /v2 is a customer under its own id', () => {
    expect(tell('GET /v2/core/accounts/acct_A').subjects.customers).toEqual(['acct_A'])
  })

  test('a list of all connected accounts names them all', () => {
    expect(explain('GET /v1/accounts').explanation.subjects.accounts).toEqual(['*'])
  })

  test('a session for a customer is that customer’s', () => {
    const { explanation } = explain('POST /v1/customer_sessions', 'customer=cus_A')
    expect(explanation.subjects.customers).toEqual(['cus_A'])
  })
})

test('every operation of /v2 that sends a body sends JSON', () => {
  const forms = stripe.operations.filter(
    ({ routes, body }) => /^(POST|PUT|PATCH) \/v2\//.test(routes[0]) && body !== 'json',
  )
  expect(forms.map(({ id }) => id)).toEqual([])
})

/** Parameters that the SDK declares and we leave out, with the reason in vendors/stripe/README.md. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = { 'customer_sessions.create': ['customer_account'] }

describe('the parameters', () => {
  test.each([
    ['transfers.create', 'Transfers', 'TransferCreateParams'],
    ['transfers.update', 'Transfers', 'TransferUpdateParams'],
    ['transfers.reversals.create', 'Transfers', 'TransferCreateReversalParams'],
    ['payouts.create', 'Payouts', 'PayoutCreateParams'],
    ['payouts.reverse', 'Payouts', 'PayoutReverseParams'],
    ['topups.create', 'Topups', 'TopupCreateParams'],
    ['application_fees.refunds.create', 'ApplicationFees', 'ApplicationFeeCreateRefundParams'],
    ['treasury.outbound_payments.create', 'Treasury/OutboundPayments', 'OutboundPaymentCreateParams'],
    ['treasury.outbound_transfers.create', 'Treasury/OutboundTransfers', 'OutboundTransferCreateParams'],
    ['treasury.inbound_transfers.create', 'Treasury/InboundTransfers', 'InboundTransferCreateParams'],
    ['treasury.credit_reversals.create', 'Treasury/CreditReversals', 'CreditReversalCreateParams'],
    ['treasury.debit_reversals.create', 'Treasury/DebitReversals', 'DebitReversalCreateParams'],
    ['treasury.financial_accounts.create', 'Treasury/FinancialAccounts', 'FinancialAccountCreateParams'],
    ['treasury.financial_accounts.update', 'Treasury/FinancialAccounts', 'FinancialAccountUpdateParams'],
    ['treasury.financial_accounts.close', 'Treasury/FinancialAccounts', 'FinancialAccountCloseParams'],
    [
      'treasury.financial_accounts.features.update',
      'Treasury/FinancialAccounts',
      'FinancialAccountUpdateFeaturesParams',
    ],
    ['issuing.authorizations.approve', 'Issuing/Authorizations', 'AuthorizationApproveParams'],
    ['issuing.cards.create', 'Issuing/Cards', 'CardCreateParams'],
    ['issuing.cards.update', 'Issuing/Cards', 'CardUpdateParams'],
    ['issuing.cardholders.create', 'Issuing/Cardholders', 'CardholderCreateParams'],
    ['issuing.cardholders.update', 'Issuing/Cardholders', 'CardholderUpdateParams'],
    ['issuing.tokens.update', 'Issuing/Tokens', 'TokenUpdateParams'],
    ['accounts.create', 'Accounts', 'AccountCreateParams'],
    ['accounts.update', 'Accounts', 'AccountUpdateParams'],
    ['accounts.reject', 'Accounts', 'AccountRejectParams'],
    ['accounts.persons.create', 'Accounts', 'AccountCreatePersonParams'],
    ['accounts.persons.update', 'Accounts', 'AccountUpdatePersonParams'],
    ['accounts.capabilities.update', 'Accounts', 'AccountUpdateCapabilityParams'],
    ['accounts.external_accounts.create', 'Accounts', 'AccountCreateExternalAccountParams'],
    ['accounts.external_accounts.update', 'Accounts', 'AccountUpdateExternalAccountParams'],
    ['account_links.create', 'AccountLinks', 'AccountLinkCreateParams'],
    ['account_sessions.create', 'AccountSessions', 'AccountSessionCreateParams'],
    ['balance_settings.update', 'BalanceSettings', 'BalanceSettingsUpdateParams'],
    ['customer_sessions.create', 'CustomerSessions', 'CustomerSessionCreateParams'],
    ['ephemeral_keys.create', 'EphemeralKeys', 'EphemeralKeyCreateParams'],
    ['webhook_endpoints.create', 'WebhookEndpoints', 'WebhookEndpointCreateParams'],
    ['webhook_endpoints.update', 'WebhookEndpoints', 'WebhookEndpointUpdateParams'],
    ['file_links.create', 'FileLinks', 'FileLinkCreateParams'],
    ['apps.secrets.create', 'Apps/Secrets', 'SecretCreateParams'],
    ['apps.secrets.delete_where', 'Apps/Secrets', 'SecretDeleteWhereParams'],
    ['financial_connections.sessions.create', 'FinancialConnections/Sessions', 'SessionCreateParams'],
    ['financial_connections.accounts.refresh', 'FinancialConnections/Accounts', 'AccountRefreshParams'],
    ['financial_connections.accounts.subscribe', 'FinancialConnections/Accounts', 'AccountSubscribeParams'],
    ['forwarding.requests.create', 'Forwarding/Requests', 'RequestCreateParams'],
    ['v2.core.accounts.create', 'V2/Core/Accounts', 'AccountCreateParams'],
    ['v2.core.accounts.update', 'V2/Core/Accounts', 'AccountUpdateParams'],
    ['v2.core.accounts.close', 'V2/Core/Accounts', 'AccountCloseParams'],
    ['v2.core.account_links.create', 'V2/Core/AccountLinks', 'AccountLinkCreateParams'],
    ['v2.core.event_destinations.create', 'V2/Core/EventDestinations', 'EventDestinationCreateParams'],
    ['v2.core.event_destinations.update', 'V2/Core/EventDestinations', 'EventDestinationUpdateParams'],
    [
      'v2.money_management.outbound_payments.create',
      'V2/MoneyManagement/OutboundPayments',
      'OutboundPaymentCreateParams',
    ],
    [
      'v2.money_management.inbound_transfers.create',
      'V2/MoneyManagement/InboundTransfers',
      'InboundTransferCreateParams',
    ],
    ['v2.money_management.payout_intents.create', 'V2/MoneyManagement/PayoutIntents', 'PayoutIntentCreateParams'],
    ['v2.money_management.payout_intents.update', 'V2/MoneyManagement/PayoutIntents', 'PayoutIntentUpdateParams'],
    [
      'v2.money_management.outbound_setup_intents.create',
      'V2/MoneyManagement/OutboundSetupIntents',
      'OutboundSetupIntentCreateParams',
    ],
    [
      'v2.money_management.outbound_setup_intents.update',
      'V2/MoneyManagement/OutboundSetupIntents',
      'OutboundSetupIntentUpdateParams',
    ],
  ] as const)('of %s are those the SDK declares', (id, file, name) => {
    const accepts = new Set(stripe.operations.find((operation) => operation.id === id)!.accepts)
    const missing = declared(file, name).filter((param) => param !== 'expand' && !accepts.has(param))
    expect(missing).toEqual(LEFT_OUT[id] ?? [])
  })
})

/** Top-level fields of an interface in the SDK's declarations. */
function declared(file: string, name: string): string[] {
  const url = new URL(`../../node_modules/stripe/esm/resources/${file}.d.ts`, import.meta.url)
  const source = readFileSync(url, 'utf8').replaceAll(/\/\*[^]*?\*\//g, '')
  const body = new RegExp(`^( *)(?:export )?interface ${name} \\{\\n([^]*?)^\\1\\}`, 'm').exec(source)![2]!
  const indent = /^ +(?=\w)/m.exec(body)![0]
  return [...body.matchAll(new RegExp(`^${indent}(\\w+)\\??:`, 'gm'))].map((found) => found[1]!)
}
