import type { JsonObject } from '../../contracts/vendor.js'
import { READS, WRITES, type Listed } from './service.js'

/*
 * What `/mcp` offers and what it answers. None of these can widen what a key may do.
 */

const text = (description?: string): JsonObject => ({
  type: 'string',
  ...(description === undefined ? {} : { description }),
})
const orNull = (type: string, description?: string): JsonObject => ({
  type: [type, 'null'],
  ...(description === undefined ? {} : { description }),
})
const list = (items: JsonObject): JsonObject => ({ type: 'array', items })
/** Every property is always there. */
const record = (properties: Readonly<Record<string, JsonObject>>): JsonObject => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
})
const input = (properties: Readonly<Record<string, JsonObject>>, required: readonly string[] = []): JsonObject => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})
const USD = text('USD as decimal text')
const USD_OR_NULL = orNull('string', 'USD as decimal text')

const REQUEST = {
  service: text('Which vendor, as list_services names it; may be left out when there is only one'),
  capability: text('Another word for service; with one service only, the name of the policy will do'),
  method: { type: 'string', enum: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] },
  path: text('Path at the vendor, such as /v1/refunds or /verify.twilio.com/v2/Services'),
  params: {
    type: 'object',
    description: 'Parameters by name, nested or with brackets: the query of a GET or DELETE, the body of anything else',
  },
  body: text('Instead of params: the body as text, JSON or a form'),
  headers: {
    type: 'object',
    description: 'Headers of the vendor that change what a call means, such as Stripe-Account',
  },
  reason: text('Why this call is made; recorded for the operator'),
  idempotency_key: text(
    'Makes a repetition of the very same call count and act once, where the vendor knows such keys (Twilio does not)',
  ),
} satisfies Record<string, JsonObject>

const DECISION = record({
  verdict: { type: 'string', enum: ['allow', 'deny', 'would_deny'] },
  code: orNull('string'),
  rule: orNull('string'),
  message: orNull('string'),
})

const CALL = record({
  id: text(),
  at: text(),
  key_id: text(),
  run: text(),
  vendor: text(),
  surface: text(),
  method: text(),
  path: text(),
  operation: orNull('string'),
  effect: orNull('string'),
  state: { type: 'string', enum: ['denied', 'reserved', 'settled', 'released', 'assumed'] },
  quoted_usd: USD,
  reserved_usd: USD,
  settled_usd: USD,
  replay_of: orNull('string'),
  count: { type: 'integer', description: 'How many refusals this row stands for' },
  look_ups: { type: 'integer' },
  decision: DECISION,
})

const AT_ONCE = { readOnlyHint: true, destructiveHint: false, openWorldHint: false } as const

export const agentTools = [
  {
    name: 'list_services',
    title: 'What this key may use',
    description: 'Lists the vendors this key may use, with the endpoints allowed and the effects permitted at each.',
    inputSchema: input({}),
    outputSchema: record({
      services: list(
        record({
          service: text('The name execute takes'),
          credential: text(),
          test: { type: 'boolean', description: 'Whether money behind it is play money' },
          address: text('Where the vendor’s own clients reach it'),
          endpoints: list(
            record({ of: text('Which policy or narrowing says so'), allow: list(text()), deny: list(text()) }),
          ),
          reason_required: { type: 'boolean', description: 'Whether every call must say why, in reason' },
          permit: list(text('Effects beyond reading, writing and spending')),
          max_amount_usd: USD_OR_NULL,
        }),
      ),
    }),
    annotations: AT_ONCE,
  },
  {
    name: 'execute',
    title: 'Make a call',
    description:
      'Makes one call at a vendor under this key’s policy and budgets. A refusal says which rule spoke, what is left and when it resets; do not retry it unchanged.',
    inputSchema: input(REQUEST, ['method', 'path']),
    outputSchema: record({
      call_id: text(),
      decision: text(),
      remaining_usd: USD_OR_NULL,
      status: { type: 'integer', description: 'HTTP status of the vendor' },
      reply: { description: 'What the vendor replied' },
    }),
    annotations: WRITES,
  },
  {
    name: 'preview_call',
    title: 'Ask before calling',
    description:
      'Says what execute would answer now: whether it would be allowed, its price and what would be left. Reserves and sends nothing; reads at the vendor where the price or the customer must be looked up.',
    inputSchema: input(REQUEST, ['method', 'path']),
    outputSchema: record({
      verdict: { type: 'string', enum: ['allow', 'deny', 'would_deny'] },
      code: orNull('string'),
      rule: orNull('string'),
      message: orNull('string'),
      operation: orNull('string'),
      effect: orNull('string'),
      quoted_usd: USD_OR_NULL,
      adds_usd: orNull('string', 'What it would add to what counts: less than quoted where its object counts already'),
      look_ups: { type: 'integer' },
      budgets: list(record({ label: text(), left_usd: USD, left_after_usd: USD_OR_NULL, resets_at: orNull('string') })),
    }),
    annotations: READS,
  },
  {
    name: 'request_approval',
    title: 'Ask a person',
    description:
      'Asks the operator to approve one exact call that is above what this key may do alone. When it is approved, make the very same call with execute; it passes once.',
    inputSchema: input(REQUEST, ['method', 'path']),
    outputSchema: record({
      state: {
        type: 'string',
        enum: ['not_needed', 'refused', 'open', 'approved', 'denied', 'used', 'expired'],
        description: 'refused: another rule forbids the call, and no approval would help',
      },
      approval_id: orNull('string'),
      link: orNull('string', 'Where the operator decides'),
      quoted_usd: USD_OR_NULL,
      expires_at: orNull('string'),
      code: orNull('string'),
      message: orNull('string'),
    }),
    annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: true },
  },
  {
    name: 'get_remaining_budget',
    title: 'What is left',
    description:
      'Every budget this key’s calls are held against, its own and its ancestors’, with what is left of each.',
    inputSchema: input({}),
    outputSchema: record({
      remaining_usd: orNull('string', 'What is left of the tightest budget on spending; null without any'),
      budgets: list(
        record({
          label: text(),
          rule: text(),
          measure: { type: 'string', enum: ['spent', 'recurring'] },
          cap_usd: USD,
          spent_usd: USD,
          held_usd: USD,
          left_usd: USD,
          resets_at: orNull('string'),
          enforced: { type: 'boolean' },
        }),
      ),
    }),
    annotations: AT_ONCE,
  },
  {
    name: 'describe_policy',
    title: 'The rules',
    description: 'The policies that hold for this key, its own and its ancestors’, in words.',
    inputSchema: input({}),
    outputSchema: record({
      policies: list(
        record({
          name: text(),
          version: { type: 'integer' },
          mode: { type: 'string', enum: ['enforce', 'observe'] },
          rules: list(text()),
        }),
      ),
      expires_at: orNull('string'),
    }),
    annotations: AT_ONCE,
  },
  {
    name: 'explain',
    title: 'Why a call went as it did',
    description: 'One call of this key or of a key under it: what was decided by which rule, the amounts, its state.',
    inputSchema: input({ id: text('The id of the call, call_…') }, ['id']),
    outputSchema: record({ call: CALL, explanation: text() }),
    annotations: AT_ONCE,
  },
  {
    name: 'list_my_calls',
    title: 'What was done',
    description: 'Calls of this key and of keys under it, newest first.',
    inputSchema: input({
      run: text('Only those of this run'),
      vendor: text('Only those at this vendor'),
      state: { type: 'string', enum: ['denied', 'reserved', 'settled', 'released', 'assumed'] },
      limit: { type: 'integer', minimum: 1, maximum: 100, description: 'How many; 20 when left out' },
      cursor: text('next_cursor of the page before'),
    }),
    outputSchema: record({ calls: list(CALL), next_cursor: orNull('string') }),
    annotations: AT_ONCE,
  },
  {
    name: 'end_run',
    title: 'Finish',
    description:
      'Ends the work of this key. A key that is bound to a run is revoked with all keys under it, at once and for good.',
    inputSchema: input({}),
    outputSchema: record({
      revoked: { type: 'boolean' },
      run: text(),
      message: text(),
      in_flight: list(text('Calls that had already left')),
    }),
    annotations: { readOnlyHint: false, destructiveHint: true, openWorldHint: false },
  },
] as const satisfies readonly Listed[]

export type AgentToolName = (typeof agentTools)[number]['name']
