import { z } from 'zod'
import type { Route } from './route.js'
import { problemReply } from './schemas.js'

const PROBLEM = { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } }

/** The OpenAPI 3.1 document, made of the schemas that requests are parsed with. */
export function openApi(routes: readonly Route[], version: string): object {
  const schemas: Record<string, unknown> = {}
  const paths: Record<string, Record<string, object>> = {}
  for (const each of routes) {
    const operations = (paths[each.path] ??= {})
    operations[each.method] = operationOf(each, schemas)
  }
  described(problemReply, 'output', schemas)
  return {
    openapi: '3.1.0',
    info: { title: 'spendgate admin API', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ adminToken: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        adminToken: { type: 'http', scheme: 'bearer', description: 'The admin token. Vault keys are refused.' },
      },
    },
  }
}

function operationOf(each: Route, schemas: Record<string, unknown>): object {
  const parameters = [...pathParameters(each.path), ...queryParameters(each, schemas)]
  const body = bodyOf(each, schemas)
  return {
    operationId: operationId(each),
    summary: each.summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: body } : {}),
    responses: { [each.status]: replyOf(each, schemas), default: { description: 'A problem document', ...PROBLEM } },
  }
}

const operationId = (each: Route): string =>
  each.method +
  each.path
    .replace('/admin/v1', '')
    .replace(/\{(\w+)\}/g, 'By_$1')
    .replace(/[/_-](\w)/g, (_, letter: string) => letter.toUpperCase())

const pathParameters = (path: string): object[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))

function queryParameters(each: Route, schemas: Record<string, unknown>): object[] {
  if (!each.query) return []
  return Object.entries(each.query.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !(schema as z.ZodType).safeParse(undefined).success,
    schema: described(schema as z.ZodType, 'input', schemas),
  }))
}

function bodyOf(each: Route, schemas: Record<string, unknown>): object | null {
  if (each.method === 'get' || each.method === 'delete') return null
  if (each.reads === 'policy') {
    const document = { type: 'object', description: 'A policy document, apiVersion spendgate/v1.' }
    return {
      required: true,
      content: { 'application/json': { schema: document }, 'application/yaml': { schema: document } },
    }
  }
  const schema = each.body
    ? described(each.body, 'input', schemas)
    : { type: 'object', description: 'A partial policy document.' }
  return { required: each.reads !== 'optional', content: { 'application/json': { schema } } }
}

function replyOf(each: Route, schemas: Record<string, unknown>): object {
  if (each.reply)
    return {
      description: 'Done',
      content: { 'application/json': { schema: described(each.reply, 'output', schemas) } },
    }
  if (each.replyType) return { description: 'Done', content: { [each.replyType]: { schema: { type: 'string' } } } }
  return { description: 'Done' }
}

/** JSON Schema of one of ours. Named ones go to the components and are referred to. */
function described(schema: z.ZodType, io: 'input' | 'output', schemas: Record<string, unknown>): object {
  const { $schema: _dialect, $defs = {}, ...found } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' })
  for (const [name, named] of Object.entries($defs)) schemas[name] = withRefs(named)
  return withRefs(found)
}

const withRefs = (schema: object): object =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as object
