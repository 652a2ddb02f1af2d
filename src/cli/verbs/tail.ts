import type { Readable } from 'node:stream'
import type { Api, Query } from '../client.js'
import type { Context } from '../context.js'
import { CliFault, Exit } from '../exit.js'
import { keyId, keyNames } from '../find.js'
import { dollars, instant, safe } from '../output.js'
import type { CallReply } from '../replies.js'
import { stateTone, why } from './calls.js'

interface TailOptions {
  readonly key?: string
  readonly run?: string
  readonly vendor?: string
  readonly denied?: boolean
}

/** Follows the live stream until interrupted. A lost connection is taken up again where it broke off. */
export async function tail(context: Context, options: TailOptions): Promise<number> {
  const api = await context.api()
  const key = options.key === undefined ? undefined : await keyId(api, options.key)
  const query = { key, run: options.run, vendor: options.vendor, state: options.denied === true ? 'denied' : undefined }
  const names = context.json ? new Map<string, string>() : await keyNames(api)
  const stop = new AbortController()
  const undo = context.io.onInterrupt(() => stop.abort())
  try {
    await follow(context, api, query, stop.signal, (call) => print(context, call, names))
    return Exit.ok
  } finally {
    undo()
  }
}

const RETRY_MS = [1_000, 2_000, 5_000, 10_000] as const

async function follow(
  context: Context,
  api: Api,
  query: Query,
  signal: AbortSignal,
  on: (call: CallReply) => void,
): Promise<void> {
  let lastId = ''
  let failures = 0
  let connected = false
  while (!signal.aborted) {
    try {
      const resume = lastId === '' ? {} : { 'last-event-id': lastId }
      const stream = await api.stream('/calls/stream', query, { accept: 'text/event-stream', ...resume }, signal)
      if (!connected) context.say('Following calls. Stop with Ctrl-C.')
      connected = true
      for await (const event of events(stream)) {
        failures = 0
        if (event.id !== '') lastId = event.id
        if (event.name === 'call') on(JSON.parse(event.data) as CallReply)
        await context.io.out.drained()
      }
    } catch (error) {
      if (signal.aborted) return
      const lost =
        error instanceof CliFault ? error.exit === Exit.unreachable : LOST.has((error as { code?: string }).code ?? '')
      if (!connected || !lost) throw error
    }
    if (signal.aborted) return
    const waitMs = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 10_000
    failures += 1
    context.say(`The stream broke off. Connecting again in ${waitMs / 1000} s.`)
    await context.io.pause(waitMs, signal).catch(() => undefined)
  }
}
const LOST = new Set([
  'UND_ERR_SOCKET',
  'UND_ERR_BODY_TIMEOUT',
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_ABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
])

interface ServerEvent {
  readonly id: string
  readonly name: string
  readonly data: string
}

const EVENT_CHARS_MAX = 1024 * 1024

/** Server-sent events as the HTML standard frames them: a field a line, an empty line at the end, comments after a colon. */
export async function* events(stream: Readable): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let [id, name, data] = ['', 'message', [] as string[]]
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true })
    if (rest.length > EVENT_CHARS_MAX)
      throw new CliFault(Exit.failure, `An event of the stream is longer than ${EVENT_CHARS_MAX} characters.`)
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, name, data: data.join('\n') }
        ;[id, name, data] = ['', 'message', []]
        continue
      }
      const found = /^([^:]*)(?:: ?(.*))?$/s.exec(line)
      const value = found?.[2] ?? ''
      if (found?.[1] === 'id') id = value
      else if (found?.[1] === 'event') name = value
      else if (found?.[1] === 'data') data.push(value)
    }
  }
}

function print(context: Context, call: CallReply, names: ReadonlyMap<string, string>): void {
  if (context.json) return context.replyLine(call)
  // A reservation is followed by its outcome; one line a call is what an eye can follow.
  if (call.state === 'reserved') return
  const { paint } = context.style
  const verdict = call.state === 'denied' ? 'DENY' : call.state === 'settled' ? 'allow' : call.state
  const columns = [
    paint('faint', instant(call.at).slice(11)),
    safe(names.get(call.key_id) ?? call.key_id),
    safe(call.run),
    safe(call.vendor),
    safe(`${call.method} ${call.path}`),
    dollars(call.quoted_usd === '0.00' ? null : call.quoted_usd),
    paint(stateTone(call.state), verdict.padEnd(8)),
    String(call.upstream?.status ?? '–'),
    (call.upstream?.ms ?? null) === null ? '' : `${Math.round(call.upstream?.ms ?? 0)}ms`,
    safe(call.decision.message === null ? why(call) : `${why(call)}: ${call.decision.message}`),
  ]
  context.show(`${columns.join('  ').trimEnd()}\n`)
}
