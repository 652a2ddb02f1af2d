import { pendingOf } from '../admin/pending.js'
import { notFound } from '../admin/problem.js'
import { statusOf } from '../admin/views.js'
import type { KeyRecord } from '../contracts/ledger.js'
import { reasonIn } from './form.js'
import type { Html } from './html.js'
import { may, type Action, type Visit } from './visit.js'
import { counted, Said, Time } from './words.js'

/** Ends a key for good, in two steps. Nothing where the visitor may not. */
export function Revoke({ visit, record, back }: { visit: Visit; record: KeyRecord; back: string }): Html | null {
  const status = statusOf(visit.deps.ledger, record, visit.nowMs)
  if (status === 'revoked')
    return (
      <p>
        The key <Said text={record.name} /> (…{record.last4}) is revoked
        {record.revokedAt === null ? ' with the one above it' : null}
        {record.revokedAt === null ? null : (
          <>
            {' '}
            since <Time at={record.revokedAt} />
          </>
        )}
        {record.revokeReason === null ? null : (
          <>
            : <Said text={record.revokeReason} />
          </>
        )}
        .
      </p>
    )
  if (!may(visit, 'approver')) return null
  const field = `reason-${record.id}`
  return (
    <details class="danger" id={`revoke-${record.id}`}>
      <summary>
        Revoke key <Said text={record.name} /> (…{record.last4})…
      </summary>
      <form method="post" action={`/dashboard/keys/${encodeURIComponent(record.id)}/revoke`}>
        <input type="hidden" name="csrf" value={visit.session.csrf} />
        <input type="hidden" name="back" value={back} />
        <p>It and the keys below it end at once and for good. An agent that needs to go on needs a new key.</p>
        <label for={field}>Why (agents are told; may stay empty)</label>
        <input id={field} name="reason" maxlength={500} autocomplete="off" />
        <label class="check">
          <input type="checkbox" name="cancel_pending" value="yes" /> Also cancel at the vendors what it made that is
          still to come
        </label>
        <button class="danger">Revoke for good</button>
      </form>
    </details>
  )
}

export const revoke: Action = async ({ deps, param, session }, form) => {
  const { actor } = session.by
  const key = deps.ledger.key(param)
  if (key === null) throw notFound('key')
  const { inFlight } = await deps.ledger.revoke(key.id, reasonIn(form), actor)
  const cancel = form.text('cancel_pending') === 'yes'
  const pending = (
    (await pendingOf(deps, key.id, cancel, actor)) as { pending: { cancelled: boolean; error?: string }[] }
  ).pending
  const left = pending.filter((each) => !each.cancelled)
  const sentences = [
    `${key.name} (…${key.last4}) is revoked.`,
    inFlight.length === 0
      ? 'Nothing was under way.'
      : `${counted(inFlight.length, 'call')} had already left: ${inFlight.slice(0, 5).join(', ')}.`,
    cancel && pending.length > left.length ? `${counted(pending.length - left.length, 'commitment')} cancelled.` : '',
    left.length === 0
      ? ''
      : `${counted(left.length, 'commitment')} of it still ${left.length === 1 ? 'stands' : 'stand'} at the vendor${left[0]!.error === undefined ? '' : ` (${left[0]!.error})`}.`,
  ]
  return { to: backIn(form.text('back')), notice: sentences.filter((each) => each !== '').join(' ') }
}

/** Only to a page of ours. */
const backIn = (path: string): string => (/^\/dashboard\/(runs|keys)\/[\w%?=&.~-]+$/.test(path) ? path : '/dashboard')
