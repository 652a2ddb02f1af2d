import { newCallLabel } from './ledger/ids.js'
import type { Match } from './catalogue.js'
import { statusOf, type Call, type Denial } from './contracts/call.js'
import type { Admission, CallDraft, Settlement } from './contracts/ledger.js'
import { formatUsd, ZERO, type Usd } from './contracts/money.js'
import type { Decision } from './contracts/policy.js'
import type { Explanation, JsonObject, Outcome, Question } from './contracts/vendor.js'
import type { Engine, Standing, VendorRuntime } from './engine.js'
import type { Answer, Content, Exchange } from './exchange.js'
import { chooseRun, chooseVendor, identify, shapeFor } from './identify.js'
import { resolve } from './resolve.js'
import { canonical, upstreamRequest } from './wire/prepare.js'
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
  const { ledger, judge, clock } = engine

  // Who calls, and for which vendor and run. From the head alone.
  const caller = identify(x.authorization, engine)
  if (caller.key === null) return refusal(shapeFor(x.named, caller.form, engine), caller.denial, null, engine)
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
    reason: x.reason,
    quoted: ZERO,
    basis: 'free',
    object: null,
    requestHash: '',
    idempotencyHash: null,
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: standing.perMinute,
    budgets: judge.budgets(standing.levels, { vendor: vendor.name, credentialId: record?.id ?? null }, clock.now()),
  }
  const stops = (): Denial | null => {
    const stands = ledger.stands(key, run, vendor.name)
    return stands === true ? null : stands
  }
  const refuse = async (denial: Denial): Promise<Answer> =>
    refusal(runtime, null, await ledger.admit(draft, () => ({ verdict: 'deny', denial: stops() ?? denial })), engine)

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
  if (operation.never !== undefined)
    return refuse({ code: 'operation_not_allowed', rule: 'never', message: `${operation.never} Do not retry.` })
  const stranger = unknownParameter(match, content)
  if (stranger !== null) return refuse(stranger)

  // What it means: price, subjects, effects; with look-ups where the request does not say.
  const question = questionOf(x, match, content, record!.account, standing, engine, vendor.name)
  const common = vendor.common?.(question)
  if (common?.refuse) return refuse(withRule('explain', common.refuse)!)
  let explained = operation.explain?.(question) ?? FREE
  const credential = engine.credentials.open(record!)
  if ('lookUp' in explained) {
    const blind = callOf(x, match, vendor.name, path, { ...FREE, subjects: common?.subjects ?? {} })
    const denial = await ledger.clear(draft, (usage) => judge.screen(blind, usage, standing.policies))
    if (denial) return refuse(denial)
    const resolved = await resolve(explained, runtime, credential, engine.upstream, stops)
    draft.rateCounted = true
    draft.lookUps = resolved.count
    if (resolved.denial) return refuse(resolved.denial)
    explained = resolved.explanation!
  }
  const explanation: Explanation = { ...explained, subjects: { ...explained.subjects, ...common?.subjects } }
  if (explanation.refuse) return refuse(withRule('explain', explanation.refuse)!)
  const sent = explanation.set ? { ...content, form: content.form.with(explanation.set) } : content
  const request = canonical(runtime, x.method, path, sent, explanation.subjects.accounts ?? [])
  const call = callOf(x, match, vendor.name, path, explanation)
  const quoted = 'amount' in call.quote ? call.quote.amount : ZERO
  // Read again: while the body and the look-ups were awaited the key may have been narrowed and a day have begun.
  const { levels, policies, perMinute, guarded } = engine.standings.of(ledger.key(key.id)!)
  draft.perMinute = perMinute
  draft.budgets = judge.budgets(levels, { vendor: vendor.name, credentialId: draft.credentialId }, clock.now())
  draft.effect = call.effects.at(-1)!
  draft.direction = explanation.direction ?? 'none'
  draft.customer = explanation.subjects.customers?.[0] ?? null
  draft.quoted = quoted
  draft.basis = call.quote.basis
  draft.object = explanation.object ?? null
  draft.requestHash = request.hash
  draft.guarded = guarded
  if (x.idempotencyKey !== null) {
    draft.idempotencyHash = engine.namespace(`${key.rootId}/${vendor.name}`, x.idempotencyKey)
  }

  // Whether it may: decided and reserved in one durable transaction.
  const admission = await ledger.admit(draft, (usage): Decision => {
    const suspect = quoted > 0n ? clock.suspect() : null
    if (suspect !== null)
      return {
        verdict: 'deny',
        denial: {
          code: 'clock_suspect',
          rule: 'clock',
          message: `${suspect} Calls that cost money wait until it is right.`,
        },
      }
    return judge.decide(call, usage, policies)
  })
  if (admission.decision.verdict === 'deny') return refusal(runtime, null, admission, engine)

  // Out with the real credential; from here the call lives on whether or not the client waits.
  const upstreamKey = vendor.idempotent(operation, x.method)
    ? (draft.idempotencyHash ?? engine.namespace('call', `${admission.callId}/${request.hash}`))
    : null
  const result = await engine.upstream.send(
    upstreamRequest(request, runtime, credential.authorization, (name) => x.header(name), upstreamKey),
    () => {
      const leave = ledger.mayLeave(admission.callId)
      return leave === true ? null : leave
    },
  )
  const settlement = settlementOf(result, runtime, match, question, explanation, draft)
  ledger.settle(admission.callId, settlement)
  engine.metrics.count(
    'spendgate_calls_total',
    `vendor="${vendor.name}",decision="${admission.decision.verdict}",outcome="${settlement.outcome}"`,
  )
  return answer(result, runtime, admission, credential.scrubber, upstreamKey !== null, engine)
}

const withRule = (rule: string, fault: Pick<Denial, 'code' | 'message'> | null): Denial | null =>
  fault && { ...fault, rule }

const unknownOperation = (method: string, path: string): Denial => ({
  code: 'operation_unknown',
  rule: 'catalogue',
  message: `${method} ${path} is not an operation spendgate knows, and what it does not know could cost money. Do not retry.`,
})

/** On operations that move money a parameter we do not know could change what they do. */
function unknownParameter({ operation }: Match, content: Content): Denial | null {
  if (operation.accepts === undefined) return null
  const names = content.place === 'json' ? objectNames(content) : content.form.names()
  const stranger = names.find((name) => !operation.accepts!.includes(name))
  if (stranger === undefined) return null
  return {
    code: 'request_malformed',
    rule: 'parameters',
    message: `The parameter «${stranger.slice(0, 60)}» is not known for ${operation.id} and could change what it costs. Do not retry with it.`,
  }
}

const objectNames = ({ json }: Content): readonly string[] =>
  Array.isArray(json)
    ? [...new Set(json.flatMap((each) => (typeof each === 'object' && each !== null ? Object.keys(each) : [])))]
    : Object.keys((json ?? {}) as object)

function questionOf(
  x: Exchange,
  match: Match,
  content: Content,
  account: string,
  standing: Standing,
  engine: Engine,
  vendor: string,
): Question {
  return {
    method: x.method,
    path: match.params,
    params: content.form,
    json: content.json,
    header: (name) => x.header(name),
    account,
    apiVersion: '',
    rates: engine.tables.rates,
    prices: engine.tables.prices(vendor),
    nowMs: engine.clock.now(),
    restricted: standing.restricted(vendor),
  }
}

function callOf(x: Exchange, match: Match, vendor: string, path: string, explanation: Explanation): Call {
  const { operation } = match
  return {
    vendor,
    endpoint: `${x.method} ${path}`,
    aliases: match.aliases,
    operation: operation.id,
    effects: explanation.effects?.length
      ? [...new Set([operation.effect, ...explanation.effects])]
      : [operation.effect],
    quote: explanation.quote,
    subjects: explanation.subjects,
    reason: x.reason,
  }
}

/** What the vendor's answer, or its absence, means for the money. When in doubt it counts as spent. */
function settlementOf(
  result: UpstreamReply | UpstreamFault | Withheld<Denial>,
  runtime: VendorRuntime,
  { operation }: Match,
  question: Question,
  explanation: Explanation,
  draft: CallDraft,
): Settlement {
  if (result.kind === 'withheld')
    return { outcome: 'released', status: null, requestId: null, ms: null, denial: result.because }
  const nothingAtStake = draft.quoted === 0n && draft.object === null
  const doubt = nothingAtStake && operation.effect === 'read' ? 'released' : 'assumed'
  if (result.kind === 'fault')
    return { outcome: result.sent ? doubt : 'released', status: null, requestId: null, ms: result.ms }
  const seen = {
    status: result.status,
    requestId: headerIn(result.headers, runtime.vendor.requestIdHeader) ?? null,
    ms: result.ms,
  }
  if (result.status < 200 || result.status > 299) {
    const verdict = runtime.vendor.verdict(result.status)
    return { outcome: verdict === 'released' ? 'released' : doubt, ...seen }
  }
  if (operation.outcome === undefined) return { outcome: 'settled', ...settleAmount(explanation.settle), ...seen }
  const reply = encoded(result) ? null : parseObject(result.body)
  if (reply === null) return { outcome: doubt, ...seen }
  const outcome = outcomeOf(operation, reply, question, explanation)
  if (outcome === null) return { outcome: doubt, ...seen }
  return {
    outcome: 'settled',
    ...settleAmount(outcome.amount ?? explanation.settle),
    ...(outcome.object === undefined ? {} : { object: outcome.object }),
    ...(outcome.total === undefined ? {} : { total: outcome.total }),
    ...seen,
  }
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

const settleAmount = (amount: Usd | undefined): { amount?: Usd } => (amount === undefined ? {} : { amount })

function parseObject(body: Buffer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as JsonObject) : null
  } catch {
    return null // A vendor that says 2xx and no JSON has done we do not know what.
  }
}

/** We ask for no content encoding; a reply that has one cannot be searched for the credential. */
const encoded = (reply: UpstreamReply): boolean =>
  !['identity', undefined, ''].includes(headerIn(reply.headers, 'content-encoding'))

function headerIn(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

/** The vendor's reply as the agent may see it, or in its place what went wrong on the way. */
function answer(
  result: UpstreamReply | UpstreamFault | Withheld<Denial>,
  runtime: VendorRuntime,
  admission: Admission,
  scrubber: { body(body: Buffer): Buffer; text(text: string): string },
  idempotent: boolean,
  engine: Engine,
): Answer {
  if (result.kind === 'withheld') return refusal(runtime, result.because, admission, engine)
  const fault = result.kind === 'fault' ? faultDenial(result, idempotent) : unfit(result, idempotent)
  if (fault !== null) return refusal(runtime, fault, admission, engine)
  const reply = result as UpstreamReply
  const headers = own(admission)
  for (let i = 0; i < reply.headers.length; i += 2) {
    const name = reply.headers[i]!
    if (name === 'content-type' || runtime.vendor.replyHeaders.includes(name))
      headers.push(name, scrubber.text(reply.headers[i + 1]!))
  }
  return { status: reply.status, headers, body: scrubber.body(reply.body) }
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

/** Replies that no client of the vendor expects from it: a redirect (some follow it and report success) and an encoding we did not ask for. */
function unfit(reply: UpstreamReply, idempotent: boolean): Denial | null {
  const what =
    reply.status >= 300 && reply.status < 400
      ? `a redirect (${reply.status})`
      : encoded(reply)
        ? 'an encoded body'
        : null
  if (what === null) return null
  return {
    code: 'upstream_unavailable',
    rule: 'upstream',
    message: `The vendor answered with ${what}, which is not passed on.`,
    retrySafe: idempotent,
  }
}

const own = (admission: Admission): string[] => {
  const headers = ['x-spendgate-call-id', admission.callId, 'x-spendgate-decision', admission.decision.verdict]
  if (admission.remaining !== null) headers.push('x-spendgate-remaining-usd', formatUsd(admission.remaining))
  return headers
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
  const because = denial ?? admission!.decision.denial!
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
  return { status, headers, body: JSON.stringify(body) }
}
