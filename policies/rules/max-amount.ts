import { formatUsd } from '../../src/contracts/money.js'
import { perVendor, refused, titled } from './rule.js'

/** At most this much may be asked for in one call: for an object with exposure, what the call brings it to in total. */
export const maxAmount = perVendor('max-amount', (call, block, policy) => {
  const { quote } = call
  if (block.maxAmount === undefined || quote.basis === 'free' || quote.basis === 'unpriceable') return null
  if (quote.amount <= block.maxAmount) return null
  return refused(
    'amount_over_limit',
    `USD ${formatUsd(quote.amount)} is over the limit of USD ${formatUsd(block.maxAmount)} a call ` +
      `(policy ${titled(policy)}, vendors.${call.vendor}.max_amount_usd).`,
    policy,
  )
})
