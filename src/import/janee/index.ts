import { capabilitiesOf, type Limits, type LetThrough, type PlannedPolicy } from './capabilities.js'
import { readJanee, type Remark } from './file.js'
import { readCredentials } from './sealed.js'
import { servicesOf, type PlannedCredential } from './services.js'

export type { LetThrough, PlannedPolicy, PolicyDocument } from './capabilities.js'
export type { Remark } from './file.js'
export type { PlannedCredential } from './services.js'

/** What becomes of a Janee configuration: what is made, and everything that has to be said about it, line by line. */
export interface Plan {
  readonly credentials: readonly PlannedCredential[]
  readonly policies: readonly PlannedPolicy[]
  /** Services, capabilities and rules that have no counterpart. Leaving them out allows less, never more. */
  readonly leftOut: readonly Remark[]
  /** What is made and means something else than before. */
  readonly changed: readonly Remark[]
  readonly letThrough: readonly LetThrough[]
}

export interface Given {
  /** config.yaml */
  readonly text: string
  readonly name: string
  /** credentials.json, where there is one. */
  readonly credentials: { readonly text: string; readonly name: string } | null
}

/**
 * Translates without guessing: what cannot be said in credentials and policies is left out with its line, and a
 * capability of which a denying rule cannot be said is left out whole.
 */
export function planFor({ text, name, credentials }: Given, limits: Limits): Plan {
  const file = readJanee(text, name)
  const stored = credentials === null ? null : readCredentials(credentials.text)
  const unreadable: Remark[] =
    credentials !== null && stored === null
      ? [{ at: credentials.name, message: 'is no credentials.json of Janee, so no secret is read from it' }]
      : []
  const services = servicesOf(file, stored)
  const capabilities = capabilitiesOf(file, services.credentials, limits)
  const inOrder = (remarks: readonly Remark[]): Remark[] =>
    [...remarks].sort((a, b) => a.at.localeCompare(b.at, 'en', { numeric: true }))
  return {
    credentials: [...services.credentials.values()],
    policies: capabilities.policies,
    leftOut: [...unreadable, ...inOrder([...file.faults, ...services.leftOut, ...capabilities.leftOut])],
    changed: inOrder([...file.passedOver, ...services.changed, ...capabilities.changed]),
    letThrough: capabilities.letThrough,
  }
}
