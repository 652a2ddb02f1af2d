import type { Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { ofOwner } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { FREE, free } from '../pricing.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { ofCustomerInForm, ofObject } from './owned.js'
import { everybodysRows, ownedList, ownedRead, SECRETS } from './reads.js'

/** Cards, bank accounts and wallets as such. Whatever charges one of them is a later call, which counts. */
export const paymentMethods: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'payment_methods.create',
    routes: ['POST /v1/payment_methods'],
    effect: 'write',
    why: 'A saved payment method moves nothing until a later call charges it. Copying one to another account names that account in a header.',
    accepts: `acss_debit affirm afterpay_clearpay alipay allow_redisplay alma amazon_pay au_becs_debit bacs_debit
      bancontact billie billing_details bizum blik boleto card cashapp crypto custom customer customer_balance eps fpx
      giropay grabpay ideal interac_present kakao_pay klarna konbini kr_card link mb_way metadata mobilepay multibanco
      naver_pay nz_bank_account oxxo p24 pay_by_bank payco payment_method paynow paypal paypay payto pix promptpay
      radar_options revolut_pay samsung_pay satispay scalapay sepa_debit sequra sofort sunbit swish twint type upi
      us_bank_account wechat_pay zip`,
    explain: (question) => {
      const copied = question.params.get('payment_method')
      const named = question.params.get('customer')
      const answer = (customers: readonly string[] | null) => ({
        quote: FREE,
        subjects: subjects(question, { customers }),
      })
      if (!copied) return answer(owners(named))
      return ofOwner(question, 'payment_method', copied, (customers) =>
        answer(customers && named ? owners(...customers, named) : customers),
      )
    },
  }),
  ...rows(
    {
      effect: 'write',
      why: 'It changes an address, an expiry date or labels.',
      explain: ofObject('payment_method', 'payment_method'),
    },
    'payment_methods.update POST /v1/payment_methods/{payment_method}',
  ),
  operation({
    id: 'payment_methods.attach',
    routes: ['POST /v1/payment_methods/{payment_method}/attach'],
    effect: 'write',
    why: 'It says whose the payment method is; charging it is a call of its own, which counts.',
    accepts: 'customer',
    explain: ofCustomerInForm,
  }),
  ...rows(
    {
      effect: 'destructive',
      why: 'Renewals that were to be paid by it may fail afterwards.',
      explain: ofObject('payment_method', 'payment_method'),
    },
    'payment_methods.detach POST /v1/payment_methods/{payment_method}/detach',
  ),
  ownedList('payment_methods.list', '/v1/payment_methods'),
  ownedRead('payment_methods.retrieve', '/v1/payment_methods/{payment_method}', 'payment_method', 'payment_method'),
  ownedRead('mandates.retrieve', '/v1/mandates/{mandate}', 'mandate', 'mandate'),
  ...everybodysRows('confirmation_tokens.retrieve GET /v1/confirmation_tokens/{confirmation_token}'),

  operation({
    id: 'tokens.create',
    routes: ['POST /v1/tokens'],
    effect: 'write',
    why: 'A token only stands for a card or a bank account; the call that uses it counts.',
    accepts: 'account bank_account card customer cvc_update person pii',
    explain: ofCustomerInForm,
  }),
  ...everybodysRows('tokens.retrieve GET /v1/tokens/{token}'),

  operation({
    id: 'sources.create',
    routes: ['POST /v1/sources'],
    effect: 'future_spend',
    accepts: `amount currency customer flow mandate metadata original_source owner receiver redirect source_order
      statement_descriptor token type usage`,
    explain: (question) => ({
      quote: free('A source takes no money; the charge that is made with it counts.'),
      direction: 'in',
      subjects: subjects(question, {
        customers: owners(question.params.get('customer')),
        currencies: [question.params.get('currency')],
      }),
    }),
  }),
  ...rows(
    {
      effect: 'write',
      why: 'A source takes no money; the charge that is made with it counts.',
      explain: ofObject('source', 'source'),
    },
    `
    sources.update POST /v1/sources/{source}
    sources.verify POST /v1/sources/{source}/verify
    `,
  ),
  ownedRead('sources.retrieve', '/v1/sources/{source}', 'source', 'source'),
  ownedRead('sources.list_source_transactions', '/v1/sources/{source}/source_transactions', 'source', 'source'),

  ...rows(
    {
      effect: 'write',
      why: 'It asks a card holder to prove who they are; nothing is charged, and what Stripe bills for it is not counted.',
      explain: authenticated,
    },
    'three_d_secure.authentications.create POST /v1/three_d_secure/authentications',
  ),
  ...rows(
    {
      effect: 'write',
      why: 'It goes on with or ends a proof of identity; nothing is charged.',
      explain: (question) => ofNobodyKnown(question),
    },
    `
    three_d_secure.authentications.cancel POST /v1/three_d_secure/authentications/{authentication}/cancel
    three_d_secure.authentications.submit POST /v1/three_d_secure/authentications/{authentication}/submit
    `,
  ),
  ...everybodysRows(`
    three_d_secure.authentications.list GET /v1/three_d_secure/authentications
    three_d_secure.authentications.retrieve GET /v1/three_d_secure/authentications/{authentication}
  `),
])

function authenticated(question: Question) {
  const method = question.params.get('payment_method')
  return method
    ? ofOwner(question, 'payment_method', method, (customers) => ({
        quote: FREE,
        subjects: subjects(question, { customers }),
      }))
    : ofNobodyKnown(question)
}

const ofNobodyKnown = (question: Question) => ({ quote: FREE, subjects: subjects(question, { customers: null }) })
