import { perVendor, refused, shown, titled } from './rule.js'

/** Accounts of the vendor beside the credential's own; none by default. */
export const accounts = perVendor('accounts', (call, block, policy) => {
  const named = call.subjects.accounts
  if (named === undefined) return null
  const outside = named === null ? null : named.find((value) => !block.accounts.has(value))
  if (outside === undefined) return null
  return refused(
    'account_not_allowed',
    `${outside === null ? 'The account this call acts on' : shown(outside)} is not an account that policy ` +
      `${titled(policy)} lists (vendors.${call.vendor}.connected_accounts).`,
    policy,
  )
})
