// Says what the vendors can do that the built catalogues do not know: `npm run vendors:drift`. Held against are the
// installed SDKs and the operation lists in fixtures/catalogues; an SDK's new release is a reason to run it.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sdkOperations, sdkVersion } from './vendor-operations.mjs'

/** The lists of a vendor, by file name in fixtures/catalogues. */
const LISTS = {
  stripe: ['stripe-operations.json', 'stripe-sensitive-reads.json'],
  twilio: ['twilio-operations.json'],
  resend: ['resend-operations.json'],
}

/** What the lists in fixtures/catalogues name for a vendor. */
export function listedOperations(vendor) {
  const main = { twilio: 'api.twilio.com', resend: 'api.resend.com' }[vendor]
  return LISTS[vendor].flatMap((name) =>
    JSON.parse(readFileSync(new URL(`../fixtures/catalogues/${name}`, import.meta.url), 'utf8')).map((row) => ({
      method: row.method,
      // Stripe's clients send to the main host what other hosts of it serve.
      path: main === undefined || row.host === main ? row.path : row.host + row.path,
    })),
  )
}

/** Stands for whatever a placeholder takes: no route has it as a word of its own. */
const ANY = 'x1'

/**
 * `METHOD path` of what no operation of a catalogue answers to, sorted, each once. A route that would take a new word
 * for an id (`/emails/new` for `/emails/{email_id}`) does not answer to it.
 */
export const driftOf = (operations, match) =>
  [
    ...new Set(
      operations
        .filter(({ method, path }) => {
          const found = match(method, path.replace(/\{[^}]+\}/g, ANY))
          return found === null || Object.values(found.params).some((value) => value !== ANY)
        })
        .map(({ method, path }) => `${method} ${path}`),
    ),
  ].sort()

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { Catalogue } = await import('../dist/src/catalogue.js')
  const { vendors } = await import('../dist/vendors/index.js')
  const sdk = sdkOperations()
  for (const vendor of vendors) {
    const catalogue = new Catalogue(vendor)
    const listed = listedOperations(vendor.name)
    const drift = driftOf([...sdk[vendor.name], ...listed], (method, path) => catalogue.match(method, path))
    const source = `${vendor.name} ${sdkVersion(vendor.name)}: ${sdk[vendor.name].length} operations of the SDK and ${listed.length} listed ones`
    if (drift.length === 0)
      process.stdout.write(`${source} are all known; the catalogue has ${vendor.operations.length}.\n`)
    else {
      process.exitCode = 1
      process.stdout.write(
        `${source}; ${drift.length} of them are not known:\n${drift.map((name) => `  ${name}\n`).join('')}`,
      )
    }
  }
}
