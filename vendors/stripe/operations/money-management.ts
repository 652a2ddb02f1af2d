import type { Commitment } from '../../../src/contracts/call.js'
import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { findAt } from '../lookups.js'
import { operation, rows, type Draft } from '../operation.js'
import { atLeast, brings, costs, FREE, open, priceOf, reached } from '../pricing.js'
import { text } from '../replies.js'
import { PREVIEW_SDK, SDK } from '../sources.js'
import { amountAt, at, bodyOf, strangerIn, textAt } from './json.js'
import { cancels } from './payouts.js'
import { DEFAULT_ACCOUNT, NEW_ACCOUNT, reads } from './plain.js'
import { SECRETS } from './reads.js'

const v2 = (draft: Draft): Operation => operation({ body: 'json', ...draft })

/**
 * Global payouts and the accounts behind them (/v2/money_management, JSON). A payout intent counts in full from its
 * creation, confirmed or not, like a payment intent.
 */
export const moneyManagement: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  v2({
    id: 'v2.money_management.outbound_payments.create',
    routes: ['POST /v2/money_management/outbound_payments'],
    effect: 'spend',
    accepts: 'amount description from metadata recipient_notification recipient_verification statement_descriptor to',
    explain: (question) => pays(question, 'out', recipients(bodyOf(question))),
    outcome: onItsWay,
  }),
  v2({
    id: 'v2.money_management.outbound_transfers.create',
    routes: ['POST /v2/money_management/outbound_transfers'],
    effect: 'spend',
    preview: true,
    source: PREVIEW_SDK,
    accepts: 'amount description from metadata statement_descriptor to',
    explain: (question) => pays(question, 'out', recipients(bodyOf(question))),
    outcome: onItsWay,
  }),
  v2({
    id: 'v2.money_management.inbound_transfers.create',
    routes: ['POST /v2/money_management/inbound_transfers'],
    effect: 'spend',
    accepts: 'amount description from to',
    explain: (question) => {
      const body = bodyOf(question)
      return pays(question, 'in', [textAt(body, 'to.financial_account'), textAt(body, 'from.payment_method')])
    },
    outcome: onItsWay,
  }),
  v2({
    id: 'v2.money_management.payout_intents.create',
    routes: ['POST /v2/money_management/payout_intents'],
    effect: 'spend',
    accepts: `amount confirmation_method description from metadata recipient_notification schedule_options
      statement_descriptor to`,
    explain: (question) => {
      const body = bodyOf(question)
      const paid = pays(question, 'out', recipients(body))
      const commits = later(body)
      return commits === null ? paid : { ...paid, commits, effects: ['future_spend'] }
    },
    outcome: onItsWay,
  }),
  v2({
    id: 'v2.money_management.payout_intents.update',
    routes: ['POST /v2/money_management/payout_intents/{payout_intent}'],
    effect: 'routing',
    accepts: 'description metadata recipient_notification schedule_options statement_descriptor to',
    explain: (question) =>
      onIntent(question, (intent) => {
        const body = bodyOf(question)
        const commits = later(body)
        return {
          ...(commits !== null && {
            commits: { ...commits, object: question.path.payout_intent! },
            effects: ['future_spend' as const],
          }),
          beneficiaries: [...(at(body, 'to') === undefined ? [] : recipients(body)), ...recipients(intent)],
        }
      }),
    outcome: onItsWay,
  }),
  v2({
    id: 'v2.money_management.payout_intents.confirm',
    routes: ['POST /v2/money_management/payout_intents/{payout_intent}/confirm'],
    effect: 'spend',
    accepts: '',
    explain: (question) => onIntent(question, (intent) => ({ beneficiaries: recipients(intent) })),
    outcome: (reply, question) => ({
      ...onItsWay(reply, question),
      ...(!waits(reply) && { ends: question.path.payout_intent! }),
    }),
  }),
  ...[
    ['v2.money_management.outbound_payments.cancel', 'outbound_payments', SDK],
    ['v2.money_management.outbound_transfers.cancel', 'outbound_transfers', PREVIEW_SDK],
    ['v2.money_management.payout_intents.cancel', 'payout_intents', SDK],
  ].map(([id, name, source]) =>
    v2({
      id: id!,
      routes: [`POST /v2/money_management/${name}/{id}/cancel`],
      effect: 'destructive',
      ...(source === PREVIEW_SDK && { preview: true as const }),
      source: source!,
      accepts: '',
      why: 'It costs nothing: only what has not left yet can be cancelled.',
      explain: (question) => cancels(question, question.path.id!),
      outcome: (reply, question) =>
        reply.status === 'canceled' ? { object: question.path.id!, total: ZERO, ends: question.path.id! } : {},
    }),
  ),
  v2({
    id: 'v2.money_management.outbound_setup_intents.create',
    routes: ['POST /v2/money_management/outbound_setup_intents'],
    effect: 'routing',
    accepts: 'payout_method payout_method_data usage_intent',
    why: 'It moves nothing now, but adds a bank account or card that money can be sent to.',
    explain: setUp,
  }),
  v2({
    id: 'v2.money_management.outbound_setup_intents.update',
    routes: ['POST /v2/money_management/outbound_setup_intents/{outbound_setup_intent}'],
    effect: 'routing',
    accepts: 'payout_method payout_method_data',
    why: 'It moves nothing now, but changes a bank account or card that money can be sent to.',
    explain: setUp,
  }),
  v2({
    id: 'v2.money_management.financial_accounts.close',
    routes: ['POST /v2/money_management/financial_accounts/{financial_account}/close'],
    effect: 'routing',
    preview: true,
    source: PREVIEW_SDK,
    accepts: 'forwarding_settings',
    why: 'It moves nothing now, but what arrives later is forwarded to the accounts it names.',
    explain: (question) => {
      const body = bodyOf(question)
      const forwarded = ['payment_method', 'payout_method'].flatMap(
        (name) => textAt(body, `forwarding_settings.${name}`) ?? [],
      )
      return { quote: FREE, subjects: forwarded.length > 0 ? { beneficiaries: forwarded } : {} }
    },
  }),
  ...rows(
    { effect: 'destructive', body: 'json', why: 'It costs nothing: it gives up a bank account that was being added.' },
    'v2.money_management.outbound_setup_intents.cancel POST /v2/money_management/outbound_setup_intents/{id}/cancel',
  ),
  ...rows(
    {
      effect: 'routing',
      body: 'json',
      why: 'It moves nothing now, but decides where money can be sent to or received.',
      reveals: ['account_number', 'iban'],
    },
    `
    v2.money_management.financial_addresses.create          POST /v2/money_management/financial_addresses
    v2.money_management.payout_methods.archive              POST /v2/money_management/payout_methods/{id}/archive
    v2.money_management.payout_methods.unarchive            POST /v2/money_management/payout_methods/{id}/unarchive
    v2.money_management.recipient_verifications.acknowledge POST /v2/money_management/recipient_verifications/{id}/acknowledge
    `,
  ),
  ...rows(
    {
      effect: 'routing',
      body: 'json',
      preview: true,
      source: PREVIEW_SDK,
      why: 'It moves nothing now, but decides where money can be sent to or received.',
    },
    `
    v2.money_management.financial_accounts.create POST /v2/money_management/financial_accounts
    v2.money_management.payout_methods.disable    POST /v2/money_management/payout_methods/{id}/disable
    `,
  ),
  ...rows(
    { effect: 'write', body: 'json', why: 'It moves no money: names, checks, receipts and quotes.' },
    `
    v2.money_management.financial_accounts.update                     POST /v2/money_management/financial_accounts/{id}
    v2.money_management.payout_intents.refresh_fx_quote               POST /v2/money_management/payout_intents/{id}/refresh_fx_quote
    v2.money_management.payout_intents.refresh_recipient_verification POST /v2/money_management/payout_intents/{id}/refresh_recipient_verification
    v2.money_management.recipient_verifications.create                POST /v2/money_management/recipient_verifications
    v2.money_management.transactions.update                           POST /v2/money_management/transactions/{id}
    v2.money_management.transactions.refresh_regulatory_receipt       POST /v2/money_management/transactions/{id}/refresh_regulatory_receipt
    `,
  ),
  ...rows(
    { effect: 'write', body: 'json', why: 'It exists for test keys only, which hold no money.' },
    'v2.money_management.test_helpers.financial_addresses.credit POST /v2/money_management/test_helpers/financial_addresses/{id}/credit',
  ),
  ...rows(
    {
      effect: 'write',
      body: 'json',
      preview: true,
      source: PREVIEW_SDK,
      why: 'It moves no money: a quote shows what a payment would cost.',
    },
    'v2.money_management.outbound_payment_quotes.create POST /v2/money_management/outbound_payment_quotes',
  ),
  ...reads(
    `
    v2.money_management.adjustments.list                      GET /v2/money_management/adjustments
    v2.money_management.adjustments.retrieve                  GET /v2/money_management/adjustments/{id}
    v2.money_management.financial_accounts.list               GET /v2/money_management/financial_accounts
    v2.money_management.financial_accounts.retrieve           GET /v2/money_management/financial_accounts/{id}
    v2.money_management.financial_addresses.list              GET /v2/money_management/financial_addresses
    v2.money_management.financial_addresses.retrieve          GET /v2/money_management/financial_addresses/{id}
    v2.money_management.inbound_transfers.list                GET /v2/money_management/inbound_transfers
    v2.money_management.inbound_transfers.retrieve            GET /v2/money_management/inbound_transfers/{id}
    v2.money_management.outbound_payments.list                GET /v2/money_management/outbound_payments
    v2.money_management.outbound_payments.retrieve            GET /v2/money_management/outbound_payments/{id}
    v2.money_management.outbound_setup_intents.list           GET /v2/money_management/outbound_setup_intents
    v2.money_management.outbound_setup_intents.retrieve       GET /v2/money_management/outbound_setup_intents/{id}
    v2.money_management.payout_intents.list                   GET /v2/money_management/payout_intents
    v2.money_management.payout_intents.retrieve               GET /v2/money_management/payout_intents/{id}
    v2.money_management.payout_methods.list                   GET /v2/money_management/payout_methods
    v2.money_management.payout_methods.retrieve               GET /v2/money_management/payout_methods/{id}
    v2.money_management.payout_methods_bank_account_spec.list GET /v2/money_management/payout_methods_bank_account_spec
    v2.money_management.received_credits.list                 GET /v2/money_management/received_credits
    v2.money_management.received_credits.retrieve             GET /v2/money_management/received_credits/{id}
    v2.money_management.recipient_verifications.retrieve      GET /v2/money_management/recipient_verifications/{id}
    v2.money_management.transaction_entries.list              GET /v2/money_management/transaction_entries
    v2.money_management.transaction_entries.retrieve          GET /v2/money_management/transaction_entries/{id}
    v2.money_management.transactions.list                     GET /v2/money_management/transactions
    v2.money_management.transactions.retrieve                 GET /v2/money_management/transactions/{id}
    `,
    { reveals: ['account_number', 'iban'] },
  ),
])

/** Fields of `from` and `to` that are understood; another one could name another payer or payee. */
const SHAPE = {
  from: ['currency', 'financial_account', 'payment_method'],
  to: ['currency', 'financial_account', 'payout_method', 'payout_method_options', 'recipient'],
  schedule_options: ['execute_on'],
}

/** A payment of `amount` between what `from` and `to` name. */
function pays(question: Question, direction: 'in' | 'out', beneficiaries: readonly (string | null)[]): Explanation {
  const body = bodyOf(question)
  const stranger = strangerIn(body, SHAPE)
  if (stranger !== null) return unread(stranger)
  const amount = amountAt(body, 'amount')
  const named = beneficiaries.filter((one) => one !== null)
  return {
    direction,
    subjects: { beneficiaries: named.length > 0 ? named : [DEFAULT_ACCOUNT], currencies: currenciesIn(body, amount) },
    ...costs(priceOf(question, amount?.value, amount?.currency)),
  }
}

/** A call on a payout intent, which counts for its whole amount from then on. */
function onIntent(
  question: Question,
  say: (
    intent: JsonObject,
  ) => { readonly beneficiaries: readonly (string | null)[] } & Pick<Explanation, 'commits' | 'effects'>,
): Explained {
  const id = question.path.payout_intent!
  const stranger = strangerIn(bodyOf(question), SHAPE)
  if (stranger !== null) return unread(stranger)
  return findAt(
    `/v2/money_management/payout_intents/${id}`,
    (reply) => reply.id === id,
    (intent) => {
      const amount = amountAt(intent, 'amount')
      const { beneficiaries, ...more } = say(intent)
      const named = beneficiaries.filter((one) => one !== null)
      return {
        ...brings(id, priceOf(question, amount?.value, amount?.currency)),
        ...more,
        direction: 'out',
        subjects: {
          beneficiaries: named.length > 0 ? named : [DEFAULT_ACCOUNT],
          currencies: [...currenciesIn(intent, amount), ...currenciesIn(bodyOf(question), null)],
        },
      }
    },
  )
}

const recipients = (json: JsonObject): readonly (string | null)[] => [
  textAt(json, 'to.recipient'),
  textAt(json, 'to.payout_method'),
  textAt(json, 'to.financial_account'),
]

const currenciesIn = (json: JsonObject, amount: { readonly currency: string } | null): readonly string[] => [
  ...new Set(
    [amount?.currency, textAt(json, 'from.currency'), textAt(json, 'to.currency')].filter((one) => one != null),
  ),
]

/** What an intent makes happen without another call; null when it goes out at once. */
function later(body: JsonObject): Commitment | null {
  const on = textAt(body, 'schedule_options.execute_on')
  if (on !== null) {
    const dueAt = Date.parse(on)
    return { kind: 'scheduled', perMonth: ZERO, dueAt: Number.isNaN(dueAt) ? null : dueAt, quantity: 1n }
  }
  return textAt(body, 'confirmation_method') === 'manual' ? open(1n) : null
}

/** Whether an intent is still to be confirmed or to come to its day. */
const waits = (intent: JsonObject): boolean =>
  intent.status === 'requires_action' ||
  (intent.status === 'pending' && textAt(intent, 'schedule_options.execute_on') !== null)

/** What a payment that can still be cancelled counts for. */
function onItsWay(reply: JsonObject, question: Question): Outcome {
  const moved = amountAt(reply, 'amount')
  const asked = amountAt(bodyOf(question), 'amount')?.value
  return reached(question, text(reply.id), atLeast(asked, moved?.value ?? null), moved?.currency ?? null)
}

function setUp(question: Question): Explanation {
  const body = bodyOf(question)
  const method = textAt(body, 'payout_method')
  const named = [
    ...(method === null ? [] : [method]),
    ...(at(body, 'payout_method_data') === undefined ? [] : [NEW_ACCOUNT]),
  ]
  return { quote: FREE, subjects: named.length > 0 ? { beneficiaries: named } : {} }
}

function unread(field: string): Explanation {
  const message = `The field «${field.slice(0, 60)}» is not known and could change who pays or gets the money. Do not retry with it.`
  return { quote: { basis: 'unpriceable', why: message }, subjects: {}, refuse: { code: 'request_malformed', message } }
}
