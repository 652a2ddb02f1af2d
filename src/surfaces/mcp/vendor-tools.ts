import type { CredentialRecord } from '../../contracts/ledger.js'
import type { Json, JsonObject, Operation, Tool } from '../../contracts/vendor.js'
import type { Engine, VendorRuntime } from '../../engine.js'
import type { Fault } from '../../exchange.js'
import { identify } from '../../identify.js'
import { govern } from '../../pipeline.js'
import { internalFault } from '../faults.js'
import { askedBy, faulty, fill, malformed, printable } from './asking.js'
import { OperationIds } from './operation-ids.js'
import {
  hostedResultOf,
  isObject,
  READS,
  resultOf,
  told,
  WRITES,
  type Listed,
  type Service,
  type ToolResult,
} from './service.js'
import { ToolExchange, type Asked, type Carrier } from './tool-exchange.js'

const FOUND_MAX = 20
/** Further arguments of Stripe's general tools. A confirmation is Stripe's to ask for; ours is the operator's approval. */
const STRIPES_OWN = ['stripe_context', 'livemode', 'human_confirmation']
const NONE: readonly string[] = []

/**
 * A vendor's MCP server, answered here: the general tools its hosted server has (search, details, read, write over all
 * operations of the catalogue) and the named ones clients know, each a governed call like one over REST. Those that read
 * the vendor's own texts are passed on to its hosted server, as governed as the others.
 */
export class VendorTools implements Service {
  readonly #runtime: VendorRuntime
  readonly #engine: Engine
  readonly #ids: OperationIds
  readonly #tools: ReadonlyMap<string, Tool>
  readonly #general: Readonly<Record<string, (args: JsonObject, carrier: Carrier) => Promise<ToolResult>>>
  readonly #idName: string
  readonly name: string
  readonly vendor: string
  readonly instructions: string
  readonly listed: readonly Listed[]

  constructor(runtime: VendorRuntime, engine: Engine) {
    this.#runtime = runtime
    this.#engine = engine
    this.#ids = new OperationIds(runtime.vendor)
    this.#tools = new Map((runtime.vendor.tools ?? []).map((tool) => [tool.name, tool]))
    const { name } = runtime.vendor
    this.name = `spendgate-${name}`
    this.vendor = name
    this.instructions = `The ${name} API under the policy and budgets of your key. A refused call says which rule spoke; do not retry it unchanged.`
    this.#idName = `${name}_api_operation_id`
    this.#general = {
      [`${name}_api_search`]: (args, carrier) => this.#tell('search', carrier, this.#search(args)),
      [`${name}_api_details`]: (args, carrier) => this.#tell('details', carrier, this.#details(args)),
      [`${name}_api_read`]: (args, carrier) => this.#operation(args, carrier, true),
      [`${name}_api_write`]: (args, carrier) => this.#operation(args, carrier, false),
    }
    this.listed = [...this.#generalListed(), ...[...this.#tools.values()].map((tool) => this.#listedTool(tool))]
  }

  call(name: string, args: JsonObject, carrier: Carrier): Promise<ToolResult> {
    const general = this.#general[name]
    if (general !== undefined) return general(args, carrier)
    const tool = this.#tools.get(name)
    if (tool !== undefined) return this.#govern(carrier, askedBy(tool, args, this.#credential(carrier)?.account ?? ''))
    return this.#govern(
      carrier,
      faulty(`tools/${printable(name)}`, {
        code: 'operation_unknown',
        message: `There is no tool ${name.slice(0, 64)} here, and what is not known could cost money. tools/list names those there are. Do not retry.`,
      }),
    )
  }

  unreadable(carrier: Carrier, fault: Fault): Promise<ToolResult> {
    return this.#govern(carrier, faulty('tools', fault))
  }

  async #govern(carrier: Carrier, asked: Asked): Promise<ToolResult> {
    const { vendor, catalogue } = this.#runtime
    const exchange = new ToolExchange(vendor.name, carrier, asked)
    const answer = await govern(exchange, this.#engine).catch((cause: unknown) =>
      internalFault(cause, exchange, this.#engine),
    )
    const hosted = catalogue.match(asked.method, asked.path)?.operation.hostedTool !== undefined
    return hosted ? hostedResultOf(answer) : resultOf(answer)
  }

  /** The credential that a call would go out with, or null when its key has none. */
  #credential({ authorization }: Carrier): CredentialRecord | null {
    const { key } = identify(authorization, this.#engine)
    return key && this.#engine.credentials.of(key, this.vendor)
  }

  /** Telling of the catalogue calls nobody; it still needs a key that stands, and a refusal leaves a row. */
  async #tell(tool: string, carrier: Carrier, said: ToolResult | Fault): Promise<ToolResult> {
    const { key } = identify(carrier.authorization, this.#engine)
    const stands = key !== null && this.#engine.ledger.stands(key, '', this.vendor)
    const fault = stands === true ? ('code' in said ? said : null) : NOT_STANDING
    return fault === null ? (said as ToolResult) : this.#govern(carrier, faulty(`tools/${tool}`, fault))
  }

  #operation(args: JsonObject, carrier: Carrier, reading: boolean): Promise<ToolResult> {
    const id = args[this.#idName]
    const asked = this.#asked(args, reading, this.#credential(carrier))
    return this.#govern(
      carrier,
      'code' in asked ? faulty(`operations/${typeof id === 'string' ? printable(id) : 'unnamed'}`, asked) : asked,
    )
  }

  #asked(args: JsonObject, reading: boolean, credential: CredentialRecord | null): Asked | Fault {
    const known = this.vendor === 'stripe' ? STRIPES_OWN : NONE
    const stranger = Object.keys(args).find((name) => ![this.#idName, 'parameters', 'reason', ...known].includes(name))
    if (stranger !== undefined) return malformed(`«${stranger.slice(0, 40)}» is no argument of this tool.`)
    const id = args[this.#idName]
    if (typeof id !== 'string') return malformed(`${this.#idName} must be the id of an operation.`)
    const parameters = args.parameters ?? {}
    if (!isObject(parameters)) return malformed('parameters must be an object.')
    const named = this.#ids.find(id)
    if (named === null) return unknown(id)
    if (reading !== (named.method === 'GET'))
      return {
        code: 'operation_not_allowed',
        message: `${id.slice(0, 64)} is ${reading ? 'no read: use the write tool' : 'a read: use the read tool'}.`,
      }
    const filled = fill(named.path, parameters, named.aliases, credential?.account ?? '')
    if ('code' in filled) return filled
    const { stripe_context: context, livemode, reason } = args
    if (context !== undefined && typeof context !== 'string') return malformed('stripe_context must be text.')
    if (reason !== undefined && typeof reason !== 'string') return malformed('reason must be text.')
    // Whoever believes to play with test money must not move any other.
    if (livemode !== undefined && credential !== null && livemode !== !credential.test)
      return {
        code: 'request_ambiguous',
        message: `livemode is ${JSON.stringify(livemode)}, and this key's credential is for ${credential.test ? 'test' : 'live'} mode. Do not retry.`,
      }
    return {
      method: named.method,
      path: filled.path,
      parameters: filled.rest,
      ...(context === undefined || context === '' ? {} : { headers: { 'stripe-account': context } }),
      ...(reason === undefined ? {} : { reason }),
    }
  }

  #search(args: JsonObject): ToolResult {
    const { intent = '', resource = '', limit = FOUND_MAX } = args
    const words = `${textOf(intent)} ${textOf(resource)}`.toLowerCase().match(/[a-z0-9]{3,}/g) ?? []
    const scored = this.#runtime.vendor.operations
      .map((operation) => ({ operation, score: scoreOf(operation, words) }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, Math.min(typeof limit === 'number' && limit > 0 ? limit : FOUND_MAX, FOUND_MAX))
    return told({ operations: scored.map(({ operation }) => outline(operation)) })
  }

  #details(args: JsonObject): ToolResult | Fault {
    const id = textOf(args[this.#idName])
    const named = this.#ids.find(id)
    if (named === null) return unknown(id)
    const { operation } = this.#runtime.catalogue.match(named.method, named.path.replace(/\{[^}]*\}/g, 'x'))!
    return told({
      ...outline(operation),
      routes: operation.routes,
      parameters: operation.accepts ?? 'any that the vendor takes',
      ...(operation.never === undefined ? {} : { never: operation.never }),
    })
  }

  #generalListed(): Listed[] {
    const { name } = this.#runtime.vendor
    const id = { type: 'string', description: `An operation by its id, such as ${this.#example()}.` }
    const operation = {
      type: 'object',
      properties: {
        [this.#idName]: id,
        parameters: { type: 'object', description: 'Path, query and body parameters by name. Amounts in minor units.' },
        reason: { type: 'string', description: 'Why this call is made; recorded for the operator.' },
        ...(name === 'stripe' && {
          stripe_context: { type: 'string', description: 'A connected account to act on (acct_…).' },
          livemode: { type: 'boolean' },
        }),
      },
      required: [this.#idName],
      additionalProperties: false,
    } satisfies JsonObject
    return [
      {
        name: `${name}_api_search`,
        description: `Finds operations of the ${name} API by words. Costs nothing and calls nobody.`,
        inputSchema: {
          type: 'object',
          properties: {
            intent: { type: 'string' },
            resource: { type: 'string' },
            limit: { type: 'integer', minimum: 1, maximum: FOUND_MAX },
          },
          required: ['intent'],
        },
        annotations: READS,
      },
      {
        name: `${name}_api_details`,
        description: `What one operation of the ${name} API takes and does. Costs nothing and calls nobody.`,
        inputSchema: { type: 'object', properties: { [this.#idName]: id }, required: [this.#idName] },
        annotations: READS,
      },
      {
        name: `${name}_api_read`,
        description: `Runs a reading operation of the ${name} API under this key's policy.`,
        inputSchema: operation,
        annotations: READS,
      },
      {
        name: `${name}_api_write`,
        description: `Runs a changing operation of the ${name} API under this key's policy and budgets. A refusal says which rule spoke.`,
        inputSchema: operation,
        annotations: WRITES,
      },
    ]
  }

  #listedTool({ name, description, route, properties, required = [] }: Tool): Listed {
    const hosted = this.#runtime.vendor.operations.some(({ hostedTool }) => hostedTool === name)
    return {
      name,
      description,
      inputSchema: { type: 'object', properties, required, ...(hosted && { additionalProperties: false }) },
      annotations: hosted || route.startsWith('GET ') ? READS : WRITES,
    }
  }

  #example(): string {
    return this.#runtime.vendor.name === 'stripe' ? 'PostRefunds' : this.#runtime.vendor.operations[0]!.id
  }
}

const unknown = (id: string): Fault => ({
  code: 'operation_unknown',
  message: `${id.slice(0, 64)} is not an operation spendgate knows, and what it does not know could cost money. Do not retry.`,
})
/** The pipeline finds out again what is wrong with the key, and says so in its place. */
const NOT_STANDING: Fault = { code: 'key_revoked', message: 'This key does not stand.' }

const outline = ({ id, routes, effect, why, never }: Operation): JsonObject => ({
  id,
  route: routes[0],
  effect,
  ...(why === undefined ? {} : { why }),
  ...(never === undefined ? {} : { closed: true }),
})

function scoreOf({ id, routes, why = '' }: Operation, words: readonly string[]): number {
  const text = `${id} ${routes.join(' ')}`.toLowerCase()
  return words.reduce((sum, word) => {
    const stem = word.replace(/(ies|s|ed|ing)$/, '')
    return sum + (text.includes(stem) ? 3 : 0) + (why.toLowerCase().includes(stem) ? 1 : 0)
  }, 0)
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
