import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, rows, unpriced } from '../operation.js'
import { costs, FREE, open, priceOf } from '../pricing.js'
import { text } from '../replies.js'
import { CLI, PREVIEW_SDK, SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { payoutAccountIn, readsOfAnybody } from './plain.js'
import { SECRETS } from './reads.js'

const CARD_DATA =
  'Stripe would put the raw card number into a request to another payment company, where the amount is hidden in the text that is sent.'
const MANY_CALLS = 'One call stands for a file of many others, none of which could be judged.'
const WORKFLOW = 'A workflow does whatever was set up for it in the Dashboard, refunds and payments included.'
const APPROVED =
  'It carries out an action whose amount is in the approval request only, in a form that is not documented.'
const AGREEMENT = 'What an agreement commits to is not in the request.'

/** What carries other calls inside it, and what exists in previews of the API or in the CLI only. */
export const preview: readonly Operation[] = [
  operation({
    id: 'forwarding.requests.create',
    routes: ['POST /v1/forwarding/requests'],
    source: SDK,
    effect: 'spend',
    never: CARD_DATA,
    accepts: 'metadata payment_method replacements request url',
    explain: unpriced(CARD_DATA),
  }),
  // What was forwarded holds the other company's answer, about anybody's card.
  ...product(
    { source: SDK },
    readsOfAnybody(`
      forwarding.requests.list     GET /v1/forwarding/requests
      forwarding.requests.retrieve GET /v1/forwarding/requests/{request}
    `),
  ),
  ...product({ source: PREVIEW_SDK, preview: true, reveals: SECRETS }, [
    operation({
      id: 'shared_payment.issued_tokens.create',
      routes: ['POST /v1/shared_payment/issued_tokens'],
      effect: 'credential',
      accepts: 'metadata payment_method return_url seller_details setup_future_usage shared_metadata usage_limits',
      explain: issueToken,
      outcome: (reply, _question, { settle }) => {
        const id = text(reply.id)
        return id === null ? {} : { object: id, commitment: id, ...(settle !== undefined && { total: settle }) }
      },
    }),
    operation({
      id: 'shared_payment.issued_tokens.revoke',
      routes: ['POST /v1/shared_payment/issued_tokens/{token}/revoke'],
      effect: 'destructive',
      accepts: '',
      why: 'It costs nothing: nothing more can be paid with the token.',
      // What was paid with it already stays counted.
      outcome: (_reply, question) => ({ ends: question.path.token! }),
    }),
    operation({
      id: 'fx_quotes.create',
      routes: ['POST /v1/fx_quotes'],
      effect: 'write',
      accepts: 'from_currencies lock_duration to_currency usage',
      explain: quoteRate,
    }),
    operation({
      id: 'external_accounts.create',
      routes: ['POST /v1/external_accounts'],
      effect: 'routing',
      accepts: 'default_for_currency external_account metadata',
      why: 'It moves nothing now, but decides which bank account or card later payouts go to.',
      explain: (question) => ({
        quote: FREE,
        subjects: subjects(question, { beneficiaries: payoutAccountIn(question, 'external_account') }),
      }),
    }),
    ...rows(
      {
        effect: 'routing',
        accepts: '',
        why: 'It moves nothing now, but later payouts go to another bank account or card, or to none.',
      },
      'external_accounts.delete DELETE /v1/external_accounts/{id}',
    ),
    ...rows(
      {
        effect: 'spend',
        body: 'json',
        accepts: 'endpoint maximum_rps metadata notification_suppression skip_validation',
        why: MANY_CALLS,
        explain: unpriced(MANY_CALLS),
      },
      'v2.core.batch_jobs.create POST /v2/core/batch_jobs',
    ),
    ...rows(
      { effect: 'spend', body: 'json', accepts: 'input_parameters', why: WORKFLOW, explain: unpriced(WORKFLOW) },
      'v2.extend.workflows.invoke POST /v2/extend/workflows/{workflow}/invoke',
    ),
    ...rows(
      { effect: 'spend', body: 'json', accepts: '', why: APPROVED, explain: unpriced(APPROVED) },
      'v2.core.approval_requests.execute POST /v2/core/approval_requests/{approval_request}/execute',
    ),
    ...rows(
      {
        effect: 'credential',
        body: 'json',
        why: 'It costs nothing: it asks a person at Stripe’s Dashboard to approve an action.',
      },
      `
      v2.core.approval_requests.update POST /v2/core/approval_requests/{approval_request}
      v2.core.approval_requests.submit POST /v2/core/approval_requests/{approval_request}/submit
      `,
    ),
    ...rows(
      {
        effect: 'future_spend',
        body: 'json',
        accepts: 'orchestrator_details seller_details',
        why: AGREEMENT,
        explain: unpriced(AGREEMENT),
      },
      `
      v2.orchestrated_commerce.agreements.create  POST /v2/orchestrated_commerce/agreements
      v2.orchestrated_commerce.agreements.confirm POST /v2/orchestrated_commerce/agreements/{agreement}/confirm
      `,
    ),
    ...rows(
      { effect: 'destructive', body: 'json', why: 'It costs nothing: what was asked for or agreed comes to an end.' },
      `
      v2.core.approval_requests.cancel               POST /v2/core/approval_requests/{approval_request}/cancel
      v2.core.batch_jobs.cancel                      POST /v2/core/batch_jobs/{batch_job}/cancel
      v2.orchestrated_commerce.agreements.terminate  POST /v2/orchestrated_commerce/agreements/{agreement}/terminate
      v2.signals.account_activity.delete             DELETE /v2/signals/account_activity/{activity}
      `,
    ),
    ...rows(
      {
        effect: 'write',
        body: 'json',
        why: 'It costs nothing: it tells Stripe about an account or asks for its view of one.',
      },
      `
      v2.signals.account_activity.create     POST /v2/signals/account_activity
      v2.signals.account_evaluations.create  POST /v2/signals/account_evaluations
      `,
    ),
    ...rows(
      { effect: 'destructive', why: 'It costs nothing, but erases data for good.' },
      'privacy.redaction_jobs.run POST /v1/privacy/redaction_jobs/{job}/run',
    ),
    ...rows(
      { effect: 'write', why: 'It costs nothing: nothing is erased before the job is run.' },
      `
      privacy.redaction_jobs.create   POST /v1/privacy/redaction_jobs
      privacy.redaction_jobs.update   POST /v1/privacy/redaction_jobs/{job}
      privacy.redaction_jobs.cancel   POST /v1/privacy/redaction_jobs/{job}/cancel
      privacy.redaction_jobs.validate POST /v1/privacy/redaction_jobs/{job}/validate
      `,
    ),
    ...rows(
      { effect: 'write', why: 'It costs nothing: it keeps a record of what was shown or decided elsewhere.' },
      `
      account_notices.update                   POST /v1/account_notices/{notice}
      capital.financing_offers.mark_delivered  POST /v1/capital/financing_offers/{offer}/mark_delivered
      issuing.credit_underwriting_records.create_from_application      POST /v1/issuing/credit_underwriting_records/create_from_application
      issuing.credit_underwriting_records.create_from_proactive_review POST /v1/issuing/credit_underwriting_records/create_from_proactive_review
      issuing.credit_underwriting_records.correct          POST /v1/issuing/credit_underwriting_records/{record}/correct
      issuing.credit_underwriting_records.report_decision  POST /v1/issuing/credit_underwriting_records/{record}/report_decision
      `,
    ),
    ...rows(
      { effect: 'write', why: 'It exists for test keys only, which hold no money.' },
      'test.payment_intents.trigger_action POST /v1/test/payment_intents/{intent}/trigger_action',
    ),
    ...rows(
      { effect: 'write', source: CLI, why: 'It costs nothing: it sends words to Stripe.' },
      '_unstable.feedback.create POST /v1/_unstable/feedback',
    ),
  ]),
]

/** A token with which a seller charges a payment method, once or more often, up to a maximum in all. */
function issueToken(question: Question): Explanation {
  const { params } = question
  const currency = params.get('usage_limits[currency]')
  const most = params.get('usage_limits[max_amount]') ?? ''
  const sellers = params
    .map('seller_details')
    .entries()
    .flatMap(([, value]) => (value === '' ? [] : [value]))
  return {
    direction: 'out',
    effects: ['future_spend'],
    commits: open(1n),
    subjects: {
      ...subjects(question, { currencies: [currency] }),
      beneficiaries: sellers.length > 0 ? sellers : null,
    },
    ...costs(priceOf(question, /^[1-9][0-9]{0,11}$/.test(most) ? most : null, currency), 'ceiling'),
  }
}

/** Looking at a rate is free; keeping it costs a fee that the quote alone will show. */
function quoteRate(question: Question): Explained {
  const lock = question.params.get('lock_duration') ?? 'none'
  const about = subjects(question, {})
  if (lock === 'none') return { quote: FREE, subjects: about }
  const why = `A rate that is locked (lock_duration ${lock.slice(0, 24)}) has a fee, which nobody knows beforehand.`
  return { quote: { basis: 'unpriceable', why }, effects: ['spend'], subjects: about }
}
