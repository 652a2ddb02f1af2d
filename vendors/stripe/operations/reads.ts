import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { shown } from '../grammar.js'
import { ofOwner, type Kind } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { FREE } from '../pricing.js'
import { owners } from '../subjects.js'

/**
 * Reply fields by which somebody pays, or sees what is to be paid, without passing here. `expand` can put them into
 * almost every reply, so only the calls that make a counted payment show theirs.
 */
export const SECRETS = ['client_secret', 'hosted_invoice_url', 'invoice_pdf'] as const

/**
 * A call that shows the secret of what it makes cannot hide that of another: what hangs on the customer may hold some,
 * open invoices and sources among them.
 */
export function refusedExpansion({ params }: Question): Pick<Explanation, 'refuse'> {
  const beyond = params
    .all('expand')
    .find((path) => /(^|\.)customer\..*(subscription|invoice(?!_settings)|source)/.test(path))
  if (beyond === undefined) return {}
  const message = `expand ${shown(beyond)} could show what pays something else than this call makes. Leave it out. Do not retry.`
  return { refuse: { code: 'request_malformed', message } }
}

/** What a balance transaction can be expanded into holds the numbers of cards that spend our money. */
const CARD_SECRETS = [...SECRETS, 'cvc', 'number'] as const

/** `GET` of one object that belongs to a customer. */
export const ownedRead = (id: string, route: string, kind: Kind, placeholder: string): Operation =>
  operation({
    id,
    routes: [`GET ${route}`],
    effect: 'read',
    reveals: SECRETS,
    explain: (question) =>
      ofOwner(question, kind, question.path[placeholder]!, (customers) => ({ quote: FREE, subjects: { customers } })),
  })

/** A list of objects that belong to customers. Only the `customer` filter ties it to one. */
export const ownedList = (id: string, route: string): Operation =>
  operation({ id, routes: [`GET ${route}`], effect: 'read', reveals: SECRETS, explain: byCustomerFilter })

function byCustomerFilter({ params }: Question): Explained {
  // A customer_account names a customer by an id that no allowlist of customers can hold.
  const customers = params.has('customer_account') ? null : owners(params.get('customer'))
  return { quote: FREE, subjects: { customers } }
}

/** A list that is tied to a customer only through the object it is filtered by: the first of these that is named. */
export const filteredList = (id: string, route: string, filters: Readonly<Record<string, Kind>>): Operation =>
  operation({
    id,
    routes: [`GET ${route}`],
    effect: 'read',
    reveals: SECRETS,
    explain: (question) => {
      const explain = (customers: readonly string[] | null) => ({ quote: FREE, subjects: { customers } })
      for (const [name, kind] of Object.entries(filters)) {
        const named = question.params.get(name)
        if (named) return ofOwner(question, kind, named, explain)
      }
      return explain(null)
    },
  })

export const listOfPayment = (id: string, route: string): Operation =>
  filteredList(id, route, { charge: 'charge', payment_intent: 'payment_intent' })

/** Searches, lists no filter of which ties them to one customer, and objects that do not say whose they are; one a line (see `lines`). */
export const everybodysRows = (text: string): Operation[] =>
  rows({ effect: 'read', reveals: SECRETS, explain: () => ({ quote: FREE, subjects: { customers: null } }) }, text)

export const everybodys = (id: string, route: string): Operation => everybodysRows(`${id} GET ${route}`)[0]!

/** Objects that belong to no customer, such as products, and lead to none; one a line (see `lines`). */
export const nobodysRows = (text: string): Operation[] =>
  rows({ effect: 'read', reveals: SECRETS, explain: () => ({ quote: FREE, subjects: {} }) }, text)

export const nobodys = (id: string, route: string): Operation => nobodysRows(`${id} GET ${route}`)[0]!

/** Objects that belong to no customer but can be expanded into those that do (`expand[]=data.source`). */
export const nobodysUnlessExpanded = (id: string, route: string): Operation =>
  operation({
    id,
    routes: [`GET ${route}`],
    effect: 'read',
    reveals: CARD_SECRETS,
    explain: ({ params }) => ({ quote: FREE, subjects: params.has('expand') ? { customers: null } : {} }),
  })

/** Reads below one customer, whose id is `{customer}` in the path; one a line (see `lines`). */
export const customersOwnRows = (text: string): Operation[] =>
  rows(
    {
      effect: 'read',
      reveals: SECRETS,
      explain: ({ path }) => ({ quote: FREE, subjects: { customers: owners(path.customer) } }),
    },
    text,
  )
