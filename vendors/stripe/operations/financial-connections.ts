import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { priced, sumOfProducts } from '../../../src/contracts/money.js'
import { product } from '../../table.js'
import { find } from '../lookups.js'
import { operation } from '../operation.js'
import { FREE } from '../pricing.js'
import { idIn, object } from '../replies.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { readsOfAnybody } from './plain.js'
import { SECRETS } from './reads.js'

const BANK_SECRETS = [...SECRETS, 'account_number', 'account_numbers']

/** Bank accounts of customers, read with their consent. Stripe bills every reading by the contract's own prices. */
export const financialConnections: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'financial_connections.sessions.create',
    routes: ['POST /v1/financial_connections/sessions', 'POST /v1/link_account_sessions'],
    effect: 'credential',
    accepts: 'account_holder filters limits manual_entry permissions prefetch return_url',
    why: 'It costs nothing, but its secret lets a browser link a bank account.',
    reveals: ['client_secret'],
    explain: openSession,
  }),
  operation({
    id: 'financial_connections.accounts.refresh',
    routes: [
      'POST /v1/financial_connections/accounts/{bank_account}/refresh',
      'POST /v1/linked_accounts/{bank_account}/refresh',
    ],
    effect: 'spend',
    accepts: 'features',
    explain: (question) => billed(question, 'refresh'),
  }),
  operation({
    id: 'financial_connections.accounts.subscribe',
    routes: ['POST /v1/financial_connections/accounts/{bank_account}/subscribe'],
    effect: 'future_spend',
    accepts: 'features',
    explain: (question) => {
      const billing = billed(question, 'subscribe')
      if (!('amount' in billing.quote)) return billing
      const perMonth = billing.quote.amount
      return {
        ...billing,
        commits: { kind: 'recurring', perMonth, dueAt: null, quantity: 1n, object: question.path.bank_account! },
      }
    },
  }),
  operation({
    id: 'financial_connections.accounts.unsubscribe',
    routes: ['POST /v1/financial_connections/accounts/{bank_account}/unsubscribe'],
    effect: 'write',
    accepts: 'features',
    why: 'It costs nothing: it ends what a subscription costs.',
    explain: free,
    outcome: (_reply, question) => ({ ends: question.path.bank_account! }),
  }),
  operation({
    id: 'financial_connections.accounts.disconnect',
    routes: [
      'POST /v1/financial_connections/accounts/{bank_account}/disconnect',
      'POST /v1/linked_accounts/{bank_account}/disconnect',
    ],
    effect: 'destructive',
    accepts: '',
    why: 'It costs nothing: the access to the bank account ends.',
    explain: free,
    outcome: (_reply, question) => ({ ends: question.path.bank_account! }),
  }),
  ...[
    ['accounts', 'account', 'financial_connections.account'],
    ['sessions', 'session', 'financial_connections.session'],
  ].map(([plural, singular, kind]) =>
    operation({
      id: `financial_connections.${plural}.retrieve`,
      routes: [`GET /v1/financial_connections/${plural}/{${singular === 'account' ? 'bank_account' : singular}}`],
      effect: 'read',
      reveals: BANK_SECRETS,
      explain: (question) => ofHolder(question, kind as HolderKind, Object.values(question.path)[0]!),
    }),
  ),
  operation({
    id: 'financial_connections.accounts.list_owners',
    routes: ['GET /v1/financial_connections/accounts/{bank_account}/owners'],
    effect: 'read',
    explain: (question) => ofHolder(question, 'financial_connections.account', question.path.bank_account!),
  }),
  operation({
    id: 'financial_connections.accounts.list',
    routes: ['GET /v1/financial_connections/accounts'],
    effect: 'read',
    reveals: BANK_SECRETS,
    explain: ({ params }) => ({ quote: FREE, subjects: { customers: owners(params.get('account_holder[customer]')) } }),
  }),
  ...readsOfAnybody(
    `
    financial_connections.transactions.list     GET /v1/financial_connections/transactions
    financial_connections.transactions.retrieve GET /v1/financial_connections/transactions/{transaction}
    `,
  ),
])

/** The session itself costs nothing; what it is told to read of each account that somebody links then, Stripe bills. */
function openSession(question: Question): Explanation {
  const about = { subjects: subjects(question, { customers: owners(question.params.get('account_holder[customer]')) }) }
  if (!question.params.has('prefetch')) return { quote: FREE, ...about }
  const why =
    'With prefetch Stripe bills a reading of every account that is linked, and nobody knows how many: leave it out.'
  return { quote: { basis: 'unpriceable', why }, effects: ['future_spend'], ...about }
}

type HolderKind = 'financial_connections.account' | 'financial_connections.session'

/** A bank account belongs to the customer who linked it, or to a connected account. */
function ofHolder(question: Question, kind: HolderKind, id: string): Explained {
  if (!question.restricted.customers) return { quote: FREE, subjects: { customers: null } }
  const missing = (): Explanation => ({ quote: FREE, subjects: { customers: null } })
  return find(
    kind,
    id,
    (found) => ({ quote: FREE, subjects: { customers: owners(idIn(object(found.account_holder)?.customer)) } }),
    { missing },
  )
}

function free(question: Question): Explanation {
  return { quote: FREE, subjects: subjects(question, {}) }
}

/** What Stripe charges for each feature of one call, or of a month, by the operator's price table. */
function billed(question: Question, what: 'refresh' | 'subscribe'): Explanation {
  const { params, prices } = question
  const about = { direction: 'out', subjects: subjects(question, {}) } as const
  const features = [...new Set(params.all('features'))]
  if (features.length === 0) {
    return { quote: { basis: 'unpriceable', why: 'features is missing, so what Stripe bills is unknown.' }, ...about }
  }
  const each: string[] = []
  for (const feature of features) {
    const name = `financial_connections.${what}.${feature}`
    const price = prices.flat(name)
    if (price === null) return { quote: { basis: 'unpriceable', why: prices.why(name) }, ...about }
    each.push(price)
  }
  const total = sumOfProducts(each.map((price) => [price, '1'] as const))
  return { quote: { basis: 'exact', amount: priced('1', total, prices.safety) }, ...about }
}
