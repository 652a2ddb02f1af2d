import { z } from 'zod'
import { authScheme, baseUrl, fixedHeaders } from './binding-schemas.js'
import { parseUsd } from '../contracts/money.js'
import { ROLES } from '../contracts/operator.js'
import type { Fault } from '../contracts/policy.js'
import { KEPT_DAYS_MIN } from '../ledger/retention.js'

/*
 * What the admin API takes and gives (contract §5). Requests are strict: a name that is not known is refused, never
 * ignored. Replies are described by the same means; the OpenAPI document is made of both.
 */

const ROWS_MAX = 500
const DAY_MS = 86_400_000
const LIFE_MS_MAX = 3650 * DAY_MS
const CREDENTIALS_MAX = 32
const TABLE_ROWS_MAX = 20_000

// Values

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, dots, hyphens and underscores')
export const label = z
  .string()
  .regex(/^[^\p{Cc}\p{Cf}]{1,128}$/u, 'must be 1 to 128 characters without control characters')
const reason = z.string().regex(/^[^\p{Cc}]{1,500}$/u, 'must be 1 to 500 characters without control characters')
export const runId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, hyphens and underscores')
export const reference = z.string().min(1).max(128)
const money = z
  .string()
  .refine(
    (text) => parseUsd(text) !== null,
    'must be a decimal text in USD with at most 6 fraction digits, such as "20.00"',
  )
export const duration = z
  .string()
  .regex(/^\d{1,9}[smhd]$/, 'must be a whole number and one of s, m, h, d, such as "4h"')
  .refine(
    (text) => !/^\d{1,9}[smhd]$/.test(text) || withinLife(text),
    'must be longer than nothing and at most "3650d"',
  )
const DECIMAL = /^(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?$/
const decimal = z.string().regex(DECIMAL, 'must be a plain decimal as text, such as "1.09"')
const positive = decimal.refine((text) => !/^[0.]*$/.test(text), 'must be more than zero')
const date = z.iso.date('must be a date such as "2026-11-20"')
const maxAgeDays = z.int('must be a whole number of days').min(1).max(366)

const DURATION_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS }

/** Milliseconds of a duration that a schema has let through. */
export const durationMs = (text: string): number => Number(text.slice(0, -1)) * DURATION_MS[text.slice(-1)]!

function withinLife(text: string): boolean {
  const spanMs = durationMs(text)
  return spanMs > 0 && spanMs <= LIFE_MS_MAX
}

// Requests

const limit = z
  .string()
  .regex(/^[1-9][0-9]{0,2}$/, `must be a whole number from 1 to ${ROWS_MAX}`)
  .refine((text) => Number(text) <= ROWS_MAX, `must be a whole number from 1 to ${ROWS_MAX}`)
const cursor = z.string().min(1).max(200)
const state = z.enum(['denied', 'reserved', 'settled', 'released', 'assumed'])
const partName = z.string().regex(/^[a-z_]{1,40}$/)
const secretParts = z.record(partName, z.string().min(1).max(4096))
const secretPlace = z.string().min(1).max(1024)
export const instant = z.union(
  [z.iso.datetime({ offset: true }), z.iso.date()],
  'must be an instant such as "2026-11-21T00:00:00Z" or a date, which means its midnight in UTC',
)

export const pageQuery = z.strictObject({ limit: limit.optional(), cursor: cursor.optional() })
export const callFilterQuery = z.strictObject({
  key: reference.optional(),
  run: runId.optional(),
  vendor: name.optional(),
  state: state.optional(),
})
export const callsQuery = callFilterQuery.extend(pageQuery.shape)
export const approvalsQuery = z.strictObject({
  state: z.enum(['open', 'approved', 'denied', 'expired', 'used']).optional(),
  key: reference.optional().meta({ description: 'This key, and those below it if it is a root key.' }),
  ...pageQuery.shape,
})
export const movementsQuery = z.strictObject({
  explained: z.enum(['true', 'false']).optional(),
  vendor: name.optional(),
  key: reference.optional(),
  ...pageQuery.shape,
})
export const exportQuery = z.strictObject({
  format: z.enum(['ndjson', 'csv']).default('ndjson'),
  from: instant.optional().meta({ description: 'Inclusive. A part of the chain is checked with a checkpoint.' }),
  to: instant.optional().meta({ description: 'Exclusive.' }),
})
export const runsQuery = pageQuery.extend({ key: reference.optional() })
export const runQuery = z.strictObject({ key: reference.optional() })
export const spendQuery = z.strictObject({
  by: z.enum(['run', 'key', 'vendor', 'operation', 'day']).default('day'),
  from: instant.optional().meta({ description: 'Inclusive.' }),
  to: instant.optional().meta({ description: 'Exclusive.' }),
})

const apiVersion = z
  .string()
  .regex(/^[0-9A-Za-z.-]{1,64}$/, 'must be a version such as 2026-10-28.endive')
  .meta({
    description: 'The vendor API version that every call under it is sent with; absent: the one the prices are for.',
  })

const secretRef = z
  .union([secretPlace, z.record(partName, secretPlace)], 'must be a reference, or a map of references by part')
  .meta({
    description:
      'Where the secret is kept, in place of the secret: vault://mount/data/path#field, aws-sm://name#field or op://vault/item/field; or one for each part.',
  })

export const newCredential = z.strictObject({
  vendor: name,
  name,
  secret: secretParts.optional(),
  secret_ref: secretRef.optional(),
  api_version: apiVersion.optional(),
  base_url: baseUrl.optional(),
  auth: authScheme.optional(),
  headers: fixedHeaders.optional(),
})
export const rotation = z.strictObject({
  secret: secretParts.optional(),
  secret_ref: secretRef.optional(),
  api_version: apiVersion.optional(),
})

export const newKey = z.strictObject({
  name: label,
  policy: reference.meta({ description: 'A policy name for its latest version, or name@version.' }),
  credentials: z
    .array(reference)
    .min(1, 'must name at least one credential')
    .max(CREDENTIALS_MAX)
    .meta({ description: 'Ids, names, or vendor/name; at most one a vendor.' }),
  expires_in: duration.optional(),
  run: runId.optional(),
})
export const newRunKey = z.strictObject({
  run: runId.optional(),
  cap_usd: money.optional(),
  expires_in: duration.optional(),
  name: label.optional(),
})
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const TOKEN_LIFE_MS_MAX = 30 * DAY_MS
const LIFE_FAULT = 'must be seconds such as 14400, or a span such as "4h"; at most "30d"'
const tokenLife = z
  .union([z.int(), z.string().regex(/^\d{1,7}[smhd]?$/)], LIFE_FAULT)
  .transform((life) => (/\d$/.test(String(life)) ? Number(life) * 1000 : durationMs(String(life))))
  .refine((ms) => ms > 0 && ms <= TOKEN_LIFE_MS_MAX, LIFE_FAULT)
const some = <Entry extends z.ZodType>(entry: Entry) =>
  z.array(entry).min(1, 'must name at least one; leave it out for all that the key has').max(200)
/** Scope of a session token, in API Stronghold's words and ours. */
export const newToken = z.strictObject({
  allowedKeyIds: some(reference)
    .optional()
    .meta({ description: 'Credentials of the key: ids, names, or vendor/name.' }),
  allowedProviders: some(z.string().toLowerCase().pipe(name)).optional().meta({ description: 'Vendors.' }),
  allowedMethods: some(z.string().toUpperCase().pipe(z.enum(METHODS))).optional(),
  allowedDomains: some(
    z
      .string()
      .toLowerCase()
      .regex(
        /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?$/,
        'must be a host such as "api.stripe.com" or "*.twilio.com"',
      ),
  )
    .optional()
    .meta({ description: "Hosts of the vendors' APIs." }),
  rateLimitPerMinute: z.int('must be a whole number').min(1).max(1_000_000).optional(),
  expiresIn: tokenLife
    .optional()
    .meta({ description: 'Seconds, or a span such as "4h"; at most 30 days. Absent: an hour.' }),
  endpoints: z
    .union([
      z.array(z.string()).max(500),
      z.strictObject({ allow: z.array(z.string()).max(500).optional(), deny: z.array(z.string()).max(500).optional() }),
    ])
    .optional()
    .meta({ description: 'Patterns "METHOD path" that are allowed, or {allow, deny}.' }),
  daily_cap_usd: money.optional(),
  max_amount_usd: money.optional(),
  name: label.optional(),
})
export const reissue = z.strictObject({ policy: reference, expires_in: duration.optional(), name: label.optional() })
export const revocation = z.strictObject({
  reason: reason.optional(),
  cancel_pending: z
    .boolean()
    .optional()
    .meta({ description: 'Also cancel at the vendors what still stands; repeated, what stands by then.' }),
})

export const approvalDecision = z.strictObject({
  reason: reason.optional().meta({ description: 'The agent is told why it was denied.' }),
})

const scopeWith = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.union(
    [
      z.strictObject({ scope: z.literal('all'), ...shape }),
      z.strictObject({ key: reference, ...shape }),
      z.strictObject({ run: runId, ...shape }),
      z.strictObject({ vendor: name, ...shape }),
    ],
    'must be {"scope":"all"} or exactly one of key, run and vendor',
  )
export const freezeRequest = scopeWith({ reason: reason.optional() })
export const unfreezeRequest = scopeWith({})

const currencyRates = z
  .record(z.string().regex(/^[a-z]{3}$/), positive)
  .refine((rates) => !('usd' in rates), 'must not hold usd: it needs no rate')
  .refine((rates) => Object.keys(rates).length <= 300, 'must hold at most 300 currencies')
const ratesShape = {
  as_of: date,
  usd_per: currencyRates.meta({ description: 'USD for one major unit of each ISO 4217 currency, in lower case.' }),
  haircut: decimal.refine((text) => /^0(\.|$)/.test(text), 'must be from 0 to less than 1'),
  max_age_days: maxAgeDays,
}
export const newRates = z.strictObject({ ...ratesShape, confirm: z.boolean().optional() })

const tableName = z.string().regex(/^[A-Za-z0-9+*][A-Za-z0-9+*._-]{0,63}$/)
const priceRow = z.record(
  tableName,
  z
    .string()
    .regex(
      /^(?:(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,12})?|[A-Z]{2}(?:,[A-Z]{2})*)$/,
      'must be a plain decimal in USD as text, or two-letter countries',
    ),
)
const rows = (table: object): boolean => Object.keys(table).length <= TABLE_ROWS_MAX
export const newPrices = z.strictObject({
  as_of: date,
  max_age_days: maxAgeDays,
  safety: decimal.refine((text) => !text.startsWith('0'), 'must be 1 or more').default('1'),
  prefixes: z
    .record(tableName, z.record(tableName, priceRow).refine(rows, `must hold at most ${TABLE_ROWS_MAX} rows`))
    .default({}),
  flat: z.record(tableName, decimal).refine(rows, `must hold at most ${TABLE_ROWS_MAX} rows`).default({}),
  source: label.optional(),
})

export const priceSyncRequest = z.strictObject({
  credential: reference
    .optional()
    .meta({ description: 'Id or name of the credential to ask with; the only one of the vendor when absent.' }),
  confirm: z.boolean().optional(),
})

export const pruneRequest = z.strictObject({
  before: z
    .union([duration, instant], 'must be a span such as "400d", an instant or a date')
    .optional()
    .meta({ description: 'History older than so long, or before then; absent: as the retention says.' }),
})
export const retentionRequest = z.strictObject({
  days: z
    .int()
    .min(KEPT_DAYS_MIN, `must be ${KEPT_DAYS_MIN} or more: what is younger still counts`)
    .max(36_500)
    .nullable()
    .meta({ description: 'How many days of history pruning leaves; null: it has to be told each time.' }),
})
/** Nothing that could stand in a path by itself: erasing `charges` would blot out half the book. Our own ids name nobody. */
const SUBJECT =
  /^(?:[^\s@/]{1,64}@[^\s@/]{1,189}|\+?\d{7,15}|(?!(?:key|cred|pol|call|appr|opr|run|vault)_)[a-z]{2,12}_[A-Za-z0-9_]{1,64}|[A-Z]{2}[0-9a-f]{32})$/
export const erasureRequest = z.strictObject({
  subject: z
    .string()
    .regex(SUBJECT, 'must be an e-mail address, a phone number such as +14155550100, or a vendor id such as cus_A')
    .meta({ description: "An e-mail address, a phone number or a vendor's id of a person." }),
})

export const newOperator = z.strictObject({
  name,
  role: z.enum(ROLES),
  expires_in: duration
    .optional()
    .meta({ description: 'How long the token opens anything; absent: until it is revoked.' }),
})

export const reconcileRequest = z.strictObject({
  since: z
    .union([duration, instant], 'must be a span such as "7d", an instant or a date')
    .optional()
    .meta({ description: 'Only calls from then on, or of the last so long; absent: all whose outcome is not known.' }),
  replay: z.boolean().optional().meta({
    description:
      'Send a request once more under its idempotency key where the records do not tell; what was not executed then is.',
  }),
  background: z.boolean().optional().meta({ description: 'Answer at once with the state of the run.' }),
})
export const callResolution = z
  .strictObject({
    outcome: z.enum(['settled', 'released']),
    amount_usd: money.optional().meta({ description: 'What it cost, with settled; absent: what was reserved.' }),
    reason,
  })
  .refine(({ outcome, amount_usd }) => outcome === 'settled' || amount_usd === undefined, {
    path: ['amount_usd'],
    message: 'goes with settled only: what was released cost nothing',
  })

export const backupRequest = z.strictObject({
  file: z
    .string()
    .max(1000)
    .regex(/^[^\p{Cc}]+$/u)
    .optional()
    .meta({ description: 'A file name in the backup directory, or an absolute path. It must not exist yet.' }),
})
/** The body of a call that needs none. */
export const nothing = z.strictObject({})

// Replies

const at = z.iso.datetime()
const sum = z.string()
const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.nullable()
const totals = { spent_usd: sum, held_usd: sum, calls: z.int(), denied: z.int() }
const list = <Plural extends string, Row extends z.ZodType>(plural: Plural, row: Row) =>
  z.strictObject({ [plural]: z.array(row), next_cursor: maybe(z.string()) } as { [key in Plural]: z.ZodArray<Row> } & {
    next_cursor: z.ZodNullable<z.ZodString>
  })

export const credentialReply = z
  .strictObject({
    id: z.string(),
    vendor: z.string(),
    name: z.string(),
    account: z.string(),
    test: z.boolean(),
    api_version: maybe(z.string()),
    fingerprint: z.string(),
    last4: z.string(),
    secret_ref: z
      .union([z.string(), z.record(z.string(), z.string())])
      .optional()
      .meta({ description: 'Where the secret is kept; absent where it is stored here.' }),
    created_at: at,
    rotated_at: maybe(at),
  })
  .meta({ id: 'Credential' })
export const credentialList = list('credentials', credentialReply)

export const operatorReply = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['token', 'person']),
    name: maybe(z.string()).meta({ description: 'Null once it was erased.' }),
    role: z.enum(ROLES).meta({ description: 'Of a person: what the provider’s claims came to at the last sign-in.' }),
    status: z.enum(['active', 'expired', 'revoked']),
    created_at: at,
    created_by: z.string(),
    expires_at: maybe(at),
    revoked_at: maybe(at),
  })
  .meta({ id: 'Operator', description: 'Somebody who acts on the admin port under a name of their own.' })
export const addedOperator = operatorReply.extend({
  token: z.string().meta({ description: 'Shown once; only a keyed digest of it is stored.' }),
})
export const operatorList = list('operators', operatorReply)
export const principalReply = z
  .strictObject({ actor: z.string(), name: z.string(), role: z.enum(ROLES) })
  .meta({ id: 'Principal', description: 'Who asks: as the ledger’s entries name them, and as people do.' })

export const policyReply = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    version: z.int(),
    created_at: at,
    document: z.unknown(),
  })
  .meta({ id: 'Policy' })
export const policyList = list('policies', policyReply.omit({ document: true }).extend({ versions: z.int() }))
export const policyVersions = list('versions', policyReply)
const keyShape = {
  id: z.string(),
  name: z.string(),
  public_id: z.string(),
  last4: z.string(),
  status: z.enum(['active', 'frozen', 'expired', 'revoked']),
  policy: z.string(),
  policy_id: z.string(),
  credentials: z.array(z.string()),
  parent_id: maybe(z.string()),
  root_id: z.string(),
  run: maybe(z.string()),
  run_cap_usd: maybe(sum),
  test: z.boolean(),
  created_at: at,
  expires_at: maybe(at),
  last_used_at: maybe(at),
  revoked_at: maybe(at),
  revoke_reason: maybe(z.string()),
}
export const keyReply = z.strictObject(keyShape).meta({ id: 'Key' })
export const keyList = list('keys', keyReply)
export const keyDetail = z
  .strictObject({
    ...keyShape,
    spent_usd: sum,
    held_usd: sum,
    calls: z.int(),
    denied: z.int(),
    budgets: z.array(
      z.strictObject({
        label: z.string(),
        direction: maybe(z.enum(['in', 'out'])),
        measure: z.enum(['spent', 'recurring']),
        rule: z.string(),
        cap_usd: sum,
        spent_usd: sum,
        held_usd: sum,
        left_usd: sum,
        resets_at: maybe(at),
        enforced: z.boolean(),
      }),
    ),
    effective_policy: z.strictObject({
      name: z.string(),
      version: z.int(),
      mode: z.enum(['enforce', 'observe']),
      timezone: z.string(),
      rate_limit_per_minute: maybe(z.int()),
      approval_above_usd: maybe(sum),
      require_reason: z.boolean(),
      issue: maybe(z.strictObject({ max_children: z.int(), max_depth: z.int() })),
      document: z.unknown(),
      narrowings: z.array(z.unknown()),
      vendors: z.record(
        z.string(),
        z.strictObject({
          permit: z.array(z.string()),
          max_amount_usd: maybe(sum),
          customers: maybe(z.array(z.string())),
          currencies: maybe(z.array(z.string())),
          recipients: maybe(z.array(z.string())),
          senders: maybe(z.array(z.string())),
          beneficiaries: z.array(z.string()),
          connected_accounts: z.array(z.string()),
          callback_hosts: z.array(z.string()),
          future: z.strictObject({ quantity_max: maybe(z.int()), bounded_only: z.boolean() }),
        }),
      ),
    }),
  })
  .meta({ id: 'KeyDetail' })
export const issuedKey = z
  .strictObject({
    id: z.string(),
    key: z.string(),
    presentations: z.record(z.string(), z.unknown()),
    expires_at: maybe(at),
    name: z.string(),
    policy: z.string(),
    run: maybe(z.string()),
    parent_id: maybe(z.string()),
    test: z.boolean(),
  })
  .meta({ id: 'IssuedKey', description: 'The only reply that holds a vault key. It is shown once.' })

export const issuedToken = issuedKey
  .extend({
    scope: z.strictObject({
      allowedKeyIds: z.array(z.string()),
      allowedProviders: z.array(z.string()),
      allowedMethods: maybe(z.array(z.string())),
      allowedDomains: maybe(z.array(z.string())),
      endpoints: maybe(z.strictObject({ allow: maybe(z.array(z.string())), deny: z.array(z.string()) })),
      rateLimitPerMinute: maybe(z.int()),
      daily_cap_usd: maybe(sum),
      max_amount_usd: z.record(z.string(), maybe(sum)),
    }),
  })
  .meta({ id: 'IssuedToken', description: 'A child key with a frozen scope, shown once, and the scope in force.' })

const pendingShape = {
  id: z.string().meta({ description: 'The call that made it.' }),
  key_id: z.string(),
  run: z.string(),
  at,
  vendor: z.string(),
  operation: z.string(),
  object: maybe(z.string()).meta({ description: "The vendor's id; null while it is not known." }),
  kind: z.enum(['recurring', 'scheduled', 'open']),
  per_month_usd: sum,
  counted_usd: sum,
  quantity: maybe(z.string()).meta({ description: 'Null: without a limit.' }),
  due_at: maybe(at),
}
export const pendingReply = z.strictObject(pendingShape).meta({ id: 'Pending' })
export const pendingList = list('pending', pendingReply)
export const revokedReply = z.strictObject({
  id: z.string(),
  revoked_at: at,
  in_flight: z.array(z.string()),
  pending: z
    .array(z.strictObject({ ...pendingShape, cancelled: z.boolean(), error: z.string().optional() }))
    .meta({ description: 'What stood when this was asked, at most 500, oldest first.' }),
  pending_next_cursor: maybe(z.string()),
})

export const approvalReply = z
  .strictObject({
    id: z.string(),
    at,
    state: z.enum(['open', 'approved', 'denied', 'expired', 'used']),
    key_id: z.string(),
    root_id: z.string(),
    call_id: z.string().meta({ description: 'The refused call that asked.' }),
    run: z.string(),
    vendor: z.string(),
    operation: z.string(),
    method: z.string(),
    path: z.string(),
    customer: maybe(z.string()),
    call_reason: maybe(z.string()).meta({ description: "The agent's own words on why it wants this." }),
    request_sha256: z.string(),
    ceiling_usd: sum,
    expires_at: at.meta({
      description: 'Open: when nobody has decided by then. Approved: when it was not used by then.',
    }),
    decided_at: maybe(at),
    decided_by: maybe(z.string()),
    reason: maybe(z.string()),
    used_by: maybe(z.string()).meta({ description: 'The admitted call that used it.' }),
  })
  .meta({ id: 'Approval', description: 'Lets one call through: the same key, the same request, at most the ceiling.' })
export const approvalList = list('approvals', approvalReply)

const exposed = { max_loss_usd: maybe(sum), caps_left_usd: maybe(sum), held_usd: sum }
export const exposureReply = z
  .strictObject({
    ...exposed,
    why: maybe(z.string()).meta({
      description: 'Whom nothing bounds, and what would; null where everything is bounded.',
    }),
    by_key: z.array(
      z.strictObject({
        key_id: z.string(),
        ...exposed,
        scheduled_usd: sum,
        recurring_usd: sum,
        open_usd: sum,
        unlimited_open: z
          .int()
          .meta({ description: 'Open things that can be completed any number of times; each counts once.' }),
      }),
    ),
  })
  .meta({
    id: 'Exposure',
    description:
      'What may still be lost: what caps leave to root keys that can be used, shared budgets once, what is held, and what stands, a month of it where it recurs. Null: no cap bounds it.',
  })

const freeze = z.strictObject({
  scope: z.enum(['all', 'key', 'run', 'vendor']),
  key: z.string().optional(),
  run: z.string().optional(),
  vendor: z.string().optional(),
  at,
  reason: maybe(z.string()),
})
export const freezeList = list('freezes', freeze)

export const runReply = z
  .strictObject({
    run: z.string(),
    key_id: z.string(),
    ...totals,
    by_vendor: z.record(z.string(), sum),
    first_at: at,
    last_at: at,
  })
  .meta({ id: 'Run' })
export const runList = list('runs', runReply)
export const spendReply = z.strictObject({
  rows: z.array(z.object(totals).catchall(z.string())),
  total: z.strictObject(totals),
})

export const callReply = z
  .strictObject({
    id: z.string(),
    at,
    key_id: z.string(),
    run: z.string(),
    vendor: z.string(),
    surface: z.string(),
    method: z.string(),
    path: z.string(),
    operation: maybe(z.string()),
    effect: maybe(z.string()),
    direction: z.string(),
    state,
    basis: z.string(),
    quoted_usd: sum,
    reserved_usd: sum,
    settled_usd: sum,
    settled_at: maybe(at),
    customer: maybe(z.string()),
    object: maybe(z.string()),
    reason: maybe(z.string()),
    replay_of: maybe(z.string()),
    count: z.int(),
    look_ups: z.int(),
    request_sha256: z.string(),
    decision: z.strictObject({
      verdict: z.string(),
      code: maybe(z.string()),
      rule: maybe(z.string()),
      message: maybe(z.string()),
    }),
    upstream: z.strictObject({ status: maybe(z.int()), request_id: maybe(z.string()), ms: maybe(z.number()) }),
    resolution: maybe(z.strictObject({ by: z.string(), at, reason: z.string() }))
      .optional()
      .meta({ description: 'Of one call alone: who found out what became of it, once that had not been known.' }),
  })
  .meta({ id: 'Call' })
export const callList = list('calls', callReply)

const movement = z
  .strictObject({
    id: z.string().meta({ description: "The vendor's id of the money." }),
    at,
    vendor: z.string(),
    credential_id: z.string(),
    kind: z.string(),
    direction: z.string(),
    object: maybe(z.string()).meta({ description: 'What it followed from, which a call has made.' }),
    call_id: maybe(z.string()),
    key_id: maybe(z.string()),
    run: maybe(z.string()),
    amount_usd: maybe(sum),
    counted_usd: sum.meta({ description: 'What of it no call had counted, and the key was charged.' }),
    explained: z.boolean(),
    why: maybe(z.string()).meta({ description: 'Why it is not explained.' }),
  })
  .meta({ id: 'Movement' })
export const movementList = list('movements', movement)

export const reconcileReply = z
  .strictObject({
    checked: z.int().meta({ description: 'Calls of unknown outcome, and estimates, that were looked at.' }),
    settled: z.int(),
    released: z.int(),
    still_assumed: z.int(),
    priced: z.int().meta({ description: 'Estimates whose price the vendor has named.' }),
    calls: z.array(
      z.strictObject({
        id: z.string(),
        outcome: z.enum(['settled', 'released', 'still_assumed', 'adjusted', 'confirmed', 'pending', 'kept']),
        amount_usd: sum,
        why: z.string(),
      }),
    ),
    unexplained: z.array(
      z.strictObject({
        vendor: z.string(),
        credential: z.string(),
        id: z.string(),
        at,
        kind: z.string(),
        object: maybe(z.string()),
        amount_usd: maybe(sum),
        why: z.string(),
      }),
    ),
    explained_percent: maybe(z.string()),
    faults: z.array(z.string()).meta({ description: 'What kept the run from being complete.' }),
  })
  .meta({ id: 'Reconciliation' })
export const reconcileState = z.strictObject({
  run: z.int().meta({ description: 'Number of the last run that was asked for here.' }),
  running: z.boolean(),
  done: z.int(),
  report: maybe(reconcileReply).meta({ description: 'Of that run, once it has ended.' }),
  message: maybe(z.string()).meta({ description: 'Why it failed.' }),
})

export const ratesReply = z.strictObject({ ...ratesShape, as_of: maybe(date) })
export const pricesReply = z.strictObject({
  as_of: maybe(date),
  max_age_days: z.int(),
  safety: z.string(),
  prefixes: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.string()))),
  flat: z.record(z.string(), z.string()),
  source: z.string().optional(),
})
export const priceSyncReply = z.strictObject({
  state: z.enum(['idle', 'running', 'done', 'confirm_required', 'failed']),
  done: z.int().meta({ description: 'Price lists read so far.' }),
  of: z.int(),
  message: maybe(z.string()),
  rows: z.record(z.string(), z.int()).meta({ description: 'Rows of the table made, by section.' }),
  kept: z.array(z.string()).meta({ description: 'Flat prices taken over, because the vendor lists none.' }),
  gone: z.int().meta({ description: 'Rows of the table before that the vendor prices no more.' }),
  leaps: z.array(z.strictObject({ path: z.string(), message: z.string() })),
  started_at: maybe(at),
  finished_at: maybe(at),
})
export const checkpointReply = z
  .strictObject({
    seq: z.int().meta({ description: 'The last entry that is signed for.' }),
    entries: z.int().meta({ description: 'Entries since the checkpoint before.' }),
    head: z.string().meta({ description: 'Its hash, which seals every entry up to there.' }),
    at,
    key_id: z.string(),
    signature: z.string().meta({
      description:
        'Ed25519, base64url, over "spendgate checkpoint v1", seq, entries, head, epoch ms and key_id by line.',
    }),
  })
  .meta({ id: 'Checkpoint' })
export const checkpointList = list('checkpoints', checkpointReply)
export const publicKeysReply = z.strictObject({
  keys: z.array(z.strictObject({ key_id: z.string(), algorithm: z.literal('Ed25519'), public_key: z.string() })),
})
export const retentionReply = z.strictObject({ days: maybe(z.int()) })
export const pruneReply = z
  .strictObject({
    pruned_to: maybe(z.int()).meta({ description: 'The last entry that is gone; null when nothing went.' }),
    entries: z.int(),
    calls: z.int(),
    archive: maybe(z.string()).meta({ description: 'The file it was written to first.' }),
    in_the_way: z.array(z.string()).meta({ description: 'What keeps more from going, oldest first.' }),
  })
  .meta({ id: 'Pruning' })
export const erasureReply = z
  .strictObject({
    calls: z.int(),
    rows: z.int().meta({ description: 'Policies, keys, approvals and freezes.' }),
    kept: z.array(z.string()).meta({ description: 'What still holds it, and what to do.' }),
  })
  .meta({ id: 'Erasure' })
export const verifyReply = z.strictObject({ ok: z.boolean(), faults: z.array(z.string()) })
export const backupReply = z.strictObject({ file: z.string(), bytes: z.int(), at })
const finding = z.strictObject({ check: z.string(), status: z.enum(['ok', 'warn', 'fail']), message: z.string() })
export const checkReply = z.strictObject({ ok: z.boolean(), findings: z.array(finding) })
export const confirmRestoreReply = z.strictObject({ confirmed: z.boolean(), unknown_since: maybe(at) })
export const confirmClockReply = z.strictObject({ at })
const undoable = {
  vendor: z.string(),
  on: maybe(z.string()).meta({ description: "The vendor's id of what it acts on; null where it is not known." }),
}
const undoRequest = z.strictObject({
  method: z.string(),
  path: z.string(),
  params: z.record(z.string(), z.string()),
})
export const reversalReply = z
  .strictObject({
    run: z.string(),
    items: z.array(
      z.strictObject({
        id: maybe(z.string()).meta({ description: 'What to confirm it by; null unless it is open.' }),
        state: z.enum(['open', 'undone', 'impossible']),
        ...undoable,
        call_ids: z.array(z.string()),
        key_id: z.string(),
        at,
        operation: z.string(),
        counted_usd: sum.meta({ description: 'What the calls count for.' }),
        does: maybe(z.string()),
        request: maybe(undoRequest),
        amount_usd: maybe(sum).meta({
          description: 'What undoing it moves; null for nothing, or where no rate tells.',
        }),
        leaves: maybe(z.string()).meta({ description: 'What stays lost.' }),
        why: maybe(z.string()).meta({ description: 'Why there is nothing to do, or nothing that can be done.' }),
        begun: maybe(z.strictObject({ at, by: z.string(), state: z.enum(['begun', 'refused', 'done']) })).meta({
          description: 'The last attempt to undo it, by whom.',
        }),
      }),
    ),
    open_usd: sum.meta({ description: 'What the open items would move.' }),
    harmless_calls: z.int().meta({ description: 'Calls that moved no money and left nothing that acts. Not listed.' }),
    more: z.boolean().meta({ description: 'True where the run has more calls than are looked through.' }),
  })
  .meta({ id: 'Reversal', description: 'What would undo a run, and what nothing undoes. Nothing is sent by planning.' })
export const reversalRequest = z.strictObject({
  items: z
    .array(z.string().regex(/^undo_[0-9a-f]{32}$/, 'must be the id of an item of the plan'))
    .min(1)
    .max(100)
    .meta({ description: 'Ids of the items that are confirmed.' }),
  key: reference.optional().meta({ description: 'The root key, where several have a run of that name.' }),
})
export const reversalResults = z
  .strictObject({
    run: z.string(),
    results: z.array(
      z.strictObject({
        id: z.string(),
        state: z.enum(['done', 'refused', 'unknown', 'not_sent', 'gone']),
        before: z.boolean().meta({ description: 'True where it had been done by an earlier request.' }),
        why: z.string(),
        amount_usd: maybe(sum),
        outcome: maybe(z.string()).meta({ description: "The vendor's id of the money that went back." }),
      }),
    ),
  })
  .meta({ id: 'ReversalResults' })
export const problemReply = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string(), at: z.string().optional() })),
  })
  .meta({ id: 'Problem' })

// Faults

/** What zod found, in sentences that repeat nothing of the request but names in plain lower case. */
export function faultsOf(error: z.ZodError): Fault[] {
  return error.issues.slice(0, 100).map((issue) => {
    const path = issue.path.map((step) => (/^[A-Za-z0-9_]{1,40}$/.test(String(step)) ? String(step) : '*')).join('.')
    if (issue.code === 'unrecognized_keys') return { path, message: unknownNames(issue.keys) }
    if (issue.code === 'invalid_key')
      return { path: path.replace(/[^.]*$/, '*'), message: 'has a name that is not allowed here' }
    if (issue.code === 'invalid_type' && /received undefined$/.test(issue.message))
      return { path, message: 'is missing' }
    return { path, message: issue.message }
  })
}

// A secret pasted in the wrong place may stand as a name, so only plain short words are repeated.
function unknownNames(names: readonly string[]): string {
  const plain = names.filter((found) => /^[a-z]{1,16}(?:_[a-z]{1,16}){0,3}$/.test(found))
  if (plain.length < names.length || plain.length > 10) return 'holds a name that is not known here'
  return `${plain.map((found) => `"${found}"`).join(', ')} ${plain.length === 1 ? 'is' : 'are'} not known here`
}
