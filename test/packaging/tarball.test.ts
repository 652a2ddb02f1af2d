import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/package-root.js'

/*
 * The package as it would be published: packed in a copy of the sources, put into an empty folder, and run there by npx.
 * No registry is asked: what it depends on is linked there from the installed packages, the native module among them, and
 * nothing but what package.json declares for running. So a package that only works beside its tests would not start.
 */

const root = packageRoot()
const dir = mkdtempSync(join(tmpdir(), 'spendgate-pack-'))
const copy = join(dir, 'copy')
const home = join(dir, 'empty')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly files: readonly string[]
  readonly dependencies: Readonly<Record<string, string>>
}
const BUILT = ['src', 'vendors', 'policies', 'fixtures']
/** Built into dist beside the program, for measuring. */
const MEASURING = ['bench', 'test/helpers']
/** What the command is made of once `tsc` has written its modules. */
const CHUNKS = 'dist/src/chunks/'
let packed: readonly string[]

beforeAll(() => {
  mkdirSync(copy)
  const wanted = [...BUILT, ...MEASURING, 'docs', 'scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json']
  for (const name of [...wanted, 'README.md', 'SECURITY.md', 'CHANGELOG.md', 'LICENSE'])
    cpSync(join(root, name), join(copy, name), { recursive: true, filter: (path) => !path.includes('node_modules') })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const said = npm(['pack', '--json', '--pack-destination', dir], copy)
  // What the build says comes before it.
  const [made] = JSON.parse(said.slice(said.indexOf('[\n'))) as [{ filename: string; files: { path: string }[] }]
  packed = made.files.map(({ path }) => path).sort()

  const own = join(home, 'node_modules', 'spendgate')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(home, 'package.json'), '{ "private": true, "type": "module" }')
  execFileSync('tar', ['-xzf', join(dir, made.filename), '-C', own, '--strip-components=1'])
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(home, 'node_modules', name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(home, 'node_modules', name))
  }
  // As npm install does it with what `bin` names.
  mkdirSync(join(home, 'node_modules', '.bin'))
  chmodSync(join(own, 'dist/src/cli/index.js'), 0o755)
  symlinkSync('../spendgate/dist/src/cli/index.js', join(home, 'node_modules', '.bin', 'spendgate'))
}, 120_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const environment = (): NodeJS.ProcessEnv => {
  const others = Object.entries(process.env).filter(([name]) => !/^(?:SPENDGATE_|DATABASE_URL|npm_)/.test(name))
  return { ...Object.fromEntries(others), SPENDGATE_DATA_DIR: join(dir, 'data'), npm_config_update_notifier: 'false' }
}
const npm = (args: readonly string[], cwd: string): string =>
  execFileSync('npm', args, { cwd, env: environment(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const npx = (args: readonly string[], input = ''): string =>
  execFileSync('npx', ['--no-install', 'spendgate', ...args], {
    cwd: home,
    env: environment(),
    encoding: 'utf8',
    input,
    timeout: 60_000,
    stdio: ['pipe', 'pipe', 'pipe'],
  })

const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name))
    .filter((path) => statSync(join(root, path)).isFile() && !path.includes('/node_modules/'))

test('the package holds what is built from the sources, what is read beside it, and papers, and nothing else', () => {
  const built = BUILT.flatMap(filesIn)
    .filter((path) => /(?<!\.d)\.[cm]?tsx?$/.test(path))
    .map((path) => `dist/${path.replace(/tsx?$/, 'js')}`)
  const beside = manifest.files
    .filter((path) => path !== 'dist' && !path.startsWith('!'))
    .flatMap((path) => (statSync(join(root, path)).isFile() ? [path] : filesIn(path)))
  const rest = packed.filter((path) => !path.startsWith(CHUNKS))
  expect(rest).toEqual([...built, ...built.map((path) => `${path}.map`), ...beside, 'package.json'].sort())
})

test('what a start loads is in two chunks, with the licences of whatever else is in them', () => {
  const own = join(home, 'node_modules', 'spendgate')
  const text = (path: string): string => readFileSync(join(own, path), 'utf8')
  expect(packed).toEqual(expect.arrayContaining([`${CHUNKS}command.js`, `${CHUNKS}server.js`]))
  const odd = packed.filter((path) => path.startsWith(CHUNKS) && !/\.js(?:\.map)?$/.test(path))
  expect(odd).toEqual([`${CHUNKS}LICENSES.txt`])
  expect(text(`${CHUNKS}LICENSES.txt`)).toMatch(/^undici 7\.\S+ \(MIT\)\n\nMIT License/m)
  const imported = (path: string): string[] =>
    [...text(path).matchAll(/^import (?:[^'"]* from )?"([^"]+)"/gm)].map(([, from]) => from!)
  expect(imported('dist/src/cli/index.js')).toEqual(['../chunks/command.js'])
  const outside = packed
    .filter((path) => path.startsWith(CHUNKS) && path.endsWith('.js'))
    .flatMap(imported)
    .filter((from) => !from.startsWith('./') && !from.startsWith('node:'))
  expect(outside.filter((from) => !(from in manifest.dependencies))).toEqual([])
})

test('nothing that runs needs what only measures', () => {
  const own = join(home, 'node_modules', 'spendgate')
  const needing = packed
    .filter((path) => /^dist\/(?:src|vendors|policies|fixtures)\/.*\.js$/.test(path))
    .filter((path) => /from '[^']*\/(?:bench|test)\//.test(readFileSync(join(own, path), 'utf8')))
  expect(needing).toEqual([])
})

test('no test, no tool, no secret and nothing of the machine goes along', () => {
  const strange =
    /(?:^|\/)(?:test(?!\/helpers)|scripts|node_modules|\.ci|deploy)\/|\.env$|\.db$|\.pem$|master-key$|admin-token$|\.tgz$/
  expect(packed.filter((path) => strange.test(path))).toEqual([])
})

test('what the program reads beside its code is in the package', () => {
  const named = filesIn('src')
    .filter((path) => /\.tsx?$/.test(path))
    .flatMap((path) =>
      [...readFileSync(join(root, path), 'utf8').matchAll(/join\(packageRoot\(\), ((?:'[^']+'(?:, )?)+)/g)].map(
        ([, parts]) => [...parts!.matchAll(/'([^']+)'/g)].map(([, part]) => part!).join('/'),
      ),
    )
    // In the sources it may be looked for where it is not: what is there must be packed.
    .filter((path) => existsSync(join(root, path)))
  expect(named.length).toBeGreaterThan(1)
  expect(named.filter((path) => !packed.some((file) => file === path || file.startsWith(`${path}/`)))).toEqual([])
})

test('npx spendgate demo tells its story from the package alone', () => {
  const last = npx(['demo', '--json']).trimEnd().split('\n').at(-1)!
  expect(JSON.parse(last)).toMatchObject({ type: 'summary', ok: true, spent_usd: '46.017575' })
}, 60_000)

test('two commands, serve and init, and there is a vault key under a policy', async () => {
  const { child, admin } = await serving()
  try {
    const flags = ['--vendor', 'stripe', '--daily-cap', '20', '--name', 'first', '--secret-stdin', '--json']
    const made = JSON.parse(npx(['init', ...flags, '--url', admin], 'rk_live_packagedPackaged0123456789')) as Record<
      string,
      unknown
    >
    expect(JSON.stringify(made)).toMatch(/vault_live_[A-Za-z0-9]+/)
    expect(JSON.parse(npx(['key', 'list', '--json', '--url', admin]))).toMatchObject({
      keys: [{ name: 'first', status: 'active' }],
    })
  } finally {
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('close', resolve))
  }
}, 60_000)

test('the client comes with the package, and its types hold a program to what the admin API takes', async () => {
  const program = [
    "import { Spendgate, Refused } from 'spendgate/client'",
    "const gate = new Spendgate({ token: 'sgadmin_x' })",
    "const { spent_usd } = await gate.ask('GET /keys/{id}', { path: { id: 'key_x' } })",
    'export const text: string = spent_usd',
    "for await (const call of gate.rows('GET /calls', { query: { state: 'denied' } })) text.concat(call.decision.code ?? '')",
    'export const refused = (fault: unknown) => fault instanceof Refused && fault.code',
  ]
  const wrong = [
    "import { Spendgate } from 'spendgate/client'",
    "const gate = new Spendgate({ token: 'sgadmin_x' })",
    "await gate.ask('GET /keyz')",
    "await gate.ask('GET /keys/{id}')",
    "await gate.ask('POST /keys', { body: { name: 'x', policy: 'y' } })",
    "gate.rows('POST /freeze', { body: { scope: 'all' } })",
  ]
  writeFileSync(join(home, 'program.ts'), program.join('\n'))
  writeFileSync(join(home, 'wrong.ts'), wrong.join('\n'))
  expect(compiled('program.ts')).toBe('')
  expect([...compiled('wrong.ts').matchAll(/wrong\.ts\((\d+),/g)].map(([, line]) => Number(line))).toEqual([3, 4, 5, 6])
  const run = [
    '--input-type=module',
    '-e',
    "import('spendgate/client').then(({ Spendgate }) => console.log(typeof Spendgate))",
  ]
  expect(execFileSync(process.execPath, run, { cwd: home, encoding: 'utf8' })).toBe('function\n')
}, 60_000)

/** What the compiler says of a program in the empty folder, under strict settings and with no types but Node's. */
function compiled(file: string): string {
  const mode = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--lib',
    'es2023',
    '--types',
    'node',
  ]
  const places = ['--typeRoots', join(root, 'node_modules/@types')]
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...mode, ...places, file], {
      cwd: home,
      encoding: 'utf8',
    })
    return ''
  } catch (fault) {
    return (fault as { stdout: string }).stdout
  }
}

function serving(): Promise<{ child: ChildProcess; admin: string }> {
  const command = join(home, 'node_modules', '.bin', 'spendgate')
  const child = spawn(command, ['serve', '--json', '--port', '0', '--admin-port', '0', '--log-level', 'error'], {
    cwd: home,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  return new Promise((resolve, reject) => {
    const told = (chunk: Buffer): void => {
      said += chunk.toString()
      const found = /"admin_url":"([^"]+)"/.exec(said)
      if (found) resolve({ child, admin: found[1]! })
    }
    child.stdout!.on('data', told)
    child.stderr!.on('data', told)
    child.once('close', () => reject(new Error(`the server ended: ${said}`)))
  })
}
