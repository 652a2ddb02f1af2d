import type { PriceTable } from '../../src/contracts/vendor.js'

/**
 * One flat price: every address in to, cc and bcc costs an e-mail at the overage rate, whether or not the plan's
 * quota would have covered it. `domain` and `contact` (both a month) are not listed: adding one is refused until the
 * operator prices it, because what one more costs depends on the plan and its steps.
 */
export const prices: PriceTable = {
  as_of: '2026-11-20',
  max_age_days: 90,
  safety: '1',
  source: 'static, secondary sources; check against your account',
  prefixes: {},
  flat: { email: '0.0009' },
}
