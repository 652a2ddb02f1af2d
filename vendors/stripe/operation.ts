import type { Effect } from '../../src/contracts/call.js'
import type { Explained, Explanation, Operation, Question } from '../../src/contracts/vendor.js'
import { lines } from '../table.js'
import { fault } from './grammar.js'
import { jsonFault } from './operations/json.js'
import { FREE } from './pricing.js'
import { subjects } from './subjects.js'

export type Draft = Omit<Operation, 'accepts'> & {
  /** Top-level names beside `expand`, separated by spaces. */
  readonly accepts?: string
  /** Amounts Stripe takes as signed here; everywhere else a minus is refused. */
  readonly signed?: readonly string[]
  /** Top-level names that hold a map here, though they take one value everywhere else. */
  readonly maps?: readonly string[]
}

/** A catalogue entry whose `explain` sees only requests that keep the grammar of amounts, currencies and ids. */
export function operation({ accepts, signed = [], maps = [], explain, ...rest }: Draft): Operation {
  return {
    ...rest,
    ...(accepts !== undefined && { accepts: [...accepts.split(/\s+/).filter(Boolean), 'expand'] }),
    explain: (question: Question): Explained => {
      const refuse = fault(question.params, signed, maps) ?? jsonFault(question.json)
      if (refuse) return { quote: { basis: 'unpriceable', why: refuse.message }, subjects: {}, refuse }
      const explained = (explain ?? named)(question)
      return 'lookUp' in explained && namedAccounts(question).length > 0 ? elsewhere(rest.effect) : explained
    },
  }
}

/** Catalogue entries that share everything but name and routes (see `lines`). Without `explain` they are free and say whom and what they name. */
export const rows = (shared: Omit<Draft, 'id' | 'routes'>, text: string): Operation[] =>
  lines(text).map((line) => operation({ ...shared, ...line }))

/** A free call that concerns those whom its parameters name. */
function named(question: Question): Explanation {
  return { quote: FREE, subjects: subjects(question, {}) }
}

/** For what moves money nobody can tell the amount of beforehand: refused as `amount_unknown`, with this sentence. */
export const unpriced =
  (why: string) =>
  (question: Question): Explanation => ({ quote: { basis: 'unpriceable', why }, subjects: subjects(question, {}) })

/** Accounts other than the credential's own that the headers of a call name. */
export const namedAccounts = ({ header }: Question): readonly string[] =>
  [header('stripe-account'), header('stripe-context')].filter((value) => value !== undefined)

/** Look-ups read the credential's own account, where another account's objects are not or are others. */
function elsewhere(effect: Effect): Explanation {
  const why =
    'This call would have to look something up in another account, which is not possible, so its amount is unknown.'
  return {
    quote: effect === 'read' ? { basis: 'free' } : { basis: 'unpriceable', why },
    subjects: { customers: null },
  }
}

/** A request that names one thing in two ways: which of them Stripe would take is not ours to guess. */
export function ambiguous(message: string): Explained {
  return {
    quote: { basis: 'unpriceable', why: message },
    subjects: {},
    refuse: { code: 'request_ambiguous', message: `${message} Do not retry.` },
  }
}
