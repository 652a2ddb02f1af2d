import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadOption, withOption, withoutOption } from '../../src/cli/npmrc.js'

const OPTION = '--require=/opt/u/.local/share/spendgate/preload.cjs'

describe('the line in .npmrc', () => {
  test.each([
    ['nothing', '', `node-options=${OPTION}\n`],
    ['other settings', 'save-exact=true\n', `save-exact=true\nnode-options=${OPTION}\n`],
    ['no newline at the end', 'save-exact=true', `save-exact=true\nnode-options=${OPTION}\n`],
    [
      'options of others',
      'node-options=--max-old-space-size=4096\n',
      `node-options=--max-old-space-size=4096 ${OPTION}\n`,
    ],
    [
      'options in quotes',
      'node-options="--no-deprecation --trace-warnings"\n',
      `node-options=--no-deprecation --trace-warnings ${OPTION}\n`,
    ],
    ['spaces round =', '  node-options = --no-deprecation \nb=1\n', `node-options=--no-deprecation ${OPTION}\nb=1\n`],
    [
      'an older place of ours',
      'node-options=--require=/old/spendgate/preload.cjs --no-deprecation\n',
      `node-options=--no-deprecation ${OPTION}\n`,
    ],
    ['ours already', `node-options=${OPTION}\n`, `node-options=${OPTION}\n`],
  ])('beside %s', (_what, before, after) => {
    expect(withOption(before, OPTION)).toBe(after)
    expect(withOption(after, OPTION)).toBe(after)
  })

  test.each([
    ['alone', `a=1\nnode-options=${OPTION}\nb=2\n`, 'a=1\nb=2\n'],
    [
      'among others',
      `node-options=--no-deprecation ${OPTION} --trace-warnings\n`,
      'node-options=--no-deprecation --trace-warnings\n',
    ],
    [
      'as --import of a file with spaces',
      'node-options=--import=file:///C:/Program%20Files/spendgate/preload.cjs\n',
      '',
    ],
    ['not at all', 'node-options=--no-deprecation\n', 'node-options=--no-deprecation\n'],
    ['in words of others', 'node-options=--require=/x/preload.cjs\n', 'node-options=--require=/x/preload.cjs\n'],
  ])('is taken out where it stands %s', (_where, before, after) => {
    expect(withoutOption(before)).toBe(after)
  })

  test('a path with spaces is loaded as a file URL, and Windows always is', () => {
    expect(loadOption('/a b/spendgate/preload.cjs', 'linux')).toBe('--import=file:///a%20b/spendgate/preload.cjs')
    expect(loadOption('/a/spendgate/preload.cjs', 'linux')).toBe('--require=/a/spendgate/preload.cjs')
    expect(loadOption('/a/spendgate/preload.cjs', 'win32')).toMatch(/^--import=file:\/\//)
  })
})

describe('spendgate setup', () => {
  const cli = fileURLToPath(new URL('../../dist/src/cli/index.js', import.meta.url))
  let home: string
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'spendgate home '))))
  afterEach(() => rmSync(home, { recursive: true, force: true }))
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [cli, 'setup', ...args], {
      env: { PATH: process.env.PATH, HOME: home },
      encoding: 'utf8',
    })
  const npmrc = (): string => readFileSync(join(home, '.npmrc'), 'utf8')

  test('what npx starts loads the preload, from a home with a space in its name; undone, nothing is left of it', () => {
    writeFileSync(join(home, '.npmrc'), 'save-exact=true\nnode-options=--no-deprecation\n')
    const first = run()
    expect(first).toMatchObject({ status: 0 })
    expect(npmrc()).toMatch(/^save-exact=true\nnode-options=--no-deprecation --import=file:\/\/\S+preload\.cjs\n$/)

    const folder = join(home, 'project')
    mkdirSync(folder)
    const script = 'console.log(process.env.STRIPE_SECRET_KEY)'
    const npx = spawnSync('npm', ['exec', '-c', `node -e "${script}"`], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: home, STRIPE_API_KEY: 'vault_live_x' },
      encoding: 'utf8',
    })
    expect(npx.stdout.trim()).toBe('rk_vault_live_x')

    expect(run().stderr).toContain('set up already')
    expect(run('--undo').status).toBe(0)
    expect(npmrc()).toBe('save-exact=true\nnode-options=--no-deprecation\n')
    expect(existsSync(join(home, '.local', 'share', 'spendgate', 'preload.cjs'))).toBe(false)
    expect(run('--undo').stdout).toContain('nothing to undo')
  })

  test('without an .npmrc one is made, and --json says what was done', () => {
    const reply = JSON.parse(run('--json').stdout)
    expect(reply).toMatchObject({ npmrc: join(home, '.npmrc'), changed: true })
    expect(existsSync(reply.preload)).toBe(true)
    run('--undo')
    expect(npmrc()).toBe('')
  })
})
