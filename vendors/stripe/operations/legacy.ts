import type { Explanation, JsonObject, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { readLines, totalOf, type Line } from '../lines.js'
import { find, ofOwner } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { atLeast, brings, costs, FREE, free, open, priceOf, reached } from '../pricing.js'
import { integer, text } from '../replies.js'
import { PREVIEW_SDK, SPEC_2022 } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { payoutAccountIn } from './plain.js'
import { everybodysRows, nobodysRows, ownedList, ownedRead, SECRETS } from './reads.js'

/** Operations of older versions, which may still answer, and the orders that came back as a preview. */
export const legacy: readonly Operation[] = product({ source: SPEC_2022, reveals: SECRETS }, [
  operation({
    id: '3d_secure.create',
    routes: ['POST /v1/3d_secure'],
    effect: 'spend',
    accepts: 'amount card currency customer return_url',
    explain: (question) => {
      const { params } = question
      const currency = params.get('currency')
      return {
        direction: 'in',
        subjects: subjects(question, { customers: owners(params.get('customer')), currencies: [currency] }),
        ...costs(priceOf(question, params.get('amount'), currency)),
      }
    },
  }),
  ...everybodysRows('3d_secure.retrieve GET /v1/3d_secure/{three_d_secure}'),

  operation({
    id: 'orders.create',
    routes: ['POST /v1/orders'],
    effect: 'future_spend',
    preview: true,
    source: PREVIEW_SDK,
    accepts: `automatic_tax billing_details currency customer description discounts ip_address line_items metadata
      payment shipping_cost shipping_details tax_details`,
    explain: (question) => {
      const { params } = question
      const lines = ordered(params)
      return totalOf(question, typeof lines === 'string' ? [] : lines, (total, currencies) => ({
        direction: 'in',
        commits: open(1n),
        subjects: subjects(question, {
          customers: owners(params.get('customer')),
          currencies: [params.get('currency'), ...currencies],
        }),
        ...costs(typeof lines === 'string' ? lines : total, 'ceiling'),
      }))
    },
    outcome: (reply, question, { settle }) => {
      const id = text(reply.id)
      if (!id || settle === undefined) return {}
      const shown = reached(question, id, totalOfOrder(reply), text(reply.currency))
      return { object: id, total: shown.total !== undefined && shown.total > settle ? shown.total : settle }
    },
  }),
  operation({
    id: 'orders.update',
    routes: ['POST /v1/orders/{order}'],
    effect: 'future_spend',
    preview: true,
    source: PREVIEW_SDK,
    accepts: 'billing_details description ip_address metadata shipping_details',
    explain: (question) =>
      ofOwner(question, 'order', question.path.order!, (customers) => ({
        quote: free('Addresses and labels change nothing that is to be paid.'),
        subjects: subjects(question, { customers }),
      })),
  }),
  operation({
    id: 'orders.submit',
    routes: ['POST /v1/orders/{order}/submit'],
    effect: 'spend',
    preview: true,
    source: PREVIEW_SDK,
    accepts: 'expected_total',
    explain: onOrder,
    outcome: settled,
  }),
  operation({
    id: 'orders.pay',
    routes: ['POST /v1/orders/{order}/pay'],
    effect: 'spend',
    accepts: 'application_fee customer email metadata source',
    explain: onOrder,
    outcome: settled,
  }),
  operation({
    id: 'orders.return',
    routes: ['POST /v1/orders/{order}/returns'],
    effect: 'spend',
    accepts: 'items',
    // Without items all of them go back; some of them cost no more than all.
    explain: (question) =>
      find('order', question.path.order!, (order) => {
        const currency = text(order.currency)
        return {
          direction: 'out',
          subjects: subjects(question, { customers: owners(customerOf(order)), currencies: [currency] }),
          ...costs(priceOf(question, totalOfOrder(order), currency), 'ceiling'),
        }
      }),
  }),
  ownedList('orders.list', '/v1/orders'),
  ownedRead('orders.retrieve', '/v1/orders/{order}', 'order', 'order'),
  ownedRead('orders.list_line_items', '/v1/orders/{order}/line_items', 'order', 'order'),
  ...everybodysRows(`
    order_returns.list GET /v1/order_returns
    order_returns.retrieve GET /v1/order_returns/{order_return}
  `),

  ...rows(
    {
      effect: 'routing',
      why: 'It moves nothing by itself; it says to which bank account or card later transfers go.',
      explain: (question) => ({
        quote: FREE,
        subjects: subjects(question, {
          beneficiaries: ['bank_account', 'card'].flatMap((name) => payoutAccountIn(question, name)),
        }),
      }),
    },
    `
    recipients.create POST /v1/recipients
    recipients.update POST /v1/recipients/{recipient}
    `,
  ),
  ...rows({ effect: 'destructive' }, 'recipients.delete DELETE /v1/recipients/{recipient}'),
  ...nobodysRows(`
    recipients.list GET /v1/recipients
    recipients.retrieve GET /v1/recipients/{recipient}
  `),

  ...rows(
    { effect: 'write', why: 'It says what is in stock and what it costs; an order of it is a call of its own.' },
    `
    skus.create POST /v1/skus
    skus.update POST /v1/skus/{sku}
    `,
  ),
  ...rows({ effect: 'destructive' }, 'skus.delete DELETE /v1/skus/{sku}'),
  ...nobodysRows(`
    skus.list GET /v1/skus
    skus.retrieve GET /v1/skus/{sku}
  `),
])

/** What an order sells, or why its total has no upper bound. */
function ordered(params: Params): readonly Line[] | string {
  if (params.has('shipping_cost')) return 'What shipping adds to the order cannot be known before it is submitted.'
  if (params.get('automatic_tax[enabled]') === 'true')
    return 'What tax adds to the order cannot be known before it is submitted.'
  const lines = readLines(params, 'line_items', ['description', 'discounts'])
  return lines.length > 0 ? lines : 'The order has no items, so what will be paid for it is unknown.'
}

/** Orders of 2022 and of the preview call their total differently. */
const totalOfOrder = (order: JsonObject): string | null => integer(order.amount_total) ?? integer(order.amount)

function onOrder(question: Question) {
  const id = question.path.order!
  return find('order', id, (order): Explanation => {
    const named = question.params.get('customer')
    const currency = text(order.currency)
    return {
      direction: 'in',
      commits: open(1n, id),
      subjects: subjects(question, {
        customers: owners(customerOf(order), ...(named ? [named] : [])),
        currencies: [currency],
        beneficiaries: beneficiariesOf(order),
      }),
      ...brings(id, priceOf(question, atLeast(question.params.get('expected_total'), totalOfOrder(order)), currency)),
    }
  })
}

function settled(reply: JsonObject, question: Question) {
  const id = question.path.order!
  const over = ['paid', 'complete', 'canceled', 'fulfilled'].includes(String(reply.status))
  return { ...reached(question, id, totalOfOrder(reply), text(reply.currency)), ...(over && { ends: id }) }
}
