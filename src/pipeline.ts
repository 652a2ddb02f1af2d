import * as crypto from 'node:crypto'
import { newCallLabel } from './ledger/ids.js'
import type { Match } from './catalogue.js'
import {
  statusOf,
  type Call,
  type CallState,
  type Denial,
  type Effect,
  type Quote,
  type Subjects,
} from './contracts/call.js'
import type { Admission, CallDraft, CredentialRecord, Settlement } from './contracts/ledger.js'
import { COUNTABLE_MAX, formatUsd, ZERO, type Usd } from './contracts/money.js'
import type { Decision, Usage } from './contracts/policy.js'
import type { Explanation, Json, JsonObject, Operation, Outcome, Question, Vendor } from './contracts/vendor.js'
import type { Engine, OpenCredential, Standing, VendorRuntime } from './engine.js'
import type { Answer, Content, Exchange } from './exchange.js'
import { chooseRun, chooseVendor, identify, shapeFor } from './identify.js'
import { Labels } from './metrics.js'
import { sealEvidence } from './reconcile/evidence.js'
import { resolve } from './resolve.js'
import { standstill } from './standstill.js'
import { parentIn, type CallFacts } from './traces.js'
import { callHostedTool } from './wire/hosted-tool.js'
import { isVendorId } from './vendor-id.js'
import { canonical, upstreamRequest, type Canonical } from './wire/prepare.js'
import { bodyOf, reader, rewritten, type Body, type Rewriting } from './wire/reply.js'
import type { Scrubber } from './wire/scrub.js'
import type { UpstreamFault, UpstreamReply, Withheld } from './wire/upstream.js'

/** Filled in as more of the call becomes known. */
type Draft = { -readonly [field in keyof CallDraft]: CallDraft[field] }

const FREE: Explanation = { quote: { basis: 'free' }, subjects: {} }

/**
 * The life of one call, top to bottom: who calls, what for, what it means, whether it may, what came of it.
 * Every way out of this function after a key is known leaves one row in the ledger.
 *
 * @throws LedgerFault when the ledger cannot write; nothing was sent then
 */
export async function govern(x: Exchange, engine: Engine): Promise<Answer> {
  const { ledger, metrics, clock } = engine
  const trace = engine.traces?.begin(x.header('traceparent')) ?? null
  // Decided and reserved in one durable transaction.
  const weighed = await weigh(x, engine, (draft, decide) => {
    trace?.next()
    return metrics.admission(ledger.admit(draft, decide), clock)
  })
  const { runtime } = weighed
  if (weighed.draft === null) return refusal(runtime, weighed.denial, null, engine)
  const { draft, decided: admission, meaning } = weighed
  if (meaning === null || admission.decision.verdict === 'deny') {
    counted(admission, draft, 'denied', engine)
    trace?.end(factsOf(admission, draft, 'denied', null))
    return refusal(runtime, null, admission, engine)
  }

  // Out with the real credential; from here the call lives on whether or not the client waits.
  const { vendor } = runtime
  const { match, question, explanation, request, credential, revealing } = meaning
  const upstreamKey = vendor.idempotent(match.operation, x.method)
    ? (draft.idempotencyHash ?? engine.namespace('call', `${admission.callId}/${request.hash}`))
    : null
  const outgoing = upstreamRequest(request, runtime, credential, (name) => x.header(name), upstreamKey)
  const traceparent = trace?.traceparent ?? parentIn(x.header('traceparent'))?.text
  if (traceparent !== undefined) outgoing.headers.push('traceparent', traceparent)
  // What was sent is kept only where nobody knows what came of it, to find that out later.
  const kept = (): Pick<Settlement, 'evidence'> => {
    const sent = { ...request, headers: forwarded(vendor, x) }
    const evidence = sealEvidence(admission.callId, sent, upstreamKey, explanation, engine.namespace)
    return evidence === null ? {} : { evidence }
  }
  let left = false
  const gate = (): Denial | null => {
    // A call leaves once. A hosted tool takes several requests, and each asks whether the key still stands.
    const leave = left ? ledger.stands(draft.key, draft.run, vendor.name) : ledger.mayLeave(admission.callId)
    left = true
    return leave === true ? null : leave
  }
  const { hostedTool } = match.operation
  trace?.next()
  const result = await (hostedTool === undefined
    ? engine.upstream.send(outgoing, gate)
    : callHostedTool(hostedTool, outgoing, gate, engine))
  trace?.next()
  const body = result.kind === 'reply' ? bodyOf(result.body) : ''
  const read = reader(body)
  const booking = settlementOf(result, runtime, match, question, explanation, draft, read)
  const settlement = scrubbed(booking, credential.scrubber)
  ledger.settle(admission.callId, settlement.outcome === 'assumed' ? { ...settlement, ...kept() } : settlement)
  counted(admission, draft, settlement.outcome, engine)
  replied(result, vendor.name, engine)
  trace?.end(factsOf(admission, draft, settlement.outcome, settlement.status))
  const known = settlement.outcome !== 'assumed'
  return answer(result, known, runtime, admission, credential.scrubber, upstreamKey !== null, engine, {
    drop: secretFields(runtime, match.operation, revealing),
    leadTo: vendor.linksBack && x.base !== null ? linksBack(vendor, x.base) : null,
    body,
    read,
  })
}

function counted(
  { decision }: Admission,
  { vendor }: CallDraft,
  outcome: Settlement['outcome'] | 'denied',
  { metrics }: Engine,
): void {
  const { verdict, denial } = decision
  const code = denial?.code ?? 'none'
  const labels = CALLS.under(vendor).under(verdict).under(outcome).under(code)
  labels.text ??= `vendor="${vendor}",decision="${verdict}",outcome="${outcome}",code="${code}"`
  metrics.count('spendgate_calls_total', labels.text)
}
const CALLS = new Labels()

/** How long the vendor took, and what it came to; nothing was asked of it when the call was withheld. */
function replied(result: UpstreamReply | UpstreamFault | Withheld<Denial>, vendor: string, { metrics }: Engine): void {
  if (result.kind === 'withheld') return
  const came =
    result.kind === 'reply' ? CLASSES[Math.floor(result.status / 100)]! : result.timedOut ? 'timeout' : 'broken'
  const labels = REPLIES.under(vendor).under(came)
  labels.text ??= `vendor="${vendor}",result="${came}"`
  metrics.observe('spendgate_upstream_seconds', labels.text, result.ms / 1000)
  if (result.kind === 'reply' && result.status === 401)
    metrics.count('spendgate_credential_refused_total', `vendor="${vendor}"`)
}

const REPLIES = new Labels()
const CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx', '6xx', '7xx', '8xx', '9xx']

const factsOf = (
  { callId, decision }: Admission,
  { key, run, vendor, surface, operation }: CallDraft,
  state: CallState,
  status: number | null,
): CallFacts => ({
  callId,
  keyId: key.id,
  run,
  vendor,
  surface,
  operation,
  decision: decision.verdict,
  code: decision.denial?.code ?? null,
  state,
  status,
})

/** What a call would be answered if it were made now. Another call may come before it. */
export interface Preview {
  readonly draft: CallDraft
  readonly decision: Decision
  /** What stood in the ledger when it was decided, this call's amount among it. */
  readonly usage: Usage
}

/**
 * The same up to the decision, and no further: look-ups run and count for the rate, nothing is reserved, sent or
 * written. Null when no key is known.
 */
export async function preview(x: Exchange, engine: Engine): Promise<Preview | null> {
  const weighed = await weigh(x, engine, async (draft, decide) => {
    let seen: Usage
    const decision = await engine.ledger.preview(draft, (usage) => decide((seen = usage)))
    return { decision, usage: seen! }
  })
  return weighed.draft === null ? null : { draft: weighed.draft, ...weighed.decided }
}

/** A call that was decided on, by whatever `enter` made of the decision. */
interface Weighed<Decided> {
  readonly runtime: VendorRuntime
  readonly draft: CallDraft
  readonly decided: Decided
  /** Null when it was refused before it had become a request. */
  readonly meaning: Meaning | null
}
interface Stranger {
  readonly runtime: VendorRuntime
  readonly draft: null
  readonly denial: Denial
}
/** What is needed to send a request and to book its outcome. */
interface Meaning {
  readonly match: Match
  readonly question: Question
  readonly explanation: Explanation
  readonly request: Canonical
  readonly credential: OpenCredential
  /** Whether replies may show what would let its holder act past spendgate. */
  readonly revealing: boolean
}

/**
 * Reads, prices and judges a request.
 *
 * @param enter takes the decision: into the ledger with a reservation, or only to look at it. Asked once.
 */
async function weigh<Decided>(
  x: Exchange,
  engine: Engine,
  enter: (draft: CallDraft, decide: (usage: Usage) => Decision) => Promise<Decided>,
): Promise<Weighed<Decided> | Stranger> {
  const { ledger, judge, clock } = engine

  // Who calls, and for which vendor and run. From the head alone.
  const caller = identify(x.authorization, engine)
  if (caller.key === null)
    return { runtime: shapeFor(x.named, caller.form, engine), draft: null, denial: caller.denial }
  const { key } = caller
  const { runtime, fault: vendorFault } = chooseVendor(x.named, caller, engine)
  const { vendor } = runtime
  const { run, source: runSource, fault: runFault } = chooseRun(x.labels, caller, engine)
  const record = engine.credentials.of(key, vendor.name)
  const standing = engine.standings.of(key)
  const path = x.pathFor(vendor)
  const draft: Draft = {
    key,
    credentialId: record?.id ?? null,
    run,
    runSource,
    vendor: vendor.name,
    surface: x.surface,
    method: x.method,
    path,
    operation: null,
    effect: null,
    direction: 'none',
    customer: null,
    commits: null,
    // Cut in the middle of a character it would not be read as it was written, and no proof of the row would hold.
    reason: x.reason?.toWellFormed() ?? null,
    quoted: ZERO,
    basis: 'free',
    object: null,
    requestHash: '',
    idempotencyHash: null,
    guarded: false,
    approvalMs: null,
    clientApproves: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: standing.perMinute,
    budgets: judge.budgets(
      standing.levels,
      { vendor: vendor.name, credentialId: record?.id ?? null, direction: 'none' },
      clock.now(),
    ),
  }
  const stops = (): Denial | null => {
    const stands = ledger.stands(key, run, vendor.name)
    return stands === true ? null : stands
  }
  const refuse = async (denial: Denial): Promise<Weighed<Decided>> => {
    const decided = await enter(draft, () => ({ verdict: 'deny', denial: stops() ?? denial }))
    return { runtime, draft, decided, meaning: null }
  }

  // What is asked. Nothing of the body is read before the key stands and the address is clear.
  const early = stops() ?? withRule('address', x.fault ?? vendorFault ?? runFault)
  if (early) return refuse(early)
  const match = runtime.catalogue.match(x.method, path)
  if (match) {
    draft.operation = match.operation.id
    draft.effect = match.operation.effect
  }
  const content = await x.read(runtime, match)
  if ('code' in content) return refuse(withRule('parse', content)!)
  if (match === null) return refuse(unknownOperation(x.method, path))
  const { operation } = match
  const unlocked = engine.unlocked.has(operation.id)
  if (operation.never !== undefined && !unlocked) return refuse(locked(operation, operation.never))
  const stranger = unknownParameter(match, content)
  if (stranger !== null) return refuse(stranger)

  // What it means: price, subjects, effects; with look-ups where the request does not say.
  let nowMs = clock.now()
  const question = questionOf(x, match, content, record!, standing, nowMs, engine)
  const common = vendor.common?.(question)
  if (common?.refuse) return refuse(withRule('explain', common.refuse)!)
  let explained = operation.explain?.(question) ?? FREE
  const credential = engine.credentials.open(record!)
  if ('lookUp' in explained) {
    const blind = callOf(x, match, vendor.name, path, { ...FREE, subjects: common?.subjects ?? {} })
    const denial = await ledger.clear(draft, (usage) => judge.screen(blind, usage, standing.policies))
    if (denial) return refuse(denial)
    const resolved = await resolve(explained, runtime, credential, engine.upstream, clock, stops)
    nowMs = clock.now()
    draft.rateCounted = true
    draft.lookUps = resolved.count
    if (resolved.denial) return refuse(resolved.denial)
    explained = resolved.explanation!
  }
  const explanation = withCommon(explained, common?.subjects)
  if (explanation.refuse) return refuse(withRule('explain', explanation.refuse)!)
  if (explanation.never !== undefined && !unlocked) return refuse(locked(operation, explanation.never))
  const sent = explanation.set ? { ...content, form: content.form.with(explanation.set) } : content
  const request = canonical(runtime, x.method, path, sent, explanation.subjects.accounts ?? [], operation.host)
  const call = callOf(x, match, vendor.name, path, explanation)
  const quoted = 'amount' in call.quote ? call.quote.amount : ZERO
  // Read again: while the body and the look-ups were awaited the key may have been narrowed and a day have begun.
  const { levels, policies, perMinute, guarded, approvalMs, clientApproves } = engine.standings.of(ledger.key(key.id)!)
  draft.perMinute = perMinute
  const direction = explanation.direction ?? 'none'
  draft.budgets = judge.budgets(levels, { vendor: vendor.name, credentialId: draft.credentialId, direction }, nowMs)
  draft.effect = call.effects.at(-1)!
  draft.direction = direction
  draft.commits = call.commits
  draft.customer = explanation.subjects.customers?.[0] ?? null
  draft.quoted = quoted
  draft.basis = call.quote.basis
  draft.object = explanation.object ?? null
  draft.requestHash = request.hash
  draft.guarded = guarded
  draft.approvalMs = approvalMs
  if (approvalMs !== null && draft.lookUps > 0) draft.approvalHash = approvalHash(request, explanation)
  draft.clientApproves = clientApproves
  // Where the vendor knows no such key the second call is a second one, whatever it says.
  if (x.idempotencyKey !== null && vendor.idempotent(operation, x.method)) {
    draft.idempotencyHash = engine.namespace(`${key.rootId}/${vendor.name}`, x.idempotencyKey)
  }

  // Whether it may.
  const decided = await enter(draft, (usage): Decision => {
    const waits = quoted > 0n || call.commits !== null ? standstill(engine) : null
    return waits === null ? judge.decide(call, usage, policies) : { verdict: 'deny', denial: waits }
  })
  const revealing = standing.revealing(vendor.name)
  return { runtime, draft, decided, meaning: { match, question, explanation, request, credential, revealing } }
}

/** What every call of the vendor has comes over what the operation found out; most calls have nothing of it. */
function withCommon(explained: Explanation, common: Subjects | undefined): Explanation {
  if (common === undefined || Object.keys(common).length === 0) return explained
  return { ...explained, subjects: { ...explained.subjects, ...common } }
}

/** What stands in no request may be changed between a person's yes and the call, so the yes is for what was seen of it. */
function approvalHash({ hash }: Canonical, { subjects, holds = null }: Explanation): string {
  const { customers, beneficiaries, recipients, senders } = subjects
  const seen = [customers, beneficiaries, recipients, senders].map((ids) => (ids ? [...ids].sort() : null))
  return crypto.hash('sha256', JSON.stringify([hash, seen, holds]), 'hex')
}

const withRule = (rule: string, fault: Pick<Denial, 'code' | 'message'> | null): Denial | null =>
  fault && { ...fault, rule }

const locked = (operation: Operation, why: string): Denial => ({
  code: 'operation_not_allowed',
  rule: 'never',
  message: `${why} Only the operator can lift this, by starting the server with --unlock ${operation.id}. Do not retry.`,
})

const unknownOperation = (method: string, path: string): Denial => ({
  code: 'operation_unknown',
  rule: 'catalogue',
  message: `${method} ${path} is not an operation spendgate knows, and what it does not know could cost money. Do not retry.`,
})

/** On operations that move money a parameter we do not know could change what they do. */
function unknownParameter({ operation }: Match, content: Content): Denial | null {
  if (operation.accepts === undefined) return null
  const names = content.place === 'json' ? objectNames(content) : content.form.names()
  let accepted = acceptedBy.get(operation)
  if (accepted === undefined) acceptedBy.set(operation, (accepted = new Set(operation.accepts)))
  const stranger = names.find((name) => !accepted.has(name))
  if (stranger === undefined) return null
  return {
    code: 'request_malformed',
    rule: 'parameters',
    message: `The parameter «${stranger.slice(0, 60)}» is not known for ${operation.id} and could change what it costs. Do not retry with it.`,
  }
}

const acceptedBy = new WeakMap<Operation, ReadonlySet<string>>()

const objectNames = ({ json }: Content): readonly string[] =>
  Array.isArray(json)
    ? [...new Set(json.flatMap((each) => (typeof each === 'object' && each !== null ? Object.keys(each) : [])))]
    : Object.keys((json ?? {}) as object)

function questionOf(
  x: Exchange,
  match: Match,
  content: Content,
  credential: CredentialRecord,
  standing: Standing,
  nowMs: number,
  engine: Engine,
): Question {
  return {
    method: x.method,
    path: match.params,
    params: content.form,
    json: content.json,
    header: (name) => x.header(name),
    account: credential.account,
    apiVersion: credential.apiVersion,
    rates: engine.tables.rates,
    prices: engine.tables.prices(credential.vendor),
    nowMs,
    restricted: standing.restricted(credential.vendor),
  }
}

function callOf(x: Exchange, match: Match, vendor: string, path: string, explanation: Explanation): Call {
  const { operation } = match
  const effects = effectsOf(operation, explanation)
  return {
    vendor,
    endpoint: `${x.method} ${path}`,
    aliases: match.aliases,
    operation: operation.id,
    effects,
    quote: countable(effects.includes('spend') ? accounted(operation, explanation.quote) : explanation.quote),
    subjects: explanation.subjects,
    commits: explanation.commits ?? null,
    reason: x.reason,
  }
}

/** The effects of a call: its operation's, and those that its parameters trigger. */
export function effectsOf(operation: Operation, { effects: triggered = [] }: Explanation): readonly Effect[] {
  if (!operation.preview && triggered.length === 0) return [operation.effect]
  return [...new Set([...(operation.preview ? (['preview'] as const) : []), operation.effect, ...triggered])]
}

const countable = (quote: Quote): Quote =>
  'amount' in quote && quote.amount > COUNTABLE_MAX
    ? { basis: 'unpriceable', why: 'The amount is larger than any that is counted here.' }
    : quote

/** What can move money moves none only where its catalogue entry says why; a gap in the catalogue is no gift. */
function accounted(operation: Operation, quote: Quote): Quote {
  if (quote.basis !== 'free' || quote.why !== undefined) return quote
  return { basis: 'unpriceable', why: `What ${operation.id} costs with these parameters is not known.` }
}

/** A vendor may say again what it was sent. A row may not. */
export function scrubbed(settlement: Settlement, scrubber: Pick<Scrubber, 'text'>): Settlement {
  const { requestId } = settlement
  const clean = requestId === null ? null : scrubber.text(requestId)
  return clean === requestId ? settlement : { ...settlement, requestId: clean }
}

/**
 * What the vendor's answer, or its absence, means for the money. When in doubt it counts as spent.
 *
 * @param read gives the reply's body as JSON
 */
export function settlementOf(
  result: UpstreamReply | UpstreamFault | Withheld<Denial>,
  runtime: VendorRuntime,
  { operation }: Match,
  question: Question,
  explanation: Explanation,
  draft: Pick<CallDraft, 'quoted' | 'object'>,
  read: () => Json | undefined = result.kind === 'reply' ? reader(result.body) : () => undefined,
): Settlement {
  if (result.kind === 'withheld')
    return { outcome: 'released', status: null, requestId: null, ms: null, denial: result.because }
  const nothingAtStake = draft.quoted === 0n && draft.object === null
  const doubt = nothingAtStake && operation.effect === 'read' ? 'released' : 'assumed'
  if (result.kind === 'fault')
    return { outcome: result.sent ? doubt : 'released', status: null, requestId: null, ms: result.ms }
  const seen = (outcome: Settlement['outcome'], booked: Booked = NOTHING_MORE): Settlement => ({
    outcome,
    ...booked,
    status: result.status,
    requestId: headerIn(result.headers, runtime.vendor.requestIdHeader) ?? null,
    ms: result.ms,
  })
  if (result.status < 200 || result.status > 299) {
    if (runtime.vendor.verdict(result.status) !== 'released') return seen(doubt)
    return seen('released', leftBy(operation, result, read))
  }
  if (operation.outcome === undefined && nothingAtStake) return seen('settled', settleAmount(explanation.settle))
  const whole = !encoded(result)
  const reply = !whole ? null : result.status === 204 ? {} : objectIn(read())
  const booked =
    reply !== null
      ? bookedBy(operation, reply, question, explanation)
      : operation.opaque === true && whole
        ? settleAmount(explanation.settle)
        : null
  return booked === null ? seen(doubt) : seen('settled', booked)
}

/** What of a settlement follows from what was said and done, and not from the reply's frame. */
type Booked = Omit<Settlement, 'outcome' | 'status' | 'requestId' | 'ms'>

const NOTHING_MORE: Booked = {}

/** What is booked when the vendor has done what it was asked, by what it answered. Null when nobody can tell from that. */
export function bookedBy(
  operation: Operation,
  reply: JsonObject,
  question: Question,
  explanation: Explanation,
): Booked | null {
  if (operation.outcome === undefined) return settleAmount(explanation.settle)
  const outcome = outcomeOf(operation, reply, question, explanation)
  if (outcome === null) return null
  const { amount = explanation.settle, total, object, commitment, ends, estimate, made } = outcome
  // What the ledger cannot hold is no outcome: what was reserved stands until somebody has looked.
  if ((amount ?? ZERO) > COUNTABLE_MAX || (total ?? ZERO) > COUNTABLE_MAX) return null
  if (![object, commitment, ends, estimate, made].every((id) => id === undefined || isVendorId(id))) return null
  if (amount === undefined || outcome.amount === amount) return outcome
  return 'amount' in outcome ? { ...outcome, amount } : { amount, ...outcome }
}

function forwarded(vendor: Vendor, x: Exchange): readonly string[] {
  return vendor.requestHeaders.flatMap((name) => {
    const value = x.header(name)
    return value === undefined ? [] : [name, value]
  })
}

/** Null when the reply is not of the shape the operation's replies have: then nobody knows what happened. */
function outcomeOf(
  operation: Match['operation'],
  reply: JsonObject,
  question: Question,
  explanation: Explanation,
): Outcome | null {
  try {
    return operation.outcome!(reply, question, explanation)
  } catch {
    return null // A vendor may answer anything; reading it must not undo the booking.
  }
}

/** What a call made although it was refused: others may pay it yet. */
function leftBy({ leaves }: Operation, reply: UpstreamReply, read: () => Json | undefined): Pick<Settlement, 'made'> {
  const refusal = leaves === undefined || encoded(reply) ? null : objectIn(read())
  const made = refusal === null ? null : leaves!(refusal)
  return made === null || !isVendorId(made) ? {} : { made }
}

const settleAmount = (amount: Usd | undefined): { amount?: Usd } => (amount === undefined ? NOTHING_MORE : { amount })

/** A vendor that says 2xx and no JSON has done we do not know what. */
const objectIn = (value: Json | undefined): JsonObject | null =>
  typeof value === 'object' && value !== null ? (value as JsonObject) : null

/** We ask for no content encoding; a reply that has one cannot be searched for the credential. */
const encoded = (reply: UpstreamReply): boolean =>
  !['identity', undefined, ''].includes(headerIn(reply.headers, 'content-encoding'))

function headerIn(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

/** Absolute links to the vendor's hosts lead back here, or a client would carry its vault key to the vendor on page two. */
const linksBack =
  ({ hosts, name }: Vendor, base: string) =>
  (host: string): string | null => {
    const at = hosts.indexOf(host)
    return at < 0 ? null : `${base}/${name}${at === 0 ? '' : `/${host}`}`
  }

/** Fields an agent does not get: what the vendor never shows, and what would let it act past spendgate. */
function secretFields({ vendor }: VendorRuntime, operation: Operation, permitted: boolean): ReadonlySet<string> {
  const shown = permitted && operation.never === undefined
  let kept = fieldsOf.get(operation)
  if (kept === undefined) {
    const never = vendor.reveals ?? []
    kept = { shown: new Set(never), hidden: new Set([...never, ...(operation.reveals ?? [])]) }
    fieldsOf.set(operation, kept)
  }
  return shown ? kept.shown : kept.hidden
}
const fieldsOf = new WeakMap<Operation, Readonly<Record<'shown' | 'hidden', ReadonlySet<string>>>>()

/**
 * The vendor's reply as the agent may see it, or in its place what went wrong on the way.
 *
 * @param known whether the reply says what became of the call
 */
function answer(
  result: UpstreamReply | UpstreamFault | Withheld<Denial>,
  known: boolean,
  runtime: VendorRuntime,
  admission: Admission,
  scrubber: Pick<Scrubber, 'body' | 'text'>,
  idempotent: boolean,
  engine: Engine,
  rewriting: Rewriting & { readonly body: Body; readonly read: () => Json | undefined },
): Answer {
  if (result.kind === 'withheld') return refusal(runtime, result.because, admission, engine)
  const fault = result.kind === 'fault' ? faultDenial(result, idempotent) : unfit(result, known, idempotent)
  if (fault !== null) return refusal(runtime, fault, admission, engine)
  const reply = result as UpstreamReply
  const body = rewritten(rewriting.body, rewriting, rewriting.read)
  if (body === null) return refusal(runtime, UNREADABLE, admission, engine)
  const headers = own(admission)
  for (let i = 0; i < reply.headers.length; i += 2) {
    const name = reply.headers[i]!
    if (name === 'content-type' || runtime.vendor.replyHeaders.includes(name))
      headers.push(name, scrubber.text(reply.headers[i + 1]!))
  }
  return { status: reply.status, headers, body: scrubber.body(body) }
}

function faultDenial(fault: UpstreamFault, idempotent: boolean): Denial {
  const counted = fault.sent
    ? ' Whether the vendor acted is not known, so the amount stays counted until its records say otherwise.'
    : ' Nothing was sent, and nothing is counted.'
  return {
    code: fault.timedOut ? 'upstream_timeout' : 'upstream_unavailable',
    rule: 'upstream',
    message: `${fault.timedOut ? 'The vendor did not answer in time.' : 'The connection to the vendor failed.'}${counted}`,
    retrySafe: idempotent || !fault.sent,
  }
}

/**
 * Replies that no client of the vendor expects from it: a redirect (some follow it and report success), an encoding we
 * did not ask for, and a success from which nobody can tell what was done. A client that took that for one would go on;
 * told of a fault it asks again under its own key, and gets the true reply.
 */
function unfit(reply: UpstreamReply, known: boolean, idempotent: boolean): Denial | null {
  const what =
    reply.status >= 300 && reply.status < 400
      ? `a redirect (${reply.status})`
      : encoded(reply)
        ? 'an encoded body'
        : !known && reply.status < 300
          ? 'a success that cannot be read'
          : null
  if (what === null) return null
  const counted = known ? '' : ' The amount stays counted until its records say otherwise.'
  return {
    code: 'upstream_unavailable',
    rule: 'upstream',
    message: `The vendor answered with ${what}, which is not passed on.${counted}`,
    retrySafe: idempotent,
  }
}

const UNREADABLE: Denial = {
  code: 'upstream_unavailable',
  rule: 'upstream',
  message: 'The vendor answered with something else than JSON, in which a secret could not be found and taken out.',
}

const own = (admission: Admission): string[] => {
  const headers = ['x-spendgate-call-id', admission.callId, 'x-spendgate-decision', admission.decision.verdict]
  if (admission.remaining !== null) headers.push('x-spendgate-remaining-usd', formatUsd(admission.remaining))
  return headers
}

/** Says where the operator decides, which neither rule nor ledger knows. Last, so that no full stop joins the address. */
function withLink(denial: Denial, { approvalLink }: Engine): Denial {
  if (denial.approval === undefined || approvalLink === undefined) return denial
  return { ...denial, message: `${denial.message} At ${approvalLink(denial.approval)} the operator decides.` }
}

/**
 * A refusal in the vendor's own shape.
 *
 * @param denial null for the admission's own
 * @param admission null when no key is known and there is no row
 */
export function refusal(
  runtime: VendorRuntime,
  denial: Denial | null,
  admission: Admission | null,
  engine: Engine,
): Answer {
  const because = withLink(denial ?? admission!.decision.denial!, engine)
  const { status, headers: shape, body } = runtime.vendor.refuse(because)
  const upstream = denial !== null && admission !== null && denial.rule === 'upstream'
  engine.metrics.count('spendgate_refusals_total', `vendor="${runtime.vendor.name}",code="${because.code}"`)
  const headers =
    admission === null
      ? ['x-spendgate-call-id', newCallLabel(), 'x-spendgate-decision', 'deny']
      : upstream
        ? own(admission)
        : own({ ...admission, decision: { verdict: 'deny', denial: because } })
  headers.push('x-spendgate-code', because.code)
  for (const [name, value] of Object.entries(shape)) headers.push(name.toLowerCase(), value)
  if (!headers.includes('content-type')) headers.push('content-type', 'application/json')
  if (because.retryAfterS !== undefined && !('retry-after' in shape) && statusOf(because.code) === status)
    headers.push('retry-after', String(because.retryAfterS))
  const { approval } = because
  return { status, headers, body: JSON.stringify(body), ...(approval === undefined ? {} : { approval }) }
}
