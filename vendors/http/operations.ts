import { larger, priced, ZERO, type Usd } from '../../src/contracts/money.js'
import type { Quote, Subjects } from '../../src/contracts/call.js'
import type { Costs } from '../../src/contracts/policy.js'
import type { Explanation, JsonObject, Operation, Outcome, Question } from '../../src/contracts/vendor.js'
import { saidIn, valuesAt } from './said.js'

/** Prompts and documents are longer than the parameters of a payment. */
const BODY_BYTES_MAX = 1024 * 1024
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** One for each method: of what stands behind a path nothing is known here. */
export const operationsOf = (vendor: string): readonly Operation[] =>
  METHODS.map((method) => operationFor(vendor, method)!)

/** The operation of one call. It reads a cost from the reply only where the call's policies say so. */
export function operationFor(vendor: string, method: string): Operation | null {
  if (!METHODS.includes(method)) return null
  const operation: { -readonly [field in keyof Operation]: Operation[field] } = {
    id: `${vendor}.${method.toLowerCase()}`,
    routes: [`${method} /{path}`],
    effect: READS.has(method) ? 'read' : 'write',
    bodyBytesMax: BODY_BYTES_MAX,
    opaque: true,
    explain: (question) => {
      const { costs = [] } = question.restricted
      const endpoint = `${method} ${question.path.path}`
      const told = costs.filter(({ from }) => from?.concerns(endpoint) === true)
      if (told.length > 0) operation.outcome = (reply) => toldCost(reply, endpoint, told)
      return explained(endpoint, vendor, question, costs)
    },
  }
  return operation
}

function explained(endpoint: string, vendor: string, question: Question, costs: readonly Costs[]): Explanation {
  const quote = quoteOf(endpoint, vendor, costs)
  const spends = 'amount' in quote && quote.amount > 0n
  return {
    quote:
      spends || quote.basis === 'unpriceable'
        ? quote
        : { basis: 'free', why: 'The policy says that it costs nothing.' },
    subjects: { said: saidIn(question), ...whoever(question.restricted), ...(spends ? { currencies: ['usd'] } : {}) },
    ...(spends ? { direction: 'out', effects: ['spend'] } : {}),
  }
}

/** Whom a call concerns is not known here, so a policy that lists them lets none through: conditions can say it. */
const whoever = ({ customers, recipients, senders }: Question['restricted']): Subjects => ({
  ...(customers ? { customers: null } : {}),
  ...(recipients ? { recipients: null } : {}),
  ...(senders ? { senders: null } : {}),
})

/** The dearest of what the policies in force say; unknown when one of them does not say. */
function quoteOf(endpoint: string, vendor: string, costs: readonly Costs[]): Quote {
  let amount: Usd = ZERO
  let ceiling = false
  for (const { of, from, bound } of costs.length === 0 ? [SILENT] : costs) {
    const stated = of(endpoint)
    const told = from?.concerns(endpoint) === true
    if (told && bound === null && stated === null)
      return unpriceable(
        `The policy takes what ${endpoint} costs from the reply, and nothing bounds it before: set vendors.${vendor}.max_amount_usd.`,
      )
    if (!told && stated === null && !isRead(endpoint))
      return unpriceable(
        `What ${endpoint} costs is not said: set vendors.${vendor}.cost_usd in the policy, to "0.00" where it costs nothing.`,
      )
    if (told) ceiling = true
    amount = larger(amount, larger(stated ?? ZERO, told ? (bound ?? ZERO) : ZERO))
  }
  return { basis: ceiling ? 'ceiling' : 'exact', amount }
}

const SILENT: Costs = { of: () => null, from: null, bound: null }
const isRead = (endpoint: string): boolean => READS.has(endpoint.slice(0, endpoint.indexOf(' ')))
const unpriceable = (why: string): Quote => ({ basis: 'unpriceable', why })

/**
 * What the reply says that the call cost. A reply that says nothing costs what is stated, or nothing when it was a read;
 * what was reserved for a write stands.
 */
function toldCost(reply: JsonObject, endpoint: string, costs: readonly Costs[]): Outcome {
  let amount: Usd | null = null
  for (const { from, of } of costs) {
    const told = costIn(reply, from!) ?? of(endpoint) ?? (isRead(endpoint) ? ZERO : null)
    if (told === null) return {}
    amount = larger(amount ?? ZERO, told)
  }
  return amount === null ? {} : { amount }
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,18})?$/

/** Null when the field is not there or no plain decimal. Several values are added up. */
function costIn(reply: JsonObject, { place, usdEach }: NonNullable<Costs['from']>): Usd | null {
  const values = valuesAt(reply, place)
  if (values === null || values.length === 0) return null
  let sum: Usd = ZERO
  for (const value of values) {
    const plain = value === null ? null : plainDecimal(value)
    if (plain === null) return null
    sum = (sum + priced(plain, usdEach)) as Usd
  }
  return sum
}

/** `1e-7`, as JavaScript writes small numbers, is a plain decimal too. */
function plainDecimal(text: string): string | null {
  if (DECIMAL.test(text)) return text
  const small = /^([1-9])(?:\.([0-9]{1,17}))?e-([1-9][0-9]?)$/.exec(text)
  if (small === null) return null
  return `0.${'0'.repeat(Number(small[3]) - 1)}${small[1]}${small[2] ?? ''}`
}
