import type { Explained, Json, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { mailbox } from '../addresses.js'
import { asObject, free, isAbsent, malformed, operation, rows, SOURCE } from '../answers.js'
import { ownerOf } from './contacts.js'

const BATCH_MAX = 100

export const suppressions: readonly Operation[] = product({ source: SOURCE }, [
  operation({
    id: 'suppressions.add',
    routes: ['POST /suppressions'],
    effect: 'destructive',
    why: 'Whoever is suppressed gets no mail any more and is not told.',
    accepts: ['email'],
    explain: ({ json }) => listed([asObject(json)?.email ?? null]),
  }),
  operation({
    id: 'suppressions.batch.add',
    routes: ['POST /suppressions/batch/add'],
    effect: 'destructive',
    why: 'Whoever is suppressed gets no mail any more and is not told.',
    accepts: ['emails'],
    explain: ({ json }) => listed(asObject(json)?.emails),
  }),
  operation({
    id: 'suppressions.batch.remove',
    routes: ['POST /suppressions/batch/remove'],
    effect: 'write',
    accepts: ['emails', 'ids'],
    explain: ({ json }) => {
      const body = asObject(json)
      if (body === null || !isAbsent(body.emails) === !isAbsent(body.ids))
        return malformed('The body must hold either emails or ids.')
      return isAbsent(body.ids) ? listed(body.emails) : free({ recipients: null })
    },
  }),
  ...rows({ effect: 'write', accepts: [], explain: about }, 'suppressions.remove DELETE /suppressions/{suppression}'),
  ...rows({ effect: 'read', explain: about }, 'suppressions.get GET /suppressions/{suppression}'),
  ...rows({ effect: 'read', people: true }, 'suppressions.list GET /suppressions'),
])

function listed(value: Json | undefined): Explained {
  const texts = Array.isArray(value) ? (value as readonly Json[]) : []
  const addresses = texts.map((text) => (typeof text === 'string' ? mailbox(text) : null))
  return addresses.length === 0 || addresses.length > BATCH_MAX || addresses.includes(null)
    ? malformed(`Name 1 to ${BATCH_MAX} addresses, one a string, like ann@acme.com.`)
    : free({ recipients: [...new Set(addresses as string[])] })
}

function about(question: Question): Explained {
  const address = mailbox(question.path.suppression!)
  if (address !== null) return free({ recipients: [address] })
  if (!question.restricted.recipients) return free({})
  return { lookUp: { path: `/suppressions/${question.path.suppression!}` }, then: (entry) => free(ownerOf(entry)) }
}
