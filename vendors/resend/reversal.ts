import type { Reversal, Steps, Done } from '../../src/contracts/reversal.js'
import { isId } from './answers.js'

/*
 * What can be undone at Resend: mail that waits for its time, and nothing else. Sent mail is with other people's servers
 * (resend.com/docs/api-reference, read November 2026: emails and broadcasts know `cancel` only while scheduled).
 */
export const reversal: Reversal = { undo }

const SENT = 'Mail that was sent cannot be called back: it is with the receivers’ servers.'

/** Where what is scheduled is read and canceled, by the operation that made it. */
const SCHEDULED: ReadonlyMap<string, string> = new Map([
  ['emails.send', 'emails'],
  ['broadcasts.create', 'broadcasts'],
  ['broadcasts.send', 'broadcasts'],
])

/** It may have been written by anybody, outside of the run too. */
const MOVED = 'The run changed when it leaves, and did not write it. Cancel it at Resend if it is not to leave.'

/** Operations that mail somebody, by the first part of their id. */
const MAILS: ReadonlySet<string> = new Set(['emails', 'broadcasts', 'inboxes', 'automations', 'events'])

function undo({ operation, object: id }: Done): Steps | null {
  if (operation === 'emails.update') return { step: 'impossible', on: id, why: MOVED }
  const place = SCHEDULED.get(operation)
  if (id === null || place === undefined)
    return MAILS.has(operation.split('.')[0]!) ? { step: 'impossible', on: id, why: SENT } : null
  if (!isId(id)) return { step: 'impossible', on: null, why: 'Its id is none that Resend gives.' }
  return {
    step: 'look',
    path: `/${place}/${id}`,
    decide: (found) => {
      if (found === null)
        return { step: 'impossible', on: id, why: `Resend has no ${id} under this credential.`, absent: true }
      // E-mails tell their last event, broadcasts a status.
      const state = found.last_event ?? found.status
      if (state === 'canceled' || state === 'cancelled')
        return { step: 'undone', on: id, why: 'It was canceled before it left.' }
      if (state !== 'scheduled') return { step: 'impossible', on: id, why: SENT }
      return {
        step: 'undo',
        on: id,
        does: 'Cancels the mail before it leaves.',
        request: { method: 'POST', path: `/${place}/${id}/cancel` },
        amount: null,
        leaves: null,
      }
    },
  }
}
