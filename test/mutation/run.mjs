// Behind `npm run test:mutation`: breaks the money path in every small way that Stryker knows and counts what the tests
// notice. Without a name every group, one after the other.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { groups, REPORTS } from './groups.mjs'

const reuse = process.argv.includes('--reuse')
const names = process.argv.slice(2).filter((name) => name !== '--reuse')
const unknown = names.filter((name) => !Object.hasOwn(groups, name))
if (unknown.length > 0) {
  process.stderr.write(`no group «${unknown.join(' ')}»; there are ${Object.keys(groups).join(', ')}.\n`)
  process.exit(2)
}

const failed = []
for (const name of names.length > 0 ? names : Object.keys(groups)) if (!(await notices(name))) failed.push(name)
if (failed.length > 0) process.stderr.write(`Too much goes unnoticed, or could not be tried: ${failed.join(', ')}.\n`)
process.exit(failed.length > 0 ? 1 : 0)

/** Whether enough of a group's mutants are killed. Prints those that are not. */
async function notices(name) {
  // Ledgers are written to memory where there is some: what a mutant does there is the same, a hundred times sooner.
  const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const sandbox = mkdtempSync(join(place, 'spendgate-mutation-'))
  const report = join(REPORTS, `${name}.json`)
  rmSync(report, { force: true })
  if (reuse) forgetSurvivors(join(REPORTS, `${name}.incremental.json`))
  const run = spawn(
    process.execPath,
    ['node_modules/@stryker-mutator/core/bin/stryker.js', 'run', 'test/mutation/stryker.config.mjs'],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        TMPDIR: sandbox,
        SPENDGATE_MUTATION_GROUP: name,
        SPENDGATE_MUTATION_SANDBOX: sandbox,
        ...(reuse ? { SPENDGATE_MUTATION_REUSE: '1' } : {}),
      },
    },
  )
  // The copies lie in memory: whoever stops the run gets it back.
  const stop = (signal) => {
    run.kill(signal)
    rmSync(sandbox, { recursive: true, force: true })
    process.exit(1)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)
  const [status] = await once(run, 'exit')
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeListener(signal, stop)
  rmSync(sandbox, { recursive: true, force: true })
  if (existsSync(report)) process.stdout.write(`${told(name, JSON.parse(readFileSync(report, 'utf8')))}\n`)
  return status === 0
}

/** Stryker would try a survivor again only for a test of a new name, and one that acts while modules load not at all. */
function forgetSurvivors(file) {
  if (!existsSync(file)) return
  const known = JSON.parse(readFileSync(file, 'utf8'))
  for (const each of Object.values(known.files))
    each.mutants = each.mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout')
  writeFileSync(file, JSON.stringify(known))
}

/** The score, and each survivor as docs/mutation.md names it. */
function told(name, { files }) {
  const all = Object.entries(files).flatMap(([file, { source, mutants }]) =>
    mutants.map((mutant) => ({ file, line: source.split('\n')[mutant.location.start.line - 1].trim(), ...mutant })),
  )
  const having = (...states) => all.filter(({ status }) => states.includes(status))
  const killed = having('Killed', 'Timeout')
  const left = having('Survived', 'NoCoverage')
  const score = ((100 * killed.length) / (killed.length + left.length)).toFixed(1)
  return [
    `${name}: ${killed.length} of ${killed.length + left.length} mutants killed (${score} %), ` +
      `${having('Timeout').length} of them by the clock, ${having('RuntimeError').length} could not be loaded.`,
    ...left.map(
      ({ file, line, location, mutatorName, replacement }) =>
        `  ${file}:${location.start.line} ${mutatorName} → ${(replacement ?? '').replace(/\s+/g, ' ')}\n    ${line}`,
    ),
  ].join('\n')
}
