import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { z } from 'zod'
import type { Principal, Role } from '../contracts/operator.js'
import { endedToken } from './guard.js'
import { Problem, invalid } from './problem.js'
import { faultsOf } from './schemas.js'

export type Env = { Bindings: HttpBindings }

/** One call of the admin API: how it is asked, what it answers, what it does. The OpenAPI document is made of these. */
export interface Route {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** `/admin/v1/keys/{id}` */
  readonly path: string
  /** The least role that may ask; absent: UNDECLARED of roles.ts. */
  readonly needs?: Role
  readonly summary: string
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  /** `optional`: an empty body counts as `{}`. `policy`: the body is a policy document as text, JSON or YAML. */
  readonly reads?: 'json' | 'optional' | 'policy'
  readonly status: number
  /** What the reply looks like; absent when it has no JSON body. */
  readonly reply?: z.ZodType
  /** Media type of the reply when it is no JSON. */
  readonly replyType?: string
  run(asked: Asked): Promise<unknown> | unknown
}

/** A request after its query and body were parsed. */
export interface Asked {
  param(name: string): string
  readonly query: never
  readonly body: never
  readonly header: (name: string) => string | undefined
  readonly signal: AbortSignal
  /** Who asks, as entries of the ledger name them. */
  readonly actor: string
  /** Whether the token that opened this request still does. */
  stillAllowed(): boolean
}

type Typed<Query extends z.ZodObject, Body extends z.ZodType> = Omit<Route, 'query' | 'body' | 'run'> & {
  readonly query?: Query
  readonly body?: Body
  run(
    asked: Omit<Asked, 'query' | 'body'> & { readonly query: z.output<Query>; readonly body: z.output<Body> },
  ): Promise<unknown> | unknown
}

/** Declares a route; the types of `query` and `body` follow from their schemas. */
export const route = <Query extends z.ZodObject, Body extends z.ZodType>(declared: Typed<Query, Body>): Route =>
  declared as unknown as Route

const BODY_BYTES_MAX = 1024 * 1024

/** Parses what a request asks, has it done, and makes the reply. */
export async function answer(found: Route, context: Context<Env>, by: Principal): Promise<Response> {
  const asked = {
    param: (name: string) => context.req.param(name) ?? '',
    query: queryOf(found, context),
    body: await bodyOf(found, context),
    header: (name: string) => context.req.header(name),
    signal: context.req.raw.signal,
    actor: by.actor,
    stillAllowed: () => by.stands(),
  }
  // While the body came the token may have been revoked or reset.
  if (!by.stands()) throw endedToken()
  const result = await found.run(asked as unknown as Asked)
  if (result instanceof Response) return result
  if (result === undefined) return new Response(null, { status: found.status })
  return new Response(JSON.stringify(result), { status: found.status, headers: { 'content-type': 'application/json' } })
}

function queryOf(found: Route, context: Context<Env>): unknown {
  const given: Record<string, string> = Object.create(null)
  for (const [name, value] of new URL(context.req.url).searchParams) {
    if (name in given) throw invalid(plainName(name), 'A query parameter stands twice.')
    given[name] = value
  }
  if (found.query) return parse(found.query, { ...given })
  const [first] = Object.keys(given)
  if (first !== undefined) throw invalid(plainName(first), 'This call takes no query parameters.')
  return {}
}

async function bodyOf(found: Route, context: Context<Env>): Promise<unknown> {
  if (found.method === 'get' || found.method === 'delete') return undefined
  const text = await textOf(context)
  if (text === '' && found.reads === 'optional') return found.body ? parse(found.body, {}) : undefined
  if (text === '') throw invalid('', 'The body is empty.')
  checkMediaType(found, context.req.header('content-type'))
  if (found.reads === 'policy') return text
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may hold a secret.
    throw invalid('', 'The body is not valid JSON.')
  }
  return found.body ? parse(found.body, value) : value
}

async function textOf(context: Context<Env>): Promise<string> {
  const tooLarge = (): Problem =>
    new Problem('body_too_large', `The body is over the limit of ${BODY_BYTES_MAX} bytes.`, [], { connection: 'close' })
  if (Number(context.req.header('content-length') ?? 0) > BODY_BYTES_MAX) throw tooLarge()
  const reader = context.req.raw.body?.getReader()
  if (!reader) return ''
  const chunks: Uint8Array[] = []
  let length = 0
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.byteLength
    if (length > BODY_BYTES_MAX) {
      await reader.cancel()
      throw tooLarge()
    }
    chunks.push(read.value)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw invalid('', 'The body is not valid UTF-8.')
  }
}

function checkMediaType(found: Route, header: string | undefined): void {
  const type = /^([a-z0-9.+-]+\/[a-z0-9.+-]+) *(?:; *charset="?utf-8"?)?$/.exec(header?.trim().toLowerCase() ?? '')?.[1]
  const accepted = found.reads === 'policy' ? ['application/json', 'application/yaml'] : ['application/json']
  if (type !== undefined && accepted.includes(type)) return
  throw new Problem('media_type', `Send the body as ${accepted.join(' or ')}, in UTF-8.`)
}

function parse(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = faultsOf(parsed.error)
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more, see errors)` : ''
  throw new Problem(
    'invalid',
    `${errors[0]!.path === '' ? '' : `${errors[0]!.path}: `}${errors[0]!.message}${more}`,
    errors,
  )
}

const plainName = (name: string): string => (/^[A-Za-z_]{1,40}$/.test(name) ? name : '')
