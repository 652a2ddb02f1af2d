import { perVendor, refused, titled } from './rule.js'

/** What a call leaves for others to complete, or orders, has a limit in number where the policy asks for one. */
export const bounded = perVendor('bounded', (call, block, policy) => {
  if (call.commits === null || call.commits.quantity !== null) return null
  const { boundedOnly, quantityMax } = block.future
  if (!boundedOnly && quantityMax === undefined) return null
  return refused(
    'effect_not_permitted',
    `${call.operation} would make something without a limit in number, and policy ${titled(policy)} wants one ` +
      `(vendors.${call.vendor}.future.${boundedOnly ? 'bounded_only' : 'quantity_max'}). Restrict it in the request, ` +
      'a payment link by restrictions[completed_sessions][limit].',
    policy,
  )
})

/** At most so many may be ordered or put up for sale in one call. */
export const quantity = perVendor('quantity', (call, block, policy) => {
  const most = block.future.quantityMax
  const asked = call.commits?.quantity ?? null
  if (most === undefined || asked === null || asked <= most) return null
  return refused(
    'amount_over_limit',
    `A quantity of ${asked} is over the limit of ${most} a call ` +
      `(policy ${titled(policy)}, vendors.${call.vendor}.future.quantity_max).`,
    policy,
  )
})
