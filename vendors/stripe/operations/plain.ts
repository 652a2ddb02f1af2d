import type { Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { rows, type Draft } from '../operation.js'
import { FREE } from '../pricing.js'
import { text } from '../replies.js'
import { SECRETS } from './reads.js'

type Shared = Omit<Draft, 'id' | 'routes' | 'effect'>

/** What any object can be expanded into: payments that somebody else may complete, and cards that spend our money. */
const EXPANDED = [...SECRETS, 'cvc', 'encrypted_number', 'number']

/** `GET`s of what belongs to no customer, one a line; expanding it may lead to one. `reveals` are further secrets. */
export const reads = (text: string, { reveals = [], ...shared }: Shared = {}): Operation[] =>
  rows({ effect: 'read', explain: unlessExpanded, ...shared, reveals: [...EXPANDED, ...reveals] }, text)

const unlessExpanded = ({ params }: Question): Explanation => ({
  quote: FREE,
  subjects: params.has('expand') ? { customers: null } : {},
})

/** `GET`s that may show anybody's data, one a line. */
export const readsOfAnybody = (text: string, { reveals = [], ...shared }: Shared = {}): Operation[] =>
  rows({ effect: 'read', explain: ofAnybody, ...shared, reveals: [...EXPANDED, ...reveals] }, text)

const ofAnybody = (): Explanation => ({ quote: FREE, subjects: { customers: null } })

/**
 * A bank account or card that a form names: by its id or token, or, where its details stand in the form itself, by a
 * word that only `*` or the word itself in a list of beneficiaries lets through.
 */
export const payoutAccountIn = ({ params }: Question, name: string): readonly string[] =>
  params.has(name) ? [text(params.get(name)) ?? NEW_ACCOUNT] : []

export const NEW_ACCOUNT = 'new'

/** Where nothing is named, the vendor's default gets the money. */
export const DEFAULT_ACCOUNT = 'default'

/** A list of all connected accounts: only a policy with `connected_accounts: ['*']` lets it through. */
export const EVERY_ACCOUNT: readonly string[] = ['*']
