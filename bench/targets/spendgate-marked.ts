import { subscribe } from 'node:diagnostics_channel'
import { Server, ServerResponse } from 'node:http'
import type { Operation } from '../../src/contracts/vendor.js'
import { SqliteLedger } from '../../src/ledger/sqlite.js'
import { Upstream } from '../../src/wire/upstream.js'
import { vendors } from '../../vendors/index.js'
import type { Role } from '../part.js'
import { start as startGoverned } from './spendgate.js'
import type { TargetFacts, TargetOptions } from './target.js'

/** Where a call is, in the order it gets there. */
export const MARKS = [
  'request',
  'explain',
  'explained',
  'admit',
  'decide',
  'decided',
  'admitted',
  'send',
  'leave',
  'written',
  'heard',
  'replied',
  'settle',
  'settled',
  'answer',
  'answered',
] as const
export type Mark = (typeof MARKS)[number]

/** Instants of one call in ms; those a call did not come by are absent. */
export type Marked = Readonly<Partial<Record<Mark, number>>>

/** Calls of the past, oldest first; asking forgets them. */
export type MarkedQuestion = 'calls'

/**
 * The product with marks on its way, put there from outside: methods of its classes and of Node's are wrapped before it
 * is composed, and it does not know. One call at a time: marks belong to the call that came last.
 */
export async function start(options: TargetOptions): Promise<Role<TargetFacts, MarkedQuestion, readonly Marked[]>> {
  let calls: Partial<Record<Mark, number>>[] = []
  let agentPort = 0
  const mark = (name: Mark): void => {
    const call = calls.at(-1)
    if (call !== undefined) call[name] ??= performance.now()
  }

  const emit = Server.prototype.emit
  Server.prototype.emit = function (this: Server, event: string | symbol, ...rest: unknown[]): boolean {
    if (event === 'request' && portOf(this) === agentPort) calls.push({ request: performance.now() })
    return Reflect.apply(emit, this, [event, ...rest]) as boolean
  } as typeof emit

  for (const { operations } of vendors) {
    for (const operation of operations as readonly { -readonly [field in keyof Operation]: Operation[field] }[]) {
      const { explain } = operation
      if (explain === undefined) continue
      operation.explain = (question) => {
        mark('explain')
        const meaning = explain(question)
        mark('explained')
        return meaning
      }
    }
  }

  const { admit, mayLeave, settle } = SqliteLedger.prototype
  SqliteLedger.prototype.admit = async function (draft, decide) {
    mark('admit')
    const admission = await admit.call(this, draft, (usage) => {
      mark('decide')
      const decision = decide(usage)
      mark('decided')
      return decision
    })
    mark('admitted')
    return admission
  }
  SqliteLedger.prototype.mayLeave = function (id) {
    mark('leave')
    return mayLeave.call(this, id)
  }
  SqliteLedger.prototype.settle = function (id, settlement) {
    mark('settle')
    settle.call(this, id, settlement)
    mark('settled')
  }

  const { send } = Upstream.prototype
  Upstream.prototype.send = async function (this: Upstream, ...sent: unknown[]) {
    mark('send')
    const result: unknown = await Reflect.apply(send, this, sent)
    mark('replied')
    return result
  } as typeof send
  subscribe('spendgate:vendor:request', () => mark('written'))
  subscribe('spendgate:vendor:reply', () => mark('heard'))

  const end = ServerResponse.prototype.end
  ServerResponse.prototype.end = function (this: ServerResponse, ...rest: unknown[]): ServerResponse {
    const ours = this.socket?.localPort === agentPort
    if (ours) mark('answer')
    const response = Reflect.apply(end, this, rest) as ServerResponse
    if (ours) mark('answered')
    return response
  } as typeof end

  const { facts, stop } = await startGoverned({ ...options, name: 'spendgate-marked' })
  agentPort = facts.port
  return {
    facts,
    ask: async () => {
      const taken = calls
      calls = []
      return taken
    },
    stop,
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
