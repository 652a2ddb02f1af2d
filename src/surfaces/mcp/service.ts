import type { Json, JsonObject } from '../../contracts/vendor.js'
import type { Answer, Fault } from '../../exchange.js'
import type { Carrier } from './tool-exchange.js'

/** What `tools/list` shows of a tool. */
export interface Listed {
  readonly name: string
  readonly title?: string
  readonly description: string
  readonly inputSchema: JsonObject
  readonly outputSchema?: JsonObject
  readonly annotations: {
    readonly readOnlyHint: boolean
    readonly destructiveHint: boolean
    readonly openWorldHint: boolean
  }
}

/** What `tools/call` answers. A refusal is a result that says why: bridges never answer after an HTTP error. */
export interface ToolResult {
  readonly content: readonly { readonly type: 'text'; readonly text: string }[]
  readonly structuredContent?: JsonObject
  readonly isError?: true
  readonly _meta?: JsonObject
}

/** Tools under one address. Neither method throws for anything a caller can cause. */
export interface Service {
  /** What the server is called, `spendgate-stripe`. */
  readonly name: string
  /** The vendor it is for; '' for none in particular. */
  readonly vendor: string
  readonly instructions: string
  readonly listed: readonly Listed[]
  /** Runs one tool. An unknown name is a call like any other: refused, with a row. */
  call(name: string, args: JsonObject, carrier: Carrier): Promise<ToolResult>
  /** A call that could not even be read; it leaves its row and its sentence. */
  unreadable(carrier: Carrier, fault: Fault): Promise<ToolResult>
}

export const READS = { readOnlyHint: true, destructiveHint: false, openWorldHint: true } as const
export const WRITES = { readOnlyHint: false, destructiveHint: true, openWorldHint: true } as const

/** The vendor's answer, or the refusal in its shape, as a tool's result. */
export function resultOf(answer: Answer): ToolResult {
  const text = textOf(answer)
  const value = parsed(text)
  const { approval } = answer
  const _meta = { ...marksOf(answer), ...(approval === undefined ? {} : { 'spendgate/approval': approval }) }
  if (answer.status >= 400)
    return { content: [{ type: 'text', text: sentenceIn(value) ?? text }], isError: true, _meta }
  return {
    content: [{ type: 'text', text }],
    ...(isObject(value) && { structuredContent: value }),
    _meta,
  }
}

/** The result of a tool that the vendor's own server ran. A refusal has the vendor's shape, like any other. */
export function hostedResultOf(answer: Answer): ToolResult {
  const value = parsed(textOf(answer))
  if (!isObject(value) || !Array.isArray(value.content)) return resultOf(answer)
  return { ...(value as unknown as ToolResult), _meta: marksOf(answer) }
}

/** The `x-spendgate-…` headers of an answer, as the protocol lets results carry them. */
export function marksOf({ headers }: Answer): JsonObject {
  const marks: Record<string, Json> = {}
  for (let i = 0; i < headers.length; i += 2)
    if (headers[i]!.startsWith('x-spendgate-'))
      marks[`spendgate/${headers[i]!.slice('x-spendgate-'.length)}`] = headers[i + 1]!
  return marks
}

/** What the vendor replied; null where that is nothing, or no JSON. */
export const replyOf = (answer: Answer): Json => parsed(textOf(answer)) ?? null

export const told = (value: JsonObject): ToolResult => ({
  content: [{ type: 'text', text: JSON.stringify(value) }],
  structuredContent: value,
})
export const failed = (text: string): ToolResult => ({ content: [{ type: 'text', text }], isError: true })

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = ({ body }: Answer): string => (typeof body === 'string' ? body : body.toString('utf8'))

/** The sentence of an error in any of the vendors' shapes. */
function sentenceIn(value: Json | undefined): string | null {
  if (!isObject(value)) return null
  const inner = isObject(value.error) ? value.error : value
  return typeof inner.message === 'string' ? inner.message : null
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined // A vendor may answer with something else than JSON; it is passed on as text.
  }
}
