import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { operation } from '../operation.js'
import { costs, FREE, largest, priceOf, times } from '../pricing.js'
import { subjects } from '../subjects.js'
import { segments } from '../grammar.js'
import { nobodys } from './reads.js'

/** Products, prices and coupons: what is for sale, for how much, and what is given away. They belong to no customer. */
export const catalogue: readonly Operation[] = [
  operation({
    id: 'products.create',
    routes: ['POST /v1/products'],
    effect: 'write',
    accepts: `active default_price_data description id images marketing_features metadata name package_dimensions
      shippable statement_descriptor tax_code tax_details type unit_label url`,
    explain: free,
  }),
  operation({
    id: 'products.update',
    routes: ['POST /v1/products/{product}'],
    effect: 'write',
    accepts: `active default_price description images marketing_features metadata name package_dimensions shippable
      statement_descriptor tax_code tax_details unit_label url`,
    explain: free,
  }),
  operation({ id: 'products.delete', routes: ['DELETE /v1/products/{product}'], effect: 'destructive', accepts: '' }),
  nobodys('products.search', '/v1/products/search'),
  nobodys('products.list', '/v1/products'),
  nobodys('products.retrieve', '/v1/products/{product}'),

  operation({
    id: 'prices.create',
    routes: ['POST /v1/prices'],
    effect: 'write',
    accepts: `active billing_scheme currency currency_options custom_unit_amount lookup_key metadata nickname product
      product_data recurring tax_behavior tiers tiers_mode transfer_lookup_key transform_quantity unit_amount
      unit_amount_decimal`,
    explain: sellsDifferently,
  }),
  operation({
    id: 'prices.update',
    routes: ['POST /v1/prices/{price}'],
    effect: 'write',
    accepts: 'active currency_options lookup_key metadata nickname tax_behavior transfer_lookup_key',
    explain: (question) => {
      if (!question.params.has('currency_options')) return sellsDifferently(question)
      return {
        ...costs('What links and subscriptions already using this price will cost afterwards cannot be known.'),
        effects: ['future_spend'],
        subjects: subjects(question, {}),
      }
    },
  }),
  nobodys('prices.search', '/v1/prices/search'),
  nobodys('prices.list', '/v1/prices'),
  nobodys('prices.retrieve', '/v1/prices/{price}'),

  operation({
    id: 'coupons.create',
    routes: ['POST /v1/coupons'],
    effect: 'future_spend',
    accepts: `amount_off applies_to currency currency_options duration duration_in_months id max_redemptions metadata
      name percent_off redeem_by`,
    explain: (question) => ({
      ...costs(givenAway(question), 'ceiling'),
      direction: 'out',
      subjects: subjects(question, { currencies: discounts(question).map(([currency]) => currency) }),
    }),
  }),
  operation({
    id: 'coupons.update',
    routes: ['POST /v1/coupons/{coupon}'],
    effect: 'write',
    accepts: 'currency_options metadata name',
    explain: (question) => {
      if (!question.params.has('currency_options')) return free(question)
      return {
        ...costs('How often the coupon can still be redeemed in another currency cannot be known. Make a new coupon.'),
        direction: 'out',
        effects: ['future_spend'],
        subjects: subjects(question, { currencies: discounts(question).map(([currency]) => currency) }),
      }
    },
  }),
  operation({ id: 'coupons.delete', routes: ['DELETE /v1/coupons/{coupon}'], effect: 'destructive', accepts: '' }),
  nobodys('coupons.list', '/v1/coupons'),
  nobodys('coupons.retrieve', '/v1/coupons/{coupon}'),
]

function free(question: Question): Explained {
  return { quote: FREE, subjects: subjects(question, {}) }
}

/** A moved lookup key or a reopened price changes what is sold by calls that never pass here. */
function sellsDifferently(question: Question): Explained {
  const { params } = question
  const moves = params.get('transfer_lookup_key') === 'true' || (question.path.price && params.get('active') === 'true')
  return { ...free(question), ...(moves && { effects: ['future_spend'] as const }) }
}

/** Only a fixed sum, redeemed once by each of a fixed number of people, has an upper bound. */
function givenAway(question: Question) {
  const { params } = question
  const redemptions = params.get('max_redemptions')
  if (!params.has('amount_off') || params.has('percent_off') || !redemptions) {
    return 'A coupon can be priced only with amount_off and max_redemptions: without both it has no upper bound.'
  }
  if ((params.get('duration') ?? 'once') !== 'once') {
    return 'A coupon that repeats has no upper bound; only duration=once can be priced.'
  }
  return times(largest(discounts(question).map(([currency, off]) => priceOf(question, off, currency))), redemptions)
}

/** The discount in every currency the coupon names. */
function discounts({ params }: Question): (readonly [currency: string | undefined, off: string])[] {
  return params.entries().flatMap(([name, value]) => {
    const path = segments(name)
    if (name === 'amount_off') return [[params.get('currency'), value] as const]
    return path[0] === 'currency_options' && path[2] === 'amount_off' ? [[path[1], value] as const] : []
  })
}
