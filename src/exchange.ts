import type { Denial } from './contracts/call.js'
import type { Authorization, Json, Vendor } from './contracts/vendor.js'
import type { RunSource } from './contracts/ledger.js'
import type { Match } from './catalogue.js'
import type { Form } from './wire/form.js'
import type { VendorRuntime } from './engine.js'

/** One request as a surface (REST, MCP) presents it to the pipeline. */
export interface Exchange {
  readonly surface: 'rest' | 'mcp'
  /** The agent's credentials; null when absent or not readable. */
  readonly authorization: Authorization | null
  /** What was wrong with the frame before anything was understood (target, Host, duplicate headers); reported once the key is known. */
  readonly fault: Fault | null
  /** Vendors named by the form of the address. */
  readonly named: { readonly prefix: string | null; readonly host: string | null; readonly root: string | null }
  /** Run labels the agent gave, strongest first. The key's own run and key suffix come before them. */
  readonly labels: readonly { readonly source: RunSource; readonly run: string }[]
  /** Origin and run prefix under which the agent reached us, for links that lead back here; null where it cannot be told. */
  readonly base: string | null
  /** The agent's stated reason (`x-agent-reason`), or null. */
  readonly reason: string | null
  /** The client's idempotency key, or null. */
  readonly idempotencyKey: string | null
  readonly method: string
  /** Canonical path at the vendor for rows and policies; the raw target, cut short, when it could not be understood. */
  pathFor(vendor: Vendor): string
  /** A request header by lower-case name. */
  header(name: string): string | undefined
  /** Reads and parses what follows the head. Once, and only after authentication. */
  read(vendor: VendorRuntime, match: Match | null): Promise<Content | Fault>
}

export type Fault = Pick<Denial, 'code' | 'message'>

/** Parameters and body, parsed strictly. */
export interface Content {
  /** Query of a GET or DELETE, form of a POST. Empty for JSON. */
  readonly form: Form
  readonly json: Json | undefined
  readonly place: 'query' | 'form' | 'json' | 'none'
}

/** What goes back to the agent. */
export interface Answer {
  readonly status: number
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: Buffer | string
  /** The approval request that a refusal names. */
  readonly approval?: string
}
