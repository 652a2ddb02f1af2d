import type { Judge } from '../contracts/policy.js'
import type { KeyNeeds, Vendor } from '../contracts/vendor.js'

export interface LeastKey {
  readonly vendor: string
  /** How many of the vendor's operations the policy opens. */
  readonly operations: number
  readonly needs: KeyNeeds
}

/** The smallest key to ask of each vendor for what a policy opens: what is not opened need not be possible. */
export function leastKeys(document: unknown, judge: Judge, vendors: Iterable<Vendor>): LeastKey[] {
  return [...vendors].flatMap((vendor) => {
    if (vendor.leastKey === undefined) return []
    const opened = vendor.operations.filter((operation) => judge.opens(document, vendor.name, operation))
    if (opened.length === 0) return []
    return [{ vendor: vendor.name, operations: opened.length, needs: vendor.leastKey(opened) }]
  })
}
