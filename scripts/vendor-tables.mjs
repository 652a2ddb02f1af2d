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
    ...table(
      ['operation', 'routes', 'effect', 'idempotency key', 'MCP tools'],
      open.map((operation) => [
        code(operation.id) + bodyLimit(operation),
        operation.routes.map(code).join('<br>'),
        operation.effect,
        operation.routes.some((route) => vendor.idempotent(operation, route.split(' ')[0])) ? 'yes' : '',
        (operation.tools ?? []).map(code).join(', '),
      ]),
    ),
  ]
  if (closed.length > 0) {
    lines.push('', `## Closed, whatever a policy says (${closed.length})`, '')
    lines.push(
      ...table(
        ['routes', 'effect', 'why'],
        closed.map((operation) => [operation.routes.map(code).join('<br>'), operation.effect, operation.never]),
      ),
    )
  }
  if (vendor.prices) lines.push(...pricesOf(vendor.prices))
  return `${lines.join('\n')}\n`
}

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
