import { stringify } from 'yaml'
import { Problem, notFound } from '../admin/problem.js'
import type { PolicyRecord } from '../contracts/ledger.js'
import type { Fault } from '../contracts/policy.js'
import type { Rehearsal } from '../rehearsal/index.js'
import { spanIn } from './back-test.js'
import type { Form } from './form.js'
import { policyPage, versionIn } from './policies.js'
import { REHEARSED } from './rehearsal-form.js'
import { requestIn } from './try-out.js'
import type { Action, Visit } from './visit.js'

export const tryRequest: Action = async (visit, form) => {
  const { record, rehearsal, given, policy } = asked(visit, form)
  if ('faults' in policy) return policyPage(visit, record, { given, faults: policy.faults })
  const tried = requestIn(given)
  if ('faults' in tried) return policyPage(visit, record, { given, faults: tried.faults })
  return policyPage(visit, record, { given, tried: await rehearsal.tryOut(policy, tried, 'only-one') })
}

export const backTest: Action = async (visit, form) => {
  const { record, rehearsal, given, policy } = asked(visit, form)
  if ('faults' in policy) return policyPage(visit, record, { given, faults: policy.faults })
  const wish = await spanIn(visit, given, policy)
  if ('faults' in wish) return policyPage(visit, record, { given, faults: wish.faults })
  return policyPage(visit, record, { given, played: await rehearsal.simulate(wish) })
}

interface Draft {
  readonly name: string
  readonly document: unknown
  /** 0 where it is not the stored version. */
  readonly version: number
}

/** @throws Problem when there is no such version, or nothing to rehearse with */
function asked(
  visit: Visit,
  form: Form,
): {
  readonly record: PolicyRecord
  readonly rehearsal: Rehearsal
  readonly given: ReadonlyMap<string, string>
  readonly policy: Draft | { readonly faults: readonly Fault[] }
} {
  const { rehearsal, ledger, judge } = visit.deps
  if (rehearsal === undefined) throw new Problem('conflict', 'This server has nothing to try policies with.')
  const record = versionIn(ledger, visit.param, form.text('version'))
  if (record === null) throw notFound('policy, or it has no such version')
  const given = new Map(REHEARSED.map((name) => [name, form.text(name)]))
  const text = given.get('document')!
  if (text === '' || text === stringify(record.document).trim()) return { record, rehearsal, given, policy: record }
  const found = judge.parse(text, 'draft')
  const policy = found.ok ? { ...found, version: 0 } : { faults: found.faults.slice(0, 20).map(atDocument) }
  return { record, rehearsal, given, policy }
}

/** All faults of a draft stand at the one field it is written in. */
const atDocument = ({ path, at, message }: Fault): Fault => ({
  path: '',
  message: `The document${at === undefined ? '' : `, ${at.replace(/^.*?:(\d+).*$/, 'line $1')}`}: ${path === '' ? '' : `${path}: `}${message}`,
})
