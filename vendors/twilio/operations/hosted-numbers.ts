import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { tables, unknownCost } from './tables.js'

const table = tables({ preview: ['preview.twilio.com/HostedNumbers'] })

/** Hosted numbers as the preview had them; what followed stands with the numbers. */
export const hostedNumbers: readonly Operation[] = product({ source: SOURCE, preview: true }, [
  ...table({
    effect: 'future_spend',
    reveals: ['verification_code'],
    ...unknownCost(
      'A hosted number is billed from then on, and proving that it is yours may ring it; neither has a ' +
        'price in the table.',
      `
      AccountSid AddressSid CallDelay CcEmails Email Extension FriendlyName PhoneNumber SmsApplicationSid
      SmsCapability SmsFallbackMethod SmsFallbackUrl SmsMethod SmsUrl Status StatusCallbackMethod
      StatusCallbackUrl UniqueName VerificationCode VerificationDocumentSid VerificationType
    `,
    ),
    repeats: ['CcEmails'],
  })(`
    preview.hosted_numbers.hosted_number_orders.create POST preview/HostedNumberOrders
    preview.hosted_numbers.hosted_number_orders.update POST preview/HostedNumberOrders/{Sid}
  `),
  ...table({ effect: 'destructive', why: 'The order or its papers are withdrawn.' })(`
    preview.hosted_numbers.authorization_documents.delete DELETE preview/AuthorizationDocuments/{Sid}
    preview.hosted_numbers.hosted_number_orders.delete DELETE preview/HostedNumberOrders/{Sid}
  `),
  ...table({
    effect: 'write',
    why: 'Papers that people are asked by e-mail to sign.',
    repeats: ['CcEmails', 'HostedNumberOrderSids'],
  })(`
    preview.hosted_numbers.authorization_documents.create POST preview/AuthorizationDocuments
    preview.hosted_numbers.authorization_documents.update POST preview/AuthorizationDocuments/{Sid}
  `),
  ...table({
    effect: 'read',
    people: true,
    reveals: ['verification_code'],
    why: 'Shows whose numbers they are; the code that proves it is taken out.',
  })(`
    preview.hosted_numbers.authorization_documents.list GET preview/AuthorizationDocuments
    preview.hosted_numbers.authorization_documents.get GET preview/AuthorizationDocuments/{Sid}
    preview.hosted_numbers.authorization_documents.dependent_hosted_number_orders.list GET preview/AuthorizationDocuments/{SigningDocumentSid}/DependentHostedNumberOrders
    preview.hosted_numbers.hosted_number_orders.list GET preview/HostedNumberOrders
    preview.hosted_numbers.hosted_number_orders.get GET preview/HostedNumberOrders/{Sid}
  `),
])
