import { z } from 'zod'
import { larger, parseUsd, type Usd } from '../src/contracts/money.js'
import type { Condition, Costs } from '../src/contracts/policy.js'
import { endpointMatcher, glob } from './patterns.js'
import { shown } from './rules/rule.js'

/*
 * What a block may say of a vendor that exists by configuration, and only there: conditions on what a call holds, and
 * what calls cost. A vendor with a catalogue knows both itself.
 */

const CONDITIONS_MAX = 200
const COSTS_MAX = 200
const VALUES_MAX = 1_000
const FIELD_CHARS_MAX = 200
const FIELD = /^[\w$-]+(?:\.[\w$-]+|\[(?:[\w$. -]+|\*)\])*$/
const DECIMAL = /^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?$/

const field = z
  .string()
  .max(FIELD_CHARS_MAX)
  .regex(FIELD, 'must be the place of a field, such as "labels[*].name" or "usage.cost"')

/** `labels[*].name` as `labels`, `*`, `name`. A name with a dot in it stands in brackets. */
export const placeOf = (text: string): readonly string[] =>
  [...text.matchAll(/\[([^\]]*)\]|[^.[\]]+/g)].map(([step, bracketed]) => bracketed ?? step)

const word = z
  .union([z.string().max(500), z.number(), z.boolean()], 'must be text, a number, true or false')
  .transform((value) => String(value))

const bound = z
  .union([z.string(), z.number()], 'must be a decimal number')
  .transform((value) => String(value))
  .refine((text) => DECIMAL.test(text), 'must be a plain decimal number, such as 1000')

type Part = z.ZodType<string, unknown>

/** @param money and endpoint as every other part of the document spells them */
export function configuredFields(money: Part, endpoint: Part) {
  const condition = z
    .strictObject({
      endpoint,
      field,
      one_of: z.array(word).min(1, 'must name at least one value').max(VALUES_MAX).optional(),
      at_most: bound.optional(),
      at_least: bound.optional(),
      absent: z.literal(true).optional(),
      optional: z.literal(true).optional(),
    })
    .refine(
      ({ one_of, at_most, at_least, absent }) => [one_of, at_most, at_least, absent].some((each) => each !== undefined),
      'must say what holds: one_of, at_most, at_least or absent',
    )
    .refine(
      ({ absent, ...others }) => absent === undefined || Object.keys(others).length === 2,
      'must say nothing else of a field that is to be absent',
    )
  const byEndpoint = z
    .record(endpoint, money)
    .refine((said) => Object.keys(said).length <= COSTS_MAX, `has more than ${COSTS_MAX} endpoints`)
  const fromReply = z.strictObject({
    field,
    usd_each: z
      .string()
      .regex(/^(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,12})?$/, 'must be a decimal in USD as text, such as "0.000002"')
      .optional(),
    endpoints: z.array(endpoint).min(1, 'must name at least one endpoint').max(COSTS_MAX).optional(),
  })
  return {
    conditions: z.array(condition).max(CONDITIONS_MAX, `has more than ${CONDITIONS_MAX} conditions`).optional(),
    cost_usd: either(money, byEndpoint).optional(),
    cost_from: either(field, fromReply).optional(),
  }
}

/** One value for all, or a map of more: whose faults are told follows from what stands there. */
const either = <One, More>(one: z.ZodType<One, unknown>, more: z.ZodType<More, unknown>) =>
  z.unknown().transform((value, context): One | More => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    const parsed = isMap ? more.safeParse(value) : one.safeParse(value)
    if (parsed.success) return parsed.data
    for (const issue of parsed.error.issues) {
      const { path, message } =
        issue.code === 'invalid_key' ? { ...issue, ...issue.issues[0], path: issue.path } : issue
      context.addIssue({ code: 'custom', path, message })
    }
    return z.NEVER
  })

type Said = {
  readonly [part in keyof ReturnType<typeof configuredFields>]?: z.output<ReturnType<typeof configuredFields>[part]>
}

/** Names of the parts, for those who must refuse them. */
export const CONFIGURED_PARTS = ['conditions', 'cost_usd', 'cost_from'] as const

/** Vendors whose catalogues know what calls hold and cost: said of them, these parts would do nothing. */
export const WITH_CATALOGUE: ReadonlySet<string> = new Set(['stripe', 'twilio', 'resend'])

/**
 * What forbids, asks or costs holds for a path however it is spelled: many servers take `/Repos` for `/repos`, and nobody
 * here knows which. What allows stays exact.
 */
export function inAnyCase(
  patterns: readonly string[],
  matcher: (patterns: readonly string[]) => (endpoint: string) => boolean,
): (endpoint: string) => boolean {
  const matches = matcher(patterns.map((pattern) => pattern.toLowerCase()))
  return (endpoint) => matches(endpoint.toLowerCase())
}

/** Conditions of every layer: each can only tighten. `at` is where the block stands. */
export const conditionsIn = (said: Said['conditions'], at: string): Condition[] =>
  (said ?? []).map((each, index) => ({
    concerns: inAnyCase([each.endpoint], endpointMatcher),
    field: each.field,
    place: placeOf(each.field),
    fault: faultOf(each),
    at: `${at}.conditions[${index}]`,
  }))

function faultOf({
  one_of: words,
  at_most: most,
  at_least: least,
  absent,
  optional,
}: NonNullable<Said['conditions']>[number]): Condition['fault'] {
  const accepts = words?.map(glob)
  return (values) => {
    const given = values.filter((value) => value !== null)
    if (absent === true) return given.length === 0 ? null : 'must not be there'
    if (given.length < values.length && optional !== true) return 'is missing'
    for (const value of given) {
      if (accepts?.some((matches) => matches(value)) === false)
        return `is "${shown(value)}", which is none of ${list(words!)}`
      if (most === undefined && least === undefined) continue
      if (!DECIMAL.test(value)) return `is "${shown(value)}", which is no plain number`
      if (most !== undefined && Number(value) > Number(most)) return `is ${value}, over the limit of ${most}`
      if (least !== undefined && Number(value) < Number(least)) return `is ${value}, under the limit of ${least}`
    }
    return null
  }
}

const list = (words: readonly string[]): string =>
  words.length <= 8 ? words.join(', ') : `${words.slice(0, 8).join(', ')} and ${words.length - 8} more`

/** What the document says that calls cost; a narrowing says nothing of it. */
export function costsOf({ cost_usd: stated, cost_from: from }: Said, bound: Usd | undefined): Costs {
  const place = typeof from === 'string' ? { field: from } : from
  return Object.freeze({
    of: statedCost(stated),
    from:
      place === undefined
        ? null
        : {
            concerns: place.endpoints === undefined ? () => true : inAnyCase(place.endpoints, endpointMatcher),
            place: placeOf(place.field),
            usdEach: place.usd_each ?? '1',
          },
    bound: bound ?? null,
  })
}

function statedCost(stated: Said['cost_usd']): Costs['of'] {
  if (stated === undefined) return () => null
  if (typeof stated === 'string') {
    const amount = parseUsd(stated)!
    return () => amount
  }
  const rows = Object.entries(stated).map(([pattern, amount]) => ({
    concerns: inAnyCase([pattern], endpointMatcher),
    amount: parseUsd(amount)!,
  }))
  return (endpoint) =>
    rows.reduce<Usd | null>(
      (dearest, { concerns, amount }) =>
        concerns(endpoint) ? (dearest === null ? amount : larger(dearest, amount)) : dearest,
      null,
    )
}
