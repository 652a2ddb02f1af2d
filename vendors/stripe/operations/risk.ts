import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, findAt, throughCharge } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { FREE } from '../pricing.js'
import { idIn } from '../replies.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { everybodys, listOfPayment, nobodys, SECRETS } from './reads.js'

const SESSION = 'identity.verification_session'
const REPORT = 'identity.verification_report'

/** Fraud lists, reviews of payments and checks of identities. */
export const risk: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  ...rows(
    { effect: 'write', why: 'A list decides which payments are stopped; none is made by it.' },
    `
    radar.value_lists.create      POST /v1/radar/value_lists
    radar.value_lists.update      POST /v1/radar/value_lists/{value_list}
    radar.value_list_items.create POST /v1/radar/value_list_items
    `,
  ),
  ...rows(
    { effect: 'destructive', why: 'What a list stopped may pass afterwards; no payment is made by it.' },
    `
    radar.value_lists.delete      DELETE /v1/radar/value_lists/{value_list}
    radar.value_list_items.delete DELETE /v1/radar/value_list_items/{item}
    `,
  ),
  operation({
    id: 'radar.payment_evaluations.create',
    routes: ['POST /v1/radar/payment_evaluations'],
    effect: 'write',
    why: 'It scores a payment that somebody else makes.',
    explain: (question) => ({
      quote: FREE,
      subjects: subjects(question, { customers: owners(question.params.get('customer_details[customer]')) }),
    }),
  }),
  nobodys('radar.value_lists.list', '/v1/radar/value_lists'),
  nobodys('radar.value_lists.retrieve', '/v1/radar/value_lists/{value_list}'),
  // Items may be customers, e-mail addresses or fingerprints of their cards.
  everybodys('radar.value_list_items.list', '/v1/radar/value_list_items'),
  everybodys('radar.value_list_items.retrieve', '/v1/radar/value_list_items/{item}'),
  listOfPayment('radar.early_fraud_warnings.list', '/v1/radar/early_fraud_warnings'),
  operation({
    id: 'radar.early_fraud_warnings.retrieve',
    routes: ['GET /v1/radar/early_fraud_warnings/{warning}'],
    effect: 'read',
    explain: (question) => {
      const id = question.path.warning!
      if (!question.restricted.customers) return read(null)
      return findAt(
        `/v1/radar/early_fraud_warnings/${id}`,
        (reply) => reply.id === id,
        (warning) => throughCharge(warning, read, () => read(null)),
        { missing: () => read(null) },
      )
    },
  }),

  operation({
    id: 'reviews.approve',
    routes: ['POST /v1/reviews/{review}/approve'],
    effect: 'write',
    why: 'It closes a review as safe; taking the money is a call of its own.',
    explain: (question) =>
      ofReview(question, (customers) => ({ quote: FREE, subjects: subjects(question, { customers }) })),
  }),
  everybodys('reviews.list', '/v1/reviews'),
  operation({
    id: 'reviews.retrieve',
    routes: ['GET /v1/reviews/{review}'],
    effect: 'read',
    explain: (question) => ofReview(question, read),
  }),

  ...product({ reveals: [...SECRETS, 'url'] }, [
    operation({
      id: 'identity.verification_sessions.create',
      routes: ['POST /v1/identity/verification_sessions'],
      effect: 'credential',
      why: 'Whoever holds its url or client secret hands in the documents; the fee of a verification is Stripe’s own.',
      explain: (question) => ({
        quote: FREE,
        subjects: subjects(question, { customers: owners(question.params.get('related_customer')) }),
      }),
    }),
    operation({
      id: 'identity.verification_sessions.update',
      routes: ['POST /v1/identity/verification_sessions/{session}'],
      effect: 'credential',
      why: 'The reply shows the url and the client secret of the session again.',
      explain: (question) => ofSession(question, question.path.session!),
    }),
    operation({
      id: 'identity.verification_sessions.retrieve',
      routes: ['GET /v1/identity/verification_sessions/{session}'],
      effect: 'read',
      explain: (question) => ofSession(question, question.path.session!),
    }),
    operation({
      id: 'identity.verification_sessions.list',
      routes: ['GET /v1/identity/verification_sessions'],
      effect: 'read',
      explain: ({ params }) =>
        read(params.has('related_customer_account') ? null : owners(params.get('related_customer'))),
    }),
    ...rows(
      {
        effect: 'destructive',
        why: 'It ends a verification or wipes what was handed in; no money moves.',
        explain: (question) => ofSession(question, question.path.session!),
      },
      `
      identity.verification_sessions.cancel POST /v1/identity/verification_sessions/{session}/cancel
      identity.verification_sessions.redact POST /v1/identity/verification_sessions/{session}/redact
      `,
    ),
  ]),
  operation({
    id: 'identity.verification_reports.list',
    routes: ['GET /v1/identity/verification_reports'],
    effect: 'read',
    explain: (question) => {
      const session = question.params.get('verification_session')
      return session ? ofSession(question, session) : read(null)
    },
  }),
  operation({
    id: 'identity.verification_reports.retrieve',
    routes: ['GET /v1/identity/verification_reports/{report}'],
    effect: 'read',
    explain: (question) => {
      if (!question.restricted.customers) return read(null)
      const missing = () => read(null)
      return find(
        REPORT,
        question.path.report!,
        (report) => {
          const session = idIn(report.verification_session)
          return session === null ? read(null) : ofSession(question, session)
        },
        { missing },
      )
    },
  }),
])

const read = (customers: readonly string[] | null): Explanation => ({ quote: FREE, subjects: { customers } })

/** A review names its charge or, before there is one, its intent. */
function ofReview(question: Question, explain: (customers: readonly string[] | null) => Explanation): Explained {
  if (!question.restricted.customers) return explain(null)
  const missing = () => explain(null)
  return find('review', question.path.review!, (review) => throughCharge(review, explain, missing), { missing })
}

/** A verification names its customer, if it has one, in a field of its own. */
function ofSession(question: Question, id: string): Explained {
  const explain = (customers: readonly string[] | null) => ({
    quote: FREE,
    subjects: subjects(question, { customers }),
  })
  if (!question.restricted.customers) return explain(null)
  return find(SESSION, id, (session) => explain(owners(idIn(session.related_customer))), {
    missing: () => explain(null),
  })
}
