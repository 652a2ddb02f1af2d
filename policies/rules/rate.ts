import type { Policy, Usage } from '../../src/contracts/policy.js'
import { titled } from './rule.js'
import type { Spoken, SpokenRule } from './rule.js'

const WINDOW_MS = 60_000

/**
 * Calls in any 60 seconds. Each policy is held against the count of its own key, in which its children's calls stand
 * too: a token that may make 30 calls a minute makes 30, however busy its parent is. Where one policy speaks for several
 * keys it is held against the fullest of them, which is the topmost.
 */
export const rate: SpokenRule = {
  name: 'rate',
  check(_call, usage, policies) {
    if (usage.rateCounted) return null
    const paired = policies.length === usage.rate.length
    let observed: Spoken | null = null
    for (const [place, policy] of policies.entries()) {
      const denial = limited(policy, paired ? [usage.rate[place]!] : usage.rate, usage.nowMs)
      if (denial === null) continue
      if (policy.enforce) return denial
      observed ??= denial
    }
    return observed
  },
}

function limited(policy: Policy, counts: Usage['rate'], nowMs: number): Spoken | null {
  if (policy.perMinute === null) return null
  let waitMs = 0
  let fullest = 0
  for (const { count, oldestAt } of counts) {
    if (count < policy.perMinute) continue
    fullest = Math.max(fullest, count)
    waitMs = Math.max(waitMs, oldestAt + WINDOW_MS - nowMs)
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
}
