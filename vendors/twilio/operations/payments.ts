import { usd } from '../../../src/contracts/money.js'
import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { aboutCall, given, malformed, refused, shown } from '../answers.js'
import { bill, flatPrice, unpriceable } from '../pricing.js'
import { names, plainly, SOURCE } from '../rows.js'

const PAYMENTS = '/2010-04-01/Accounts/{AccountSid}/Calls/{CallSid}/Payments'
const AMOUNT = /^(0|[1-9][0-9]{0,9})(\.[0-9]{1,4})?$/
const CAPTURES = names(`payment-card-number expiration-date security-code postal-code bank-routing-number
  bank-account-number payment-card-number-matcher expiration-date-matcher security-code-matcher postal-code-matcher`)

/** A payment over the telephone: the person called is charged through a payment processor of the account. */
export const payments: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'calls.payments.create',
    routes: [`POST ${PAYMENTS}.json`],
    effect: 'spend',
    accepts: names(`AccountSid IdempotencyKey StatusCallback BankAccountType ChargeAmount Currency Description Input
      MinPostalCodeLength PaymentConnector PaymentMethod PostalCode SecurityCode Timeout TokenType ValidCardTypes
      RequireMatchingInputs Confirmation`),
    explain: explainCreate,
  },
  {
    id: 'calls.payments.update',
    routes: [`POST ${PAYMENTS}/{Sid}.json`],
    effect: 'spend',
    accepts: names('AccountSid IdempotencyKey StatusCallback Capture Status'),
    explain: explainUpdate,
  },
])

/** What the cardholder pays comes in; Twilio's fee for the transaction, `voice.pay`, is counted with it. */
function explainCreate(question: Question): Explained {
  const { params, prices, rates } = question
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const asked = given(params, 'ChargeAmount')
  const connector = given(params, 'PaymentConnector')
  const currency = (given(params, 'Currency') ?? 'usd').toLowerCase()
  if (asked !== undefined && !AMOUNT.test(asked))
    return malformed(`ChargeAmount is ${shown(asked)}; it must be a plain decimal like 12.50.`)
  if (!/^[a-z]{3}$/.test(currency)) return malformed(`Currency is ${shown(currency)}; it must be a code like usd.`)
  const about = (quote: Explanation['quote'], settle?: Explanation['settle']): Explained =>
    aboutCall(question, {
      direction: 'in',
      quote,
      ...(settle !== undefined && { settle }),
      subjects: {
        ...plain.subjects,
        currencies: [currency],
        beneficiaries: connector === undefined ? null : [connector],
      },
    })
  if (asked === undefined || connector === undefined)
    return about(unpriceable('Name ChargeAmount and PaymentConnector: without them what is charged stands at Twilio.'))
  const charge = rates.convert(asked, 0, currency)
  if (charge === null) return about(unpriceable(rates.why(currency)))
  const fee = bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, 'voice.pay') }])
  if (!('amount' in fee)) return about(fee)
  return about({ basis: 'ceiling', amount: usd(charge.reserve + fee.amount) }, usd(charge.settle + fee.amount))
}

/** Taking the digits and giving up cost nothing; completing charges an amount that Twilio does not show. */
function explainUpdate(question: Question): Explained {
  const { params } = question
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const [status, capture] = [given(params, 'Status'), given(params, 'Capture')]
  if (status !== undefined && capture !== undefined)
    return refused('request_ambiguous', 'Status ends the payment and Capture continues it.')
  if (status === undefined && (capture === undefined || !CAPTURES.includes(capture)))
    return malformed(`Capture is ${shown(capture)}; it must be one of ${CAPTURES.join(', ')}.`)
  if (status !== undefined && status !== 'complete' && status !== 'cancel')
    return malformed(`Status is ${shown(status)}; a payment can be completed (complete) or given up (cancel).`)
  const quote =
    status === 'complete'
      ? unpriceable('What completing charges was set when the payment was begun, and Twilio has no read for it.')
      : { basis: 'free' as const, why: 'Taking digits and giving up charge nobody.' }
  return aboutCall(question, { ...plain, direction: 'in', quote })
}
