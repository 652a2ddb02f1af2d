import { z } from 'zod'
import { PERMITTED_ONLY } from '../src/contracts/call.js'
import { formatUsd, parseUsd } from '../src/contracts/money.js'
import type { BudgetScope, Fault } from '../src/contracts/policy.js'
import { CONFIGURED_PARTS, configuredFields, WITH_CATALOGUE } from './configured.js'
import { floatFault, readSource } from './source.js'
import type { Finding } from './source.js'
import { nearest } from './suggest.js'
import { knownZone } from './windows.js'

/*
 * The policy document (contract §4) and the partial one that narrows a key. What leaves here is plain JSON in one
 * spelling (money as "50.00", currencies in lower case), so that equal rules are equal documents.
 */

const ENTRIES_MAX = 10_000
const PATTERNS_MAX = 500
const ENTRY_LENGTH_MAX = 512
const BUDGETS_MAX = 32
const VENDORS_MAX = 64
const DAY_MS = 86_400_000
const DURATION_MS_MAX = 3_650 * DAY_MS
const APPROVAL_MS_MAX = 30 * DAY_MS

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: DAY_MS }

/** Milliseconds of a duration that the schema let through, such as `4h`. */
export const durationMs = (text: string): number => Number(text.slice(0, -1)) * UNIT_MS[text.slice(-1)]!

const problem = (context: { addIssue(issue: { code: 'custom'; message: string }): void }, message: string): never => {
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

const money = z.unknown().transform((value, context): string => {
  if (typeof value === 'number') {
    if (!Number.isInteger(value) || value < 0 || value > 999_999_999_999)
      return problem(context, floatFault(String(value), value < 0))
    return formatUsd(parseUsd(String(value))!)
  }
  if (typeof value !== 'string') return problem(context, 'must be an amount in USD as text, such as "50.00"')
  const amount = parseUsd(value)
  if (amount !== null) return formatUsd(amount)
  if (/^\s*-/.test(value)) return problem(context, `"${shown(value)}" is negative: an amount is zero or more`)
  // Only a comma that can be nothing but a thousands separator is taken out: "5,00" may mean five or five hundred.
  const plain = value.replace(/usd|[$_\s]/gi, '')
  const likely = parseUsd(
    /^[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$/.test(plain) && plain.includes('.') ? plain.replaceAll(',', '') : plain,
  )
  const suggestion =
    likely === null ? 'decimal text with at most 6 fraction digits, such as "50.00"' : `"${formatUsd(likely)}"`
  return problem(context, `"${shown(value)}" is not an amount in USD: write ${suggestion}`)
})

const duration = z.string().transform((text, context): string => {
  if (!/^[0-9]+[smhd]$/.test(text)) {
    return problem(context, `"${shown(text)}" is not a duration: write a whole number and s, m, h or d, such as "4h"`)
  }
  const ms = durationMs(text)
  if (ms < 1) return problem(context, 'must be longer than nothing')
  if (ms > DURATION_MS_MAX) return problem(context, 'must be at most "3650d"')
  return text
})

const timezone = z.string().transform((text, context): string => {
  const zone = knownZone(text)
  if (zone !== null) return zone
  const near = nearest(text, Intl.supportedValuesOf('timeZone'))
  return problem(
    context,
    `unknown time zone "${shown(text)}". ` +
      (near === null ? 'Use an IANA name such as "Europe/Berlin"' : `Did you mean "${near}"?`),
  )
})

const list = <T extends z.ZodType>(entry: T) => z.array(entry).max(ENTRIES_MAX, `has more than ${ENTRIES_MAX} entries`)

const patterned = <T extends z.ZodType>(entry: T) =>
  list(entry).refine(
    (entries) => entries.filter((text) => String(text).includes('*')).length <= PATTERNS_MAX,
    `has more than ${PATTERNS_MAX} entries with *`,
  )

const entry = z.string().transform((text, context): string => {
  if (text === '') return problem(context, 'an entry is empty')
  if (text.length > ENTRY_LENGTH_MAX) return problem(context, `an entry is longer than ${ENTRY_LENGTH_MAX} characters`)
  if (/[\s\p{Cc}]/u.test(text)) return problem(context, `"${shown(text)}" has a space in it, which no value has`)
  return text
})

const endpoint = z.string().transform((text, context): string => {
  const wrong = (why: string, suggestion?: string): never =>
    problem(context, `"${shown(text)}" ${why}${suggestion === undefined ? '' : `: write "${shown(suggestion)}"`}`)
  if (text.length > ENTRY_LENGTH_MAX) return wrong(`is longer than ${ENTRY_LENGTH_MAX} characters`)
  const parts = /^(\S+) (\S+)$/.exec(text)
  if (!parts)
    return wrong('is not "METHOD path", such as "POST /v1/refunds"', /^\/\S*$/.test(text) ? `GET ${text}` : undefined)
  const [method, path] = [parts[1]!, parts[2]!]
  if (!/^([A-Z]+|\*)$/.test(method))
    return wrong('has no method in capitals', `${method.replace(/[^A-Za-z]/g, '').toUpperCase() || '*'} ${path}`)
  if (/[?#]/.test(path))
    return wrong('goes on after the path, and only the path is matched', `${method} ${path.replace(/[?#].*$/, '')}`)
  if (/\{[^}]*\}/.test(path)) return wrong('has a placeholder', `${method} ${path.replace(/\{[^}]*\}/g, '*')}`)
  if (!/^(\/|\*|[a-z0-9.*-]+\.[a-z0-9.*-]+(\/|$))/.test(path))
    return wrong('has a path that starts with neither / nor a host', `${method} /${path}`)
  return text
})

const host = entry.transform((text, context): string => {
  const bare = text.toLowerCase()
  if (/^[a-z0-9.*-]+(:[0-9]{1,5})?$/.test(bare)) return bare
  const inside = /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9.*-]+(?::[0-9]{1,5})?)(?:[/?#]|$)/.exec(bare)?.[1]
  return problem(
    context,
    `"${shown(text)}" is not a host${inside === undefined ? ', such as "hooks.example.com"' : `: write "${inside}"`}`,
  )
})

const currency = z
  .string()
  .transform((text, context): string =>
    /^[A-Za-z]{3}$/.test(text)
      ? text.toLowerCase()
      : problem(context, `"${shown(text)}" is not a currency code of three letters, such as "usd"`),
  )

const vendorName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}$/, 'must be a vendor name: lower-case letters, digits, dashes')

const wholeNumber = (most: number, least = 1) => {
  const sentence = `must be a whole number from ${least} to ${most}`
  return z.int(sentence).min(least, sentence).max(most, sentence)
}

/** Bounds on what `permit: [future_spend]` opens. */
const future = z.strictObject({
  recurring_usd_per_month: money.optional(),
  quantity_max: wholeNumber(1_000_000_000).optional(),
  bounded_only: z.boolean().optional(),
})

const vendorBlock = z.strictObject({
  endpoints: z.strictObject({ allow: patterned(endpoint).optional(), deny: patterned(endpoint).optional() }).optional(),
  permit: list(z.enum(PERMITTED_ONLY)).optional(),
  max_amount_usd: money.optional(),
  customers: patterned(entry).optional(),
  currencies: list(currency).optional(),
  recipients: patterned(entry).optional(),
  senders: patterned(entry).optional(),
  beneficiaries: patterned(entry).optional(),
  connected_accounts: patterned(entry).optional(),
  callback_hosts: patterned(host).optional(),
  future: future.optional(),
  ...configuredFields(money, endpoint),
})

const SCOPES = ['key', 'policy', 'credential'] as const

const scope = z.string().transform((text, context): BudgetScope => {
  const plain = SCOPES.find((known) => known === text)
  if (plain !== undefined) return plain
  if (/^(team|project):[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) return text as BudgetScope
  if (/^(team|project):/.test(text))
    return problem(
      context,
      `"${shown(text)}" has no name that can be shared: write 1 to 64 lower-case letters, digits, dots, dashes or ` +
        `underscores, such as "${text.slice(0, text.indexOf(':'))}:growth"`,
    )
  const near = nearest(text, SCOPES)
  return problem(
    context,
    `unknown value "${shown(text)}". ` +
      (near === null ? `Write one of ${SCOPES.join(', ')}, team:<name>, project:<name>` : `Did you mean "${near}"?`),
  )
})

const budget = z
  .strictObject({
    per: z.enum(['run', 'day', 'month']),
    cap_usd: money,
    vendor: vendorName.optional(),
    direction: z.enum(['in', 'out']).optional(),
    scope: scope.optional(),
  })
  .superRefine((value, context) => {
    if (value.per === 'run' && value.scope !== undefined && value.scope !== 'key') {
      context.addIssue({
        code: 'custom',
        path: ['scope'],
        message: 'a run belongs to one key: leave scope out, or write per: day',
      })
    }
  })

const approver = z
  .string()
  .transform((text, context): 'operator' | 'client' =>
    text === 'operator' || text === 'client'
      ? text
      : problem(context, `"${shown(text)}" must be "operator" or "client": nobody else can approve`),
  )

/** What must be asked for, and how long a question waits and its answer stands. */
const approval = z.strictObject({
  above_usd: money,
  expires_in: duration
    .refine((text) => durationMs(text) <= APPROVAL_MS_MAX, 'must be at most "30d": who forgot must be asked again')
    .optional(),
  by: approver.optional(),
})

/** What an agent may issue below its own key. Depth counts generations: at 1, what it issues can issue nothing. */
const issue = z.strictObject({
  max_children: wholeNumber(1_000, 0),
  max_depth: wholeNumber(8, 0).optional(),
})

/** What a narrowing may say too. */
const shared = {
  mode: z.enum(['enforce', 'observe']).optional(),
  daily_cap_usd: money.optional(),
  expires_in: duration.optional(),
  rate_limit: z.strictObject({ per_minute: wholeNumber(1_000_000) }).optional(),
  budgets: z.array(budget).max(BUDGETS_MAX, `has more than ${BUDGETS_MAX} budgets`).optional(),
  approval: approval.optional(),
  require_reason: z.boolean().optional(),
  issue: issue.optional(),
  duplicate_guard: z
    .strictObject({ within: duration })
    .refine(({ within }) => durationMs(within) <= 24 * 3_600_000, 'looks back 24h at most')
    .optional(),
  vendors: z
    .record(vendorName, vendorBlock)
    .refine((vendors) => Object.keys(vendors).length <= VENDORS_MAX, `has more than ${VENDORS_MAX} vendors`)
    .superRefine((vendors, context) => {
      for (const [vendor, part] of partsIn(vendors).filter(([each]) => WITH_CATALOGUE.has(each)))
        context.addIssue({
          code: 'custom',
          path: [vendor, part],
          message: `${part} is for vendors by configuration: what calls of ${vendor} hold and cost is known`,
        })
    })
    .optional(),
}

/** Every part that only vendors by configuration have, with its vendor. */
const partsIn = (vendors: Readonly<Record<string, object>>): [vendor: string, part: string][] =>
  Object.entries(vendors).flatMap(([vendor, block]) =>
    CONFIGURED_PARTS.filter((part) => part in block).map((part): [string, string] => [vendor, part]),
  )

const policyDocument = z.strictObject({
  apiVersion: z.literal('spendgate/v1'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores'),
  timezone: timezone.optional(),
  ...shared,
})

const narrowing = z
  .strictObject({
    ...shared,
    mode: z.literal('enforce', 'a narrowing can only set mode to "enforce"').optional(),
  })
  .superRefine(({ vendors = {} }, context) => {
    for (const [vendor, part] of partsIn(vendors).filter(([, each]) => each !== 'conditions'))
      context.addIssue({
        code: 'custom',
        path: ['vendors', vendor, part],
        message: `a narrowing cannot say "${part}": what calls cost is said by the policy`,
      })
  })

export type PolicyDocument = z.output<typeof policyDocument>
export type Narrowing = z.output<typeof narrowing>

type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly findings: readonly Finding[] }

/** Parses YAML or JSON text. Faults carry `file:line:column` and, where one is near, what was probably meant. */
export function parseText(
  text: string,
  file: string | null,
): { readonly ok: true; readonly value: PolicyDocument } | { readonly ok: false; readonly faults: readonly Fault[] } {
  const source = readSource(text)
  // A text that cannot be read says nothing worth checking further.
  const unreadable = source.value === null && source.findings.length > 0
  const checked = unreadable ? null : checkDocument(source.value)
  const findings = [...source.findings, ...(checked === null || checked.ok ? [] : checked.findings)]
  if (checked?.ok && findings.length === 0) return { ok: true, value: checked.value }
  const told = new Set<string>()
  const faults = findings
    .map((finding) => ({ ...finding, place: source.place(finding.path, finding.about) }))
    // One part, one fault: a number refused for its spelling need not be refused for its value too.
    .filter(({ path, place, message }) => {
      const part = path === '' || path.startsWith('#') ? `${place} ${message}` : path
      return !told.has(part) && told.add(part)
    })
    .sort((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }))
    .map(({ path, place, message }): Fault => ({
      path: path.replace(/^#.*/, ''),
      at: `${file ?? 'policy'}:${place}`,
      message,
    }))
  return { ok: false, faults }
}

/** Checks a stored document. */
export const checkDocument = (value: unknown): Checked<PolicyDocument> => check(policyDocument, value, true)

/** Checks a partial document that narrows a key. */
export const checkNarrowing = (value: unknown): Checked<Narrowing> => check(narrowing, value, false)

function check<T extends z.ZodType>(schema: T, value: unknown, whole: boolean): Checked<z.output<T>> {
  const result = schema.safeParse(value, { reportInput: true })
  const vendors = isRecord(value) ? value['vendors'] : undefined
  // The one name a record schema passes over in silence.
  const hidden = isRecord(vendors) && Object.hasOwn(vendors, '__proto__')
  if (result.success && !hidden) return { ok: true, value: result.data }
  const findings = (result.error?.issues ?? []).flatMap((issue) => asFindings(issue, whole))
  if (hidden) findings.push({ path: 'vendors', about: 'key', message: '"__proto__" is not a vendor name' })
  return { ok: false, findings }
}

const subject = (path: readonly PropertyKey[]): string => {
  const named = path.findLastIndex((part) => typeof part === 'string')
  return named === -1 ? 'the document' : pathText(path.slice(named))
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function asFindings(issue: z.core.$ZodIssue, whole: boolean): Finding[] {
  const path = pathText(issue.path)
  // A predicate alone («must be text») gets its subject.
  const at = (message: string, about: 'key' | 'value' = 'value'): Finding[] => [
    { path, about, message: /^(must|is|has) /.test(message) ? `${subject(issue.path)} ${message}` : message },
  ]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: pathText([...issue.path, key]),
        about: 'key',
        message: unknownKey(key, issue.path, whole),
      }))
    case 'invalid_key':
      if (issue.path.at(-2) !== 'vendors') return at(issue.issues[0]?.message ?? issue.message, 'key')
      return at(`"${shown(String(issue.path.at(-1)))}" is not a vendor name: lower-case letters, digits, dashes`, 'key')
    case 'invalid_type':
    case 'invalid_value':
    case 'invalid_union':
      if (issue.input === undefined) return at(`missing key "${String(issue.path.at(-1) ?? '')}"`, 'key')
      if (issue.code === 'invalid_value') return at(notOneOf(issue.input, issue.values.map(String), issue.message))
      if (issue.code === 'invalid_type') return at(wrongType(issue.expected, issue.input, issue.message))
      return at(issue.message)
    default:
      // An absent amount reaches its own check as undefined.
      return at(
        issue.code === 'custom' && issue.input === undefined && issue.path.length > 0
          ? `missing key "${String(issue.path.at(-1))}"`
          : issue.message,
      )
  }
}

const NOUN: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'a map',
  record: 'a map',
  array: 'a list',
  boolean: 'true or false',
}

function wrongType(expected: string, input: unknown, message: string): string {
  const noun = NOUN[expected]
  if (noun === undefined) return message
  if (input === null)
    return `is empty and must be ${noun}${noun === 'a list' ? ': [] means none; leave the key out for any' : ''}`
  const scalar = typeof input === 'number' || typeof input === 'boolean' || typeof input === 'string'
  if (!scalar) return `must be ${noun}`
  if (noun === 'text') return `must be text: write "${String(input)}"`
  return noun === 'a list' ? `must be a list: write ["${shown(String(input))}"]` : `must be ${noun}`
}

function notOneOf(input: unknown, values: readonly string[], message: string): string {
  if (message.startsWith('a narrowing')) return message
  const known = values.length === 1 ? `must be "${values[0]}"` : `must be one of ${values.join(', ')}`
  if (typeof input !== 'string') return known
  const near = values.length === 1 ? null : nearest(input, values)
  return near === null ? `"${shown(input)}" ${known}` : `unknown value "${shown(input)}". Did you mean "${near}"?`
}

/** Keys by the section they belong to, for suggestions. Sections are named as an operator would say them. */
const SECTIONS: readonly { readonly at: RegExp; readonly name: string; readonly keys: readonly string[] }[] = [
  { at: /^$/, name: 'the top level', keys: Object.keys(policyDocument.shape) },
  { at: /^vendors\.[^.]+$/, name: 'vendors.<vendor>', keys: Object.keys(vendorBlock.shape) },
  { at: /^vendors\.[^.]+\.endpoints$/, name: 'vendors.<vendor>.endpoints', keys: ['allow', 'deny'] },
  { at: /^vendors\.[^.]+\.future$/, name: 'vendors.<vendor>.future', keys: Object.keys(future.shape) },
  {
    at: /^vendors\.[^.]+\.conditions\[[0-9]+\]$/,
    name: 'vendors.<vendor>.conditions[]',
    keys: ['endpoint', 'field', 'one_of', 'at_most', 'at_least', 'absent', 'optional'],
  },
  { at: /^budgets\[[0-9]+\]$/, name: 'budgets[]', keys: Object.keys(budget.shape) },
  { at: /^rate_limit$/, name: 'rate_limit', keys: ['per_minute'] },
  { at: /^approval$/, name: 'approval', keys: Object.keys(approval.shape) },
  { at: /^issue$/, name: 'issue', keys: Object.keys(issue.shape) },
  { at: /^duplicate_guard$/, name: 'duplicate_guard', keys: ['within'] },
]

const NOT_NARROWED: Readonly<Record<string, string>> = {
  name: 'a narrowing has no "name": it belongs to its key',
  apiVersion: 'a narrowing has no "apiVersion": leave it out',
  timezone: 'a narrowing cannot change "timezone": another day would begin with nothing spent',
}

function unknownKey(key: string, path: readonly PropertyKey[], whole: boolean): string {
  const special = !whole && path.length === 0 ? NOT_NARROWED[key] : undefined
  if (special !== undefined) return special
  const here = pathText(path)
  const section = SECTIONS.find(({ at }) => at.test(here))
  const unknown = `unknown key "${shown(key)}".`
  const elsewhere = SECTIONS.find(({ keys }) => keys.includes(key))
  if (elsewhere !== undefined) return `${unknown} It belongs in ${elsewhere.name}`
  const keys = (section?.keys ?? []).filter(
    (known) => whole || section?.name !== 'the top level' || !(known in NOT_NARROWED),
  )
  const near = nearest(key, keys)
  return near === null ? `${unknown} Known here: ${keys.join(', ')}` : `${unknown} Did you mean "${near}"?`
}

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  )

/** Text from the document as a message may show it: on one line and not too long. */
function shown(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
  return line.length > 80 ? `${line.slice(0, 80)}…` : line
}
