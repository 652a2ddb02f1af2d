import { perPolicy, refused, shown, titled } from './rule.js'

/** Nothing is allowed that is not listed, and what is denied is denied on every route it has. */
export const endpoints = perPolicy('endpoints', (call, policy) => {
  const block = policy.vendors.get(call.vendor)
  const endpoint = shown(call.endpoint)
  if (block === undefined) {
    return refused(
      'operation_not_allowed',
      `${endpoint}: policy ${titled(policy)} has no block vendors.${call.vendor}, so it allows nothing there.`,
      policy,
    )
  }
  for (const route of [call.endpoint, ...call.aliases]) {
    if (!block.denies(route)) continue
    const other = route === call.endpoint ? '' : ` as ${shown(route)}, another route of the same operation`
    return refused(
      'operation_not_allowed',
      `${endpoint} is denied by policy ${titled(policy)}${other} (vendors.${call.vendor}.endpoints.deny).`,
      policy,
    )
  }
  if (block.allows(call.endpoint)) return null
  return refused(
    'operation_not_allowed',
    `${endpoint} is not in policy ${titled(policy)} (vendors.${call.vendor}.endpoints.allow).`,
    policy,
  )
})
