import type { Explained, Explanation, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { segments } from '../grammar.js'
import { find } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { costs, FREE, free, largest, open, priceOf, times, type Priced } from '../pricing.js'
import { idIn, integer, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { nobodys, nobodysRows, SECRETS } from './reads.js'

/** Products, prices and coupons: what is for sale, for how much, and what is given away. They belong to no customer. */
export const catalogue: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'products.create',
    routes: ['POST /v1/products'],
    effect: 'write',
    accepts: `active default_price_data description id images marketing_features metadata name package_dimensions
      shippable statement_descriptor tax_code tax_details type unit_label url`,
    explain: plainly,
  }),
  operation({
    id: 'products.update',
    routes: ['POST /v1/products/{product}'],
    effect: 'write',
    accepts: `active default_price description images marketing_features metadata name package_dimensions shippable
      statement_descriptor tax_code tax_details unit_label url`,
    explain: plainly,
  }),
  operation({ id: 'products.delete', routes: ['DELETE /v1/products/{product}'], effect: 'destructive', accepts: '' }),
  nobodys('products.search', '/v1/products/search'),
  nobodys('products.list', '/v1/products'),
  nobodys('products.retrieve', '/v1/products/{product}'),

  operation({
    id: 'prices.create',
    routes: ['POST /v1/prices'],
    effect: 'write',
    why: 'A price sells nothing by itself; whatever is sold at it counts when it is sold.',
    accepts: `active billing_scheme currency currency_options custom_unit_amount lookup_key metadata nickname product
      product_data recurring tax_behavior tiers tiers_mode transfer_lookup_key transform_quantity unit_amount
      unit_amount_decimal`,
    explain: sellsDifferently,
  }),
  operation({
    id: 'prices.update',
    routes: ['POST /v1/prices/{price}'],
    effect: 'write',
    weaker: 'It is future_spend as well with currency_options, transfer_lookup_key or active=true, and labels without.',
    accepts: 'active currency_options lookup_key metadata nickname tax_behavior transfer_lookup_key',
    explain: (question) => {
      if (!question.params.has('currency_options')) return sellsDifferently(question)
      return {
        effects: ['future_spend'],
        subjects: subjects(question, {}),
        ...costs('What links and subscriptions already using this price will cost afterwards cannot be known.'),
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
      direction: 'out',
      subjects: subjects(question, { currencies: discounts(question).map(([currency]) => currency) }),
      ...costs(givenAway(question), 'ceiling'),
    }),
  }),
  operation({
    id: 'coupons.update',
    routes: ['POST /v1/coupons/{coupon}'],
    effect: 'write',
    accepts: 'currency_options metadata name',
    explain: (question) => {
      if (!question.params.has('currency_options')) return plainly(question)
      return {
        direction: 'out',
        effects: ['future_spend'],
        subjects: subjects(question, { currencies: discounts(question).map(([currency]) => currency) }),
        ...costs('How often the coupon can still be redeemed in another currency cannot be known. Make a new coupon.'),
      }
    },
  }),
  operation({ id: 'coupons.delete', routes: ['DELETE /v1/coupons/{coupon}'], effect: 'destructive', accepts: '' }),
  nobodys('coupons.list', '/v1/coupons'),
  nobodys('coupons.retrieve', '/v1/coupons/{coupon}'),

  operation({
    id: 'promotion_codes.create',
    routes: ['POST /v1/promotion_codes'],
    effect: 'future_spend',
    accepts: 'active code customer expires_at max_redemptions metadata promotion restrictions',
    explain: (question) => {
      const { params } = question
      const customer = params.get('customer')
      const coupon = params.get('promotion[coupon]')
      const who = customer ? owners(customer) : undefined
      if (!coupon) return published(question, 'Without a coupon it is unknown what the code gives away.', null, who)
      return find(
        'coupon',
        coupon,
        (found) => publish(question, found, params.get('max_redemptions') ?? null, who),
        COUPON,
      )
    },
    outcome: (reply) => (text(reply.id) ? { commitment: text(reply.id)! } : {}),
  }),
  operation({
    id: 'promotion_codes.update',
    routes: ['POST /v1/promotion_codes/{promotion_code}'],
    effect: 'future_spend',
    accepts: 'active metadata restrictions',
    explain: (question) => {
      const { params } = question
      const id = question.path.promotion_code!
      const opens = params.has('restrictions') || (params.has('active') && params.get('active') !== 'false')
      if (!opens) {
        return {
          quote: free('Nothing more is given away by the code afterwards than before.'),
          subjects: subjects(question, {}),
        }
      }
      return find('promotion_code', id, (code) => {
        const coupon = idIn(object(code.promotion)?.coupon) ?? idIn(code.coupon)
        const customer = idIn(code.customer)
        const who = customer ? owners(customer) : undefined
        const missing = () => published(question, 'The coupon of the code could not be read.', null, who, id)
        if (!coupon) return missing()
        return find('coupon', coupon, (found) => publish(question, found, integer(code.max_redemptions), who, id), {
          ...COUPON,
          missing,
        })
      })
    },
    outcome: (reply, question) => (reply.active === false ? { ends: question.path.promotion_code! } : {}),
  }),
  nobodys('promotion_codes.list', '/v1/promotion_codes'),
  nobodys('promotion_codes.retrieve', '/v1/promotion_codes/{promotion_code}'),

  operation({
    id: 'plans.create',
    routes: ['POST /v1/plans'],
    effect: 'write',
    why: 'A plan is a price of the older kind: it sells nothing by itself.',
    accepts: `active amount amount_decimal billing_scheme currency id interval interval_count metadata meter nickname
      product tiers tiers_mode transform_usage trial_period_days usage_type`,
    explain: plainly,
  }),
  ...rows(
    { effect: 'write', why: 'A plan sells nothing by itself; whoever subscribes to it is counted then.' },
    'plans.update POST /v1/plans/{plan}',
  ),
  ...rows({ effect: 'destructive' }, 'plans.delete DELETE /v1/plans/{plan}'),
  nobodys('plans.list', '/v1/plans'),
  nobodys('plans.retrieve', '/v1/plans/{plan}'),

  ...rows(
    { effect: 'write', why: 'It says what buyers of a product are entitled to, not what they pay.' },
    'products.create_feature POST /v1/products/{product}/features',
  ),
  ...rows({ effect: 'destructive' }, 'products.delete_feature DELETE /v1/products/{product}/features/{feature}'),
  nobodys('products.list_features', '/v1/products/{product}/features'),
  nobodys('products.retrieve_feature', '/v1/products/{product}/features/{feature}'),

  ...rows(
    {
      effect: 'write',
      why: 'An offer says what follows a trial; subscribing to it is a call of its own, which counts.',
    },
    `
    trial_offers.create POST /v1/product_catalog/trial_offers
    trial_offers.update POST /v1/product_catalog/trial_offers/{trial_offer}
    `,
  ),
  ...nobodysRows(`
    trial_offers.list GET /v1/product_catalog/trial_offers
    trial_offers.retrieve GET /v1/product_catalog/trial_offers/{trial_offer}
  `),

  // Whoever has the address of the upload rewrites the catalogue, its prices included, without passing here.
  operation({
    id: 'product_catalog_imports.create',
    routes: ['POST /v2/commerce/product_catalog/imports'],
    effect: 'credential',
    body: 'json',
    why: 'It costs nothing; its reply holds an address to which anybody can upload other prices.',
    reveals: [...SECRETS, 'upload_url'],
    explain: plainly,
  }),
  ...nobodysRows(`
    product_catalog_imports.list GET /v2/commerce/product_catalog/imports
    product_catalog_imports.retrieve GET /v2/commerce/product_catalog/imports/{import}
  `).map((read) => ({ ...read, reveals: [...SECRETS, 'upload_url'] })),
])

function plainly(question: Question): Explanation {
  return { quote: FREE, subjects: subjects(question, {}) }
}

/** A moved lookup key or a reopened price changes what is sold by calls that never pass here. */
function sellsDifferently(question: Question): Explained {
  const { params } = question
  const moves = params.get('transfer_lookup_key') === 'true' || (question.path.price && params.get('active') === 'true')
  if (!moves) return plainly(question)
  return {
    quote: free('Nothing is sold by it; what is sold at this price afterwards counts when it is sold.'),
    effects: ['future_spend'],
    subjects: subjects(question, {}),
  }
}

/** Only a fixed sum, redeemed once by each of a fixed number of people, has an upper bound. */
function givenAway(question: Question): Priced {
  const { params } = question
  const redemptions = params.get('max_redemptions')
  if (!params.has('amount_off') || params.has('percent_off') || !redemptions) return BOUNDLESS
  if ((params.get('duration') ?? 'once') !== 'once') return REPEATING
  return times(largest(discounts(question).map(([currency, off]) => priceOf(question, off, currency))), redemptions)
}

const BOUNDLESS = 'A coupon can be priced only with amount_off and max_redemptions: without both it has no upper bound.'
const REPEATING = 'A coupon that repeats has no upper bound; only duration=once can be priced.'

/** The discount in every currency the coupon names. */
function discounts({ params }: Question): (readonly [currency: string | undefined, off: string])[] {
  return params.entries().flatMap(([name, value]) => {
    const path = segments(name)
    if (name === 'amount_off') return [[params.get('currency'), value] as const]
    return path[0] === 'currency_options' && path[2] === 'amount_off' ? [[path[1], value] as const] : []
  })
}

/** How a coupon is read for its code. */
const COUPON = { expand: ['currency_options'] } as const

/** A code gives away what its coupon does, as often as the stricter of the two allows. */
function publish(
  question: Question,
  coupon: JsonObject,
  ofCode: string | null,
  who: readonly string[] | null | undefined,
  code?: string,
): Explanation {
  const redemptions = [ofCode, integer(coupon.max_redemptions)]
    .flatMap((max) => (max === null ? [] : BigInt(max)))
    .reduce<bigint | null>((least, max) => (least === null || max < least ? max : least), null)
  const offs = [
    [text(coupon.currency), integer(coupon.amount_off)] as const,
    ...Object.entries(object(coupon.currency_options) ?? {}).map(
      ([currency, option]) => [currency, integer(object(option ?? null)?.amount_off)] as const,
    ),
  ]
  const amount = (): Priced => {
    if (redemptions === null || offs[0]![1] === null) return BOUNDLESS
    if (coupon.duration !== 'once') return REPEATING
    return times(largest(offs.map(([currency, off]) => priceOf(question, off, currency))), redemptions.toString())
  }
  return published(question, amount(), redemptions, who, code)
}

function published(
  question: Question,
  amount: Priced,
  redemptions: bigint | null,
  who: readonly string[] | null | undefined,
  code?: string,
): Explanation {
  return {
    direction: 'out',
    commits: open(redemptions, code),
    subjects: subjects(question, who === undefined ? {} : { customers: who }),
    ...costs(amount, 'ceiling'),
  }
}
