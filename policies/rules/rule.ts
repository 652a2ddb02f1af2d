import type { Call, DenialCode } from '../../src/contracts/call.js'
import type { Policy, Rule, RuleDenial, Usage, VendorPolicy } from '../../src/contracts/policy.js'

/** A rule whose denials may name a more exact speaker than itself: the budget that was full. */
export interface SpokenRule extends Rule {
  check(call: Call, usage: Usage, policies: readonly Policy[]): Spoken | null
}
export interface Spoken extends RuleDenial {
  /** Replaces the rule's name in the denial. */
  readonly speaker?: string
}

/**
 * A rule that asks each policy in turn. An enforced denial wins over one that is only observed, whichever came first:
 * a key that observes may hang below one that enforces.
 */
export const perPolicy = (
  name: string,
  judge: (call: Call, policy: Policy, usage: Usage) => Spoken | null,
): SpokenRule => ({
  name,
  check(call, usage, policies) {
    let observed: Spoken | null = null
    for (const policy of policies) {
      const denial = judge(call, policy, usage)
      if (denial === null) continue
      if (policy.enforce) return denial
      observed ??= denial
    }
    return observed
  },
})

/** The same for what a policy says of the call's vendor. One without such a block has spoken through `endpoints`. */
export const perVendor = (
  name: string,
  judge: (call: Call, block: VendorPolicy, policy: Policy) => Spoken | null,
): SpokenRule =>
  perPolicy(name, (call, policy) => {
    const block = policy.vendors.get(call.vendor)
    return block === undefined ? null : judge(call, block, policy)
  })

/** A denial that will be the same however often it is asked for. `sentence` ends with its full stop. */
export const refused = (code: DenialCode, sentence: string, policy: Policy): Spoken => ({
  code,
  message: `${sentence} Do not retry.`,
  policy,
})

/** `support-refunds@3` */
export const titled = (policy: Policy): string => `${policy.name}@${policy.version}`

const SHOWN_MAX = 120

/** Text from a request as a message may repeat it: printable, on one line and not too long. */
export function shown(text: string): string {
  const line = text.slice(0, SHOWN_MAX).replace(/[^\x20-\x7e]/g, '?')
  return text.length > SHOWN_MAX ? `${line}...` : line
}

export const instant = (ms: number): string => new Date(ms).toISOString()
