import type { Operation } from '../../../src/contracts/vendor.js'
import { catalogue } from './catalogue.js'
import { charges } from './charges.js'
import { customers } from './customers.js'
import { invoiceItems } from './invoice-items.js'
import { invoices } from './invoices.js'
import { paymentIntents } from './payment-intents.js'
import { payouts } from './payouts.js'
import { disputes, refunds } from './refunds.js'
import { selling } from './selling.js'
import { subscriptions } from './subscriptions.js'

/** Everything of Stripe that is understood. What is missing here is refused as operation_unknown. */
export const operations: readonly Operation[] = [
  ...charges,
  ...paymentIntents,
  ...refunds,
  ...disputes,
  ...customers,
  ...invoices,
  ...invoiceItems,
  ...subscriptions,
  ...selling,
  ...catalogue,
  ...payouts,
]
