import { perPolicy, refused, shown, titled } from './rule.js'

/** Nothing is allowed that is not listed, and what is denied is denied on every route it has. */
export const endpoints = perPolicy('endpoints', (call, policy) => {
  const block = policy.vendors.get(call.vendor)
  if (block === undefined) {
    return refused(
      'operation_not_allowed',
      `${shown(call.endpoint)}: policy ${titled(policy)} has no block vendors.${call.vendor}, so it allows nothing there.`,
      policy,
    )
  }
  const denied = block.denies(call.endpoint) ? call.endpoint : call.aliases.find((route) => block.denies(route))
  if (denied !== undefined) {
    const other = denied === call.endpoint ? '' : ` as ${shown(denied)}, another route of the same operation`
    return refused(
      'operation_not_allowed',
      `${shown(call.endpoint)} is denied by policy ${titled(policy)}${other} (vendors.${call.vendor}.endpoints.deny).`,
      policy,
    )
  }
  if (block.allows(call.endpoint)) return null
  return refused(
    'operation_not_allowed',
    `${shown(call.endpoint)} is not in policy ${titled(policy)} (vendors.${call.vendor}.endpoints.allow).`,
    policy,
  )
})
