// What `npm start` and `npm test` do first on a fresh clone: install when needed, build when needed, then run.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { headersBeside } from './headers.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const say = (text) => process.stderr.write(`spendgate: ${text}\n`)

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  say(`Node ${process.versions.node} is too old; 20.19 or newer is needed (22 or 26 is recommended).`)
  process.exit(1)
}

const [verb, ...rest] = process.argv.slice(2)
const verbs = {
  start: () => cli('serve'),
  demo: () => cli('demo'),
  check: () => check(),
  test: () => check() || vitest(rest),
  bench: () => run(process.execPath, ['dist/bench/index.js', ...rest]),
  // Longer campaigns; `npm test` has a small gate of each.
  'test:crash': () =>
    vitest(['test/crash/kill.test.ts'], {
      SPENDGATE_CRASH_CYCLES: option('cycles') ?? process.env.SPENDGATE_CRASH_CYCLES ?? '1000',
      SPENDGATE_CRASH_STORE: option('store') ?? process.env.SPENDGATE_CRASH_STORE ?? 'sqlite',
    }),
  'test:revoke': () =>
    vitest(['test/pipeline/revoke-storm.test.ts'], { SPENDGATE_REVOKES: option('revokes') ?? '1000' }),
  'test:sim': () =>
    vitest(['test/sim/gate.test.ts'], {
      SPENDGATE_SIM_SCHEDULES: option('schedules') ?? '10000',
      // Other schedules each time; --first N plays the same ones again.
      SPENDGATE_SIM_FIRST: option('first') ?? String(Math.floor(Date.now() / 1000)),
      ...(option('seed') === undefined ? {} : { SPENDGATE_SIM_SEED: option('seed') }),
      ...(rest.includes('--trace') ? { SPENDGATE_SIM_TRACE: '1' } : {}),
    }),
  // Names of parts after `--`, as docs/mutation.md has them; none for all.
  'test:mutation': () => run(process.execPath, ['test/mutation/run.mjs', ...rest]),
  'test:soak': () => vitest(['test/soak'], { SPENDGATE_SOAK_CALLS: option('calls') ?? '1000000' }),
  fuzz: () =>
    vitest(['test/wire', 'test/policies'], { SPENDGATE_FUZZ_RUNS: process.env.SPENDGATE_FUZZ_RUNS ?? '100000' }),
  'vendor-tables': () => run(process.execPath, ['scripts/vendor-tables.mjs']),
  'vendors:drift': () => run(process.execPath, ['scripts/vendors-drift.mjs']),
}
if (!verbs[verb]) {
  say(`unknown script «${verb}»; there are ${Object.keys(verbs).join(', ')}.`)
  process.exit(2)
}
install()
build()
const status = await verbs[verb]()
if (typeof status === 'number') process.exit(status)

/** In this very process, so that a signal to it reaches the server and nothing is left behind. */
async function cli(name) {
  // npm passes a signal to the shell it started us with, which ends and leaves us: then we stop as if it had come to us.
  if (process.env.npm_lifecycle_event) {
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.ppid === parent) return
      clearInterval(watch)
      process.kill(process.pid, 'SIGTERM')
    }, 200)
    watch.unref()
  }
  process.setSourceMapsEnabled(true)
  process.argv = [process.execPath, join(root, 'dist/src/cli/index.js'), name, ...rest]
  await import('../dist/src/cli/index.js')
}

function check() {
  return (
    run(process.execPath, [tool('typescript/bin/tsc'), '-p', 'tsconfig.json']) ||
    run(process.execPath, [tool('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'])
  )
}

function install() {
  const stamp = join(root, 'node_modules', '.spendgate-installed')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(process.versions.modules)
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  say(
    'installing packages. Where no ready-made SQLite binding can be had it is compiled, which takes a minute or two …',
  )
  const env = { ...process.env, npm_config_fund: 'false', npm_config_audit: 'false' }
  // node-gyp would download Node's headers; those beside the running Node are the right ones already.
  const headers = env.npm_config_nodedir ? null : headersBeside(join(dirname(process.execPath), '..'))
  if (headers !== null) env.npm_config_nodedir = headers.directory
  const status = run('npm', ['ci', '--include=dev', '--no-progress'], env)
  headers?.remove()
  if (status !== 0) {
    say('npm ci failed. A C++ compiler and Python 3 are needed where SQLite must be compiled.')
    process.exit(status)
  }
  writeFileSync(stamp, wanted)
}

function build() {
  const built = join(root, 'dist', '.built')
  const sources = [
    'src',
    'vendors',
    'policies',
    'fixtures',
    'bench',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/bundle.mjs',
    'package-lock.json',
  ]
  const newest = Math.max(...sources.map((name) => newestIn(join(root, name))))
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return
  say('building …')
  const status =
    run(process.execPath, [tool('typescript/bin/tsc'), '-p', 'tsconfig.build.json']) ||
    run(process.execPath, ['scripts/bundle.mjs'])
  if (status !== 0) process.exit(status)
  writeFileSync(built, '')
}

function newestIn(path) {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  // The bench installs other people's proxies beside its own sources; those are not built.
  const names = readdirSync(path).filter((name) => name !== 'node_modules')
  return Math.max(stat.mtimeMs, ...names.map((name) => newestIn(join(path, name))))
}

/** What follows `--name` on the command line. */
function option(name) {
  const at = rest.indexOf(`--${name}`)
  return at < 0 ? undefined : rest[at + 1]
}

function vitest(args, env) {
  return run(process.execPath, [tool('vitest/vitest.mjs'), 'run', ...args], env)
}

function tool(path) {
  return join(root, 'node_modules', path)
}

function run(command, args, extra = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...extra },
  })
  if (error) say(error.message)
  return status ?? (signal === 'SIGINT' ? 130 : 1)
}
