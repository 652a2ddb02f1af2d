import type { Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, rows, unpriced } from '../operation.js'
import { costs, FREE } from '../pricing.js'
import { object, text } from '../replies.js'
import { CLI, PREVIEW_SDK, SDK } from '../sources.js'
import { owners } from '../subjects.js'

const USAGE =
  'What reported usage costs is worked out at the end of the period, from all of it and the tiers of its price.'

/** Usage, billing cadences and data exports of the second API, whose bodies are JSON. */
export const billingV2: readonly Operation[] = [
  ...product({ source: SDK, body: 'json' }, [
    operation({
      id: 'v2.billing.meter_events.create',
      routes: ['POST /v2/billing/meter_events'],
      effect: 'future_spend',
      accepts: 'event_name identifier payload timestamp',
      explain: ({ json }) => ({
        direction: 'in',
        subjects: { customers: owners(text(object(object(json)?.payload)?.stripe_customer_id)) },
        ...costs(USAGE),
      }),
    }),
    operation({
      id: 'v2.billing.meter_event_adjustments.create',
      routes: ['POST /v2/billing/meter_event_adjustments'],
      effect: 'future_spend',
      accepts: 'cancel event_name type',
      explain: () => ({
        direction: 'out',
        subjects: { customers: null },
        ...costs('What the cancelled usage would have been billed at is unknown.'),
      }),
    }),
    operation({
      id: 'v2.billing.meter_event_stream.create',
      routes: ['POST /v2/billing/meter_event_stream'],
      effect: 'future_spend',
      host: 'meter-events.stripe.com',
      accepts: 'events',
      explain: () => ({ direction: 'in', subjects: { customers: null }, ...costs(USAGE) }),
    }),
    operation({
      id: 'v2.billing.meter_event_session.create',
      routes: ['POST /v2/billing/meter_event_session'],
      effect: 'credential',
      never: 'The reply is a token with which usage is reported past spendgate for a quarter of an hour.',
      reveals: ['authentication_token'],
    }),
  ]),

  ...product({ source: PREVIEW_SDK, body: 'json', preview: true }, [
    ...rows(
      {
        effect: 'future_spend',
        accepts: `billing_cycle bill_settings_details include lookup_key metadata payer settings_data
          bills_discount_rules bills invoice_discount_rules`,
        explain: unpriced('What a billing cadence will bill, and how often, is not shown by any preview.'),
      },
      `
      v2.billing.cadences.create POST /v2/billing/cadences
      v2.billing.cadences.update POST /v2/billing/cadences/{cadence}
      `,
    ),
    ...rows(
      { effect: 'destructive', why: 'A cancelled cadence bills nothing more.', explain: someones },
      'v2.billing.cadences.cancel POST /v2/billing/cadences/{cadence}/cancel',
    ),
    ...rows(
      {
        effect: 'write',
        why: 'It says how and from whom something is collected that another call bills.',
        explain: payers,
      },
      `
      v2.billing.bill_settings.create       POST /v2/billing/bill_settings
      v2.billing.bill_settings.update       POST /v2/billing/bill_settings/{bill_setting}
      v2.billing.collection_settings.create POST /v2/billing/collection_settings
      v2.billing.collection_settings.update POST /v2/billing/collection_settings/{collection_setting}
      v2.billing.profiles.create            POST /v2/billing/profiles
      v2.billing.profiles.update            POST /v2/billing/profiles/{profile}
      `,
    ),
    ...rows(
      {
        effect: 'write',
        why: 'It exports what an SQL query finds; the link to the file is only for those who may see all customers.',
        reveals: ['download_url'],
        explain: someones,
      },
      'v2.data.reporting.query_runs.create POST /v2/data/reporting/query_runs',
    ),
    ...rows(
      { effect: 'write', why: 'It works with test keys only: with a live key Stripe refuses it.', explain: someones },
      `
      v2.test_helpers.financial_addresses.credit                 POST /v2/test_helpers/financial_addresses/{financial_address}/credit
      v2.test_helpers.financial_addresses.generate_microdeposits POST /v2/test_helpers/financial_addresses/{financial_address}/generate_microdeposits
      `,
    ),
  ]),

  ...product({ source: CLI, body: 'json' }, [
    ...rows(
      {
        effect: 'credential',
        never: 'It makes a copy of the whole account, or a login to one, outside the reach of spendgate.',
        reveals: ['connection_string', 'password'],
      },
      `
      v2.data.databases.create       POST /v2/data/databases
      v2.data.databases.create_user  POST /v2/data/databases/{database}/users
      `,
    ),
    ...rows(
      { effect: 'destructive', why: 'It drops a copy of the account’s data, or a login to it; no money moves.' },
      `
      v2.data.databases.delete      DELETE /v2/data/databases/{database}
      v2.data.databases.delete_user DELETE /v2/data/databases/{database}/users/{user}
      `,
    ),
  ]),
]

function someones(): Explanation {
  return { quote: FREE, subjects: { customers: null } }
}

/** A profile names the customer it bills. */
function payers({ json }: Question): Explanation {
  return { quote: FREE, subjects: { customers: owners(text(object(json)?.customer)) } }
}
