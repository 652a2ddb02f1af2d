import { PERMITTED_ONLY } from '../../src/contracts/call.js'
import type { Effect } from '../../src/contracts/call.js'
import { perVendor, refused, shown, titled } from './rule.js'

const permittedOnly: ReadonlySet<Effect> = new Set(PERMITTED_ONLY)

/** Some effects no endpoint pattern grants: they need `permit` as well. */
export const effects = perVendor('effects', (call, block, policy) => {
  for (const effect of call.effects) {
    if (!permittedOnly.has(effect) || block.permit.has(effect)) continue
    return refused(
      'effect_not_permitted',
      `${shown(call.endpoint)} has the effect ${effect}, which policy ${titled(policy)} does not permit ` +
        `(vendors.${call.vendor}.permit).`,
      policy,
    )
  }
  return null
})
