import type { Explained, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { cost, costs, lineTotal, priceOf } from '../pricing.js'
import { integer, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { nobodysRows } from './reads.js'

/** Carbon removal, paid from our own balance at once. */
export const climate: readonly Operation[] = product({ source: SDK }, [
  operation({
    id: 'climate.orders.create',
    routes: ['POST /v1/climate/orders'],
    effect: 'spend',
    accepts: 'amount beneficiary currency metadata metric_tons product',
    explain: order,
    outcome: (reply, question) => cost(question, integer(reply.amount_total), text(reply.currency)),
  }),
  ...rows(
    { effect: 'write', why: 'It changes whose name stands on the order.' },
    'climate.orders.update POST /v1/climate/orders/{order}',
  ),
  ...rows(
    {
      effect: 'destructive',
      why: 'Stripe pays a cancelled order back; what it counted for stays counted: nothing refills a cap.',
    },
    'climate.orders.cancel POST /v1/climate/orders/{order}/cancel',
  ),
  ...nobodysRows(`
    climate.orders.list GET /v1/climate/orders
    climate.orders.retrieve GET /v1/climate/orders/{order}
    climate.products.list GET /v1/climate/products
    climate.products.retrieve GET /v1/climate/products/{product}
    climate.suppliers.list GET /v1/climate/suppliers
    climate.suppliers.retrieve GET /v1/climate/suppliers/{supplier}
  `),
])

/** Either an amount, to which fees may be added, or tons at the product's present price. Without a currency it is the account's. */
function order(question: Question): Explained {
  const { params } = question
  const refused = (why: string): Explained => ({ direction: 'out', subjects: subjects(question, {}), ...costs(why) })
  if (params.has('amount') === params.has('metric_tons')) return refused('Send either amount or metric_tons.')
  const productId = params.get('product')
  if (!productId) return refused('Without a product the price of a ton is unknown.')
  return find('climate.product', productId, (found) => {
    const currency = params.get('currency')
    if (currency) return priced(question, found, currency)
    return {
      lookUp: { path: '/v1/account' },
      then: (account) => priced(question, found, text(account?.default_currency)),
    }
  })
}

function priced(question: Question, found: JsonObject, currency: string | null): Explained {
  const { params } = question
  const perTon = currency ? object((object(found.current_prices_per_metric_ton) ?? {})[currency]) : null
  const total = integer(perTon?.amount_total)
  const subtotal = integer(perTon?.amount_subtotal)
  const minor = !total || !subtotal || !(BigInt(subtotal) > 0n) ? null : minorOf(params, total, subtotal)
  return {
    direction: 'out',
    subjects: subjects(question, { currencies: [currency] }),
    ...costs(priceOf(question, minor, currency), 'ceiling'),
  }
}

/** Whether an amount includes Stripe's fees is documented nowhere, so they are added in the proportion of the price. */
function minorOf(params: Question['params'], total: string, subtotal: string): string {
  const amount = params.get('amount')
  if (amount === undefined) return lineTotal(total, params.get('metric_tons')!)
  const part = BigInt(subtotal)
  return ((BigInt(amount) * BigInt(total) + part - 1n) / part).toString()
}
