import { perPolicy, titled } from './rule.js'

/** A policy may ask for a reason with every call, for whoever reads the rows later. */
export const reason = perPolicy('reason', (call, policy) => {
  if (!policy.requireReason || (call.reason !== null && call.reason.trim() !== '')) return null
  return {
    code: 'reason_required',
    message:
      `Policy ${titled(policy)} asks for a reason with every call: the header x-agent-reason, or the argument ` +
      '"reason" of execute. Do not retry without one.',
    policy,
  }
})
