import type { Bindings } from './binding.js'
import type { Commitment, Denial, Direction, Effect, Quote, Subjects } from './call.js'
import type { Rates, Usd } from './money.js'
import type { Costs } from './policy.js'
import type { Movements, Records } from './records.js'
import type { Reversal } from './reversal.js'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

/**
 * Parameters of a request after strict parsing: the query of a GET or DELETE, the form of a POST. One reading
 * exists: names are unique except where an operation says they repeat, and nothing is both a scalar and a map.
 */
export interface Params {
  /** The scalar under a full name as sent, e.g. `amount` or `transfer_data[destination]`. Undefined when absent. */
  get(name: string): string | undefined
  /** Every value of a name that repeats (`MediaUrl`), or of a list (`expand[]`, `expand[0]`), in order. */
  all(name: string): readonly string[]
  /** Top-level names present, in order, without brackets: `items[0][price]` gives `items`. */
  names(): readonly string[]
  /** Whether the name is present as a scalar, a list or a map. */
  has(name: string): boolean
  /** Elements of an indexed list: `items[0][price]=…&items[1][price]=…` gives two Params holding `price`. */
  list(name: string): readonly Params[]
  /** The map under a name: `card[number]` gives Params holding `number`. Empty when absent. */
  map(name: string): Params
  /** Full names and values, in order. */
  entries(): readonly (readonly [string, string])[]
}

/** What an operator's dated price table answers. Decimals are text. */
export interface Prices {
  /**
   * The row with the longest matching prefix in a section (`sms`, `voice`), or null when none matches or the
   * table is stale. Keys of a row are the vendor's own (`seg`, `carrier`, `mms`, `min`, `iso`).
   */
  prefix(section: string, key: string): Readonly<Record<string, string>> | null
  /** A flat price in USD, e.g. `verify.sms`. Null when unknown or stale. */
  flat(name: string): string | null
  /** Factor ≥ 1 applied when reserving, decimal text. */
  readonly safety: string
  /** One sentence on why a price is missing. */
  why(what: string): string
}

/** A request as an operation sees it. Everything here has passed the strict parsers. */
export interface Question {
  readonly method: string
  /** Values of the route's `{placeholders}`, decoded. */
  readonly path: Readonly<Record<string, string>>
  readonly params: Params
  /** The parsed JSON body, for operations whose body is JSON. */
  readonly json: Json | undefined
  /** Any request header the agent sent, by lower-case name (`stripe-account`, `stripe-version`). */
  header(name: string): string | undefined
  /** The credential's own account at the vendor (Twilio: AccountSid), '' when it has none. */
  readonly account: string
  /** The vendor API version pinned for the credential, '' for the vendor's default. */
  readonly apiVersion: string
  readonly rates: Rates
  readonly prices: Prices
  readonly nowMs: number
  /** Which allowlists the policies in force set. An operation looks up an owner only when `customers` is restricted or it needs the object for its price. */
  readonly restricted: {
    readonly customers: boolean
    readonly recipients: boolean
    readonly senders: boolean
    /** What the policies in force say that calls cost, one of each, for vendors that know no prices. */
    readonly costs?: readonly Costs[]
  }
}

/** What a request means. */
export interface Explanation {
  readonly quote: Quote
  readonly subjects: Subjects
  readonly direction?: Direction
  /**
   * The vendor object whose exposure this call brings to `quote.amount` in total (an intent, an invoice). The
   * ledger reserves only what is not yet counted for it.
   */
  readonly object?: string
  /** Further effects that these parameters trigger, beside Operation.effect. */
  readonly effects?: readonly Effect[]
  /** Parameters to set before sending (Twilio's TimeLimit). They replace a value of the same name. Forms only. */
  readonly set?: Readonly<Record<string, string>>
  /** The amount to book when the call succeeds and the reply names none; the quote's amount when absent (differs by the FX haircut). */
  readonly settle?: Usd
  /** What the call makes happen later without another call. */
  readonly commits?: Commitment
  /** What the vendor keeps and the call sends (a draft's words): an approval is for this and no other. */
  readonly holds?: Json
  /** These parameters make it one of the hard refusals (see Operation.never); why, in a sentence. */
  readonly never?: string
  /** The request cannot be read in one way or breaks the vendor's grammar (an amount that is no plain integer). */
  readonly refuse?: Pick<Denial, 'code' | 'message'>
}

/**
 * One bounded read with the real credential, run by the engine only after key, endpoint, effect and rate have passed.
 * `path` is canonical and may hold ids taken from the request: the engine refuses any that break the path grammar.
 * `then` gets the parsed 2xx reply, or null when the vendor says the object does not exist (404).
 */
export interface LookUp {
  readonly lookUp: {
    readonly method?: 'GET' | 'POST'
    readonly path: string
    readonly params?: readonly (readonly [string, string])[]
  }
  then(reply: JsonObject | null): Explained
}
export type Explained = Explanation | LookUp

/** What a successful (2xx) reply says has happened. */
export interface Outcome {
  /** What this call cost. Absent: the explanation's `settle`, or else what was reserved. */
  readonly amount?: Usd
  /** The vendor object to keep exposure for; it may be known only now (a created intent). */
  readonly object?: string
  /** What the object counts for in total from now on. Lower than before gives the difference back; higher counts more. */
  readonly total?: Usd
  /** What the commitment of this call is known by from now on (the id of the subscription it made). Absent: `object`. */
  readonly commitment?: string
  /** The id of an object whose commitment has come to its end: confirmed, cancelled, expired, sent. */
  readonly ends?: string
  /** What is booked is an estimate: the vendor's id of what it names the price of later. */
  readonly estimate?: string
  /** The vendor's id of what the call made, where it has no price to come; kept so that it is not taken for another call's. */
  readonly made?: string
}

/** One thing a vendor can do. Plain data, arithmetic where prices need it; sources and dates stand in the vendor's README. */
export interface Operation {
  /** `refunds.create` */
  readonly id: string
  /** `POST /v1/refunds`; further ones are aliases of the same operation. Hosts other than the vendor's main one stand before the path: `POST verify.twilio.com/v2/Services/{ServiceSid}/Verifications`. */
  readonly routes: readonly [string, ...string[]]
  /**
   * It is no request of the vendor's API but this tool of its hosted MCP server, `mcpHost` in its route. What was
   * judged, one JSON object, goes there as the arguments of a `tools/call`; the reply is the tool's result. Only tools
   * that read the vendor's own texts may be passed on like that. It can be called over MCP only.
   */
  readonly hostedTool?: string
  /** The worst it does without further parameters. */
  readonly effect: Effect
  /** The vendor's host that serves it, when clients send it to the main one (Stripe's files). Absent: the one its route names. */
  readonly host?: string
  /** Exists only in a preview version of the vendor's API: needs `permit: [preview]` beside its effect. */
  readonly preview?: true
  /** Why it costs nothing or can never be priced, in a sentence. For the generated tables; `explain` says it to agents. */
  readonly why?: string
  /** Why our effect is weaker than the class of the operation lists in fixtures/catalogues. */
  readonly weaker?: string
  /** Where its facts come from, with a date: `stripe-node 23.1.0, 2026-11-20`. */
  readonly source?: string
  /**
   * Names of reply fields, at any depth, whose holder could act or read past spendgate. They are taken out of the
   * reply unless every policy in force permits `credential`; out of the replies of what is `never` allowed, always.
   */
  readonly reveals?: readonly string[]
  /** Top-level parameter names that are understood. Mandatory for `spend` and `future_spend`: any other name is refused. Absent: any. */
  readonly accepts?: readonly string[]
  /**
   * Reads from a refusal with which nothing was spent the vendor's id of what the call has made all the same, and others
   * may pay yet (a declined intent); null for nothing. Absent: what is refused leaves nothing behind.
   */
  leaves?(refusal: JsonObject): string | null
  /** Its status alone says that it was done, whatever the reply holds. Absent: a success that is no JSON is of unknown outcome. */
  readonly opaque?: true
  /** Names that may stand more than once in a form (Twilio's MediaUrl). */
  readonly repeats?: readonly string[]
  /** How a body is encoded; the vendor's default when absent. */
  readonly body?: 'form' | 'json'
  /** Bytes; 256 KiB when absent. */
  readonly bodyBytesMax?: number
  /**
   * Never allowed, whatever the policy says, unless the operator starts the server with `--unlock <id>` and the policy
   * allows and permits it as well; why, in a sentence. Refused as operation_not_allowed.
   */
  readonly never?: string
  /** Absent: free, and concerns nobody in particular. */
  explain?(question: Question): Explained
  /** Absent: settle at the explanation's `settle` or the reservation. */
  outcome?(reply: JsonObject, question: Question, explanation: Explanation): Outcome
}

/** Credentials in an Authorization header, parsed once: `Bearer token` or Basic `user:password`. */
export type Authorization =
  | { readonly scheme: 'bearer'; readonly token: string }
  | { readonly scheme: 'basic'; readonly user: string; readonly password: string }

/** What an agent presented, as one vendor reads it. */
export type Presented =
  | { readonly kind: 'vault'; readonly key: string; readonly account?: string; readonly publicId?: string }
  | { readonly kind: 'real' }

/** The real credential's parts by the names the admin API takes (`api_key`, `account_sid`, …). */
export type SecretParts = Readonly<Record<string, string>>

export interface CredentialFacts {
  /** The vendor account the credential acts on, '' when the secret does not say. */
  readonly account: string
  /** Whether money behind it is play money. */
  readonly test: boolean
  /** Last four characters of the secret part, to recognise it by. */
  readonly last4: string
}

export interface Vendor {
  readonly name: string
  /** Main host first; every further host the vendor's routes name. Only these are ever called. */
  readonly hosts: readonly string[]
  /** The one of them that is no part of the API but the vendor's MCP server. Only `hostedTool`s go there. */
  readonly mcpHost?: string
  /** Set where the same path means something else on another host, so that routes name the host (Twilio). Otherwise the host follows from the operation. */
  readonly productByHost?: true
  readonly operations: readonly Operation[]
  readonly body: 'form' | 'json'
  /** Whether a path at the root of the agent port names this vendor (`/v1/…`, `/2010-04-01/…`, `/emails`). */
  ownsRoot(path: string): boolean
  /** Whether this vendor's own clients would present credentials like that. Null: not ours. A bare `vault_live_…` bearer is nobody's. */
  present(auth: Authorization): Presented | null
  /** How a vault key is shown to this vendor's clients; `publicId` is 32 hex characters. */
  presentations(key: string, publicId: string, account: string): unknown
  /** Checks the parts of a credential. A string is the fault, as a sentence without the secret. */
  credential(parts: SecretParts): CredentialFacts | string
  /** The value of the Authorization header. */
  authorize(parts: SecretParts): string
  /** Every byte sequence that must never reach an agent, a log or a row. */
  secrets(parts: SecretParts): readonly string[]
  /** Lower-case names forwarded to the vendor, beside those the engine sets (host, authorization, content-type, content-length, idempotency-key). */
  readonly requestHeaders: readonly string[]
  /** Lower-case names let through from the vendor's replies, beside content-type. */
  readonly replyHeaders: readonly string[]
  /** Headers set on every call, e.g. a pinned Stripe-Version. */
  fixedHeaders(apiVersion: string): Readonly<Record<string, string>>
  /** Whether the vendor honours an Idempotency-Key on this operation. */
  idempotent(operation: Operation, method: string): boolean
  /** Names of reply fields, at any depth, that never reach an agent (Twilio's auth_token). */
  readonly reveals?: readonly string[]
  /** Whether absolute URLs to the vendor's hosts in replies are pages a client would fetch next: they then lead back here. */
  readonly linksBack?: true
  /** Checks an API version to pin; a sentence when it cannot be. Absent: the vendor has no versions. */
  apiVersionFault?(version: string): string | null
  /** The request that takes back what is still to come, or null where the vendor has none. Ids come from the ledger. */
  takeBack?(commitment: {
    readonly operation: string
    readonly object: string
    readonly account: string
  }): TakeBack | null
  /** Subjects every call of this vendor has (accounts named by header or path), merged over the operation's own. */
  common?(question: Question): { readonly subjects: Subjects; readonly refuse?: Pick<Denial, 'code' | 'message'> }
  /** The vendor's own error shape. `status` is statusOf(code) unless the vendor's clients misread it. */
  refuse(denial: Denial): {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: JsonObject
  }
  /** What a non-2xx reply means for the money: `released` only when the vendor thereby says nothing was executed. */
  verdict(status: number): 'released' | 'assumed'
  /** The vendor exists by configuration: addresses and entry belong to its credentials, and `hosts` leads nowhere. */
  readonly bindings?: Bindings
  /** The vendor's request id among reply headers, lower-case name. */
  readonly requestIdHeader: string
  /** Tools beside the general ones (search, details, read, write), under the names clients know. */
  readonly tools?: readonly Tool[]
  /** Default price table shipped with the vendor, if it has prices. */
  readonly prices?: PriceTable
  /** The smallest key of the vendor's that can do these operations, look-ups included. Absent: it has one kind. */
  leastKey?(operations: readonly Operation[]): KeyNeeds
  /** What the vendor itself wrote down of our calls, where it can be read. */
  readonly records?: Records
  /** What moves at the vendor without a call, where it can be read or is told. */
  readonly movements?: Movements
  /** How what its calls did is undone, where it can be. */
  readonly reversal?: Reversal
}

/** What to ask the vendor for when making a key. */
export interface KeyNeeds {
  /** As the vendor calls it: `restricted key (rk_…)`. */
  readonly kind: string
  /** Names as the vendor writes them; empty where the kind says all. */
  readonly permissions: readonly string[]
  /** Operations whose permission is not known here, by id. */
  readonly unknown: readonly string[]
  /** Where this stands, with a date. */
  readonly source: string
}

/** A tool of the vendor's own MCP server, as one governed call. */
export interface Tool {
  /** `create_refund` */
  readonly name: string
  readonly description: string
  /** The route it calls: `POST /v1/refunds`. */
  readonly route: string
  /** JSON schema of its arguments' properties, by name. Placeholders of the route are among them. */
  readonly properties: Readonly<Record<string, JsonObject>>
  readonly required?: readonly string[]
  /**
   * Arguments that stand under another name in the request: `price` as `line_items[0][price]`. `''` is the whole JSON
   * body; `Idempotency-Key` is the client's own key.
   */
  readonly places?: Readonly<Record<string, string>>
  /** Parameters that are always sent. */
  readonly fixed?: Readonly<Record<string, string>>
  /** Parameters that go along with an argument when it is given. */
  readonly along?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** A request that cancels one scheduled, open or recurring thing. `path` is canonical. */
export interface TakeBack {
  readonly method: 'POST' | 'DELETE'
  readonly path: string
  readonly params?: readonly (readonly [string, string])[]
  readonly json?: Json
  /** Part of what it counted may have been used before (a link that sold, a card, a month of rent): nothing is given back. */
  readonly keepsCounted?: true
}

/** A dated table of prices. Decimals are text, in USD. */
export interface PriceTable {
  /** `2026-11-20` */
  readonly as_of: string
  /** Days after which the table is stale and every price in it unknown. */
  readonly max_age_days: number
  /** Factor ≥ 1 applied to every price when reserving. */
  readonly safety: string
  readonly prefixes: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>
  readonly flat: Readonly<Record<string, string>>
  readonly source?: string
}
