import { formatUsd } from '../../src/contracts/money.js'
import { instant, perPolicy, refused, titled } from './rule.js'

/** Amounts above this are for a person to decide, one request at a time. A retry of what was let through needs no second yes. */
export const approval = perPolicy('approval', (call, policy, { approval: asked, approvalsFull, earlier, nowMs }) => {
  const { quote } = call
  if (policy.approvalAbove === null || quote.basis === 'free' || quote.basis === 'unpriceable') return null
  if (quote.amount <= policy.approvalAbove) return null
  if (earlier?.sameRequest === true && earlier.stands) return null
  const standing = asked !== null && nowMs < asked.expiresAt ? asked : null
  if (standing?.state === 'approved' && quote.amount <= standing.ceiling) return null
  const code = 'approval_required'
  const needed =
    `USD ${formatUsd(quote.amount)} is above USD ${formatUsd(policy.approvalAbove)} ` +
    `(policy ${titled(policy)}, approval.above_usd), so a person must approve it`
  if (standing?.state === 'denied') {
    const why = standing.reason === null ? '' : ` (${standing.reason})`
    return refused(code, `${needed}, and ${standing.id} was denied${why}.`, policy)
  }
  // One for less is not named: an approval of it would not cover this call.
  if (standing?.state === 'open' && quote.amount <= standing.ceiling) {
    const message = `${needed}: ${standing.id} (expires ${instant(standing.expiresAt)}). Ask the operator, then send the very same request again.`
    return { code, message, policy, approval: standing.id }
  }
  const full = ', and too many requests of this key wait for that already. Ask the operator to decide on those first'
  return { code, message: `${needed}${approvalsFull ? full : ''}.`, policy }
})
