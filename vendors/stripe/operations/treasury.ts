import type { Explained, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, type Kind } from '../lookups.js'
import { operation } from '../operation.js'
import { cost, costs, FREE, priceOf } from '../pricing.js'
import { integer, text } from '../replies.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { cancelled, cancels, moves, onItsWay } from './payouts.js'
import { DEFAULT_ACCOUNT, NEW_ACCOUNT, reads } from './plain.js'
import { ownedList, ownedRead, SECRETS } from './reads.js'

const FLOWS: readonly (readonly [id: string, route: string, accepts: string])[] = [
  ['treasury.financial_accounts.create', '', 'features metadata nickname platform_restrictions supported_currencies'],
  [
    'treasury.financial_accounts.update',
    '/{financial_account}',
    'features forwarding_settings metadata nickname platform_restrictions',
  ],
  ['treasury.financial_accounts.close', '/{financial_account}/close', 'forwarding_settings'],
  [
    'treasury.financial_accounts.features.update',
    '/{financial_account}/features',
    `card_issuing deposit_insurance financial_addresses inbound_transfers intra_stripe_flows outbound_payments
      outbound_transfers`,
  ],
]

/** Bank accounts at Stripe: what leaves and enters them, and what they may do by themselves. */
export const treasury: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'treasury.outbound_payments.create',
    routes: ['POST /v1/treasury/outbound_payments'],
    effect: 'spend',
    accepts: `amount currency customer description destination_payment_method destination_payment_method_data
      destination_payment_method_options end_user_details financial_account metadata statement_descriptor`,
    explain: (question) => moves(question, 'out', destinations(question), ownersNamed(question)),
    outcome: onItsWay,
  }),
  operation({
    id: 'treasury.outbound_transfers.create',
    routes: ['POST /v1/treasury/outbound_transfers'],
    effect: 'spend',
    accepts: `amount currency description destination_payment_method destination_payment_method_data
      destination_payment_method_options financial_account metadata statement_descriptor`,
    explain: (question) => moves(question, 'out', destinations(question)),
    outcome: onItsWay,
  }),
  operation({
    id: 'treasury.inbound_transfers.create',
    routes: ['POST /v1/treasury/inbound_transfers'],
    effect: 'spend',
    accepts: 'amount currency description financial_account metadata origin_payment_method statement_descriptor',
    explain: (question) =>
      moves(question, 'in', [question.params.get('financial_account'), question.params.get('origin_payment_method')]),
    outcome: onItsWay,
  }),
  ...(['outbound_payment', 'outbound_transfer', 'inbound_transfer'] as const).map((name) =>
    operation({
      id: `treasury.${name}s.cancel`,
      routes: [`POST /v1/treasury/${name}s/{${name}}/cancel`],
      effect: 'destructive',
      accepts: '',
      why: 'It costs nothing: only what has not left yet can be cancelled.',
      explain: (question) => cancels(question, question.path[name]!),
      outcome: cancelled,
    }),
  ),
  operation({
    id: 'treasury.credit_reversals.create',
    routes: ['POST /v1/treasury/credit_reversals'],
    effect: 'spend',
    accepts: 'metadata received_credit',
    explain: (question) => reverses(question, 'treasury.received_credit', 'received_credit', 'out'),
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  operation({
    id: 'treasury.debit_reversals.create',
    routes: ['POST /v1/treasury/debit_reversals'],
    effect: 'spend',
    accepts: 'metadata received_debit',
    explain: (question) => reverses(question, 'treasury.received_debit', 'received_debit', 'in'),
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  ...FLOWS.map(([id, route, accepts]) =>
    operation({
      id,
      routes: [`POST /v1/treasury/financial_accounts${route}`],
      effect: 'routing',
      accepts,
      why: 'It moves nothing now, but decides which ways money may take and where what arrives is forwarded to.',
      reveals: ['account_number'],
      explain: (question) => ({ quote: FREE, subjects: subjects(question, { beneficiaries: forwardedTo(question) }) }),
    }),
  ),
  ...reads(
    `
    treasury.financial_accounts.list              GET /v1/treasury/financial_accounts
    treasury.financial_accounts.retrieve          GET /v1/treasury/financial_accounts/{financial_account}
    treasury.financial_accounts.features.retrieve GET /v1/treasury/financial_accounts/{financial_account}/features
    treasury.outbound_transfers.list       GET /v1/treasury/outbound_transfers
    treasury.outbound_transfers.retrieve   GET /v1/treasury/outbound_transfers/{outbound_transfer}
    treasury.inbound_transfers.list        GET /v1/treasury/inbound_transfers
    treasury.inbound_transfers.retrieve    GET /v1/treasury/inbound_transfers/{inbound_transfer}
    treasury.credit_reversals.list         GET /v1/treasury/credit_reversals
    treasury.credit_reversals.retrieve     GET /v1/treasury/credit_reversals/{credit_reversal}
    treasury.debit_reversals.list          GET /v1/treasury/debit_reversals
    treasury.debit_reversals.retrieve      GET /v1/treasury/debit_reversals/{debit_reversal}
    treasury.received_credits.list         GET /v1/treasury/received_credits
    treasury.received_credits.retrieve     GET /v1/treasury/received_credits/{received_credit}
    treasury.received_debits.list          GET /v1/treasury/received_debits
    treasury.received_debits.retrieve      GET /v1/treasury/received_debits/{received_debit}
    treasury.transaction_entries.list      GET /v1/treasury/transaction_entries
    treasury.transaction_entries.retrieve  GET /v1/treasury/transaction_entries/{transaction_entry}
    treasury.transactions.list             GET /v1/treasury/transactions
    treasury.transactions.retrieve         GET /v1/treasury/transactions/{transaction}
    `,
    { reveals: ['account_number'] },
  ),
  ownedList('treasury.outbound_payments.list', '/v1/treasury/outbound_payments'),
  ownedRead(
    'treasury.outbound_payments.retrieve',
    '/v1/treasury/outbound_payments/{outbound_payment}',
    'treasury.outbound_payment',
    'outbound_payment',
  ),
])

const forwardedTo = ({ params }: Question): readonly (string | undefined)[] =>
  ['financial_account', 'payment_method'].map((name) => params.get(`forwarding_settings[${name}]`))

/** Where an outbound payment or transfer goes: a saved method, an account at Stripe, or a bank account made up in the form. */
function destinations({ params }: Question): readonly (string | undefined)[] {
  const data = 'destination_payment_method_data'
  const account = params.get(`${data}[financial_account]`)
  const named = [params.get('destination_payment_method'), account]
  if (params.has(`${data}[us_bank_account]`) || (params.has(data) && !account)) return [...named, NEW_ACCOUNT]
  return named.some(Boolean) ? named : [DEFAULT_ACCOUNT]
}

/** A payment may be to a customer or to somebody who is none. */
const ownersNamed = ({ params }: Question): readonly string[] | null => owners(params.get('customer'))

/** Sends back what a bank has sent or taken: all of it, and the request names only the movement. */
function reverses(question: Question, kind: Kind, parameter: string, direction: 'in' | 'out'): Explained {
  const id = question.params.get(parameter)
  if (!id) {
    const why = `${parameter} is missing, so what is reversed and its amount are unknown.`
    return { quote: { basis: 'unpriceable', why }, direction, subjects: subjects(question, {}) }
  }
  return find(kind, id, (found: JsonObject) => ({
    direction,
    subjects: subjects(question, { currencies: [text(found.currency)] }),
    ...costs(priceOf(question, integer(found.amount), text(found.currency))),
  }))
}
