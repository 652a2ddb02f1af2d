import type { Call, DenialCode, Subjects } from '../../src/contracts/call.js'
import type { Allowlist, VendorPolicy } from '../../src/contracts/policy.js'
import { perVendor, refused, titled } from './rule.js'
import type { SpokenRule } from './rule.js'

/** Whom a call concerns: three lists of one kind. */
export const customers = onlyListed('customers', 'customer', 'customer_not_allowed', (block) => block.customers)
export const recipients = onlyListed('recipients', 'recipient', 'recipient_not_allowed', (block) => block.recipients)
export const senders = onlyListed('senders', 'sender', 'sender_not_allowed', (block) => block.senders)

/**
 * With the list set, whatever can be tied to somebody must be tied to somebody listed, and whatever does more than
 * read must be tied to somebody. The sentence names nobody: an unlisted one, a missing one and one that could not be
 * found out must look alike, or the refusal would tell an agent whom an id belongs to.
 */
function onlyListed(
  list: 'customers' | 'recipients' | 'senders',
  noun: string,
  code: DenialCode,
  listed: (block: VendorPolicy) => Allowlist | undefined,
): SpokenRule {
  return perVendor(list, (call, block, policy) => {
    const allowed = listed(block)
    if (allowed === undefined) return null
    const named = call.subjects[list]
    if (named === undefined ? readsOnly(call) : holdsAll(allowed, named)) return null
    return refused(
      code,
      `This call cannot be tied to a ${noun} that policy ${titled(policy)} lists (vendors.${call.vendor}.${list}).`,
      policy,
    )
  })
}

const readsOnly = ({ effects }: Call): boolean => effects.length > 0 && effects.every((effect) => effect === 'read')

const holdsAll = (allowed: Allowlist, named: NonNullable<Subjects['customers']> | null): boolean =>
  named !== null && named.length > 0 && named.every((value) => allowed.has(value))
