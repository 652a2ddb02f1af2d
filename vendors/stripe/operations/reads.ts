import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { ofOwner, type Kind } from '../lookups.js'
import { operation } from '../operation.js'
import { FREE } from '../pricing.js'
import { owners } from '../subjects.js'

/** `GET` of one object that belongs to a customer. */
export const ownedRead = (id: string, route: string, kind: Kind, placeholder: string): Operation =>
  operation({
    id,
    routes: [`GET ${route}`],
    effect: 'read',
    explain: (question) =>
      ofOwner(question, kind, question.path[placeholder]!, (customers) => ({ quote: FREE, subjects: { customers } })),
  })

/** A list of objects that belong to customers. Only the `customer` filter ties it to one. */
export const ownedList = (id: string, route: string): Operation =>
  operation({ id, routes: [`GET ${route}`], effect: 'read', explain: byCustomerFilter })

function byCustomerFilter({ params }: Question): Explained {
  // A customer_account names a customer by an id that no allowlist of customers can hold.
  const customers = params.has('customer_account') ? null : owners(params.get('customer'))
  return { quote: FREE, subjects: { customers } }
}

/** A list that is tied to a customer only through the charge or intent it is filtered by. */
export const listOfPayment = (id: string, route: string): Operation =>
  operation({
    id,
    routes: [`GET ${route}`],
    effect: 'read',
    explain: (question) => {
      const { params } = question
      const explain = (customers: readonly string[] | null) => ({ quote: FREE, subjects: { customers } })
      const charge = params.get('charge')
      if (charge) return ofOwner(question, 'charge', charge, explain)
      const intent = params.get('payment_intent')
      return intent ? ofOwner(question, 'payment_intent', intent, explain) : explain(null)
    },
  })

/** A search, or a list no filter of which ties it to one customer. */
export const everybodys = (id: string, route: string): Operation =>
  operation({
    id,
    routes: [`GET ${route}`],
    effect: 'read',
    explain: () => ({ quote: FREE, subjects: { customers: null } }),
  })

/** Objects that belong to no customer, such as products, and lead to none. */
export const nobodys = (id: string, route: string): Operation =>
  operation({ id, routes: [`GET ${route}`], effect: 'read' })

/** Objects that belong to no customer but can be expanded into those that do (`expand[]=data.source`). */
export const nobodysUnlessExpanded = (id: string, route: string): Operation =>
  operation({
    id,
    routes: [`GET ${route}`],
    effect: 'read',
    explain: ({ params }) => ({ quote: FREE, subjects: params.has('expand') ? { customers: null } : {} }),
  })
