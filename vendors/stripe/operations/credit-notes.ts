import type { Explained, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, ofOwner } from '../lookups.js'
import { operation } from '../operation.js'
import { cost, costs, FREE, largerMinor, plus, priceOf } from '../pricing.js'
import { integer, text } from '../replies.js'
import { SDK } from '../sources.js'
import { customerOf, owners, subjects } from '../subjects.js'
import { ownedList, ownedRead, SECRETS } from './reads.js'

const FIELDS = `amount credit_amount effective_at email_type invoice lines memo metadata out_of_band_amount reason
  refund_amount refunds shipping_cost`

/** Money back for an invoice: as a refund, as credit for the next one, outside Stripe, or off what is still owed. */
export const creditNotes: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'credit_notes.create',
    routes: ['POST /v1/credit_notes'],
    effect: 'spend',
    accepts: FIELDS,
    explain: create,
    outcome: (reply, question) => cost(question, integer(reply.amount), text(reply.currency)),
  }),
  operation({
    id: 'credit_notes.update',
    routes: ['POST /v1/credit_notes/{credit_note}'],
    effect: 'write',
    why: 'Only its memo and metadata can be changed.',
    accepts: 'memo metadata',
    explain: (question) =>
      ofOwner(question, 'credit_note', question.path.credit_note!, (customers) => ({
        quote: FREE,
        subjects: subjects(question, { customers }),
      })),
  }),
  operation({
    id: 'credit_notes.void',
    routes: ['POST /v1/credit_notes/{credit_note}/void'],
    effect: 'future_spend',
    accepts: '',
    // The customer owes the amount again.
    explain: (question) =>
      find('credit_note', question.path.credit_note!, (note) => ({
        direction: 'in',
        subjects: subjects(question, { customers: owners(customerOf(note)), currencies: [text(note.currency)] }),
        ...costs(priceOf(question, integer(note.amount), text(note.currency))),
      })),
  }),
  operation({
    id: 'credit_notes.preview',
    routes: ['GET /v1/credit_notes/preview'],
    effect: 'read',
    signed: ['amount', 'unit_amount', 'unit_amount_decimal'],
    explain: ofInvoice,
  }),
  operation({
    id: 'credit_notes.list_preview_line_items',
    routes: ['GET /v1/credit_notes/preview/lines'],
    effect: 'read',
    signed: ['amount', 'unit_amount', 'unit_amount_decimal'],
    explain: ofInvoice,
  }),
  ownedList('credit_notes.list', '/v1/credit_notes'),
  ownedRead('credit_notes.retrieve', '/v1/credit_notes/{credit_note}', 'credit_note', 'credit_note'),
  ownedRead('credit_notes.list_lines', '/v1/credit_notes/{credit_note}/lines', 'credit_note', 'credit_note'),
])

function ofInvoice(question: Question): Explained {
  const invoice = question.params.get('invoice')
  if (!invoice) return { quote: FREE, subjects: { customers: null } }
  return ofOwner(question, 'invoice', invoice, (customers) => ({ quote: FREE, subjects: { customers } }))
}

/** How the total is split: to a card, to the customer's balance, outside Stripe. */
const PARTS = ['refund_amount', 'credit_amount', 'out_of_band_amount'] as const

/** Stripe's preview says what the lines come to with tax, in which currency and for whom. The larger of it and what is asked for counts. */
function create(question: Question): Explained {
  const { params } = question
  const odd = [...PARTS.map((name) => [name, params.get(name)] as const), ...linked(params)].find(
    ([name, value]) => (value === undefined && params.has(name)) || (value !== undefined && !MINOR.test(value)),
  )
  if (odd) {
    const message = `${odd[0]} is not a plain integer. Send whole minor units in digits only. Do not retry.`
    return { subjects: {}, refuse: { code: 'request_malformed', message }, ...costs(message) }
  }
  const unknown = (why: string) => ({ subjects: subjects(question, { customers: null }), ...costs(why) })
  if (!params.get('invoice')) return unknown('A credit note without an invoice has no amount.')
  return {
    lookUp: {
      path: '/v1/credit_notes/preview',
      params: params.entries().filter(([name]) => !/^(expand|metadata|memo|email_type)(\[|$)/.test(name)),
    },
    then: (note) => {
      const shown = note && integer(note.amount)
      if (!note || !shown)
        return unknown('Stripe shows no preview of this credit note, so what it gives back is unknown.')
      const currency = text(note.currency)
      const parts = plus(...PARTS.map((name) => params.get(name) ?? '0'))
      const asked = largerMinor(parts, params.get('amount') ?? '0')
      return {
        direction: 'out',
        subjects: subjects(question, { customers: owners(customerOf(note)), currencies: [currency] }),
        ...costs(priceOf(question, largerMinor(shown.replace('-', ''), asked), currency)),
      }
    },
  }
}

const MINOR = /^(0|[1-9][0-9]{0,11})$/

const linked = (params: Params): (readonly [string, string])[] =>
  params.entries().filter(([name]) => name.startsWith('refunds[') && name.endsWith('[amount_refunded]'))
