import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, ofOwner } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { costs, FREE, free, priceOf } from '../pricing.js'
import { idIn, integer, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { customerOf, owners, subjects } from '../subjects.js'
import { everybodys, nobodys, ownedList, ownedRead, SECRETS } from './reads.js'

const GRANT = 'billing.credit_grant'
const ALERT = 'An alert only tells somebody that usage has reached a mark.'

/** Usage that is billed later, credit against it, and the portal where customers manage what they pay. */
export const billing: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'billing.credit_grants.create',
    routes: ['POST /v1/billing/credit_grants'],
    effect: 'spend',
    accepts: 'amount applicability_config category customer effective_at expires_at metadata name priority',
    maps: ['amount'],
    explain: grant,
  }),
  operation({
    id: 'billing.credit_grants.update',
    routes: ['POST /v1/billing/credit_grants/{credit_grant}'],
    effect: 'write',
    why: 'Only expires_at can make a grant worth more; it adds spend, at the whole value of the grant.',
    accepts: 'expires_at metadata',
    explain: extend,
  }),
  ...rows(
    { effect: 'destructive', why: 'It takes credit from a customer and bills nothing.', accepts: '', explain: ofGrant },
    `
    billing.credit_grants.expire POST /v1/billing/credit_grants/{credit_grant}/expire
    billing.credit_grants.void   POST /v1/billing/credit_grants/{credit_grant}/void
    `,
  ),
  ownedList('billing.credit_grants.list', '/v1/billing/credit_grants'),
  ownedRead('billing.credit_grants.retrieve', '/v1/billing/credit_grants/{credit_grant}', GRANT, 'credit_grant'),
  ownedList('billing.credit_balance_summary.retrieve', '/v1/billing/credit_balance_summary'),
  ownedList('billing.credit_balance_transactions.list', '/v1/billing/credit_balance_transactions'),
  operation({
    id: 'billing.credit_balance_transactions.retrieve',
    routes: ['GET /v1/billing/credit_balance_transactions/{transaction}'],
    effect: 'read',
    // It names the grant it draws on, and that its customer.
    explain: (question) => {
      const explain = (customers: readonly string[] | null) => ({ quote: FREE, subjects: { customers } })
      if (!question.restricted.customers) return explain(null)
      return find(
        'billing.credit_balance_transaction',
        question.path.transaction!,
        (found) => {
          const grant = idIn(found.credit_grant)
          return grant === null ? explain(null) : ofOwner(question, GRANT, grant, explain)
        },
        { missing: () => explain(null) },
      )
    },
  }),

  operation({
    id: 'billing.meter_events.create',
    routes: ['POST /v1/billing/meter_events'],
    effect: 'future_spend',
    accepts: 'event_name identifier payload timestamp',
    // A meter may map customers by a payload key of its own; then the customer stays unknown.
    explain: (question) => ({
      direction: 'in',
      subjects: subjects(question, { customers: owners(question.params.get('payload[stripe_customer_id]')) }),
      ...costs(USAGE),
    }),
  }),
  operation({
    id: 'billing.meter_event_adjustments.create',
    routes: ['POST /v1/billing/meter_event_adjustments'],
    effect: 'future_spend',
    accepts: 'cancel event_name type',
    explain: (question) => ({
      direction: 'out',
      subjects: subjects(question, { customers: null }),
      ...costs('What the cancelled usage would have been billed at is unknown.'),
    }),
  }),
  ...rows(
    {
      effect: 'write',
      why: 'A meter only counts; what usage costs stands in the prices that use it.',
    },
    `
    billing.meters.create     POST /v1/billing/meters
    billing.meters.update     POST /v1/billing/meters/{meter}
    billing.meters.deactivate POST /v1/billing/meters/{meter}/deactivate
    billing.meters.reactivate POST /v1/billing/meters/{meter}/reactivate
    `,
  ),
  nobodys('billing.meters.list', '/v1/billing/meters'),
  nobodys('billing.meters.retrieve', '/v1/billing/meters/{meter}'),
  ownedList('billing.meters.list_event_summaries', '/v1/billing/meters/{meter}/event_summaries'),

  ...rows(
    { effect: 'write', why: ALERT },
    `
    billing.alerts.activate   POST /v1/billing/alerts/{alert}/activate
    billing.alerts.archive    POST /v1/billing/alerts/{alert}/archive
    billing.alerts.deactivate POST /v1/billing/alerts/{alert}/deactivate
    `,
  ),
  operation({
    id: 'billing.alerts.create',
    routes: ['POST /v1/billing/alerts'],
    effect: 'write',
    why: ALERT,
    explain: (question) => {
      const filters = question.params.map('usage_threshold').list('filters')
      const named = filters.flatMap((filter) => filter.get('customer') ?? [])
      return { quote: FREE, subjects: subjects(question, named.length > 0 ? { customers: owners(...named) } : {}) }
    },
  }),
  // An alert may be set for one customer and then names it.
  everybodys('billing.alerts.list', '/v1/billing/alerts'),
  everybodys('billing.alerts.retrieve', '/v1/billing/alerts/{alert}'),

  ...rows(
    { effect: 'write', why: 'Words a customer can choose from when cancelling.' },
    `
    billing.feedback_options.create     POST /v1/billing/feedback_options
    billing.feedback_options.update     POST /v1/billing/feedback_options/{feedback_option}
    billing.feedback_options.deactivate POST /v1/billing/feedback_options/{feedback_option}/deactivate
    `,
  ),
  nobodys('billing.feedback_options.list', '/v1/billing/feedback_options'),
  nobodys('billing.feedback_options.retrieve', '/v1/billing/feedback_options/{feedback_option}'),
  ...rows(
    {
      effect: 'write',
      preview: true,
      why: 'A margin is a discount for partners; whatever names it is counted without discounts.',
    },
    `
    billing.margins.create POST /v1/billing/margins
    billing.margins.update POST /v1/billing/margins/{margin}
    `,
  ),

  operation({
    id: 'billing_portal.sessions.create',
    routes: ['POST /v1/billing_portal/sessions'],
    effect: 'credential',
    why: 'Whoever holds its url manages the payment methods, invoices and subscriptions of the customer.',
    reveals: ['url'],
    accepts: 'configuration customer flow_data locale on_behalf_of return_url',
    explain: (question) => {
      const { params } = question
      const upgrades = params.has('flow_data[subscription_update_confirm]')
      return {
        ...(upgrades ? { effects: ['future_spend'] as const, ...costs(UPGRADE) } : { quote: FREE }),
        subjects: subjects(question, { customers: owners(params.get('customer')) }),
      }
    },
  }),
  ...rows(
    {
      effect: 'write',
      why: 'It says what customers may do in the portal; login_page[enabled]=true opens a public way in and adds credential.',
      reveals: ['login_page'],
      accepts: 'active business_profile default_return_url features login_page metadata name',
      explain: (question) => ({
        quote: FREE,
        ...(question.params.get('login_page[enabled]') === 'true' && { effects: ['credential'] as const }),
        subjects: subjects(question, {}),
      }),
    },
    `
    billing_portal.configurations.create POST /v1/billing_portal/configurations
    billing_portal.configurations.update POST /v1/billing_portal/configurations/{configuration}
    `,
  ),
  ...[
    nobodys('billing_portal.configurations.list', '/v1/billing_portal/configurations'),
    nobodys('billing_portal.configurations.retrieve', '/v1/billing_portal/configurations/{configuration}'),
  ].map((each) => ({ ...each, reveals: [...SECRETS, 'login_page'] })),

  ...rows(
    { effect: 'write', why: 'A feature is a name that products carry.' },
    `
    entitlements.features.create POST /v1/entitlements/features
    entitlements.features.update POST /v1/entitlements/features/{feature}
    `,
  ),
  nobodys('entitlements.features.list', '/v1/entitlements/features'),
  nobodys('entitlements.features.retrieve', '/v1/entitlements/features/{feature}'),
  ownedList('entitlements.active_entitlements.list', '/v1/entitlements/active_entitlements'),
  everybodys('entitlements.active_entitlements.retrieve', '/v1/entitlements/active_entitlements/{entitlement}'),

  ...rows(
    { effect: 'write', why: 'It changes how invoices look.' },
    `
    invoice_rendering_templates.archive   POST /v1/invoice_rendering_templates/{template}/archive
    invoice_rendering_templates.unarchive POST /v1/invoice_rendering_templates/{template}/unarchive
    `,
  ),
  nobodys('invoice_rendering_templates.list', '/v1/invoice_rendering_templates'),
  nobodys('invoice_rendering_templates.retrieve', '/v1/invoice_rendering_templates/{template}'),
])

const USAGE =
  'What reported usage costs is worked out at the end of the period, from all of it and the tiers of its price.'
const UPGRADE =
  'What the customer will pay after confirming the change is unknown. Open the portal without ' +
  'flow_data[subscription_update_confirm], or update the subscription in a call of its own.'

/** Credit is money given away: it counts at its value, as a refund does. */
function grant(question: Question): Explained {
  const { params } = question
  const value = params.get('amount[monetary][value]')
  const currency = params.get('amount[monetary][currency]')
  if (value !== undefined && !/^(0|[1-9][0-9]{0,11})$/.test(value)) {
    const message =
      'amount[monetary][value] is not a plain integer. Send whole minor units in digits only. Do not retry.'
    return { subjects: {}, refuse: { code: 'request_malformed', message }, ...costs(message) }
  }
  return {
    direction: 'out',
    subjects: subjects(question, { customers: owners(params.get('customer')), currencies: [currency] }),
    ...costs(priceOf(question, value, currency)),
  }
}

/** A grant that lives longer is worth up to its whole value again. */
function extend(question: Question): Explained {
  const id = question.path.credit_grant!
  if (!question.params.has('expires_at')) return ofGrant(question)
  return find(GRANT, id, (found) => {
    const monetary = object(object(found.amount)?.monetary)
    const currency = text(monetary?.currency)
    return {
      direction: 'out',
      effects: ['spend'],
      subjects: subjects(question, { customers: owners(customerOf(found)), currencies: [currency] }),
      ...costs(priceOf(question, integer(monetary?.value), currency), 'ceiling'),
    }
  })
}

function ofGrant(question: Question): Explained {
  return ofOwner(question, GRANT, question.path.credit_grant!, (customers) => ({
    quote: free('The value of the grant is not raised.'),
    subjects: subjects(question, { customers }),
  }))
}
