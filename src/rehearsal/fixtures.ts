import { z } from 'zod'
import type { DenialCode } from '../contracts/call.js'
import { parseUsd } from '../contracts/money.js'
import type { Json, JsonObject } from '../contracts/vendor.js'
import type { Objects } from './look-ups.js'
import { tryOut, type LiveLookUps, type TrialMeans, type TrialResult, type TriedPolicy } from './trial.js'

/*
 * Requests and what a policy is expected to say to them, as operators keep them beside their policies.
 */

const TESTS_MAX = 2_000
const NAME_CHARS_MAX = 200

const CODES: Readonly<Record<DenialCode, true>> = {
  key_unknown: true,
  key_revoked: true,
  key_expired: true,
  real_key_presented: true,
  key_frozen: true,
  vendor_not_granted: true,
  request_malformed: true,
  request_ambiguous: true,
  operation_unknown: true,
  operation_not_allowed: true,
  effect_not_permitted: true,
  account_not_allowed: true,
  customer_not_allowed: true,
  recipient_not_allowed: true,
  sender_not_allowed: true,
  beneficiary_not_allowed: true,
  url_not_allowed: true,
  currency_not_allowed: true,
  amount_unknown: true,
  amount_over_limit: true,
  run_cap_exceeded: true,
  daily_cap_exceeded: true,
  budget_exceeded: true,
  duplicate_call: true,
  idempotency_mismatch: true,
  reason_required: true,
  approval_required: true,
  body_too_large: true,
  rate_limited: true,
  ledger_unavailable: true,
  overloaded: true,
  clock_suspect: true,
  upstream_unavailable: true,
  upstream_timeout: true,
}

const expectation = z
  .string()
  .refine(
    (text) => text === 'allow' || Object.hasOwn(CODES, text),
    'must be allow or the code of a refusal, such as amount_over_limit',
  )

const json: z.ZodType<Json> = z
  .lazy(() => z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]))
  .meta({ id: 'Json', description: 'Any JSON.' })
const jsonObject = z.record(z.string(), json) as unknown as z.ZodType<JsonObject>
const objects = z
  .record(z.string().startsWith('/', 'must be a path, such as /v1/charges/ch_1'), z.union([jsonObject, z.null()]))
  .meta({ description: 'Vendor objects by path, as the vendor would reply with them; null: there is none.' })
const instant = z.union(
  [z.iso.datetime({ offset: true }), z.iso.date()],
  'must be an instant such as "2026-11-21T09:00:00Z", or a date',
)
const amount = z
  .union([z.string(), z.int()])
  .transform(String)
  .refine((text) => parseUsd(text) !== null, 'must be an amount in USD as text, such as "20.00"')

/** What may go along with a request, however it is written. */
export const circumstances = {
  form: jsonObject.optional(),
  json: json.optional(),
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/, 'must be a header name'), z.string()).optional(),
  at: instant.optional().meta({ description: 'When it is made; now when absent.' }),
  spent_usd: amount.optional().meta({ description: 'What every budget has counted before it.' }),
  objects: objects.optional(),
}

const REQUEST = /^(GET|POST|PUT|PATCH|DELETE) \/[a-z][a-z0-9_-]*\/\S+$/

/** One request and the expectation. */
export const fixture = z
  .strictObject({
    name: z.string().min(1).max(NAME_CHARS_MAX),
    request: z
      .string()
      .regex(REQUEST, 'must be a method and a path that begins with the vendor, such as "POST /stripe/v1/refunds"'),
    ...circumstances,
    expect: expectation,
  })
  .refine(({ form, json }) => form === undefined || json === undefined, {
    path: ['json'],
    message: 'a request has a form or json, not both',
  })

/** What all tests have in common, and the tests. */
export const fixtures = z.strictObject({
  at: instant.optional(),
  objects: objects.optional(),
  tests: z.array(fixture).min(1, 'must hold a test').max(TESTS_MAX, `has more than ${TESTS_MAX} tests`),
})

export type Fixtures = z.output<typeof fixtures>

/** Where in the file a fault is, `tests[2].expect`, and what it is. */
export interface FixtureFault {
  readonly path: string
  readonly message: string
}

export function parseFixtures(
  value: unknown,
):
  | { readonly ok: true; readonly fixtures: Fixtures }
  | { readonly ok: false; readonly faults: readonly FixtureFault[] } {
  const parsed = fixtures.safeParse(value)
  if (parsed.success) return { ok: true, fixtures: parsed.data }
  return { ok: false, faults: parsed.error.issues.slice(0, 50).flatMap(faultsIn) }
}

const KNOWN = ['name', 'request', ...Object.keys(circumstances), 'expect']

function faultsIn(issue: z.core.$ZodIssue): FixtureFault[] {
  const path = pathText(issue.path)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: pathText([...issue.path, key]),
      message: `"${key}" is not known here: ${(issue.path.length === 0 ? ['tests', 'at', 'objects'] : KNOWN).join(', ')}`,
    }))
  if (issue.code === 'invalid_type' && /received undefined$/.test(issue.message))
    return [{ path, message: `${String(issue.path.at(-1) ?? 'the document')} is missing` }]
  return [{ path, message: issue.path.length === 0 ? issue.message : `${String(issue.path.at(-1))} ${issue.message}` }]
}

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  )

/** What became of one test. */
export interface Tested extends TrialResult {
  readonly name: string
  readonly expect: string
  /** What was said: `allow`, a code, or `unknown`. */
  readonly said: string
  readonly ok: boolean
}

/**
 * Tries out each of them by itself, as the first call of its key. What a policy only observes counts as what it would
 * refuse.
 */
export async function runFixtures(
  policy: TriedPolicy,
  { at, objects: shared, tests }: Fixtures,
  means: TrialMeans,
  liveFor: (vendor: string) => LiveLookUps | null = () => null,
): Promise<readonly Tested[]> {
  const results: Tested[] = []
  for (const test of tests) {
    const when = test.at ?? at
    const result = await tryOut(
      policy,
      {
        ...test,
        at: when === undefined ? undefined : Date.parse(when),
        spent: test.spent_usd === undefined ? undefined : parseUsd(test.spent_usd)!,
        objects: { ...shared, ...test.objects } as Objects,
      },
      means,
      liveFor(vendorOf(test.request)),
    )
    const said = result.verdict === 'unknown' ? 'unknown' : (result.code ?? 'allow')
    results.push({ name: test.name, expect: test.expect, said, ok: said === test.expect, ...result })
  }
  return results
}

const vendorOf = (request: string): string => request.split('/')[1] ?? ''
