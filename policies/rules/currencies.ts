import { perVendor, refused, shown, titled } from './rule.js'

/** Currencies a call may name, when the policy lists any. */
export const currencies = perVendor('currencies', (call, block, policy) => {
  const named = call.subjects.currencies
  if (block.currencies === undefined || named === undefined) return null
  const outside = named === null ? null : named.find((value) => !block.currencies!.has(value))
  if (outside === undefined) return null
  return refused(
    'currency_not_allowed',
    `${outside === null ? 'The currency of this call, which is not known,' : shown(outside)} is not a currency ` +
      `that policy ${titled(policy)} lists (vendors.${call.vendor}.currencies).`,
    policy,
  )
})
