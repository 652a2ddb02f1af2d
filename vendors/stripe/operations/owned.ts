import type { Explained, Explanation, Question } from '../../../src/contracts/vendor.js'
import { ofOwner, type Kind } from '../lookups.js'
import { FREE } from '../pricing.js'
import { owners, subjects } from '../subjects.js'

/** A free change to one object, which belongs to its customer. */
export const ofObject =
  (kind: Kind, placeholder: string) =>
  (question: Question): Explained =>
    ofOwner(question, kind, question.path[placeholder]!, (customers) => ({
      quote: FREE,
      subjects: subjects(question, { customers }),
    }))

/** A free change below a customer, whose id is `{customer}` in the path. */
export const ofCustomerInPath = (question: Question): Explanation => ({
  quote: FREE,
  subjects: subjects(question, { customers: owners(question.path.customer) }),
})

/** A free change that names its customer in the form, or names none. */
export const ofCustomerInForm = (question: Question): Explanation => ({
  quote: FREE,
  subjects: subjects(question, { customers: owners(question.params.get('customer')) }),
})
