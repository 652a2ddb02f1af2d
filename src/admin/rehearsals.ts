import type { CallRow } from '../contracts/ledger.js'
import { formatUsd, parseUsd, type Usd } from '../contracts/money.js'
import { leastKeys } from '../rehearsal/least-keys.js'
import type { Rehearsal, LookUpWish } from '../rehearsal/index.js'
import type { Objects } from '../rehearsal/look-ups.js'
import type { Place, Simulation, Sum } from '../rehearsal/simulation.js'
import type { Tried, TrialResult, TriedPolicy } from '../rehearsal/trial.js'
import type { AdminDeps } from './deps.js'
import { findPolicy } from './issue.js'
import {
  observedQuery,
  observedReply,
  policyPermissionsReply,
  policySimulation,
  policySimulationReply,
  policySuggestion,
  policySuggestionReply,
  policyTest,
  policyTestReply,
  sinceMs,
} from './policy-schemas.js'
import { invalid, invalidDocument } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { instant } from './views.js'

const WEEK_MS = 7 * 86_400_000
const HEADROOM = 20

/** What a policy would say: to a request, to recorded calls; and which policy recorded calls would have needed. */
export function rehearsalRoutes(deps: AdminDeps, rehearsal: Rehearsal): Route[] {
  const { ledger, judge, clock } = deps
  const policyIn = (given: string | Record<string, unknown>): TriedPolicy & { readonly name: string } => {
    if (typeof given === 'string') return findPolicy(ledger, given)
    const found = judge.parse(JSON.stringify(given), null)
    if (!found.ok) throw invalidDocument(found.faults)
    return { ...found, version: 0 }
  }
  const spanOf = async (query: SpanQuery): Promise<Span> => {
    const nowMs = clock.now()
    const { run = null, key = null } = query
    if (key !== null && ledger.key(key) === null) throw invalid('key', 'There is no key of this id.')
    const known = run === null ? null : await ledger.run(run)
    if (run !== null && known === null) throw invalid('run', 'There is no such run.')
    const to = query.to === undefined ? (known === null ? nowMs + 1 : known.lastAt + 1) : Date.parse(query.to)
    const from = query.since === undefined ? (known?.firstAt ?? to - WEEK_MS) : sinceMs(query.since, nowMs)
    if (from >= to) throw invalid('since', 'must lie before the end of the span')
    return { from, to, run, key }
  }

  return [
    route({
      method: 'post',
      path: '/admin/v1/policies/test',
      needs: 'viewer',
      summary: 'What a policy would say to a request, or to several with what is expected of each',
      body: policyTest,
      status: 200,
      reply: policyTestReply,
      run: async ({ body }) => {
        const policy = policyIn(body.policy)
        const lookUps: LookUpWish =
          body.look_ups === false
            ? 'never'
            : body.credential === undefined
              ? 'only-one'
              : { credential: body.credential }
        const { request, tests } = body
        if (tests !== undefined) {
          const fixtures = { tests, at: body.at, objects: body.objects }
          const results = await rehearsal.runFixtures(policy, fixtures, lookUps)
          const passed = results.filter(({ ok }) => ok).length
          return {
            ok: passed === results.length,
            passed,
            failed: results.length - passed,
            results: results.map((each) => ({
              name: each.name,
              ok: each.ok,
              expect: each.expect,
              said: each.said,
              ...saidView(each),
            })),
          }
        }
        const { vendor, method, path, at, spent_usd: spent, ...more } = request!
        const tried: Tried = {
          ...more,
          request: `${method} /${vendor}${path}`,
          at: at === undefined ? undefined : Date.parse(at),
          spent: spent === undefined ? undefined : parseUsd(spent)!,
          objects: body.objects as Objects | undefined,
        }
        return saidView(await rehearsal.tryOut(policy, tried, lookUps))
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/policies/simulate',
      needs: 'viewer',
      summary: 'What a policy would have said to calls of the past, with what would change in dollars',
      body: policySimulation,
      status: 200,
      reply: policySimulationReply,
      run: async ({ body }) => {
        const policy = policyIn(body.policy)
        const span = await spanOf(body)
        const document = body.enforce ? { ...(policy.document as object), mode: 'enforce' } : policy.document
        const issued = body.all_keys !== true && body.key === undefined && (await hasKeysUnder(deps, policy.name))
        const wish = { policy: { document, version: policy.version }, ...span, under: issued ? policy.name : null }
        return simulationView(
          policy.version === 0 ? `${policy.name} (draft)` : `${policy.name}@${policy.version}`,
          wish.under,
          await rehearsal.simulate(wish),
        )
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/policies/suggest',
      needs: 'viewer',
      summary: 'The least policy that would have let recorded calls through',
      body: policySuggestion,
      status: 200,
      reply: policySuggestionReply,
      run: async ({ body }) => {
        const wish = {
          ...(await spanOf(body)),
          observed: body.observed === true,
          name: body.name ?? 'suggested',
          headroom: body.headroom ?? HEADROOM,
        }
        const { document, yaml, calls, leftOut } = await rehearsal.suggest(wish)
        return { document, yaml, calls, left_out: leftOut }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/policies/{name}/permissions',
      needs: 'viewer',
      summary: 'The smallest key of each vendor that a policy needs',
      status: 200,
      reply: policyPermissionsReply,
      run: ({ param }) => {
        const { name, version, document } = findPolicy(ledger, param('name'))
        return {
          policy: `${name}@${version}`,
          vendors: leastKeys(document, judge, deps.vendors).map(({ vendor, operations, needs }) => ({
            vendor,
            operations,
            ...needs,
          })),
        }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/observed',
      needs: 'viewer',
      summary: 'What policies that only observe let through and would have refused',
      query: observedQuery,
      status: 200,
      reply: observedReply,
      run: async ({ query }) => {
        const { byRule, all, from, to, complete, ...sum } = await rehearsal.observed(await spanOf(query))
        return {
          from: instant(from),
          to: instant(to),
          complete,
          all: sumView(all),
          would_deny: {
            ...sumView(sum),
            by_rule: byRule.map((each) => ({
              rule: each.rule,
              code: each.code,
              ...sumView(each),
              first: placeView({ call: each.first.id, at: each.first.at }),
              message: each.first.message,
            })),
          },
        }
      },
    }),
  ]
}

interface SpanQuery {
  readonly since?: string | undefined
  readonly to?: string | undefined
  readonly run?: string | undefined
  readonly key?: string | undefined
}

interface Span {
  readonly from: number
  readonly to: number
  readonly run: string | null
  readonly key: string | null
}

/** Whether a key was ever issued under a policy of this name. */
export async function hasKeysUnder({ ledger }: AdminDeps, name: string): Promise<boolean> {
  const versions = new Set(ledger.policies().flatMap((record) => (record.name === name ? [record.id] : [])))
  if (versions.size === 0) return false
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof ledger.keys>> = await ledger.keys({ limit: 500, ...(cursor && { cursor }) })
    if (page.rows.some(({ policyId }) => versions.has(policyId))) return true
    cursor = page.next
  } while (cursor !== null)
  return false
}

const saidView = ({ verdict, code, rule, message, operation, effect, quoted, needs }: TrialResult): object => ({
  verdict,
  code,
  rule,
  message,
  operation,
  effect,
  quoted_usd: quoted === null ? null : formatUsd(quoted),
  ...(needs && { needs }),
})

const sumView = ({ calls, amount }: { readonly calls: number; readonly amount: Usd }): object => ({
  calls,
  usd: formatUsd(amount),
})
const placeView = ({ call, at }: Place): object => ({ call, at: instant(at) })
const bothView = ({ admitted, refused }: { readonly admitted: Sum; readonly refused: Sum }): object => ({
  admitted: sumView(admitted),
  refused: sumView(refused),
})

function simulationView(policy: string, under: string | null, played: Simulation): object {
  return {
    policy,
    keys_under: under,
    from: instant(played.from),
    to: instant(played.to),
    complete: played.complete,
    message: played.complete
      ? null
      : `There are too many calls: they were played up to ${instant(played.to)}. Give a later since, or a run.`,
    keys: played.keys,
    recorded: bothView(played.recorded),
    simulated: bothView(played.simulated),
    newly_refused: {
      ...sumView(played.newlyRefused),
      by_rule: played.newlyRefused.byRule.map((each) => ({
        rule: each.rule,
        code: each.code,
        ...sumView(each),
        first: placeView(each.first),
      })),
    },
    newly_allowed: sumView(played.newlyAllowed),
    following: sumView(played.following),
    not_judged: {
      ...sumView(played.notJudged),
      by_reason: played.notJudged.byReason.map((each) => ({
        why: each.why,
        ...sumView(each),
        first: placeView(each.first),
      })),
    },
    caps: played.caps.map((each) => ({
      rule: each.rule,
      label: each.label,
      cap_usd: formatUsd(each.cap),
      most_usd: formatUsd(each.most),
      first: each.first && placeView(each.first),
      refused: each.refused,
    })),
    changes: played.changes.map(({ row, amount, becomes, code, rule, message }) => ({
      call: row.id,
      ...whatWasAsked(row),
      usd: formatUsd(amount),
      was: { verdict: row.verdict, code: row.code, rule: row.rule },
      becomes: { verdict: becomes, code, rule, message },
    })),
  }
}

const whatWasAsked = (row: CallRow): object => ({
  at: instant(row.at),
  key_id: row.keyId,
  run: row.run,
  vendor: row.vendor,
  method: row.method,
  path: row.path,
  operation: row.operation,
  customer: row.customer,
})
