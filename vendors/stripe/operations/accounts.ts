import type { Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { segments } from '../grammar.js'
import { product } from '../../table.js'
import { operation, rows, type Draft } from '../operation.js'
import { FREE } from '../pricing.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { EVERY_ACCOUNT, payoutAccountIn, reads } from './plain.js'
import { SECRETS } from './reads.js'

const ROUTING = 'It moves nothing now, but decides which bank account or card later payouts go to.'

/** A change of where payouts go, with the bank account or card it names. */
const routing = (draft: Omit<Draft, 'effect' | 'explain'>): Operation =>
  operation({ why: ROUTING, ...draft, effect: 'routing', explain: redirects })

const PERSON = `additional_tos_acceptances address address_kana address_kanji dob documents email first_name
  first_name_kana first_name_kanji full_name_aliases gender id_number id_number_secondary last_name last_name_kana
  last_name_kanji maiden_name metadata nationality person_token phone political_exposure registered_address relationship
  ssn_last_4 us_cfpb_data verification`

const BANK_ACCOUNT = `account_holder_name account_holder_type account_type address_city address_country address_line1
  address_line2 address_state address_zip default_for_currency documents exp_month exp_year metadata name`

/**
 * Connected accounts and our own: who they are and where their money is paid out. Every call that names an account is
 * about that account (see `common` in ../index.ts).
 */
export const accounts: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  routing({
    id: 'accounts.create',
    routes: ['POST /v1/accounts'],
    accepts: `account_token business_profile business_type capabilities company controller country default_currency
      documents email external_account groups individual metadata settings tos_acceptance type`,
  }),
  routing({
    id: 'accounts.update',
    routes: ['POST /v1/accounts/{account}', 'POST /v1/account'],
    accepts: `account_token business_profile business_type capabilities company default_currency documents email
      external_account groups individual metadata settings tos_acceptance`,
  }),
  routing({
    id: 'accounts.external_accounts.create',
    routes: [
      'POST /v1/accounts/{account}/external_accounts',
      'POST /v1/accounts/{account}/bank_accounts',
      'POST /v1/account/external_accounts',
      'POST /v1/account/bank_accounts',
    ],
    accepts: 'bank_account default_for_currency external_account metadata',
  }),
  routing({
    id: 'accounts.external_accounts.update',
    routes: [
      'POST /v1/accounts/{account}/external_accounts/{id}',
      'POST /v1/accounts/{account}/bank_accounts/{id}',
      'POST /v1/account/external_accounts/{id}',
      'POST /v1/account/bank_accounts/{id}',
      'POST /v1/external_accounts/{id}',
    ],
    accepts: BANK_ACCOUNT,
  }),
  routing({
    id: 'accounts.external_accounts.delete',
    routes: [
      'DELETE /v1/accounts/{account}/external_accounts/{id}',
      'DELETE /v1/accounts/{account}/bank_accounts/{id}',
      'DELETE /v1/account/external_accounts/{id}',
      'DELETE /v1/account/bank_accounts/{id}',
    ],
    accepts: '',
    why: 'It moves nothing now, but later payouts go to another bank account or card, or to none.',
  }),
  routing({
    id: 'balance_settings.update',
    routes: ['POST /v1/balance_settings'],
    accepts: 'payments',
    why: 'It moves nothing now, but decides when, how much and to which bank account the balance is paid out.',
  }),
  routing({
    id: 'accounts.unreject',
    routes: ['POST /v1/accounts/{account}/unreject'],
    accepts: '',
    why: 'It moves nothing now, but payments and payouts of the account go on.',
  }),

  ...rows(
    {
      effect: 'destructive',
      accepts: 'payouts_action reason',
      why: 'It costs nothing: the account can no longer be used.',
    },
    `
    accounts.delete DELETE /v1/accounts/{account} DELETE /v1/account
    accounts.reject POST /v1/accounts/{account}/reject
    `,
  ),
  ...rows(
    { effect: 'destructive', accepts: '', why: 'It costs nothing: a person is taken off the account.' },
    `
    accounts.persons.delete DELETE /v1/accounts/{account}/persons/{person} DELETE /v1/accounts/{account}/people/{person} DELETE /v1/account/persons/{person} DELETE /v1/account/people/{person}
    `,
  ),
  ...rows(
    { effect: 'write', accepts: PERSON, why: 'It costs nothing: it says who stands behind an account.' },
    `
    accounts.persons.create POST /v1/accounts/{account}/persons POST /v1/accounts/{account}/people POST /v1/account/persons POST /v1/account/people
    accounts.persons.update POST /v1/accounts/{account}/persons/{person} POST /v1/accounts/{account}/people/{person} POST /v1/account/persons/{person} POST /v1/account/people/{person}
    `,
  ),
  ...rows(
    {
      effect: 'write',
      accepts: 'requested',
      why: 'It moves nothing: it asks Stripe to let an account use a kind of payment.',
    },
    'accounts.capabilities.update POST /v1/accounts/{account}/capabilities/{capability} POST /v1/account/capabilities/{capability}',
  ),

  operation({
    id: 'account_links.create',
    routes: ['POST /v1/account_links'],
    effect: 'credential',
    accepts: 'account collect collection_options refresh_url return_url type',
    why: 'It costs nothing, but whoever has the link can change the account, its bank account included.',
    reveals: ['url'],
  }),
  operation({
    id: 'accounts.login_links.create',
    routes: ['POST /v1/accounts/{account}/login_links', 'POST /v1/account/login_links'],
    effect: 'credential',
    accepts: 'redirect_url',
    why: 'It costs nothing, but whoever has the link can pay out the balance and change the bank account.',
    reveals: ['url'],
  }),
  operation({
    id: 'account_sessions.create',
    routes: ['POST /v1/account_sessions'],
    effect: 'credential',
    accepts: 'account components',
    why: 'It costs nothing, but its secret opens pages of the account to a browser.',
    reveals: ['client_secret'],
    explain: openSession,
  }),

  operation({
    id: 'accounts.list',
    routes: ['GET /v1/accounts'],
    effect: 'read',
    explain: () => ({ quote: FREE, subjects: { accounts: EVERY_ACCOUNT } }),
  }),
  ...reads(
    `
    accounts.retrieve                   GET /v1/accounts/{account} GET /v1/account
    accounts.capabilities.list          GET /v1/accounts/{account}/capabilities GET /v1/account/capabilities
    accounts.capabilities.retrieve      GET /v1/accounts/{account}/capabilities/{capability} GET /v1/account/capabilities/{capability}
    accounts.external_accounts.list     GET /v1/accounts/{account}/external_accounts GET /v1/account/external_accounts
    accounts.external_accounts.retrieve GET /v1/accounts/{account}/external_accounts/{id} GET /v1/account/external_accounts/{id}
    accounts.persons.list               GET /v1/accounts/{account}/persons GET /v1/account/persons
    accounts.persons.retrieve           GET /v1/accounts/{account}/persons/{person} GET /v1/account/persons/{person}
    `,
  ),
])

/** Names every payout method and bank account that the form would bring into play. */
function redirects(question: Question): Explanation {
  const methods = question.params
    .entries()
    .flatMap(([name, value]) => (segments(name).at(-1) === 'payout_method' && value !== '' ? [value] : []))
  return {
    quote: FREE,
    subjects: subjects(question, {
      beneficiaries: [
        ...payoutAccountIn(question, 'external_account'),
        ...payoutAccountIn(question, 'bank_account'),
        ...methods,
      ],
    }),
  }
}

/** What a component of Stripe's embedded pages lets a browser do, by the features it is switched off with. Left out, most of them are on. */
const COMPONENTS: Readonly<
  Record<string, { readonly moves?: readonly string[]; readonly redirects?: readonly string[] }>
> = {
  account_management: { redirects: ['external_account_collection'] },
  account_onboarding: { redirects: ['external_account_collection'] },
  balance_report: {},
  balances: {
    moves: ['instant_payouts', 'standard_payouts'],
    redirects: ['edit_payout_schedule', 'external_account_collection'],
  },
  disputes_list: { moves: ['capture_payments', 'dispute_management', 'refund_management'] },
  documents: {},
  financial_account: { moves: ['send_money', 'transfer_balance'], redirects: ['external_account_collection'] },
  financial_account_transactions: {},
  instant_payouts_promotion: { moves: ['instant_payouts'], redirects: ['external_account_collection'] },
  issuing_card: { moves: ['card_management', 'spend_control_management'] },
  issuing_cards_list: { moves: ['card_management', 'spend_control_management'] },
  notification_banner: { redirects: ['external_account_collection'] },
  payment_details: { moves: ['capture_payments', 'dispute_management', 'refund_management'] },
  payment_disputes: { moves: ['dispute_management', 'refund_management'] },
  payment_method_settings: {},
  payments: { moves: ['capture_payments', 'dispute_management', 'refund_management'] },
  payout_details: {},
  payout_reconciliation_report: {},
  payouts: {
    moves: ['instant_payouts', 'standard_payouts'],
    redirects: ['edit_payout_schedule', 'external_account_collection'],
  },
  payouts_list: {},
  reporting_chart: {},
  tax_registrations: {},
  tax_settings: {},
}

/** A session's secret lets a browser do what its components offer, without another call that passes here. */
function openSession(question: Question): Explanation {
  const components = question.params.map('components')
  const on = components.names().filter((name) => components.get(`${name}[enabled]`) !== 'false')
  const left = (name: string, features: readonly string[] = []): readonly string[] =>
    features.filter((feature) => components.get(`${name}[features][${feature}]`) !== 'false')
  const redirects = on.some((name) => left(name, COMPONENTS[name]?.redirects).length > 0)
  const moving = on.flatMap((name) => {
    const component = Object.hasOwn(COMPONENTS, name) ? COMPONENTS[name] : undefined
    return component
      ? left(name, component.moves).map((feature) => `components[${name}][features][${feature}]`)
      : [`components[${name}]`]
  })[0]
  const about = { subjects: subjects(question, {}), ...(redirects && { effects: ['routing' as const] }) }
  if (moving === undefined) return { quote: FREE, ...about }
  const why = `With ${moving} the session lets a browser move money that nobody can count beforehand; switch it off.`
  return { quote: { basis: 'unpriceable', why }, ...about }
}
