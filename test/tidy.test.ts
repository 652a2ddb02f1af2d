import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { judge } from '../policies/index.js'
import { buildProgram } from '../src/cli/program.js'
import { packageRoot } from '../src/package-root.js'

// What we agreed on and a compiler does not check. Every fault names the file, and what to write instead.

const root = packageRoot()
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

function filesIn(folder: string, ending: RegExp): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((path) => ending.test(path) && !path.includes('/node_modules/'))
    .sort()
}

interface Import {
  /** A path from the root of the project, or the name of a package. */
  readonly target: string
  readonly own: boolean
  readonly kind: 'static' | 'type' | 'lazy'
}

interface Source {
  readonly path: string
  /** Without comments. Line numbers are those of the file. */
  readonly code: string
  readonly imports: readonly Import[]
}

const sources: readonly Source[] = ['src', 'vendors', 'policies', 'fixtures', 'bench', 'test']
  .flatMap((folder) => filesIn(folder, /(?<!\.d)\.tsx?$/))
  // Types that are generated have a test of their own; this file names everything it forbids.
  .filter((path) => path !== 'test/tidy.test.ts')
  .map((path) => {
    const code = withoutComments(read(path))
    return { path, code, imports: importsOf(path, code) }
  })
const byPath = new Map(sources.map((source) => [source.path, source]))

/** By line, as prettier lays comments out; a `//` inside a text survives because no space stands before it. */
function withoutComments(text: string): string {
  return text
    .replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/(^|\s)\/\/ .*$/gm, '$1')
}

function importsOf(path: string, code: string): Import[] {
  const found: Import[] = []
  const add = (specifier: string, kind: Import['kind']): void => {
    const own = specifier.startsWith('.')
    found.push({ target: own ? resolved(path, specifier) : packageOf(specifier), own, kind })
  }
  const clause = String.raw`(?:\*(?: as \w+)?|\{[^}]*\}|\w+(?:\s*,\s*\{[^}]*\})?)`
  for (const [, type, names, specifier] of code.matchAll(
    new RegExp(String.raw`^(?:import|export)(\s+type)?\s+(${clause})\s+from\s+'([^']+)'`, 'gm'),
  )) {
    const allTypes = /^\{(\s*type\s+[^,}]+,?)+\s*\}$/.test(names!)
    add(specifier!, type !== undefined || allTypes ? 'type' : 'static')
  }
  for (const [, specifier] of code.matchAll(/^import\s+'([^']+)'/gm)) add(specifier!, 'static')
  for (const [, specifier] of code.matchAll(/\bimport\(\s*'([^']+)'/g)) add(specifier!, 'lazy')
  for (const [, specifier] of code.matchAll(/new URL\(\s*'(\.[^']+\.js)',\s*import\.meta\.url/g))
    add(specifier!, 'lazy')
  return found
}

function resolved(path: string, specifier: string): string {
  const target = posix.join(posix.dirname(path), specifier)
  const candidates = [target.replace(/\.js$/, '.ts'), target.replace(/\.js$/, '.tsx'), target]
  return candidates.find((candidate) => existsSync(join(root, candidate))) ?? target
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return 'node:'
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

const isIn =
  (...folders: readonly string[]) =>
  (path: string): boolean =>
    folders.some((folder) => path === folder || path.startsWith(`${folder}/`))

/** Who may import what. The first area that holds a file is its own. */
interface Area {
  readonly name: string
  readonly holds: (path: string) => boolean
  readonly own: (target: string, kind: Import['kind'], path: string) => boolean
  /** Packages; null for any that package.json declares. */
  readonly packages: readonly string[] | null
  readonly instead: string
}

const CONTRACTS = isIn('src/contracts')
function ofVendor(target: string, _kind: Import['kind'], path: string): boolean {
  if (path === 'vendors/index.ts') return isIn('vendors', 'src/contracts')(target)
  const shared = isIn('vendors/table.ts')
  return CONTRACTS(target) || shared(target) || isIn(path.split('/').slice(0, 2).join('/'))(target)
}
const AREAS: readonly Area[] = [
  {
    name: 'contracts',
    holds: CONTRACTS,
    own: CONTRACTS,
    packages: ['zod', 'decimal.js'],
    instead: 'A contract names things and acts on nothing: move what acts to the part of src/ that does it.',
  },
  {
    name: 'policies',
    holds: isIn('policies'),
    own: isIn('src/contracts', 'policies'),
    packages: ['yaml', 'zod', 'temporal-polyfill', 'node:'],
    instead: 'A rule sees a Call and a Usage and nothing else: put what it needs into src/contracts.',
  },
  {
    name: "a vendor's records",
    holds: (path) => /^vendors\/[^/]+\/(?:records|movements)[^/]*\.ts$/.test(path),
    own: ofVendor,
    // Only what the operator or a timer asks for reads through the vendor's own client, and no call waits for it.
    packages: ['stripe', 'twilio'],
    instead: 'The client of the vendor itself and nothing else: its records are read as it means them to be.',
  },
  {
    name: 'numbering plans',
    holds: isIn('vendors/twilio/numbering.ts'),
    own: () => false,
    // Loaded late, which an import that may not wait cannot say.
    packages: ['libphonenumber-js', 'node:'],
    instead: 'It loads the library and does nothing else.',
  },
  {
    name: 'vendors',
    holds: isIn('vendors'),
    own: ofVendor,
    packages: ['libphonenumber-js'],
    instead: 'A vendor knows its own facts: take what it needs through the Question, or answer with a LookUp.',
  },
  {
    name: 'main',
    holds: isIn('src/main.ts'),
    own: isIn('src', 'vendors/index.ts', 'policies/index.ts'),
    packages: null,
    instead: 'src/main.ts puts vendors/index.ts and policies/index.ts together and needs nothing below them.',
  },
  {
    name: 'demo',
    holds: isIn('src/demo'),
    own: (target, kind) => isIn('src')(target) || (isIn('fixtures/simulators')(target) && kind !== 'static'),
    packages: null,
    instead: 'The demo may start the simulators, but only by import(): nothing else should pay for them.',
  },
  {
    name: 'engine',
    holds: isIn('src'),
    own: (target) => isIn('src')(target) && !isIn('src/demo')(target),
    packages: null,
    instead:
      'The engine knows no vendor, no rule and no fixture by name: take it from the Engine that src/main.ts makes.',
  },
  {
    name: 'fixtures',
    holds: isIn('fixtures'),
    own: isIn('fixtures'),
    packages: null,
    instead: 'A simulator that shared code with the product would share its mistakes.',
  },
]

/** The demo is entered from its verb alone. */
const ENTRIES_TO_DEMO = new Set(['src/cli/verbs/demo.ts'])

function strangerIn(source: Source): string[] {
  const area = AREAS.find(({ holds }) => holds(source.path))
  if (area === undefined) return []
  return source.imports.flatMap(({ target, own, kind }) => {
    const allowed = own
      ? area.own(target, kind, source.path) || (ENTRIES_TO_DEMO.has(source.path) && isIn('src/demo')(target))
      : (area.packages?.includes(target) ?? true)
    return allowed ? [] : [`${source.path} imports ${target}. ${area.instead}`]
  })
}

describe('who may import what', () => {
  test('every import keeps the dependency rules of docs/architecture.md', () => {
    expect(sources.flatMap(strangerIn)).toEqual([])
  })

  test('the rules see what breaks them', () => {
    const bad = (path: string, code: string): string[] => strangerIn({ path, code, imports: importsOf(path, code) })
    expect(bad('src/pipeline.ts', "import { stripe } from '../vendors/stripe/index.js'\n")).toHaveLength(1)
    expect(bad('src/surfaces/rest.ts', "const a = await import('../../policies/index.js')\n")).toHaveLength(1)
    expect(bad('vendors/stripe/index.ts', "import { x } from '../twilio/index.js'\n")).toHaveLength(1)
    expect(bad('vendors/stripe/index.ts', "import {\n  type A,\n  b,\n} from 'stripe'\n")).toHaveLength(1)
    expect(bad('vendors/stripe/records.ts', "import type { Stripe } from 'stripe'\n")).toEqual([])
    expect(bad('policies/rules/rate.ts', "export * from '../../src/clock.js'\n")).toHaveLength(1)
    expect(bad('src/contracts/call.ts', "import type { Engine } from '../engine.js'\n")).toHaveLength(1)
    expect(bad('src/demo/stage.ts', "import { startStripe } from '../../fixtures/simulators/index.js'\n")).toHaveLength(
      1,
    )
    expect(bad('src/demo/stage.ts', "import type { Movement } from '../../fixtures/simulators/index.js'\n")).toEqual([])
    expect(bad('src/main.ts', "import { vendors } from '../vendors/index.js'\n")).toEqual([])
  })

  test('vendor SDKs load when they are used, never with the server', () => {
    const early = sources
      .filter(({ path }) => isIn('src', 'vendors', 'policies', 'fixtures')(path))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ target, kind }) => ['stripe', 'twilio', 'resend'].includes(target) && kind === 'static')
          .map(({ target }) => `${path} imports ${target} at start (100 ms and more): use import() or import type.`),
      )
    expect(early).toEqual([])
  })

  test('every import has a file behind it', () => {
    const lost = sources.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, own }) => own && !existsSync(join(root, target)))
        .map(({ target }) => `${path}: ${target}`),
    )
    expect(lost).toEqual([])
  })
})

/** What may not be written, where, and what to write instead. */
interface Ban {
  readonly pattern: RegExp
  readonly where: (path: string) => boolean
  readonly instead: string
}

const PRODUCT = isIn('src', 'vendors', 'policies')
const except =
  (where: (path: string) => boolean, ...paths: readonly string[]) =>
  (path: string): boolean =>
    where(path) && !paths.includes(path)

const BANS: readonly Ban[] = [
  {
    pattern: /\bDate\.now\(|\bnew Date\(\s*\)/,
    where: except(PRODUCT, 'src/clock.ts'),
    instead: 'the Clock that was handed in, or nowMs',
  },
  {
    pattern: /\bconsole\s*\./,
    where: PRODUCT,
    instead: "engine.log in the server, the context's show and say in a command",
  },
  {
    pattern: /\bparseFloat\(|\.toNumber\(|\bMath\.random\(/,
    where: PRODUCT,
    instead: 'decimal text through src/contracts/money.ts (priced, parseUsd); randomness from node:crypto',
  },
  {
    pattern: /\.toFixed\(/,
    where: except(PRODUCT, 'src/contracts/money.ts', 'src/metrics.ts'),
    instead: 'formatUsd from src/contracts/money.ts',
  },
  {
    pattern: /\b(?:Number|parseInt)\([^)]*(?:amount|price|usd|cost|cap|minor|micro|fee|balance|total)/i,
    where: isIn('vendors', 'policies', 'src/ledger', 'src/contracts'),
    instead: 'bigint micro-USD, or decimal text through src/contracts/money.ts',
  },
  {
    pattern: /\bc\.req\.path\b/,
    where: PRODUCT,
    instead: "the raw target of node's own request, through src/wire/target.ts: Hono's path is already decoded",
  },
  {
    pattern: /['"]hono\/proxy['"]/,
    where: PRODUCT,
    instead: 'src/wire/upstream.ts',
  },
  {
    pattern: /(?<![.\w])fetch\(/,
    where: PRODUCT,
    instead: 'src/wire/upstream.ts for vendors, the Api of src/cli/client.ts for the admin port',
  },
  {
    pattern: /@ts-ignore|@ts-nocheck|@ts-expect-error|eslint-disable|prettier-ignore/,
    where: isIn('src', 'vendors', 'policies', 'fixtures', 'bench', 'test'),
    instead: 'a type that fits',
  },
  {
    pattern: /\b(?:test|describe|it)\.(?:only|todo|skip)\b/,
    where: isIn('test'),
    instead: 'a test that runs; runIf with a reason where a program may be missing',
  },
]

function violations({ path, code }: Pick<Source, 'path' | 'code'>): string[] {
  const lines = code.split('\n')
  return BANS.filter(({ where }) => where(path)).flatMap(({ pattern, instead }) =>
    lines.flatMap((line, at) =>
      pattern.test(line) ? [`${path}:${at + 1} ${line.trim()}\n  instead: ${instead}`] : [],
    ),
  )
}

describe('what may not be written', () => {
  test('no source holds it', () => {
    expect(sources.flatMap(violations)).toEqual([])
  })

  test('each ban strikes what it is meant for and spares its neighbour', () => {
    const at = (path: string, code: string): number => violations({ path, code }).length
    expect(at('src/pipeline.ts', 'const now = Date.now()')).toBe(1)
    expect(at('src/clock.ts', 'const now = Date.now()')).toBe(0)
    expect(at('src/admin/views.ts', 'new Date(ms).toISOString()')).toBe(0)
    expect(at('src/surfaces/rest.ts', 'void app.fetch(request)')).toBe(0)
    expect(at('src/surfaces/rest.ts', 'const reply = await fetch(url)')).toBe(1)
    expect(at('src/surfaces/rest.ts', 'const path = c.req.path')).toBe(1)
    expect(at('vendors/stripe/pricing.ts', 'const cents = Number(params.get(amountName))')).toBe(1)
    expect(at('vendors/twilio/pricing.ts', 'const parts = Number(counted)')).toBe(0)
    expect(at('test/cli/client.test.ts', "test.only('x', () => {})")).toBe(1)
    expect(
      withoutComments('/**\n * Date.now() is banned.\n */\nconst url = `http://${host}` // Date.now() here too\n'),
    ).toBe('\n\n\nconst url = `http://${host}` \n')
  })
})

describe('nothing lies about unused', () => {
  test('every file of the product is reached from the command, the server or the bench', () => {
    const reached = reachedFrom(['src/cli/index.ts', 'src/main.ts'])
    const dead = sources.map(({ path }) => path).filter((path) => PRODUCT(path) && !reached.has(path))
    expect(dead.map((path) => `${path} is imported by nobody: use it or delete it.`)).toEqual([])
  })

  test('every other file is reached from an entry or a test', () => {
    const entries = ['src/cli/index.ts', 'src/main.ts', 'fixtures/simulators/main.ts', 'bench/index.ts']
    const tests = sources.map(({ path }) => path).filter((path) => path.endsWith('.test.ts'))
    const named = read('vitest.config.ts')
    const reached = reachedFrom([...entries.filter((path) => byPath.has(path)), ...tests])
    const dead = sources.map(({ path }) => path).filter((path) => !reached.has(path) && !named.includes(path))
    expect(dead.map((path) => `${path} is imported by nobody: use it or delete it.`)).toEqual([])
  })

  test('every recorded fixture is named by a test', () => {
    const tests = sources.filter(({ path }) => isIn('test')(path)).map(({ code }) => code)
    const unnamed = filesIn('fixtures', /\.(json|txt|yaml|expected)$/).filter((path) => {
      const names = [posix.basename(path), posix.dirname(path), posix.basename(posix.dirname(path))]
      return !tests.some((code) => names.some((name) => code.includes(name)))
    })
    expect(unnamed.map((path) => `${path} is read by no test: use it or delete it.`)).toEqual([])
  })

  test('every package is declared, and every declared one is used', () => {
    const manifest = JSON.parse(read('package.json')) as Manifest
    const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)]
    const shipped = sources.filter(({ path }) => !isIn('test', 'bench')(path))
    const used = (of: readonly Source[]): Set<string> =>
      new Set(of.flatMap(({ imports }) => imports.filter(({ own }) => !own).map(({ target }) => target)))
    const types = ['@types/node', '@types/better-sqlite3', '@types/pg']
    const tools = [
      'typescript',
      'prettier',
      'rolldown',
      '@stryker-mutator/core',
      '@stryker-mutator/vitest-runner',
      ...types,
    ]
    const runtime = used(shipped)
    runtime.delete('node:')
    // The check of its binding and version goes through require, which no import shows.
    expect([...runtime].filter((name) => !(name in manifest.dependencies))).toEqual([])
    const everywhere = used(sources)
    expect(declared.filter((name) => !everywhere.has(name) && !tools.includes(name))).toEqual([])
  })
})

function reachedFrom(entries: readonly string[]): ReadonlySet<string> {
  const reached = new Set<string>()
  const visit = (path: string): void => {
    const source = byPath.get(path)
    if (source === undefined || reached.has(path)) return
    reached.add(path)
    for (const { own, target } of source.imports) if (own) visit(target)
    // Parts of the bench are processes of their own, started by name.
    if (isIn('bench')(path))
      for (const [, name] of source.code.matchAll(/'([a-z][a-z/-]*)'/g)) visit(`bench/${name!}.ts`)
  }
  for (const entry of entries) visit(entry)
  return reached
}

interface Manifest {
  readonly name: string
  readonly license: string
  readonly type: string
  readonly engines: { readonly node: string }
  readonly bin: Readonly<Record<string, string>>
  readonly files: readonly string[]
  readonly scripts: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...filesIn('docs', /\.md$/),
  ...filesIn('vendors', /\.md$/),
]

describe('the project as others find it', () => {
  const manifest = JSON.parse(read('package.json')) as Manifest

  test('package.json says what runs, on what, and which install scripts are wanted', () => {
    expect(manifest.name).toBe('spendgate')
    expect(manifest.type).toBe('module')
    expect(manifest.engines.node).toBe('>=20.19')
    expect(manifest.allowScripts['better-sqlite3']).toBe(true)
    // 13 ends a Node 20 process with a segmentation fault at the first database.
    expect(manifest.dependencies['better-sqlite3']).toMatch(/^\^12\./)
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(['start', 'test', 'check', 'build']))
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([])
  })

  test('the command is built from a source with a shebang', () => {
    const bin = manifest.bin.spendgate!
    const source = bin.replace(/^dist\//, '').replace(/\.js$/, '.ts')
    expect(read(source)).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(JSON.parse(read('tsconfig.build.json')).compilerOptions).toMatchObject({ rootDir: '.', outDir: 'dist' })
    if (existsSync(join(root, 'dist'))) expect(read(bin)).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  test('what is shipped exists', () => {
    const missing = manifest.files.filter((path) => path !== 'dist' && !existsSync(join(root, path.replace(/^!/, ''))))
    expect(missing).toEqual([])
  })

  test('one command tests everything, in the README and in CI', () => {
    expect(read('.ci/run')).toMatch(/^npm test$/m)
    expect(read('README.md')).toMatch(/`npm test`|^npm test$/m)
  })

  test('the licence is Apache-2.0, whole and unchanged', () => {
    expect(manifest.license).toBe('Apache-2.0')
    // The text as published at www.apache.org/licenses/LICENSE-2.0.txt.
    const published = 'cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30'
    expect(createHash('sha256').update(read('LICENSE')).digest('hex')).toBe(published)
  })

  test('documents have one title, and their links lead somewhere', () => {
    const faults = documents.flatMap((path) => {
      const text = read(path).replace(/^```[\s\S]*?^```$/gm, '')
      const titles = text.match(/^# .+$/gm)?.length ?? 0
      const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link]) => link!)
      const dead = links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(root, dirname(path), link)))
      return [
        ...(titles === 1 ? [] : [`${path} has ${titles} titles`]),
        ...dead.map((link) => `${path} links to ${link}`),
      ]
    })
    expect(faults).toEqual([])
  })

  test('every denial code has its paragraph in docs/denials.md, and no other has', () => {
    const union = /export type DenialCode =([^=]*?)\n\n/.exec(read('src/contracts/call.ts'))![1]!
    const codes = [...union.matchAll(/'([a-z_]+)'/g)].map(([, code]) => code!)
    const explained = [...read('docs/denials.md').matchAll(/^### (.+)$/gm)].map(([, code]) => code!)
    expect(codes.length).toBeGreaterThan(30)
    expect(explained.sort()).toEqual(codes.sort())
  })

  test('the policy in the README is one that would be accepted', () => {
    const shown = [...read('README.md').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text]) =>
      judge.parse(text!, 'README.md'),
    )
    expect(shown).toEqual([expect.objectContaining({ ok: true, name: 'support-refunds' })])
  })

  test('every command that is advised exists', () => {
    const advised = [
      ...documents.flatMap((path) =>
        commandsIn(path, read(path), /(?:^\$? ?(?:npx )?|`(?:npx )?)spendgate ([a-z][^`\n]*)/gm),
      ),
      ...sources
        .filter(({ path }) => PRODUCT(path))
        .flatMap(({ path, code }) => commandsIn(path, code, /operator: spendgate ([a-z][^)'"`\n]*)/g)),
    ]
    expect(advised.length).toBeGreaterThan(10)
    expect(
      advised.filter(({ words }) => !known(words)).map(({ path, words }) => `${path}: spendgate ${words.join(' ')}`),
    ).toEqual([])
  })

  test('no file names the machine it was written on', () => {
    const machine = /(?<![\w.~-])\/(?:work|home|root|Users|tmp)\/[\w.-]/
    const papers = [...documents, 'package.json', 'package-lock.json', 'Dockerfile', '.ci/run', 'scripts/bootstrap.mjs']
    const named = [...papers, ...sources.map(({ path }) => path).filter((path) => path !== 'test/tidy.test.ts')].filter(
      (path) => machine.test(read(path)),
    )
    expect(named).toEqual([])
  })

  test('nothing is left to be done later', () => {
    const marks = /\b(?:TODO|FIXME|XXX|HACK)\b/
    const paths = [...documents, ...sources.map(({ path }) => path)].filter((path) => path !== 'test/tidy.test.ts')
    expect(paths.filter((path) => marks.test(read(path)))).toEqual([])
  })
})

interface Advice {
  readonly path: string
  readonly words: readonly string[]
}

/** The words after `spendgate`, up to the first that is an option, an argument or a placeholder. */
const commandsIn = (path: string, text: string, pattern: RegExp): Advice[] =>
  [...text.matchAll(pattern)].map(([, rest]) => ({
    path,
    words: /^[a-z][a-z-]*(?: [a-z][a-z-]*(?![\w.=]))*/.exec(rest!)![0].split(' '),
  }))

const silent = { tty: false, write: () => {}, drained: async () => {} }
const program = buildProgram({ out: silent, err: silent, env: {} }, async () => {})

/** Follows the words into the command tree as far as it has branches. */
function known(words: readonly string[]): boolean {
  let at = program
  for (const word of words) {
    if (at.commands.length === 0) return true
    const next = at.commands.find((command) => command.name() === word)
    if (next === undefined) return false
    at = next
  }
  return true
}
