import type { Explained, Operation, Question } from '../../src/contracts/vendor.js'
import { fault } from './grammar.js'

type Draft = Omit<Operation, 'accepts'> & {
  /** Top-level names beside `expand`, separated by spaces. */
  readonly accepts?: string
  /** Amounts Stripe takes as signed here; everywhere else a minus is refused. */
  readonly signed?: readonly string[]
}

/** A catalogue entry whose `explain` sees only requests that keep the grammar of amounts, currencies and ids. */
export function operation({ accepts, signed = [], explain, ...rest }: Draft): Operation {
  return {
    ...rest,
    ...(accepts !== undefined && { accepts: [...accepts.split(/\s+/).filter(Boolean), 'expand'] }),
    explain: (question: Question): Explained => {
      const refuse = fault(question.params, signed)
      if (refuse) return { quote: { basis: 'unpriceable', why: refuse.message }, subjects: {}, refuse }
      return explain?.(question) ?? { quote: { basis: 'free' }, subjects: {} }
    },
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
