import type { JsonObject, Operation } from '../../../src/contracts/vendor.js'
import { find, ofOwner } from '../lookups.js'
import { product } from '../../table.js'
import { operation } from '../operation.js'
import { atLeast, brings, costs, open, plus, priceOf, reached, FREE } from '../pricing.js'
import { idIn, integer, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { everybodys, ownedList, ownedRead, SECRETS } from './reads.js'

export const charges: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'charges.create',
    routes: ['POST /v1/charges'],
    effect: 'spend',
    accepts: `amount application_fee application_fee_amount capture currency customer description destination metadata
      on_behalf_of radar_options receipt_email shipping source statement_descriptor statement_descriptor_suffix
      transfer_data transfer_group`,
    explain: (question) => {
      const { params } = question
      const currency = params.get('currency')
      return {
        direction: 'in',
        subjects: subjects(question, { customers: owners(params.get('customer')), currencies: [currency] }),
        ...costs(priceOf(question, params.get('amount'), currency)),
        ...(params.get('capture') === 'false' && { commits: open(1n) }),
      }
    },
    outcome: (reply, question) =>
      reached(
        question,
        exposureOf(reply),
        atLeast(question.params.get('amount'), integer(reply.amount)),
        text(reply.currency),
      ),
  }),
  operation({
    id: 'charges.update',
    routes: ['POST /v1/charges/{charge}'],
    effect: 'write',
    why: 'It changes labels of a charge that has been made; no amount.',
    accepts: 'customer description fraud_details metadata receipt_email shipping transfer_group',
    explain: (question) =>
      ofOwner(question, 'charge', question.path.charge!, (customers) => {
        const relabelled = question.params.get('customer')
        return {
          quote: FREE,
          subjects: subjects(question, {
            customers: customers && relabelled ? owners(...customers, relabelled) : customers,
          }),
        }
      }),
  }),
  operation({
    id: 'charges.capture',
    routes: ['POST /v1/charges/{charge}/capture'],
    effect: 'spend',
    accepts: `amount application_fee application_fee_amount receipt_email statement_descriptor
      statement_descriptor_suffix transfer_data transfer_group`,
    explain: (question) =>
      find('charge', question.path.charge!, (charge) => {
        const part = question.params.get('amount')
        const total = part === undefined ? integer(charge.amount) : plus(integer(charge.amount_captured) ?? '0', part)
        const currency = text(charge.currency)
        return {
          direction: 'in',
          commits: open(1n, exposureOf(charge)!),
          subjects: subjects(question, {
            customers: owners(customerOf(charge)),
            currencies: [currency],
            beneficiaries: [...beneficiariesOf(charge), idIn(charge.destination)],
          }),
          ...brings(exposureOf(charge)!, priceOf(question, total, currency)),
        }
      }),
    outcome: (reply, question) => {
      const exposure = exposureOf(reply)
      const taken = integer(reply.amount_captured) ?? integer(reply.amount)
      return { ...reached(question, exposure, taken, text(reply.currency)), ...(exposure && { ends: exposure }) }
    },
  }),
  everybodys('charges.search', '/v1/charges/search'),
  ownedList('charges.list', '/v1/charges'),
  ownedRead('charges.retrieve', '/v1/charges/{charge}', 'charge', 'charge'),
])

/** A charge made by an intent counts with the intent, so that capturing it by either id is counted once. */
const exposureOf = (charge: JsonObject): string | null => idIn(charge.payment_intent) ?? text(charge.id)
