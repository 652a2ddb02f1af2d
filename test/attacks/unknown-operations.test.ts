import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Catalogue } from '../../src/catalogue.js'
import { vendors } from '../../vendors/index.js'
import { onStage, type Attack, type VendorName } from './stage.js'

interface Entry {
  readonly host: string
  readonly method: string
  readonly path: string
  readonly effect: string
}

const READS = new Set(['GET', 'HEAD'])
const NAMES = ['stripe', 'twilio', 'resend'] as const

/** Everything the vendor publishes that changes something, with ids as its own would look. */
function published(name: VendorName): { readonly method: string; readonly path: string; readonly route: string }[] {
  const text = readFileSync(new URL(`../../fixtures/catalogues/${name}-operations.json`, import.meta.url), 'utf8')
  const main = vendors.find((vendor) => vendor.name === name)!.hosts[0]!
  return (JSON.parse(text) as Entry[])
    .filter(({ method }) => !READS.has(method))
    .map(({ host, method, path }) => {
      const at = host === main ? path : `${host}${path}`
      return { method, path: at.replace(/\{[^}]*\}/g, 'x1'), route: `${method} ${shape(at)}` }
    })
}

const shape = (path: string): string => path.replace(/\{[^}]*\}/g, '{}')

function tableOf(name: VendorName) {
  const vendor = vendors.find((each) => each.name === name)!
  const known = new Set(vendor.operations.flatMap(({ routes }) => routes.map((route) => shape(route))))
  const foreign = published(name).filter(({ route }) => !known.has(route))
  return { catalogue: new Catalogue(vendor), foreign }
}

describe('what a vendor can do and its table does not name is unknown', () => {
  test.each(NAMES)('%s: every one of them', (name) => {
    const { catalogue, foreign } = tableOf(name)
    expect(foreign.length).toBeGreaterThan(20)
    const matched = foreign.filter(({ method, path }) => {
      const match = catalogue.match(method, path)
      return match !== null && match.operation.never === undefined
    })
    expect(matched.map(({ route }) => route)).toEqual([])
  })
})

describe('and refused over the wire', () => {
  const stage = onStage()
  const PER_VENDOR = 24

  test.each(NAMES)(`%s: ${PER_VENDOR} of them, from the first to the last`, async (name) => {
    const { catalogue, foreign } = tableOf(name)
    const unknown = foreign.filter(({ method, path }) => catalogue.match(method, path) === null)
    const step = unknown.length / PER_VENDOR
    for (let i = 0; i < PER_VENDOR; i++) {
      const { method, path } = unknown[Math.floor(i * step)]!
      const attack: Attack = { vendor: name, line: `${method} /${name}${path.startsWith('/') ? '' : '/'}${path}` }
      await stage.refuses(attack, 'operation_unknown')
    }
  })
})
