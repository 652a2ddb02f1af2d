import type { Operation } from '../../../src/contracts/vendor.js'
import { catalogue } from './catalogue.js'
import { charges } from './charges.js'
import { climate } from './climate.js'
import { customerRecords } from './customer-records.js'
import { customers } from './customers.js'
import { invoiceItems } from './invoice-items.js'
import { invoices } from './invoices.js'
import { ledgerReads } from './ledger-reads.js'
import { legacy } from './legacy.js'
import { paymentIntents } from './payment-intents.js'
import { paymentMethods } from './payment-methods.js'
import { paymentRecords } from './payment-records.js'
import { payouts } from './payouts.js'
import { disputes, refunds } from './refunds.js'
import { selling } from './selling.js'
import { setupIntents } from './setup-intents.js'
import { storefront } from './storefront.js'
import { subscriptions } from './subscriptions.js'
import { billing } from './billing.js'
import { billingV2 } from './billing-v2.js'
import { creditNotes } from './credit-notes.js'
import { invoiceLines } from './invoice-lines.js'
import { quotes } from './quotes.js'
import { reporting } from './reporting.js'
import { risk } from './risk.js'
import { subscriptionItems } from './subscription-items.js'
import { subscriptionSchedules } from './subscription-schedules.js'
import { terminal } from './terminal.js'
import { testHelpers } from './test-helpers.js'
import { tax } from './tax.js'
import { transfers } from './transfers.js'
import { accounts } from './accounts.js'
import { accountsV2 } from './accounts-v2.js'
import { credentials } from './credentials.js'
import { financialConnections } from './financial-connections.js'
import { issuing } from './issuing.js'
import { moneyManagement } from './money-management.js'
import { preview } from './preview.js'
import { treasury } from './treasury.js'

/** Everything of Stripe that is understood. What is missing here is refused as operation_unknown. */
export const operations: readonly Operation[] = [
  ...charges,
  ...paymentIntents,
  ...refunds,
  ...disputes,
  ...customers,
  ...customerRecords,
  ...paymentMethods,
  ...setupIntents,
  ...paymentRecords,
  ...tax,
  ...storefront,
  ...ledgerReads,
  ...climate,
  ...legacy,
  ...invoices,
  ...invoiceItems,
  ...subscriptions,
  ...subscriptionItems,
  ...subscriptionSchedules,
  ...invoiceLines,
  ...quotes,
  ...creditNotes,
  ...billing,
  ...billingV2,
  ...terminal,
  ...risk,
  ...reporting,
  ...testHelpers,
  ...selling,
  ...catalogue,
  ...payouts,
  ...transfers,
  ...treasury,
  ...preview,
  ...moneyManagement,
  ...issuing,
  ...financialConnections,
  ...credentials,
  ...accountsV2,
  ...accounts,
]
