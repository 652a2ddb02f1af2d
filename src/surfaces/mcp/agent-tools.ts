import { budgetsOf, instant, lineage } from '../../admin/views.js'
import type { KeyRecord } from '../../contracts/ledger.js'
import { formatUsd, usd, ZERO, type Usd } from '../../contracts/money.js'
import type { Budget, Counted } from '../../contracts/policy.js'
import type { Json, JsonObject } from '../../contracts/vendor.js'
import type { Engine, VendorRuntime } from '../../engine.js'
import type { Answer, Fault } from '../../exchange.js'
import { chooseRun, identify, type Caller } from '../../identify.js'
import { approvalHashOf } from '../../ledger/approvals.js'
import { govern, preview } from '../../pipeline.js'
import { internalFault } from '../faults.js'
import { agentTools, type AgentToolName } from './agent-schemas.js'
import { faulty, malformed, printable } from './asking.js'
import { directRequest } from './direct-request.js'
import { ownCall, ownCalls, shown, wordsFor } from './own-calls.js'
import { endpointsOf, sentencesOf } from './policy-words.js'
import { isObject, marksOf, replyOf, resultOf, told, type Listed, type Service, type ToolResult } from './service.js'
import { ToolExchange, type Asked, type Carrier } from './tool-exchange.js'

const CALLS_MAX = 20

type KnownCaller = Caller & { readonly key: KeyRecord }
/** What a tool has to say; a fault becomes a refusal with a row. */
type Said = ToolResult | Fault

/**
 * spendgate's own tools for agents: what a key may do, what is left, what was decided; and `execute`, which is the same
 * governed call as any other. Nothing here can widen what a key may do, and a key sees only rows of its own and of keys
 * under it. Reading here is no call at a vendor and leaves no row; a refusal leaves one like anywhere else.
 */
export class AgentTools implements Service {
  readonly name = 'spendgate'
  readonly vendor = ''
  readonly instructions =
    'Calls at payment and messaging vendors under the policy and budgets of your key. Ask list_services what it may use, preview_call before anything that costs money. A refused call says which rule spoke; do not retry it unchanged.'
  readonly listed: readonly Listed[] = agentTools
  readonly #engine: Engine
  readonly #tools: Readonly<
    Record<AgentToolName, (args: JsonObject, caller: KnownCaller, carrier: Carrier) => Said | Promise<Said>>
  >

  constructor(engine: Engine) {
    this.#engine = engine
    this.#tools = {
      list_services: (_args, { key }) => told(this.#services(key)),
      execute: (args, { key }, carrier) => this.#execute(args, key, carrier),
      preview_call: async (args, { key }, carrier) => told(await this.#preview(args, key, carrier)),
      request_approval: async (args, { key }, carrier) => told(await this.#requestApproval(args, key, carrier)),
      get_remaining_budget: async (_args, { key }) => {
        // What was settled a moment ago is told as spent, not as held.
        await engine.ledger.flushed()
        return told(await this.#budgets(key))
      },
      describe_policy: (_args, { key }) => told(this.#policies(key)),
      explain: (args, { key }) => this.#explain(args, key),
      list_my_calls: (args, { key }) => this.#calls(args, key),
      end_run: async (_args, caller, carrier) => told(await this.#end(caller, carrier)),
    }
  }

  async call(name: string, given: JsonObject, carrier: Carrier): Promise<ToolResult> {
    const at = `tools/${printable(name)}`
    const args = inCapitals(given)
    const refuse = (fault: Fault): Promise<ToolResult> => this.#refuse(carrier, faulty(at, fault))
    const tool = agentTools.find((each) => each.name === name)
    if (tool === undefined)
      return refuse({
        code: 'operation_unknown',
        message: `There is no tool ${name.slice(0, 64)} here. tools/list names those there are. Do not retry.`,
      })
    try {
      const caller = identify(carrier.authorization, this.#engine)
      if (caller.key === null) return await refuse(caller.denial)
      const { run, fault: runFault } = chooseRun(carrier.labels, caller, this.#engine)
      const stands = this.#engine.ledger.stands(caller.key, run, '')
      const fault = stands === true ? (runFault ?? argumentFault(tool, args)) : stands
      const said = fault ?? (await this.#tools[tool.name](args, caller, carrier))
      return 'code' in said ? await refuse(said) : said
    } catch (cause) {
      return resultOf(internalFault(cause, new ToolExchange(null, carrier, faulty(at, NO_FAULT)), this.#engine))
    }
  }

  unreadable(carrier: Carrier, fault: Fault): Promise<ToolResult> {
    return this.#refuse(carrier, faulty('tools', fault))
  }

  async #refuse(carrier: Carrier, asked: Asked): Promise<ToolResult> {
    return resultOf(await this.#answer(null, carrier, asked))
  }

  #answer(runtime: VendorRuntime | null, carrier: Carrier, asked: Asked): Promise<Answer> {
    const exchange = new ToolExchange(runtime?.vendor.name ?? null, carrier, asked)
    return govern(exchange, this.#engine).catch((cause: unknown) => internalFault(cause, exchange, this.#engine))
  }

  /** The vendors that a key has a credential for and that every policy in force speaks of. */
  #services(key: KeyRecord): JsonObject {
    const { ledger, credentials, standings } = this.#engine
    const { policies } = standings.of(key)
    const services = [...this.#engine.vendors.keys()].flatMap((vendor): JsonObject[] => {
      const credential = credentials.of(key, vendor)
      const blocks = policies.flatMap((policy) => policy.vendors.get(vendor) ?? [])
      if (credential === null || blocks.length < policies.length) return []
      const caps = blocks.flatMap(({ maxAmount }) => maxAmount ?? [])
      return [
        {
          service: vendor,
          credential: credential.name,
          test: credential.test,
          address: `/${vendor}`,
          endpoints: endpointsOf(ledger, lineage(ledger, key), vendor) as unknown as Json,
          reason_required: policies.some(({ requireReason }) => requireReason),
          permit: [...blocks[0]!.permit].filter((effect) => blocks.every(({ permit }) => permit.has(effect))),
          max_amount_usd:
            caps.length === 0 ? null : formatUsd(caps.reduce((least, cap) => (cap < least ? cap : least))),
        },
      ]
    })
    return { services }
  }

  async #execute(args: JsonObject, key: KeyRecord, carrier: Carrier): Promise<Said> {
    const { runtime, asked } = this.#asked(args, key)
    const answer = await this.#answer(runtime, carrier, asked)
    if (answer.status >= 400) return resultOf(answer)
    const marks = marksOf(answer)
    const reply = {
      call_id: marks['spendgate/call-id']!,
      decision: marks['spendgate/decision']!,
      remaining_usd: marks['spendgate/remaining-usd'] ?? null,
      status: answer.status,
      reply: replyOf(answer),
    }
    return { ...told(reply), _meta: marks }
  }

  /** Refuses the call for want of an approval, as execute would, which is what opens the request; nothing is ever sent. */
  async #requestApproval(args: JsonObject, key: KeyRecord, carrier: Carrier): Promise<JsonObject> {
    const { ledger, approvalLink } = this.#engine
    const { runtime, asked } = this.#asked(args, key)
    const seen = await preview(new ToolExchange(runtime?.vendor.name ?? null, carrier, asked), this.#engine)
    const { draft, decision } = seen! // The key was known a moment ago, and keys are never forgotten.
    const { verdict, denial } = decision
    const needed = denial?.code === 'approval_required' && verdict === 'deny'
    if (needed) await ledger.admit(draft, () => decision)
    const row = needed ? await ledger.approvalFor(key.id, approvalHashOf(draft)) : null
    return {
      state: row?.state ?? (verdict === 'deny' ? 'refused' : 'not_needed'),
      approval_id: row?.id ?? null,
      link: row === null ? null : (approvalLink?.(row.id) ?? null),
      quoted_usd: draft.basis === 'unpriceable' ? null : formatUsd(draft.quoted),
      expires_at: row === null ? null : instantOrNull(row.expiresAt),
      code: denial?.code ?? null,
      message: denial?.message ?? null,
    }
  }

  async #preview(args: JsonObject, key: KeyRecord, carrier: Carrier): Promise<JsonObject> {
    const { runtime, asked } = this.#asked(args, key)
    const seen = await preview(new ToolExchange(runtime?.vendor.name ?? null, carrier, asked), this.#engine)
    const { draft, decision, usage } = seen! // The key was known a moment ago, and keys are never forgotten.
    const { verdict, denial } = decision
    const priced = draft.requestHash !== '' && draft.basis !== 'unpriceable'
    return {
      verdict,
      code: denial?.code ?? null,
      rule: denial?.rule ?? null,
      message: denial?.message ?? null,
      operation: draft.operation,
      effect: draft.effect,
      quoted_usd: priced ? formatUsd(draft.quoted) : null,
      adds_usd: priced ? formatUsd(usage.amount) : null,
      look_ups: draft.lookUps,
      budgets: usage.budgets
        .filter(({ measure }) => measure === 'spent')
        .map((budget) => ({
          label: budget.label,
          left_usd: formatUsd(leftOf(budget)),
          left_after_usd: verdict === 'deny' ? null : formatUsd(leftOf(budget, usage.amount)),
          resets_at: instantOrNull(budget.resetsAt),
        })),
    }
  }

  #asked(args: JsonObject, key: KeyRecord): { readonly runtime: VendorRuntime | null; readonly asked: Asked } {
    const chosen = this.#serviceOf(args, key)
    // What could not become a request has its reason in the row like any other.
    const reason = typeof args.reason === 'string' ? { reason: args.reason } : {}
    if ('code' in chosen) return { runtime: null, asked: { ...faulty('tools/execute', chosen), ...reason } }
    const asked = directRequest(args, chosen, this.#engine.credentials.of(key, chosen.vendor.name))
    return { runtime: chosen, asked: { ...asked, ...reason } }
  }

  /**
   * By the vendor's name or the credential's. What was a capability elsewhere is a policy here: its name will do where
   * the key has one vendor only, and no vendor is called so.
   */
  #serviceOf({ service, capability }: JsonObject, key: KeyRecord): VendorRuntime | Fault {
    const { vendors, credentials, ledger } = this.#engine
    const granted = [...vendors.values()].filter(({ vendor }) => credentials.of(key, vendor.name) !== null)
    const policy = ledger.policies().find(({ id }) => id === key.policyId)?.name
    const called = (given: string): readonly VendorRuntime[] => {
      const named = granted.filter(({ vendor }) =>
        [vendor.name, credentials.of(key, vendor.name)!.name.toLowerCase()].includes(given.toLowerCase()),
      )
      const only = named.length === 0 && granted.length === 1 && given === capability && !vendors.has(given)
      return only && given === policy ? granted : named
    }
    const given = [service, capability].filter((name) => name !== undefined) as string[]
    const [meant, ...others] = new Set(given.length === 0 ? granted : given.flatMap(called))
    const stranger = given.find((name) => called(name).length === 0)
    if (meant !== undefined && others.length === 0 && stranger === undefined) return meant
    if (given.length > 0 && stranger === undefined)
      return {
        code: 'request_ambiguous',
        message: `${given.map((name) => name.slice(0, 40)).join(' and ')} could be two services. Do not retry.`,
      }
    const what =
      stranger === undefined
        ? 'service is missing, and this key has not just one'
        : `This key has no service ${stranger.slice(0, 40)}`
    const names = granted.map(({ vendor }) => vendor.name).join(', ')
    return { code: 'vendor_not_granted', message: `${what}. It has: ${names === '' ? 'none' : names}. Do not retry.` }
  }

  async #budgets(key: KeyRecord): Promise<JsonObject> {
    const { ledger, judge, clock } = this.#engine
    const budgets = budgetsOf(ledger, judge, key, clock.now())
    const usage = await ledger.usage(budgets)
    const rows = budgets.map((budget, place) => ({ ...budget, ...usage[place]! }))
    const lefts = rows.filter(({ measure }) => measure === 'spent').map((row) => leftOf(row))
    return {
      remaining_usd:
        lefts.length === 0 ? null : formatUsd(lefts.reduce((least, left) => (left < least ? left : least))),
      budgets: rows.map((row) => ({
        label: row.label,
        rule: row.rule,
        measure: row.measure,
        cap_usd: formatUsd(row.cap),
        spent_usd: formatUsd(row.spent),
        held_usd: formatUsd(row.held),
        left_usd: formatUsd(leftOf(row)),
        resets_at: instantOrNull(row.resetsAt),
        enforced: row.enforce,
      })),
    }
  }

  #policies(key: KeyRecord): JsonObject {
    const { ledger, standings } = this.#engine
    const chain = lineage(ledger, key)
    const policies = [...new Set(standings.of(key).policies)]
    const endpoints = [...this.#engine.vendors.keys()].flatMap((vendor) =>
      policies.some((policy) => policy.vendors.has(vendor))
        ? endpointsOf(ledger, chain, vendor).map(
            ({ allow, deny }) =>
              `${vendor}: Only ${allow.length === 0 ? 'nothing' : allow.join(', ')}${deny.length === 0 ? '' : `; never ${deny.join(', ')}`}.`,
          )
        : [],
    )
    const expiries = chain.flatMap(({ expiresAt }) => expiresAt ?? [])
    return {
      policies: policies.map((policy, place) => ({
        name: policy.name,
        version: policy.version,
        mode: policy.enforce ? 'enforce' : 'observe',
        // Patterns are the key's own and all its ancestors' together, so they stand with the first.
        rules: [...(place === 0 ? endpoints : []), ...sentencesOf(policy)],
      })),
      expires_at: expiries.length === 0 ? null : instant(Math.min(...expiries)),
    }
  }

  async #explain({ id }: JsonObject, key: KeyRecord): Promise<Said> {
    const row = await ownCall(this.#engine.ledger, key, id as string)
    if (row === null) return malformed(`There is no call ${(id as string).slice(0, 64)} of this key.`)
    return told({ call: shown(row), explanation: wordsFor(row) })
  }

  async #calls(args: JsonObject, key: KeyRecord): Promise<Said> {
    const { run, vendor, state, limit = CALLS_MAX, cursor } = args
    const filter = Object.fromEntries(Object.entries({ run, vendor, state }).filter(([, value]) => value !== undefined))
    const page = await ownCalls(this.#engine.ledger, key, filter, {
      limit: limit as number,
      cursor: cursor as string | undefined,
    })
    if (page === null) return malformed('The cursor is not one that a page ended with.')
    return told({ calls: page.rows.map(shown), next_cursor: page.next })
  }

  async #end(caller: KnownCaller, carrier: Carrier): Promise<JsonObject> {
    const { ledger } = this.#engine
    const { key } = caller
    if (key.run === null) {
      const { run } = chooseRun(carrier.labels, caller, this.#engine)
      const message = `This key is not bound to a run, so there is nothing to revoke: ${run} is only a label in reports, and the key goes on. The operator can revoke it.`
      return { revoked: false, run, message, in_flight: [] }
    }
    const { inFlight } = await ledger.revoke(key.id, 'ended by the agent', `key:${key.id}`)
    const children = inFlight.length === 0 ? '' : ` ${inFlight.length} of its calls had already left.`
    return {
      revoked: true,
      run: key.run,
      message: `The run is over: this key and every key under it are revoked.${children}`,
      in_flight: inFlight,
    }
  }
}

const instantOrNull = (ms: number | null): string | null => (ms === null ? null : instant(ms))

function leftOf({ cap, spent, held }: Budget & Counted, more: Usd = ZERO): Usd {
  const left = cap - spent - held - more
  return left > 0n ? usd(left) : ZERO
}

const NO_FAULT: Fault = { code: 'ledger_unavailable', message: '' }

/** Methods in small letters are no other methods to anybody. */
const inCapitals = (args: JsonObject): JsonObject =>
  typeof args.method === 'string' ? { ...args, method: args.method.toUpperCase() } : args

/** What is wrong with arguments by the schema that was listed, as far as these schemas go. */
function argumentFault({ name, inputSchema }: Listed, args: JsonObject): Fault | null {
  const properties = inputSchema.properties as Readonly<Record<string, JsonObject>>
  for (const [argument, value] of Object.entries(args)) {
    const schema = Object.hasOwn(properties, argument) ? properties[argument] : undefined
    if (schema === undefined) return malformed(`«${argument.slice(0, 40)}» is no argument of ${name}.`)
    const fits =
      schema.type === 'object'
        ? isObject(value)
        : schema.type === 'integer'
          ? typeof value === 'number'
          : typeof value === 'string'
    if (!fits)
      return malformed(`${argument} must be ${schema.type === 'string' ? 'text' : `an ${String(schema.type)}`}.`)
    const outside =
      typeof value === 'number' && (value < (schema.minimum as number) || value > (schema.maximum as number))
    if (outside) return malformed(`${argument} must be from ${String(schema.minimum)} to ${String(schema.maximum)}.`)
    const choices = schema.enum as readonly Json[] | undefined
    if (choices?.includes(value!) === false) return malformed(`${argument} must be one of ${choices.join(', ')}.`)
  }
  const missing = (inputSchema.required as readonly string[]).find((argument) => args[argument] === undefined)
  return missing === undefined ? null : malformed(`${missing} is missing.`)
}
