import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows } from '../operation.js'
import { FREE } from '../pricing.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { ofObject } from './owned.js'
import { everybodysRows, filteredList, ownedRead, SECRETS } from './reads.js'

/** Payments that were made elsewhere and are only written down at Stripe. */
export const paymentRecords: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  ...rows(
    {
      effect: 'write',
      why: 'It writes down a payment that was made outside Stripe; nothing moves.',
      maps: ['amount'],
      explain: (question) => ({
        quote: FREE,
        subjects: subjects(question, { customers: owners(question.params.get('customer_details[customer]')) }),
      }),
    },
    'payment_records.report_payment POST /v1/payment_records/report_payment',
  ),
  ...rows(
    {
      effect: 'write',
      why: 'It writes down what happened to a payment outside Stripe; nothing moves.',
      maps: ['amount'],
      explain: ofObject('payment_record', 'payment_record'),
    },
    `
    payment_records.report_payment_attempt POST /v1/payment_records/{payment_record}/report_payment_attempt
    payment_records.report_payment_attempt_canceled POST /v1/payment_records/{payment_record}/report_payment_attempt_canceled
    payment_records.report_payment_attempt_failed POST /v1/payment_records/{payment_record}/report_payment_attempt_failed
    payment_records.report_payment_attempt_guaranteed POST /v1/payment_records/{payment_record}/report_payment_attempt_guaranteed
    payment_records.report_payment_attempt_informational POST /v1/payment_records/{payment_record}/report_payment_attempt_informational
    payment_records.report_refund POST /v1/payment_records/{payment_record}/report_refund
    `,
  ),
  ...everybodysRows('payment_records.list GET /v1/payment_records'),
  ownedRead('payment_records.retrieve', '/v1/payment_records/{payment_record}', 'payment_record', 'payment_record'),
  filteredList('payment_attempt_records.list', '/v1/payment_attempt_records', { payment_record: 'payment_record' }),
  ownedRead(
    'payment_attempt_records.retrieve',
    '/v1/payment_attempt_records/{payment_attempt_record}',
    'payment_attempt_record',
    'payment_attempt_record',
  ),
])
