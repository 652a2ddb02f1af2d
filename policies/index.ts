import assert from 'node:assert/strict'
import type { Call, Denial } from '../src/contracts/call.js'
import type { Decision, Fault, Judge, Policy, Usage } from '../src/contracts/policy.js'
import { budgets } from './budgets.js'
import { compile } from './compile.js'
import { differences } from './difference.js'
import { checkDocument, checkNarrowing, parseText, type PolicyDocument } from './document.js'
import { opens } from './opens.js'
import { accounts } from './rules/accounts.js'
import { amountKnown } from './rules/amount-known.js'
import { approval } from './rules/approval.js'
import { beneficiaries } from './rules/beneficiaries.js'
import { dailyCap, otherBudgets, runBudgets } from './rules/budgets.js'
import { conditions } from './rules/conditions.js'
import { currencies } from './rules/currencies.js'
import { duplicate } from './rules/duplicate.js'
import { effects } from './rules/effects.js'
import { endpoints } from './rules/endpoints.js'
import { bounded, quantity } from './rules/future.js'
import { idempotency } from './rules/idempotency.js'
import { maxAmount } from './rules/max-amount.js'
import { rate } from './rules/rate.js'
import { reason } from './rules/reason.js'
import type { Spoken, SpokenRule } from './rules/rule.js'
import { titled } from './rules/rule.js'
import { standing } from './rules/standing.js'
import { customers, recipients, senders } from './rules/subjects.js'
import { urls } from './rules/urls.js'

/** What must hold before a look-up may read with the real credential. */
const SCREENING: readonly SpokenRule[] = [standing, endpoints, conditions, effects, bounded, rate]

/** Every rule, in the order in which they speak when several apply (contract §6). */
const RULES: readonly SpokenRule[] = [
  ...SCREENING,
  accounts,
  customers,
  recipients,
  senders,
  beneficiaries,
  urls,
  currencies,
  reason,
  amountKnown,
  maxAmount,
  quantity,
  runBudgets,
  dailyCap,
  otherBudgets,
  idempotency,
  duplicate,
  approval,
]

/** All that the engine needs to know about policies. Pure, but for caches of what was worked out. */
export const judge: Judge = {
  parse(text, file) {
    const parsed = parseText(text, file)
    return parsed.ok ? { ok: true, name: parsed.value.name, document: parsed.value } : parsed
  },
  parseNarrowing(patch) {
    const checked = checkNarrowing(patch)
    return checked.ok
      ? { ok: true, patch: checked.value }
      : { ok: false, faults: checked.findings.map(({ path, message }): Fault => ({ path, message })) }
  },
  compile,
  budgets,
  screen(call, usage, policies) {
    const { verdict, denial } = judged(SCREENING, call, usage, policies)
    return verdict === 'deny' ? denial : null
  },
  decide: (call, usage, policies) => judged(RULES, call, usage, policies),
  differences: (from, to) => differences(checked(from), checked(to)),
  opens: (document, vendor, operation) => opens(checked(document), vendor, operation),
}

/** A document that was parsed before. It is asked about once an operation, and checked once. */
function checked(document: unknown): PolicyDocument {
  const known = documents.get(document as object)
  if (known !== undefined) return known
  const found = checkDocument(document)
  assert(found.ok, 'the document was parsed before')
  documents.set(document as object, found.value)
  return found.value
}
const documents = new WeakMap<object, PolicyDocument>()

const ALLOWED: Decision = Object.freeze({ verdict: 'allow', denial: null })

/** The first denial that holds decides. One that is only observed is kept for the record while the rest are asked. */
function judged(rules: readonly SpokenRule[], call: Call, usage: Usage, policies: readonly Policy[]): Decision {
  // Rules ask each policy, so without one nothing would be refused.
  assert(policies.length > 0, 'a call is judged by at least one policy')
  let observed: Denial | null = null
  for (const rule of rules) {
    const spoken = rule.check(call, usage, policies)
    if (spoken === null) continue
    const enforced = rule.unwaivable === true || (spoken.enforce ?? spoken.policy?.enforce ?? true)
    if (enforced) return { verdict: 'deny', denial: asDenial(rule, spoken) }
    observed ??= asDenial(rule, spoken)
  }
  return observed === null ? ALLOWED : { verdict: 'would_deny', denial: observed }
}

function asDenial(rule: SpokenRule, { code, message, policy, speaker, retryAfterS, approval }: Spoken): Denial {
  const name = speaker ?? (policy === undefined ? rule.name : `${rule.name} (${titled(policy)})`)
  return {
    code,
    message,
    rule: name,
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
    ...(approval === undefined ? {} : { approval }),
  }
}
