import { perVendor, refused, titled } from './rule.js'

/**
 * Where money may go. Nowhere by default, so a call without a beneficiary passes and any it has must be listed. The
 * value is not repeated: it may come from a look-up the agent could not make itself.
 */
export const beneficiaries = perVendor('beneficiaries', (call, block, policy) => {
  const named = call.subjects.beneficiaries
  if (named === undefined || named?.every((value) => block.beneficiaries.has(value))) return null
  return refused(
    'beneficiary_not_allowed',
    `This call sends money to a beneficiary that policy ${titled(policy)} does not list ` +
      `(vendors.${call.vendor}.beneficiaries).`,
    policy,
  )
})
