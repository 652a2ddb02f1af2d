import { html } from 'hono/html'
import { targetOf } from '../client/index.js'

/*
 * The OpenAPI document as a page for people, at /admin/docs. Made on the server and whole without a script; its one style
 * sheet comes from here too, so the page runs under a policy that allows nothing else, on a machine without a network.
 */

interface Schema {
  readonly $ref?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly pattern?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
}
type Content = Readonly<Record<string, { readonly schema: Schema }>>
interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly schema: Schema
}
interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}
interface Document {
  readonly info: { readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}
interface Entry {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}
type Part = ReturnType<typeof html>

/** What the page may do, where every other reply may do nothing. */
export const DOCS_POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export const docsStyle = (): Response => new Response(STYLE, { headers: { 'content-type': 'text/css; charset=utf-8' } })

/** @param text the OpenAPI document */
export async function docsPage(text: string): Promise<Response> {
  const page = await pageOf(JSON.parse(text) as Document)
  return new Response(String(page), { headers: { 'content-type': 'text/html; charset=utf-8' } })
}

function pageOf(document: Document): Part {
  const groups = groupsOf(document)
  const named = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1))
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>spendgate admin API</title>
        <link rel="stylesheet" href="/admin/docs.css" />
      </head>
      <body>
        <header>
          <h1>spendgate admin API <small>${document.info.version}</small></h1>
          <p>
            Each call bears the admin token: <code>Authorization: Bearer sgadmin_…</code>. Vault keys are refused here.
            Amounts are decimal texts in USD, instants are RFC 3339 in UTC. The same as a document for programs:
            <a href="/admin/openapi.json">openapi.json</a>.
          </p>
        </header>
        <nav aria-label="Calls">
          ${groups.map(
            ([group, entries]) =>
              html`<h2>${group}</h2>
                <ul>
                  ${entries.map(
                    ({ method, path, operation }) =>
                      html`<li>
                        <a href="#${operation.operationId}"><b>${method}</b> ${shortOf(path)}</a>
                      </li>`,
                  )}
                </ul>`,
          )}
          <h2>objects</h2>
          <ul>
            ${named.map(([name]) => html`<li><a href="#${name}">${name}</a></li>`)}
          </ul>
        </nav>
        <main>
          ${groups.map(
            ([group, entries]) =>
              html`<h2>${group}</h2>
                ${entries.map(callOf)}`,
          )}
          <h2>objects</h2>
          ${named.map(
            ([name, schema]) =>
              html`<section id="${name}">
                <h3>${name}</h3>
                ${schema.description === undefined ? '' : html`<p>${schema.description}</p>`} ${fieldsOf(schema)}
              </section>`,
          )}
        </main>
      </body>
    </html>`
}

/** By the first word of the path, in the order in which the document has them. */
function groupsOf({ paths }: Document): [string, Entry[]][] {
  const groups = new Map<string, Entry[]>()
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations)) {
      const group = shortOf(path).split('/')[1]!
      groups.set(group, [...(groups.get(group) ?? []), { method: method.toUpperCase(), path, operation }])
    }
  return [...groups]
}

function callOf({ method, path, operation }: Entry): Part {
  const { parameters = [], requestBody, responses } = operation
  const [status, done] = Object.entries(responses).find(([each]) => each !== 'default')!
  const [type, reply] = Object.entries(done.content ?? {})[0] ?? []
  return html`<section id="${operation.operationId}">
    <h3><b>${method}</b> ${shortOf(path)}</h3>
    <p>${operation.summary}.</p>
    <pre><code>${commandOf({ method, path, operation })}</code></pre>
    ${
      parameters.length === 0
        ? ''
        : html`<h4>In the address</h4>
            <dl>${parameters.map(({ name, required, schema }) => fieldOf(name, schema, required))}</dl>`
    }
    ${
      requestBody === undefined
        ? ''
        : html`<h4>
              Body${requestBody.required ? '' : ', optional'}: ${Object.keys(requestBody.content).join(' or ')}
            </h4>
            ${fieldsOf(requestBody.content['application/json']!.schema)}`
    }
    <h4>Reply ${status}${type === undefined ? ', without a body' : `: ${type}`}</h4>
    ${reply === undefined ? '' : fieldsOf(reply.schema)}
    <p class="also">Any other reply is a <a href="#Problem">Problem</a>, as <code>application/problem+json</code>.</p>
  </section>`
}

const shortOf = (path: string): string => path.replace('/admin/v1', '')

/** As it is typed in a shell. Placeholders stand in capitals. */
function commandOf({ method, path, operation }: Entry): string {
  const parameters = operation.parameters ?? []
  const inPath = parameters.filter((each) => each.in === 'path').map(({ name }) => [name, name.toUpperCase()])
  const inQuery = parameters
    .filter((each) => each.in === 'query' && each.required)
    .map(({ name }) => [name, name.toUpperCase()])
  const { target } = targetOf(`${method} ${shortOf(path)}`, {
    path: Object.fromEntries(inPath),
    query: Object.fromEntries(inQuery),
  })
  const verb = method === 'GET' ? '' : ` -X ${method}`
  const body = operation.requestBody?.required ? ` --json @body.json` : ''
  return `curl${verb} -H "Authorization: Bearer $TOKEN"${body} 'http://127.0.0.1:4243${target}'`
}

function fieldsOf(schema: Schema): Part {
  if (schema.anyOf !== undefined && schema.anyOf.some(({ properties }) => properties !== undefined))
    return html`<p>One of:</p>
      <ul>
        ${schema.anyOf.map((each) => html`<li>${fieldsOf(each)}</li>`)}
      </ul>`
  const { properties, required = [], additionalProperties } = schema
  if (properties === undefined) return html`<p>${typeOf(schema)}</p>`
  const others = typeof additionalProperties === 'object' ? fieldOf('any other name', additionalProperties, false) : ''
  return html`<dl>
    ${Object.entries(properties).map(([name, each]) => fieldOf(name, each, required.includes(name)))} ${others}
  </dl>`
}

function fieldOf(name: string, schema: Schema, required: boolean): Part {
  const inner = innerOf(schema)
  return html`<dt><code>${name}</code>${required ? '' : html` <i>optional</i>`}</dt>
    <dd>
      ${typeOf(schema)}${schema.description === undefined ? '' : html`<br />${schema.description}`}
      ${inner === null ? '' : fieldsOf(inner)}
    </dd>`
}

/** What stands below a field and has no name of its own. */
function innerOf(schema: Schema): Schema | null {
  if (schema.properties !== undefined) return schema
  if (schema.items !== undefined) return innerOf(schema.items)
  const rest = (schema.anyOf ?? []).filter(({ type }) => type !== 'null')
  if (rest.length === 1) return innerOf(rest[0]!)
  return typeof schema.additionalProperties === 'object' ? innerOf(schema.additionalProperties) : null
}

function typeOf(schema: Schema): Part | string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1)!
    return html`<a href="#${name}">${name}</a>`
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  if (schema.enum !== undefined)
    return html`<code>${schema.enum.map((each) => JSON.stringify(each)).join(' | ')}</code>`
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).reduce((some, next) => html`${some} or ${next}`)
  if (schema.type === 'array') return html`list of ${typeOf(schema.items ?? {})}`
  if (schema.type === 'object') {
    const { additionalProperties: values, properties } = schema
    return properties === undefined && typeof values === 'object' ? html`object of ${typeOf(values)} by name` : 'object'
  }
  if (schema.type === undefined) return 'anything'
  const type = typeof schema.type === 'string' ? schema.type : schema.type.join(' or ')
  const form = schema.format ?? schema.pattern
  return form === undefined ? type : html`${type} <code>${form}</code>`
}

const STYLE = `:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --quiet: #57606a; --line: #d0d7de; --accent: #0b57a4; --block: #f3f5f7 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #14171a; --quiet: #9aa5b1; --line: #363c43; --accent: #7db8f0; --block: #1d2125 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
a { color: var(--accent) }
h1 small, .also, i { color: var(--quiet); font-weight: 400 }
code, pre, h3, nav li { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere }
pre { background: var(--block); padding: .75rem 1rem; white-space: pre-wrap; border-radius: 6px }
section { border-top: 1px solid var(--line); padding: 1rem 0; scroll-margin-top: 1rem }
section:target { border-left: 4px solid var(--accent); padding-left: 1rem }
h3 { font-size: 1.05rem; margin: 0 }
h4 { margin: 1rem 0 .25rem; color: var(--quiet) }
dl { margin: 0; display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .25rem 1rem }
dt { font-weight: 600 } dt i { font-size: .85em }
dd { margin: 0; overflow-wrap: anywhere } dd dl { border-left: 2px solid var(--line); padding-left: .75rem; margin: .25rem 0 }
nav ul { list-style: none; padding: 0; margin: 0 } nav h2 { font-size: 1rem; margin: 1rem 0 .25rem } nav a { text-decoration: none }
@media (min-width: 62rem) { body { display: grid; grid-template-columns: 19rem 1fr; gap: 0 2rem } header { grid-column: 1 / -1 } nav { position: sticky; top: 1rem; align-self: start; max-height: calc(100vh - 2rem); overflow: auto } main { min-width: 0 } }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .5rem } }
`
