import { perPolicy, refused } from './rule.js'

/** The very same write, once more in the same run: agents repeat themselves. A retry under its own idempotency key is none. */
export const duplicate = perPolicy('duplicate', (call, policy, { duplicate: before, earlier, nowMs }) => {
  if (policy.duplicateWithinMs === null || before === null || call.effects.every((effect) => effect === 'read'))
    return null
  if (earlier?.sameRequest === true && earlier.stands) return null
  const agoS = Math.round((nowMs - before.at) / 1000)
  if (nowMs - before.at >= policy.duplicateWithinMs) return null
  return refused(
    'duplicate_call',
    `${call.operation} was sent with exactly these parameters ${agoS} s ago in this run (${before.callId}), ` +
      `and policy ${policy.name} allows an identical write only after ${policy.duplicateWithinMs / 1000} s.`,
    policy,
  )
})
