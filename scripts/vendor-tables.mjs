// Writes docs/vendors/*.md from the built catalogues: `npm run build && node scripts/vendor-tables.mjs`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const TITLES = { stripe: 'Stripe', twilio: 'Twilio', resend: 'Resend' }
const BODY_BYTES_MAX = 256 * 1024

/** A vendor's page. Pure, so that a test can hold it against the file. */
export function vendorPage(vendor) {
  const title = TITLES[vendor.name] ?? vendor.name
  const open = vendor.operations.filter((operation) => operation.never === undefined)
  const closed = vendor.operations.filter((operation) => operation.never !== undefined)
  const lines = [
    `# ${title}: operations`,
    '',
    'Generated from the catalogue by `scripts/vendor-tables.mjs`; a test keeps it current. How each is priced, with sources and',
    `dates, stands in [vendors/${vendor.name}/README.md](../../vendors/${vendor.name}/README.md). What is not listed is refused as \`operation_unknown\`.`,
    '',
    `Hosts: ${vendor.hosts.map(code).join(', ')}. Bodies are ${vendor.body === 'json' ? 'JSON' : 'forms'}.`,
    '',
    `## Understood (${open.length})`,
    '',
    'Effects other than `read`, `write` and `spend` need `permit`. Hidden fields are taken out of replies unless `credential` is permitted.',
  ]
  for (const [name, operations] of productsOf(open)) lines.push(...productLines(vendor, name, operations))
  if (closed.length > 0) {
    lines.push('', `## Closed, whatever a policy says (${closed.length})`, '')
    lines.push(
      'Only an operator who starts the server with `--unlock <operation>` opens one; its hidden fields stay hidden.',
      '',
    )
    lines.push(
      ...table(
        ['operation', 'routes', 'effect', 'hidden', 'why'],
        closed.map((operation) => [
          code(operation.id),
          operation.routes.map(code).join('<br>'),
          operation.effect,
          hidden(operation),
          operation.never,
        ]),
      ),
    )
  }
  if (vendor.prices) lines.push(...pricesOf(vendor.prices))
  return `${lines.join('\n')}\n`
}

/** Operations by the first part of their ids, in the catalogue's order. */
function productsOf(operations) {
  const products = new Map()
  for (const operation of operations) {
    const [name] = operation.id.split('.')
    products.set(name, [...(products.get(name) ?? []), operation])
  }
  return products
}

const toolsOf = (vendor, operation) =>
  (vendor.tools ?? []).filter(({ route }) => operation.routes.includes(route)).map(({ name }) => name)

/** Columns that no operation of a product fills are left out; so is a source that all have in common. */
function productLines(vendor, name, operations) {
  const sources = new Set(operations.map((operation) => operation.source))
  const idempotent = (operation) => operation.routes.some((route) => vendor.idempotent(operation, route.split(' ')[0]))
  const columns = [
    ['operation', (operation) => code(operation.id) + bodyLimit(operation)],
    [
      'routes',
      (operation) => operation.routes.map(code).join('<br>') + (operation.host ? ` at ${code(operation.host)}` : ''),
    ],
    ['effect', (operation) => operation.effect + (operation.preview ? ', preview' : '')],
    ['idempotency key', (operation) => (idempotent(operation) ? 'yes' : '')],
    ['MCP tools', (operation) => toolsOf(vendor, operation).map(code).join(', ')],
    ['hidden', hidden],
    ['why', whyOf],
    ['source', (operation) => (sources.size > 1 ? (operation.source ?? '') : '')],
  ]
  const rows = operations.map((operation) => columns.map(([, cell]) => cell(operation)))
  const filled = columns.map((_, at) => rows.some((row) => row[at] !== ''))
  const kept = (cells) => cells.filter((_, at) => filled[at])
  const [source] = sources
  return [
    '',
    `### ${name} (${operations.length})`,
    '',
    ...(sources.size === 1 && source !== undefined ? [`Source: ${source}.`, ''] : []),
    ...table(kept(columns.map(([title]) => title)), rows.map(kept)),
  ]
}

const hidden = (operation) => (operation.reveals ?? []).map(code).join(', ')

const whyOf = ({ why, weaker }) =>
  [why, weaker && `Weaker than listed: ${weaker}`].filter((text) => text !== undefined).join(' ')

function pricesOf(prices) {
  const lines = [
    '',
    '## Shipped prices',
    '',
    `As of ${prices.as_of}, stale after ${prices.max_age_days} days, times ${prices.safety} when reserving. Source: ${prices.source ?? 'none given'}.`,
    'Replace them with `spendgate prices import`.',
  ]
  for (const [section, rows] of Object.entries(prices.prefixes)) {
    const columns = [...new Set(Object.values(rows).flatMap((row) => Object.keys(row)))]
    const cells = Object.entries(rows).map(([prefix, row]) => [
      code(prefix),
      ...columns.map((column) => row[column] ?? ''),
    ])
    lines.push('', ...table([section, ...columns], cells))
  }
  const flat = Object.entries(prices.flat).map(([name, price]) => [code(name), price])
  if (flat.length > 0) lines.push('', ...table(['flat price', 'USD'], flat))
  return lines
}

const bodyLimit = ({ bodyBytesMax }) =>
  bodyBytesMax === undefined || bodyBytesMax === BODY_BYTES_MAX ? '' : ` (body up to ${bodyBytesMax / 1024 / 1024} MiB)`

const code = (text) => `\`${text}\``

function table(titles, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(titles), `|${titles.map(() => '---').join('|')}|`, ...rows.map(line)]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'vendors')
  const { vendors } = await import('../dist/vendors/index.js')
  mkdirSync(folder, { recursive: true })
  for (const vendor of vendors) {
    const file = join(folder, `${vendor.name}.md`)
    writeFileSync(file, vendorPage(vendor))
    process.stdout.write(`${vendor.name}: ${vendor.operations.length} operations\n`)
  }
}
