import type { SpokenRule } from './rule.js'

/** What cannot be priced is refused, and no policy can waive that: a cap on an unknown amount is no cap. */
export const amountKnown: SpokenRule = {
  name: 'amount-known',
  unwaivable: true,
  check: ({ quote }) =>
    quote.basis === 'unpriceable' ? { code: 'amount_unknown', message: `${quote.why} Do not retry.` } : null,
}
