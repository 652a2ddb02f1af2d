import { z } from 'zod'
import { circumstances, fixture } from '../rehearsal/fixtures.js'
import { duration, durationMs, instant, label, reference, runId } from './schemas.js'

/*
 * What the admin API takes and gives where a policy is tried out, played again over recorded calls, or written from them.
 */

const policy = z
  .union([z.string().min(1), z.record(z.string(), z.unknown())])
  .meta({ description: 'A stored policy by name or name@version, or a document.' })

const singleRequest = z.strictObject({
  vendor: z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'must be the name of a vendor, such as "stripe"'),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  path: z.string().min(1).max(2000).startsWith('/'),
  form: circumstances.form,
  json: circumstances.json,
  headers: circumstances.headers,
  at: circumstances.at,
  spent_usd: circumstances.spent_usd,
})

export const policyTest = z
  .strictObject({
    policy,
    request: singleRequest.optional(),
    tests: z.array(fixture).min(1).max(2_000).optional(),
    at: circumstances.at,
    objects: circumstances.objects,
    credential: label.optional().meta({
      description: 'Answers look-ups for which no object is given; absent: the only credential of the vendor.',
    }),
    look_ups: z.boolean().optional().meta({ description: 'false: ask no vendor anything.' }),
  })
  .refine(({ request, tests }) => (request === undefined) !== (tests === undefined), {
    path: ['request'],
    message: 'give a request, or tests',
  })

const back = z.union([duration, instant], 'must be a span back such as "7d", an instant or a date')
/** Which calls of the past. */
const span = {
  since: back.optional().meta({ description: 'Absent: the last 7 days; with a run, all of it.' }),
  to: instant.optional().meta({ description: 'Exclusive; absent: now.' }),
  run: runId.optional(),
  key: reference.optional().meta({ description: 'This key and those below it.' }),
}

export const policySimulation = z.strictObject({
  policy,
  ...span,
  all_keys: z.boolean().optional().meta({
    description: 'Every key; absent: those issued under a policy of this name, or every key when there is none.',
  }),
  enforce: z.boolean().optional().meta({ description: 'Judge as if it enforced, whatever its mode.' }),
})
export const observedQuery = z.strictObject(span)
export const policySuggestion = z
  .strictObject({
    ...span,
    observed: z.boolean().optional().meta({ description: 'Calls of keys whose policy only observes.' }),
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
      .optional(),
    headroom: z.int().min(0).max(1000).optional().meta({ description: 'Per cent over what was seen; 20 when absent.' }),
  })
  .refine(({ run, key, observed }) => [run, key, observed].some((each) => each !== undefined), {
    path: ['run'],
    message: 'say which calls: a run, a key or observed',
  })

/** Epoch ms of `since`, which is a span back from now or an instant. */
export const sinceMs = (text: string, nowMs: number): number =>
  /^\d+[smhd]$/.test(text) ? nowMs - durationMs(text) : Date.parse(text)

// Replies

const sum = z.string()
const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.nullable()
const amounts = { calls: z.int(), usd: sum }
const place = z.strictObject({ call: z.string(), at: z.iso.datetime() })
const verdict = z.enum(['allow', 'deny', 'would_deny', 'unknown'])
const said = {
  verdict,
  code: maybe(z.string()),
  rule: maybe(z.string()),
  message: maybe(z.string()),
  operation: maybe(z.string()),
  effect: maybe(z.string()),
  quoted_usd: maybe(sum),
  needs: z.array(z.string()).optional().meta({ description: 'Look-ups that could not be answered.' }),
}

export const policyTestReply = z.union([
  z.strictObject(said),
  z.strictObject({
    ok: z.boolean(),
    passed: z.int(),
    failed: z.int(),
    results: z.array(
      z.strictObject({ name: z.string(), ok: z.boolean(), expect: z.string(), said: z.string(), ...said }),
    ),
  }),
])

const both = z.strictObject({ admitted: z.strictObject(amounts), refused: z.strictObject(amounts) })
export const policySimulationReply = z
  .strictObject({
    policy: z.string(),
    keys_under: maybe(z.string()).meta({ description: 'Only keys issued under this policy; null: every key.' }),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    complete: z.boolean(),
    message: maybe(z.string()),
    keys: z.int(),
    recorded: both,
    simulated: both,
    newly_refused: z.strictObject({
      ...amounts,
      by_rule: z.array(z.strictObject({ rule: z.string(), code: z.string(), ...amounts, first: place })),
    }),
    newly_allowed: z.strictObject(amounts),
    following: z.strictObject(amounts).meta({ description: 'On objects that a call now refused had made.' }),
    not_judged: z.strictObject({
      ...amounts,
      by_reason: z.array(z.strictObject({ why: z.string(), ...amounts, first: place })),
    }),
    caps: z.array(
      z.strictObject({
        rule: z.string(),
        label: z.string(),
        cap_usd: sum,
        most_usd: sum,
        first: maybe(place).meta({ description: 'The first call that did not fit any more.' }),
        refused: z.int(),
      }),
    ),
    changes: z.array(
      z.strictObject({
        call: z.string(),
        at: z.iso.datetime(),
        key_id: z.string(),
        run: z.string(),
        vendor: z.string(),
        method: z.string(),
        path: z.string(),
        operation: maybe(z.string()),
        customer: maybe(z.string()),
        usd: sum,
        was: z.strictObject({ verdict: z.string(), code: maybe(z.string()), rule: maybe(z.string()) }),
        becomes: z.strictObject({
          verdict: z.string(),
          code: maybe(z.string()),
          rule: maybe(z.string()),
          message: maybe(z.string()),
        }),
      }),
    ),
  })
  .meta({ id: 'PolicySimulation' })

export const observedReply = z.strictObject({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  complete: z.boolean(),
  all: z.strictObject(amounts),
  would_deny: z.strictObject({
    ...amounts,
    by_rule: z.array(
      z.strictObject({ rule: z.string(), code: z.string(), ...amounts, first: place, message: maybe(z.string()) }),
    ),
  }),
})

export const policySuggestionReply = z.strictObject({
  document: z.unknown(),
  yaml: z.string(),
  calls: z.int(),
  left_out: z.array(z.string()).meta({ description: 'What was seen and is not in the policy, or not certain.' }),
})

export const policyPermissionsReply = z.strictObject({
  policy: z.string(),
  vendors: z.array(
    z.strictObject({
      vendor: z.string(),
      operations: z.int(),
      kind: z.string(),
      permissions: z.array(z.string()),
      unknown: z.array(z.string()).meta({ description: 'Operations whose permission is not known here.' }),
      source: z.string(),
    }),
  ),
})
