import type { Commitment, Quote } from '../../src/contracts/call.js'
import { priced } from '../../src/contracts/money.js'
import type { Prices } from '../../src/contracts/vendor.js'

/** So many units of a flat price, with the table's safety factor. */
export function quoteFlat(prices: Prices, name: string, units: number, basis: 'exact' | 'ceiling' = 'exact'): Quote {
  const each = prices.flat(name)
  if (each === null) return { basis: 'unpriceable', why: prices.why(name) }
  if (!/^[0-9]{1,9}(\.[0-9]{1,12})?$/.test(each))
    return { basis: 'unpriceable', why: `The price of ${name} is not a plain decimal.` }
  return { basis, amount: priced(BigInt(units), each, prices.safety) }
}

/** What is charged again every month from now on, at what the first month costs. */
export const monthly = (quote: Quote): { readonly commits?: Commitment } =>
  'amount' in quote ? { commits: { kind: 'recurring', perMonth: quote.amount, dueAt: null, quantity: 1n } } : {}
