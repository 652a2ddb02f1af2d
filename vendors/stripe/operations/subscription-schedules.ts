import type { Explained, Explanation, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { numbered, readLines, type Line } from '../lines.js'
import { find, LOOK_UPS_MAX, ofOwner } from '../lookups.js'
import { operation, unpriced } from '../operation.js'
import { costs, free } from '../pricing.js'
import { idIn, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { ownedList, ownedRead, SECRETS } from './reads.js'
import { billed, itemsOf, readItems, subscribes, type Item } from './recurring.js'
import { ADDED_FIELDS, concerned, endsNow, ofSubscription, UNREADABLE } from './subscriptions.js'

/** Every phase of a schedule starts without another call, so one period of each counts when it is written down. */
export const subscriptionSchedules: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'subscription_schedules.create',
    routes: ['POST /v1/subscription_schedules'],
    effect: 'future_spend',
    // pause_schedules is missing: what a resumption bills then cannot be previewed now.
    accepts: 'billing_mode customer default_settings end_behavior from_subscription metadata phases start_date',
    explain: create,
    outcome: (reply) => {
      const id = text(reply.id)
      return id ? { commitment: id } : {}
    },
  }),
  operation({
    id: 'subscription_schedules.update',
    routes: ['POST /v1/subscription_schedules/{schedule}'],
    effect: 'spend',
    accepts: 'default_settings end_behavior metadata phases proration_behavior',
    explain: update,
  }),
  operation({
    id: 'subscription_schedules.cancel',
    routes: ['POST /v1/subscription_schedules/{schedule}/cancel'],
    effect: 'spend',
    accepts: 'invoice_now prorate',
    explain: cancel,
    outcome: (reply, question) => ended(reply.status === 'canceled', question),
  }),
  operation({
    id: 'subscription_schedules.release',
    routes: ['POST /v1/subscription_schedules/{schedule}/release'],
    effect: 'future_spend',
    accepts: 'preserve_cancel_date',
    explain: release,
    outcome: (reply, question) => ended(reply.status === 'released', question),
  }),
  operation({
    id: 'subscription_schedules.amend',
    routes: ['POST /v1/subscription_schedules/{schedule}/amend'],
    effect: 'future_spend',
    preview: true,
    accepts: 'amendments proration_behavior schedule_settings',
    why: 'What an amendment bills cannot be previewed.',
    explain: (question) => ({
      ...unpriced('What an amendment bills cannot be previewed. Update the phases of the schedule instead.')(question),
      effects: ['spend'],
    }),
  }),
  ownedList('subscription_schedules.list', '/v1/subscription_schedules'),
  ownedRead(
    'subscription_schedules.retrieve',
    '/v1/subscription_schedules/{schedule}',
    'subscription_schedule',
    'schedule',
  ),
])

const ended = (over: boolean, question: Question): Outcome => (over ? { ends: question.path.schedule! } : {})

function create(question: Question): Explained {
  const { params } = question
  const source = params.get('from_subscription')
  if (source && !params.has('phases')) {
    return ofOwner(question, 'subscription', source, (customers) => ({
      quote: free('The schedule takes over a subscription as it is, which bills nothing.'),
      subjects: subjects(question, { customers }),
    }))
  }
  const customer = params.get('customer')
  const start = params.get('start_date')
  const later = start !== undefined && start !== 'now' && Number(start) * 1000 > question.nowMs
  const explain = (price: Pick<Explanation, 'quote' | 'settle' | 'commits'>, currencies: readonly string[] = []) =>
    ({
      ...price,
      ...(price.commits && later && { commits: { ...price.commits, dueAt: Number(start) * 1000 } }),
      direction: 'in',
      ...(!later && { effects: ['spend'] }),
      subjects: subjects(question, { customers: owners(customer), currencies }),
    }) satisfies Explanation
  if (source) return explain(costs('A schedule made from a subscription takes its phases in a call of its own.'))
  if (!customer) return explain(costs('Without a customer the phases cannot be previewed.'))
  return ofPhases(question, [['customer', customer]], 1, explain)
}

type Explain = (price: Pick<Explanation, 'quote' | 'settle' | 'commits'>, currencies?: readonly string[]) => Explanation

/** @param used look-ups the call needs beside those of prices */
function ofPhases(
  question: Question,
  whose: readonly (readonly [string, string])[],
  used: number,
  explain: Explain,
  id?: string,
): Explained {
  const phases = readPhases(question)
  if (typeof phases === 'string') return explain(costs(phases))
  return billed(question, phases, [...whose, ...previewOf(question)], LOOK_UPS_MAX - used, (bill) =>
    explain(subscribes(bill, id), bill.currencies),
  )
}

const PHASE_FIELDS: ReadonlySet<string> = new Set([
  'add_invoice_items',
  'application_fee_percent',
  'automatic_tax',
  'billing_cycle_anchor',
  'collection_method',
  'currency',
  'default_payment_method',
  'default_tax_rates',
  'description',
  'discounts',
  'duration',
  'end_date',
  'invoice_settings',
  'items',
  'iterations',
  'metadata',
  'on_behalf_of',
  'proration_behavior',
  'start_date',
  'transfer_data',
  'trial',
  'trial_end',
])

/** Everything the phases sell, or one sentence on why it has no upper bound. */
function readPhases({
  params,
}: Question): { readonly items: readonly Item[]; readonly added: readonly Line[] } | string {
  const phases = numbered(params, 'phases')
  if (typeof phases === 'string') return phases
  if (phases.length === 0) return 'A schedule without phases has no price.'
  if (params.has('default_settings[billing_thresholds]')) return 'What a billing threshold bills early cannot be known.'
  if (params.get('default_settings[automatic_tax][enabled]') === 'true') {
    return 'What tax by default adds is not shown by the preview. Send automatic_tax in the phase itself.'
  }
  const items: Item[] = []
  const added: Line[] = []
  for (const [i, phase] of phases.entries()) {
    const strange = phase.names().find((name) => !PHASE_FIELDS.has(name))
    if (strange) return `What phases[…][${strange}] does to the price is not known.`
    const some = readItems(phase, 'items', ['discounts', 'plan', 'tax_rates'])
    const beside = readLines(phase, 'add_invoice_items', ADDED_FIELDS)
    if (typeof some === 'string') return some
    if (typeof beside === 'string') return beside
    if (some.length === 0) return 'A phase without items has no price.'
    items.push(...some.map((item) => ({ ...item, phase: i })))
    added.push(...beside)
  }
  // The preview shows the first invoice only, and with it the tax of the first phase.
  const taxed = params.entries().some(([name]) => /\[(tax_rates|default_tax_rates|automatic_tax)\]/.test(name))
  if (taxed && phases.length > 1) return 'What tax adds in a later phase cannot be known. Send one phase or no tax.'
  return { items, added }
}

function update(question: Question): Explained {
  const { params } = question
  const id = question.path.schedule!
  const ends = params.get('end_behavior') === 'cancel'
  if (
    params
      .names()
      .every((name) => /^(expand|metadata|proration_behavior)$/.test(name) || (ends && name === 'end_behavior'))
  ) {
    return ofOwner(question, 'subscription_schedule', id, (customers) => ({
      quote: free('The phases stay as they are, so nothing is billed and nothing raised that will be billed.'),
      ...(ends && { effects: ['destructive'] as const }),
      subjects: subjects(question, { customers }),
    }))
  }
  return find('subscription_schedule', id, (schedule) => {
    const subscription = idIn(schedule.subscription)
    const explain: Explain = (price, currencies = []) => ({
      ...price,
      direction: 'in',
      effects: ['future_spend'],
      subjects: subjects(question, {
        customers: owners(customerOf(schedule)),
        currencies,
        beneficiaries: beneficiariesOf(object(schedule.default_settings) ?? {}),
      }),
    })
    if (!params.has('phases')) {
      return explain(costs('What the phases come to with other settings is unknown. Send the phases in the same call.'))
    }
    // A schedule that has not started is its own commitment, one that has is its subscription's.
    return ofPhases(question, [['schedule', id]], 2, explain, subscription ?? id)
  })
}

/** The request as parameters of a preview, without trials and discounts: a full period is what follows. */
function previewOf({ params }: Question): (readonly [string, string])[] {
  return params.entries().flatMap(([name, value]) => {
    const phase =
      /^phases\[\d+\]\[(items|add_invoice_items)\]\[\d+\]\[(price|price_data|plan|quantity|tax_rates)\]/.test(name) ||
      /^phases\[\d+\]\[(automatic_tax|billing_cycle_anchor|currency|default_tax_rates|duration|end_date|iterations|proration_behavior|start_date)\]/.test(
        name,
      )
    if (phase || /^(end_behavior|proration_behavior)$|^billing_mode(\[|$)/.test(name)) {
      return [[`schedule_details[${name.replace(/(\[|$)/, ']$1')}`, value] as const]
    }
    return []
  })
}

/** Cancelling a schedule ends its subscription, by default with a last bill and credit for what was not used. */
function cancel(question: Question): Explained {
  const { params } = question
  const id = question.path.schedule!
  const prorate = params.get('prorate') !== 'false'
  const untouched = (why: string) => (customers: readonly string[] | null) => ({
    quote: free(why),
    effects: ['destructive'] as const,
    subjects: subjects(question, { customers }),
  })
  if (!prorate && params.get('invoice_now') === 'false') {
    return ofOwner(
      question,
      'subscription_schedule',
      id,
      untouched('Nothing is billed and nothing credited at the end.'),
    )
  }
  return find('subscription_schedule', id, (schedule) => {
    const subscription = idIn(schedule.subscription)
    if (subscription === null) {
      return untouched('The schedule has not started, so there is nothing to bill.')(owners(customerOf(schedule)))
    }
    return find('subscription', subscription, (one) => endsNow(question, one, prorate, ['destructive']))
  })
}

/** A released subscription lives on without its planned changes and its planned end. */
function release(question: Question): Explained {
  return find('subscription_schedule', question.path.schedule!, (schedule) => {
    const subscription = idIn(schedule.subscription)
    if (subscription === null) {
      return {
        quote: free('The schedule has not started: released, it makes no subscription.'),
        subjects: subjects(question, { customers: owners(customerOf(schedule)) }),
      }
    }
    return find('subscription', subscription, (one) => {
      const explain = (price: Pick<Explanation, 'quote' | 'settle' | 'commits'>): Explanation => ({
        ...price,
        direction: 'in',
        subjects: concerned(question, one),
      })
      const items = itemsOf(one)
      if (items === null) return explain(costs(UNREADABLE))
      return ofSubscription(question, one, [...items.values()], [], null, 2, (bill) =>
        explain(subscribes(bill, subscription)),
      )
    })
  })
}
