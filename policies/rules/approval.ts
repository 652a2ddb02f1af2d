import { formatUsd } from '../../src/contracts/money.js'
import { perPolicy, refused, titled } from './rule.js'

/** Amounts above this are for people to decide. Nobody can grant a single call yet; only a new limit helps. */
export const approval = perPolicy('approval', (call, policy) => {
  const { quote } = call
  if (policy.approvalAbove === null || quote.basis === 'free' || quote.basis === 'unpriceable') return null
  if (quote.amount <= policy.approvalAbove) return null
  return refused(
    'approval_required',
    `USD ${formatUsd(quote.amount)} is above USD ${formatUsd(policy.approvalAbove)}, where policy ` +
      `${titled(policy)} wants an approval (approval.above_usd). ` +
      'This version has no approvals: an operator must raise that amount.',
    policy,
  )
})
