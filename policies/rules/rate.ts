import { perPolicy, titled } from './rule.js'

const WINDOW_MS = 60_000

/**
 * Calls in any 60 seconds. Keys and policies do not pair up one to one (keys may share a policy), so each policy is
 * held against the fullest count of the key and its ancestors: that can refuse early under a key whose siblings are
 * busy, and never lets one call too many through.
 */
export const rate = perPolicy('rate', (_call, policy, usage) => {
  if (usage.rateCounted || policy.perMinute === null) return null
  let waitMs = 0
  let fullest = 0
  for (const { count, oldestAt } of usage.rate) {
    if (count < policy.perMinute) continue
    fullest = Math.max(fullest, count)
    waitMs = Math.max(waitMs, oldestAt + WINDOW_MS - usage.nowMs)
  }
  if (fullest === 0) return null
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1_000))
  return {
    code: 'rate_limited',
    message:
      `${fullest} calls in the last 60 s reach the limit of ${policy.perMinute} a minute (policy ${titled(policy)}). ` +
      `Retry after ${retryAfterS} s.`,
    retryAfterS,
    policy,
  }
})
