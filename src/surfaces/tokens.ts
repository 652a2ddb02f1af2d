import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { invalid, invalidDocument, Problem } from '../admin/problem.js'
import { faultsOf, newToken } from '../admin/schemas.js'
import type { TokenWish } from '../admin/token-scope.js'
import { issueOwnToken, tokenShown } from '../admin/tokens.js'
import { statusOf, type DenialCode } from '../contracts/call.js'
import { LedgerFault, type KeyRecord } from '../contracts/ledger.js'
import type { Fault as PolicyFault } from '../contracts/policy.js'
import type { Authorization } from '../contracts/vendor.js'
import type { Engine } from '../engine.js'
import type { Content, Exchange, Fault } from '../exchange.js'
import { chooseRun, identify } from '../identify.js'
import { newCallLabel } from '../ledger/ids.js'
import { RateWindows } from '../ledger/rate.js'
import { govern } from '../pipeline.js'
import { EMPTY } from '../wire/form.js'
import { parseJson } from '../wire/json.js'
import { readBody } from './body.js'
import { baseOf, labelsIn, readAuthorization } from './head.js'
import { Issued } from './issued.js'
import { TOKENS_PATH } from './tokens-path.js'

/** Some two hundred patterns. They stay in memory, and every call of the token is held against them. */
const BODY_BYTES_MAX = 16 * 1024
const REASON_CHARS_MAX = 500
/** Requests a minute by a root key and all below it: every token is a row that stays. */
const ISSUES_MAX = 30
/** Tokens in 24 hours by the same: every one stays in memory too, with its patterns. */
const ISSUED_A_DAY_MAX = 1_000

/** Why nothing was issued. */
interface Refusal {
  /** As the row says it: one of the codes that calls are refused with. */
  readonly booked: DenialCode
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly errors?: readonly PolicyFault[]
  readonly headers?: Readonly<Record<string, string>>
}

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Where a key issues tokens of its own. It is asked with a vault key like any call, and a refusal under a known key leaves
 * a row like any other; what was issued is an entry that names the key it came from.
 */
export class TokenListener {
  readonly #engine: Engine
  readonly #rates = new RateWindows(() => [])
  readonly #issued: Issued

  constructor(engine: Engine) {
    this.#engine = engine
    this.#issued = new Issued(engine.ledger, engine.clock, ISSUED_A_DAY_MAX)
  }

  async handle(incoming: IncomingMessage, outgoing: ServerResponse, full: string | null): Promise<void> {
    const reply = full === null ? await this.#answer(incoming) : problem({ ...because('overloaded', full), ...SOON })
    if (outgoing.destroyed || outgoing.headersSent) return
    const body = Buffer.from(reply.body)
    outgoing.writeHead(reply.status, {
      'cache-control': 'no-store',
      ...reply.headers,
      'content-length': String(body.length),
      // Bytes of a body that was not read must not be taken for a request.
      ...(incoming.complete ? {} : { connection: 'close' }),
    })
    outgoing.end(body)
  }

  async #answer(incoming: IncomingMessage): Promise<Reply> {
    const { log, metrics } = this.#engine
    try {
      const asked = new TokenRequest(incoming)
      const caller = identify(asked.authorization, this.#engine)
      if (caller.key !== null) return await this.#issue(incoming, asked, { ...caller, key: caller.key })
      return await this.#refused(asked, because(caller.denial.code, caller.denial.message))
    } catch (cause) {
      const ledger = cause instanceof LedgerFault
      log('error', ledger ? 'ledger_fault' : 'internal_fault', { message: (cause as Error).message })
      metrics.count('spendgate_faults_total', `kind="${ledger ? 'ledger' : 'internal'}"`)
      return problem({ ...because('ledger_unavailable', 'A fault stopped this. The operator has been told.'), ...SOON })
    }
  }

  async #issue(
    incoming: IncomingMessage,
    asked: TokenRequest,
    caller: { readonly key: KeyRecord; readonly suffix: string | null },
  ): Promise<Reply> {
    const { ledger } = this.#engine
    const { key } = caller
    const { run, fault: runFault } = chooseRun(asked.labels, caller, this.#engine)
    const stop = ledger.stands(key, run, '')
    const early = stop === true ? (asked.fault ?? runFault) : stop
    if (early !== null) return this.#refused(asked, because(early.code, early.message))
    const waitS = this.#place(key.rootId)
    if (waitS > 0) return this.#refused(asked, later(`${ISSUES_MAX} tokens a minute may be asked for.`, waitS))
    try {
      const wish = await wishIn(incoming, asked)
      // While the body came the key may have been revoked.
      const late = ledger.stands(key, run, '')
      if (late !== true) return await this.#refused(asked, because(late.code, late.message))
      const vendors = [...this.#engine.vendors.values()].map(({ vendor }) => vendor)
      const deps = { ...this.#engine, vendors, reach: this.#engine }
      const fullMs = await this.#issued.take(key.rootId)
      if (fullMs > 0)
        return await this.#refused(
          asked,
          later(`${ISSUED_A_DAY_MAX} tokens in 24 hours may be issued under one root key.`, Math.ceil(fullMs / 1000)),
        )
      const issued = await issueOwnToken(deps, ledger.key(key.id)!, wish).catch(async (fault: unknown) => {
        await this.#issued.giveBack(key.rootId)
        throw fault
      })
      const headers = { 'x-spendgate-call-id': newCallLabel(), 'x-spendgate-decision': 'allow' }
      return {
        status: 201,
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(tokenShown(deps, issued, wish)),
      }
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault
      const { code, status, detail, errors } = fault
      return await this.#refused(asked, { booked: BOOKED[status] ?? 'request_malformed', code, status, detail, errors })
    }
  }

  /** Takes a place in the root key's last 60 seconds, or says how many seconds there is none. */
  #place(rootId: string): number {
    const now = this.#engine.clock.monotonic()
    const { count, oldestAt } = this.#rates.read(rootId, now)
    if (count >= ISSUES_MAX) return Math.max(1, Math.ceil((oldestAt + 60_000 - now) / 1000))
    this.#rates.add(rootId, now)
    return 0
  }

  async #refused(asked: TokenRequest, refusal: Refusal): Promise<Reply> {
    asked.fault = { code: refusal.booked, message: refusal.detail }
    const { headers } = await govern(asked, this.#engine)
    return problem(refusal, headers[headers.indexOf('x-spendgate-call-id') + 1])
  }
}

/** How a row says what a problem document says more exactly. */
const BOOKED: Readonly<Record<number, DenialCode>> = {
  403: 'operation_not_allowed',
  409: 'operation_not_allowed',
  413: 'body_too_large',
}

const SOON = { headers: { 'retry-after': '5' } } as const

const because = (code: DenialCode, detail: string): Refusal => ({ booked: code, code, status: statusOf(code), detail })

const later = (limit: string, waitS: number): Refusal => ({
  ...because('rate_limited', `${limit} Retry after ${waitS} s.`),
  headers: { 'retry-after': String(waitS) },
})

/** RFC 9457: who asks here speaks no vendor's language. */
function problem({ code, status, detail, errors = [], headers }: Refusal, callId = newCallLabel()): Reply {
  const title = 'No token was issued'
  return {
    status,
    headers: {
      ...headers,
      'x-spendgate-call-id': callId,
      'x-spendgate-decision': 'deny',
      'x-spendgate-code': code,
      'content-type': 'application/problem+json',
    },
    body: JSON.stringify({ type: `urn:spendgate:problem:${code}`, title, status, code, detail, errors }),
  }
}

/** @throws Problem when the body is no JSON object of the fields that a token has */
async function wishIn(incoming: IncomingMessage, { headers }: TokenRequest): Promise<TokenWish> {
  const body = await readBody(incoming, headers, BODY_BYTES_MAX, (work) => work())
  if (!Buffer.isBuffer(body))
    throw body.code === 'body_too_large' ? new Problem('body_too_large', body.message) : invalid('', body.message)
  if (body.length > 0 && !/^application\/json *(?:; *charset="?utf-8"?)?$/i.test(headers.get('content-type') ?? ''))
    throw invalid('', 'Send the body as application/json, in UTF-8.')
  if (!isUtf8(body)) throw invalid('', 'The body is not UTF-8.')
  const parsed = parseJson(body.length === 0 ? '{}' : body.toString('utf8'))
  if ('code' in parsed) throw invalid('', parsed.message)
  const wish = newToken.safeParse(parsed.value)
  if (!wish.success) throw invalidDocument(faultsOf(wish.error))
  return wish.data
}

/** A request for a token as the pipeline sees it where it is refused: it concerns no vendor. */
class TokenRequest implements Exchange {
  readonly surface = 'rest'
  readonly authorization: Authorization | null
  fault: Fault | null = null
  readonly named = { prefix: null, host: null, root: null }
  readonly labels: Exchange['labels']
  readonly base: string | null
  readonly reason: string | null
  readonly idempotencyKey = null
  readonly method = 'POST'
  readonly headers: ReadonlyMap<string, string>

  constructor({ rawHeaders: raw }: IncomingMessage) {
    const headers = new Map<string, string>()
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!.toLowerCase()
      if (!headers.has(name)) headers.set(name, raw[i + 1]!)
      else if (ONCE.has(name))
        this.fault = { code: 'request_ambiguous', message: `The header ${name} stands more than once.` }
    }
    this.headers = headers
    this.authorization = readAuthorization(headers.get('authorization'))
    this.labels = labelsIn(headers, null)
    this.base = baseOf(headers, null)
    this.reason = headers.get('x-agent-reason')?.slice(0, REASON_CHARS_MAX) ?? null
  }

  pathFor(): string {
    return TOKENS_PATH
  }

  header(name: string): string | undefined {
    return this.headers.get(name)
  }

  /** Never asked: what comes here has been refused. */
  read(): Promise<Content | Fault> {
    return Promise.resolve({ form: EMPTY, json: undefined, place: 'none' })
  }
}

const ONCE = new Set(['authorization', 'content-length', 'content-type', 'host', 'x-agent-run-id'])
