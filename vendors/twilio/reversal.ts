import type { Done, Reversal, Steps } from '../../src/contracts/reversal.js'
import type { JsonObject, TakeBack } from '../../src/contracts/vendor.js'

/*
 * What can be undone at Twilio (API reference, read November 2026): a message that waits for its time, a call that is
 * under way, a verification nobody has answered, the rent of a number. What was said or sent is with other people.
 */
export const reversal: Reversal = { undo }

interface Fact {
  /** Where it is read. */
  readonly place: (account: string, sid: string) => string
  /** Statuses in which the request undoes something; null for whatever is still there. */
  readonly in: ReadonlySet<string> | null
  readonly does: string
  readonly request: (place: string) => TakeBack
  /** Why it cannot be undone in any other status. */
  readonly otherwise: string
  readonly leaves: string | null
}

const post = (path: string, status: string, more: Pick<TakeBack, 'keepsCounted'> = {}): TakeBack => ({
  method: 'POST',
  path,
  params: [['Status', status]],
  ...more,
})

const MESSAGE = 'A message that was sent cannot be called back.'
const CALL = 'The call has been made; what was said cannot be taken back.'

const hangUp: Fact = {
  place: (account, sid) => `${account}/Calls/${sid}.json`,
  in: new Set(['queued', 'ringing', 'in-progress', 'initiated']),
  does: 'Hangs up.',
  request: (place) => post(place, 'completed', { keepsCounted: true }),
  otherwise: CALL,
  leaves: 'The minutes so far are billed.',
}

const FACTS: Readonly<Record<string, Fact>> = {
  'messages.create': {
    place: (account, sid) => `${account}/Messages/${sid}.json`,
    in: new Set(['scheduled']),
    does: 'Cancels the message before it leaves.',
    request: (place) => post(place, 'canceled'),
    otherwise: MESSAGE,
    leaves: null,
  },
  'calls.create': hangUp,
  'conferences.participants.create': hangUp,
  'numbers.rent': {
    place: (account, sid) => `${account}/IncomingPhoneNumbers/${sid}.json`,
    in: null,
    does: 'Releases the number.',
    request: (place) => ({ method: 'DELETE', path: place, keepsCounted: true }),
    otherwise: 'It is not rented any more.',
    leaves: 'The month begun is paid. Giving a number up is for good: somebody else may have it the same day.',
  },
}

/** Why nothing of it can be undone, by the first part of the operation's id. */
const NEVER: Readonly<Record<string, string>> = {
  messages: MESSAGE,
  calls: CALL,
  verify: 'The code was sent; nobody can call it back.',
  lookups: 'The answer was given, and it is billed.',
}

/** «undelivered» is not among them: such a message was sent, and is billed. */
const GONE: ReadonlySet<string> = new Set(['canceled', 'failed'])

function undo({ operation, object: sid, account }: Done): Steps | null {
  const fact = FACTS[operation]
  if (fact === undefined || sid === null) {
    const why = NEVER[operation.split('.')[0]!]
    return why === undefined ? null : { step: 'impossible', on: sid, why }
  }
  if (!/^[A-Z]{2}[0-9a-fA-F]{32}$/.test(sid))
    return { step: 'impossible', on: null, why: 'Its id is none that Twilio gives.' }
  const place = fact.place(`/2010-04-01/Accounts/${account}`, sid)
  return { step: 'look', path: place, decide: (found) => standing(fact, place, sid, found) }
}

function standing(fact: Fact, place: string, sid: string, found: JsonObject | null): Steps {
  if (found === null)
    return fact.in === null
      ? { step: 'undone', on: sid, why: fact.otherwise }
      : { step: 'impossible', on: sid, why: `Twilio has no ${sid} under this credential.`, absent: true }
  const status = String(found.status)
  if (fact.in !== null && !fact.in.has(status))
    return GONE.has(status)
      ? { step: 'undone', on: sid, why: `It is ${status}.` }
      : { step: 'impossible', on: sid, why: fact.otherwise }
  return { step: 'undo', on: sid, does: fact.does, request: fact.request(place), amount: null, leaves: fact.leaves }
}
