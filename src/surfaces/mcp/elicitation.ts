import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type InputRequiredResult,
  type RequestStateCodec,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { createHash, randomBytes } from 'node:crypto'
import { LedgerConflict, type ApprovalRow, type KeyRecord } from '../../contracts/ledger.js'
import { formatUsd } from '../../contracts/money.js'
import type { Json, JsonObject } from '../../contracts/vendor.js'
import type { Engine } from '../../engine.js'
import type { Fault } from '../../exchange.js'
import { printable } from './asking.js'
import { failed, isObject, type ToolResult } from './service.js'

/** How long an answer is waited for: the clients' own limit for a call is 60 s. */
const ANSWER_MS_MAX = 45_000
/** How often a wait looks whether its key still stands and its time is not over. */
const LOOK_MS = 250
const WAITING_MAX = 64
/** How long the state of a multi-round-trip call is believed; the request itself may expire before. */
const STATE_S_MAX = 600
const SHOWN_CHARS_MAX = 120

/** What one tool call is, as far as a client may not change it between question and answer. */
export interface AskedTool {
  readonly service: string
  readonly name: string
  readonly args: JsonObject
}

/** A refused call whose approval request the person at the client may decide on. */
export interface Question {
  readonly row: ApprovalRow
  readonly key: KeyRecord
  /** What the ledger notes as who decided. */
  readonly actor: string
  /** Answers the call with a refusal and sends nothing. */
  readonly refuse: (fault: Fault) => Promise<ToolResult>
}

type Marked = Pick<ToolResult, '_meta'>

/** Where an answer must come from: the key and the session that were asked. */
interface Asked {
  readonly keyId: string
  readonly session: string
  /** The JSON-RPC id of the call that waits. */
  readonly callId: string | number
}

/** How a wait ended: with a person's word, or with why nobody gave one. */
type Ending = { readonly yes: boolean } | { readonly nobody: string }

interface Waiting extends Asked {
  end(ending: Ending): void
}

/** A question under way to a client of before 2026-07-28. */
export interface Conversation {
  /** The request to send on the stream of the call. */
  readonly message: JsonObject
  /** Resolves with what the call is answered. @param gone aborted when the client has left */
  outcome(gone: AbortSignal): Promise<ToolResult>
}

/** A result that asks, with the marks of the refusal it stands for. */
type RoundResult = Omit<InputRequiredResult, '_meta'> & Marked

interface State {
  readonly approval: string
  readonly asked: string
}

/**
 * Puts requests for approval before the person at the agent's own MCP client, where every policy of the key says
 * `approval.by: client`. A yes approves the request in the ledger, and the very same call goes through the pipeline once
 * more: whatever else would refuse it still does. Whoever does not answer has not decided, and the operator still can.
 *
 * Clients of 2026-07-28 are asked by a result that they send back with the answer, so nothing is kept for them. Those
 * before it are asked on the stream of their call; what waits for them is in memory, one a key at most, and dies with
 * its stream, its key or its time.
 */
export class Elicitations {
  readonly #engine: Engine
  readonly #codec: RequestStateCodec<State>
  readonly #waiting = new Map<string, Waiting>()
  /** Requests whose answer is being booked: of two answers at once, one is taken. */
  readonly #deciding = new Set<string>()
  #closed = false

  constructor(engine: Engine) {
    this.#engine = engine
    this.#codec = createRequestStateCodec<State>({
      key: engine.namespace('mcp-elicitation', 'request-state'),
      ttlSeconds: STATE_S_MAX,
      bind: (context) => context.http?.authInfo?.clientId ?? '',
    })
  }

  /** Null when the operator alone may decide on what a call was answered with, or when there is nothing to decide. */
  questionFor({ _meta }: Marked, key: KeyRecord, client: string): Promise<Question | null> {
    // The call has its row; what it is answered in the end needs no second.
    return this.#question(_meta?.['spendgate/approval'], key, client, ({ code, message }) =>
      Promise.resolve({ ...failed(`${code}: ${message}`), _meta: { ..._meta, 'spendgate/code': code } }),
    )
  }

  /** Null when too much waits already; the refusal then stands as it is. @param rerun makes the very same call again */
  open(
    question: Question,
    session: string,
    callId: string | number,
    rerun: () => Promise<ToolResult>,
  ): Conversation | null {
    const { key } = question
    const taken = [...this.#waiting.values()].some(({ keyId }) => keyId === key.id)
    if (this.#closed || taken || this.#waiting.size >= WAITING_MAX) return null
    const id = `elicit_${randomBytes(18).toString('base64url')}`
    const { answer, waiting } = waitFor({ keyId: key.id, session, callId })
    this.#waiting.set(id, waiting)
    return {
      message: { jsonrpc: '2.0', id, method: 'elicitation/create', params: formFor(question) },
      outcome: async (gone) => {
        const leave = (): void => waiting.end({ nobody: 'The client has left.' })
        gone.addEventListener('abort', leave)
        if (gone.aborted) leave()
        const look = setInterval(this.#looksAfter(question, waiting), LOOK_MS)
        try {
          const ending = await answer
          if ('nobody' in ending) return this.#undecided(question, ending.nobody)
          return await this.#decided(question, ending.yes, rerun)
        } finally {
          clearInterval(look)
          gone.removeEventListener('abort', leave)
          this.#waiting.delete(id)
        }
      },
    }
  }

  /** Takes an answer to what was asked. False when nothing of this key and this session waits for it. */
  answered(id: string | number, message: JsonObject, keyId: string, session: string | null): boolean {
    const waiting = this.#waiting.get(String(id))
    if (waiting === undefined || waiting.keyId !== keyId || waiting.session !== session) return false
    this.#waiting.delete(String(id))
    const { result } = message
    // An error is the program's, no word of a person.
    waiting.end(isObject(result) ? wordIn(result) : { nobody: 'The client could not ask.' })
    return true
  }

  /** The client gave up on a call: a yes that comes after that would buy what nobody waits for. */
  cancelled(callId: Json | undefined, keyId: string, session: string | null): void {
    for (const waiting of this.#waiting.values())
      if (waiting.callId === callId && waiting.keyId === keyId && waiting.session === session)
        waiting.end({ nobody: 'The client gave the call up.' })
  }

  /** Ends every wait, because the server stops, and begins no other. */
  close(): void {
    this.#closed = true
    for (const waiting of this.#waiting.values()) waiting.end({ nobody: 'The server is stopping.' })
  }

  /** What `ServerOptions.requestState.verify` of a server wants. */
  verify(state: string, context: ServerContext): Promise<unknown> {
    return this.#codec.verify(state, context)
  }

  /** Asks by a result, or takes the answer that came with a repetition. @param unreadable refuses a call, with a row */
  async inRounds(
    tool: AskedTool,
    key: KeyRecord,
    context: ServerContext,
    rerun: () => Promise<ToolResult>,
    unreadable: (fault: Fault) => Promise<ToolResult>,
  ): Promise<ToolResult | RoundResult> {
    const { inputResponses } = context.mcpReq
    const envelope = context.mcpReq.envelope as JsonObject | undefined
    const client = clientIn(envelope?.[CLIENT_CAPABILITIES_META_KEY], envelope?.[CLIENT_INFO_META_KEY])
    const state = context.mcpReq.requestState<State>()
    if (client === null) return state === undefined ? rerun() : unreadable(NOT_ASKED)
    const asked = digestOf(tool)
    if (state === undefined) {
      const refusal = await rerun()
      const question = await this.questionFor(refusal, key, client)
      if (question === null) return refusal
      const form = inputRequired.elicit(formFor(question))
      const requestState = await this.#codec.mint({ approval: question.row.id, asked }, context)
      const { _meta = {} } = refusal
      return { ...inputRequired({ inputRequests: { approve: form }, requestState }), _meta }
    }
    if (state.asked !== asked) return unreadable(CHANGED)
    // Each round is a call with a row of its own.
    const question = await this.#question(state.approval, key, client, unreadable)
    if (question === null) return unreadable(ANSWERED)
    const response = inputResponse(inputResponses, 'approve')
    if (response.kind !== 'elicit') return this.#undecided(question, 'The client sent no answer.')
    const { yes } = wordIn(response as unknown as JsonObject)
    return this.#decided(question, yes, rerun)
  }

  async #question(
    id: Json | undefined,
    key: KeyRecord,
    client: string,
    refuse: Question['refuse'],
  ): Promise<Question | null> {
    if (typeof id !== 'string' || !this.#clientApproves(key)) return null
    const row = await this.#engine.ledger.approval(id)
    return row?.state === 'open' && row.keyId === key.id ? { row, key, actor: `client:${client}`, refuse } : null
  }

  #clientApproves({ id }: KeyRecord): boolean {
    const { ledger, standings } = this.#engine
    const key = ledger.key(id)
    return key !== null && standings.of(key).clientApproves
  }

  #stands({ key, row }: Question): Fault | null {
    const stands = this.#engine.ledger.stands(key, row.run, row.vendor)
    return stands === true ? null : stands
  }

  #looksAfter(question: Question, waiting: Waiting): () => void {
    const { clock } = this.#engine
    const until = clock.monotonic() + ANSWER_MS_MAX
    return () => {
      if (this.#stands(question) !== null) waiting.end({ nobody: 'The key does not stand any more.' })
      else if (clock.monotonic() >= until)
        waiting.end({ nobody: `Nobody answered at the client within ${ANSWER_MS_MAX / 1000} s.` })
    }
  }

  async #decided(question: Question, yes: boolean, rerun: () => Promise<ToolResult>): Promise<ToolResult> {
    const { row, actor } = question
    const problem = await this.#book(question, yes)
    if (problem !== null) return this.#undecided(question, problem)
    if (yes) return rerun()
    return question.refuse(required(`${actor} denied ${row.id}. Nothing was sent. Do not retry.`))
  }

  /** Null when the ledger has the decision, else a sentence on why it has not. */
  async #book(question: Question, yes: boolean): Promise<string | null> {
    const { row, key, actor } = question
    const { ledger } = this.#engine
    if (this.#deciding.has(row.id)) return 'Another answer came first.'
    this.#deciding.add(row.id)
    try {
      const now = await ledger.approval(row.id)
      if (now?.state !== 'open') return `${row.id} is ${now?.state ?? 'gone'} already.`
      // The policy or the key may have been narrowed while the person thought.
      if (!this.#clientApproves(key)) return 'The policy leaves it to the operator now.'
      if (this.#stands(question) !== null) return 'The key does not stand any more.'
      await ledger.decideApproval(row.id, yes ? 'approved' : 'denied', null, actor)
      return null
    } catch (cause) {
      if (cause instanceof LedgerConflict) return cause.message
      throw cause
    } finally {
      this.#deciding.delete(row.id)
    }
  }

  async #undecided(question: Question, why: string): Promise<ToolResult> {
    const stopped = this.#stands(question)
    if (stopped !== null) return question.refuse(stopped)
    const row = await this.#engine.ledger.approval(question.row.id)
    const open = row?.state === 'open'
    const rest = open
      ? `${row.id} stays open for the operator until ${new Date(row.expiresAt).toISOString()}; once it is approved, send the very same request again.`
      : 'Nothing was sent for this answer.'
    return question.refuse(required(`${why} ${rest}`))
  }
}

function waitFor(asked: Asked): { readonly answer: Promise<Ending>; readonly waiting: Waiting } {
  let end!: (ending: Ending) => void
  const answer = new Promise<Ending>((resolve) => (end = resolve))
  return { answer, waiting: { ...asked, end } }
}

/** Yes is an accepted form with a true in it, and nothing else is. */
const wordIn = ({ action, content }: JsonObject): { readonly yes: boolean } => ({
  yes: action === 'accept' && isObject(content) && content.approve === true,
})

/** The client's name if it can put a form before a person, else null. An empty capability means forms. */
export function clientIn(capabilities: Json | undefined, clientInfo: Json | undefined): string | null {
  const elicitation = isObject(capabilities) ? capabilities.elicitation : undefined
  if (!isObject(elicitation) || (elicitation.form === undefined && elicitation.url !== undefined)) return null
  const name = isObject(clientInfo) && typeof clientInfo.name === 'string' ? printable(clientInfo.name) : ''
  return name === '' ? 'unnamed' : name
}

/** What the person reads. Nothing of it is in the agent's own words but the ids it asked for, cut short. */
function formFor({ row, key }: Question) {
  const customer = row.customer === null ? '' : `, for customer ${shown(row.customer)}`
  return {
    message:
      `An agent asks to run ${row.operation} at ${row.vendor} (${row.method} ${shown(row.path)})${customer}. ` +
      `It costs up to USD ${formatUsd(row.ceiling)}, under the key ${shown(key.name)} (${key.id}). ` +
      `A yes lets exactly this request through once (${row.id}).`,
    requestedSchema: {
      type: 'object' as const,
      properties: {
        approve: {
          type: 'boolean' as const,
          title: 'Approve',
          description: `Let this request through once, for at most USD ${formatUsd(row.ceiling)}`,
        },
      },
      required: ['approve'],
    },
  }
}

const shown = (text: string): string => text.slice(0, SHOWN_CHARS_MAX).replace(/[^\x20-\x7e]/g, '?')

const digestOf = (tool: AskedTool): string =>
  createHash('sha256')
    .update(JSON.stringify([tool.service, tool.name, tool.args]))
    .digest('base64url')

const required = (message: string): Fault => ({ code: 'approval_required', message })

const NOT_ASKED: Fault = {
  code: 'request_malformed',
  message: 'This client was asked nothing: it has no elicitation capability. Do not retry.',
}
const CHANGED: Fault = {
  code: 'request_ambiguous',
  message: 'This is another call than the one that was put before the person. Send it without requestState.',
}
const ANSWERED: Fault = {
  code: 'request_ambiguous',
  message:
    'This requestState asks for nothing that is open: it was answered, has expired, or the operator must decide. Send the call without it.',
}
