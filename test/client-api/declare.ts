import { format } from 'prettier'

/*
 * The types of `spendgate/client`, written out of the OpenAPI document, which is made of the very schemas that requests
 * are parsed with. Written out rather than inferred from zod, so that whoever uses the client needs no zod.
 */

interface Schema {
  readonly $ref?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
}
interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required: boolean
  readonly schema: Schema
}
type Content = Readonly<Record<string, { readonly schema: Schema }>>
interface Operation {
  readonly summary: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

const OPENING = `/*
 * What the admin API takes and gives, call by call. Written out of its OpenAPI document by test/client-api, which fails
 * when the two differ: change the schemas in src/admin, not this file.
 *
 * Amounts are decimal texts in USD ("20.00"), instants are RFC 3339 in UTC, spans are such as "4h".
 */
`

/** The text of src/client/calls.ts. */
export async function declarations(document: OpenApi): Promise<string> {
  const named = Object.entries(document.components.schemas)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => {
      const type = typeOf(schema)
      const whole = schema.properties !== undefined && !/}\s*&/.test(type)
      return `${comment(schema)}export ${whole ? `interface ${name}` : `type ${name} =`} ${type}`
    })
  const calls = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => callOf(method, path, operation)),
  )
  const text = [OPENING, ...named, `export interface Calls {\n${calls.sort().join('\n')}\n}`].join('\n\n')
  return format(text, { parser: 'typescript', semi: false, singleQuote: true, printWidth: 120 })
}

function callOf(method: string, path: string, operation: Operation): string {
  const name = `${method.toUpperCase()} ${path.replace('/admin/v1', '')}`
  const [done] = Object.entries(operation.responses).filter(([status]) => status !== 'default')
  const [type, reply] = Object.entries(done![1].content ?? {})[0] ?? []
  const fields = [
    ...inPlace(operation, 'path'),
    ...inPlace(operation, 'query'),
    ...bodyOf(operation),
    `reply: ${reply === undefined ? 'void' : type === 'application/json' ? typeOf(reply.schema) : `AsyncIterable<string>`}`,
  ]
  return `'${name}': {\n${fields.join('\n')}\n}`.replace(/^/, `/** ${operation.summary}. */\n`)
}

function inPlace({ parameters = [] }: Operation, place: Parameter['in']): string[] {
  const found = parameters.filter((each) => each.in === place)
  if (found.length === 0) return []
  const optional = found.every(({ required }) => !required)
  const fields = found.map(
    ({ name, required, schema }) => `${comment(schema)}${name}${required ? '' : '?'}: ${orUndefined(schema, required)}`,
  )
  return [`${place}${optional ? '?' : ''}: {\n${fields.join('\n')}\n}`]
}

function bodyOf({ requestBody }: Operation): string[] {
  if (requestBody === undefined) return []
  const { content, required } = requestBody
  // A policy may be sent as it was written, in YAML, so that a fault can name its line.
  const asText = 'application/yaml' in content ? ' | string' : ''
  const type = typeOf(content['application/json']!.schema)
  return [`body${required ? '' : '?'}: ${type}${asText}`]
}

const orUndefined = (schema: Schema, required: boolean): string => `${typeOf(schema)}${required ? '' : ' | undefined'}`

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1)!
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((each) => JSON.stringify(each)).join(' | ')
  const either = schema.anyOf ?? schema.oneOf
  if (either !== undefined) return `(${[...new Set(either.map(typeOf))].join(' | ')})`
  if (Array.isArray(schema.type))
    return `(${schema.type.map((type: string) => typeOf({ ...schema, type })).join(' | ')})`
  switch (schema.type) {
    case 'object':
      return objectOf(schema)
    case 'array':
      return `(${typeOf(schema.items ?? {})})[]`
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    case 'integer':
    case 'number':
      return 'number'
    case undefined:
      return 'unknown'
    default:
      throw new Error(`no type for ${JSON.stringify(schema)}`)
  }
}

function objectOf({ properties, required = [], additionalProperties }: Schema): string {
  const others =
    additionalProperties === false || (additionalProperties === undefined && properties !== undefined)
      ? ''
      : `{ [name: string]: ${typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown'} }`
  if (properties === undefined) return others
  const fields = Object.entries(properties).map(([name, schema]) => {
    const must = required.includes(name)
    return `${comment(schema)}${name}${must ? '' : '?'}: ${orUndefined(schema, must)}`
  })
  return `{\n${fields.join('\n')}\n}${others === '' ? '' : ` & ${others}`}`
}

const comment = ({ description }: Schema): string => (description === undefined ? '' : `/** ${description} */\n`)
