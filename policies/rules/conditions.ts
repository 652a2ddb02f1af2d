import { perVendor, refused, shown, titled } from './rule.js'

/** What the policy asks of a call's own fields. One that cannot be compared is not accepted. */
export const conditions = perVendor('conditions', (call, block, policy) => {
  for (const { concerns, field, place, fault, at } of block.conditions) {
    if (!concerns(call.endpoint)) continue
    const values = call.subjects.said?.at(place) ?? null
    const wrong = values === null ? 'cannot be read in one way as a value' : fault(values)
    if (wrong === null) continue
    return refused(
      'operation_not_allowed',
      `${shown(call.endpoint)}: ${field} ${wrong} (policy ${titled(policy)}, ${at}).`,
      policy,
    )
  }
  return null
})
