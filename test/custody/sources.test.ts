import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CustodyFault, loadMasterKey, masterKeySource, stageMasterKey } from '../../src/custody/master-key.js'
import { argvIn, childEnvironment, printedBy, ProgramFault } from '../../src/custody/program.js'

// The programs are real ones, made here and found on a PATH of their own: nothing of the machine's answers for them.

let home: string
let dir: string
let bin: string
let environment: Record<string, string>
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'spendgate-sources-'))
  dir = join(home, 'state')
  bin = join(home, 'bin')
  mkdirSync(bin)
  environment = { PATH: `${bin}:/usr/bin:/bin`, HOME: home }
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const key = Buffer.alloc(32, 7).toString('base64')
const other = Buffer.alloc(32, 9).toString('base64')

function program(name: string, body: string): string {
  const path = join(bin, name)
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o700)
  return path
}
const thrown = (act: () => unknown): Error => {
  try {
    act()
  } catch (fault) {
    return fault as Error
  }
  throw new Error('nothing was thrown')
}

describe('a master key from a command', () => {
  test('is what the command prints, and only its program is named', () => {
    program('keyholder', `[ "$1 $2" = "read spendgate key" ] && echo ${key}`)
    const env = { SPENDGATE_MASTER_KEY_COMMAND: '["keyholder", "read", "spendgate key"]' }
    const found = loadMasterKey(env, dir, environment)
    expect(found).toEqual({
      key: Buffer.alloc(32, 7),
      source: 'SPENDGATE_MASTER_KEY_COMMAND (keyholder)',
      created: false,
    })
    expect(masterKeySource(env, dir)).toBe('SPENDGATE_MASTER_KEY_COMMAND (keyholder)')
  })

  test.each([
    ['no such program', 'nowhere-to-be-found', /there is no program nowhere-to-be-found on the PATH/],
    ['an end with a code', 'failing', /failing ended with code 3\. What it wrote is not shown/],
    ['nothing printed', 'silent', /silent printed nothing/],
    ['too much printed', 'flooding', /flooding printed more than 65536 bytes and was stopped/],
    ['something else than a key', 'chatting', /is not base64/],
  ])('%s is refused, and what was printed is not shown', (_, name, sentence) => {
    program('failing', `echo ${key}; echo ${key} >&2; exit 3`)
    program('silent', 'exit 0')
    program('flooding', 'head -c 200000 /dev/zero')
    program('chatting', 'echo the key is: CANARY')
    const fault = thrown(() => loadMasterKey({ SPENDGATE_MASTER_KEY_COMMAND: name }, dir, environment))
    expect(fault).toBeInstanceOf(CustodyFault)
    expect(fault.message).toMatch(sentence)
    expect(fault.message).not.toMatch(new RegExp(`CANARY|${key.replaceAll('+', '\\+')}`))
  })

  test('sees no secret of ours', () => {
    const seen = childEnvironment({
      ...environment,
      SPENDGATE_ADMIN_TOKEN: 'CANARY',
      DATABASE_URL: 'postgres://u:CANARY@h/d',
      PGPASSWORD: 'CANARY',
    })
    expect(JSON.stringify(seen)).not.toContain('CANARY')
    expect(seen.HOME).toBe(home)
  })
})

describe('a command line', () => {
  test.each([
    ['op read op://vault/item/field', ['op', 'read', 'op://vault/item/field']],
    ['  op   read ', ['op', 'read']],
    ['["op", "read", "op://my vault/it"]', ['op', 'read', 'op://my vault/it']],
    ['["printf", "$HOME; rm -rf /"]', ['printf', '$HOME; rm -rf /']],
  ])('%s is read without a shell', (text, argv) => expect(argvIn(text)).toEqual(argv))

  test.each([
    ['echo $KEY', /not read by a shell: write it as a JSON list/],
    ['cat "a b"', /not read by a shell/],
    ['cat a | base64', /not read by a shell/],
    ['', /names no program/],
    ['[]', /names no program/],
    ['["op", 1]', /JSON list of texts/],
    ['["op"', /begins like a JSON list/],
    [JSON.stringify(['op', 'a\0b']), /NUL/],
  ])('%s is refused', (text, sentence) => expect(argvIn(text)).toMatch(sentence))
})

test.runIf(process.platform === 'linux')(
  'a program that does not end is stopped, and its children with it',
  async () => {
    const pids = join(home, 'pids')
    program('hanging', `sleep 300 & echo $! > ${pids}; sleep 300`)
    await expect(printedBy(['hanging'], environment, 300)).rejects.toThrow(
      new ProgramFault('hanging did not end within 0.3 s and was stopped.'),
    )
    const { readFileSync, existsSync } = await import('node:fs')
    const pid = readFileSync(pids, 'utf8').trim()
    await expect
      .poll(() => !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')))
      .toBe(true)
  },
)

describe.runIf(process.platform === 'linux')('a master key from the keychain', () => {
  const env = { SPENDGATE_MASTER_KEY_KEYCHAIN: 'spendgate' }

  test('is the item of that service', () => {
    program('secret-tool', `[ "$*" = "lookup service spendgate account master-key" ] && printf %s ${key}`)
    expect(loadMasterKey(env, dir, environment)).toMatchObject({
      key: Buffer.alloc(32, 7),
      source: 'SPENDGATE_MASTER_KEY_KEYCHAIN (spendgate, the secret service (secret-tool))',
    })
  })

  test('that is missing or locked is never made anew', () => {
    program('secret-tool', 'exit 1')
    const fault = thrown(() => loadMasterKey(env, dir, environment))
    expect(fault.message).toContain('secret-tool ended with code 1')
    expect(fault.message).toContain(
      "secret-tool store --label='spendgate master key' service spendgate account master-key",
    )
  })

  test('without the tool says which is missing', () => {
    const bare = { ...environment, PATH: bin }
    expect(() => loadMasterKey(env, dir, bare)).toThrow(/there is no program secret-tool on the PATH of this process/)
  })

  test.each(['--all', 'a b', '../x', ''])('takes no service such as «%s»', (service) => {
    const attempt = (): unknown => loadMasterKey({ SPENDGATE_MASTER_KEY_KEYCHAIN: service }, dir, environment)
    if (service === '') expect(attempt()).toMatchObject({ created: true })
    else expect(attempt).toThrow(/must be the name of a service/)
  })
})

describe('exactly one source is in force', () => {
  test('two that are named are refused by both names, even when they agree', () => {
    expect(() =>
      loadMasterKey({ SPENDGATE_MASTER_KEY: key, SPENDGATE_MASTER_KEY_COMMAND: 'keyholder' }, dir, environment),
    ).toThrow(/both SPENDGATE_MASTER_KEY and SPENDGATE_MASTER_KEY_COMMAND are set/)
    const all = {
      SPENDGATE_MASTER_KEY_FILE: '/x',
      SPENDGATE_MASTER_KEY_KEYCHAIN: 'spendgate',
      SPENDGATE_MASTER_KEY_COMMAND: 'keyholder',
    }
    expect(() => masterKeySource(all, dir)).toThrow(
      /both SPENDGATE_MASTER_KEY_FILE, SPENDGATE_MASTER_KEY_KEYCHAIN and SPENDGATE_MASTER_KEY_COMMAND are set/,
    )
  })

  test('another key that lies in the data directory is refused by both names, the same one is not', () => {
    const made = loadMasterKey({}, dir)
    expect(() => loadMasterKey({ SPENDGATE_MASTER_KEY: key }, dir)).toThrow(
      `SPENDGATE_MASTER_KEY and ${join(dir, 'master-key')} hold different master keys`,
    )
    expect(loadMasterKey({ SPENDGATE_MASTER_KEY: made.key.toString('base64') }, dir).source).toBe(
      'SPENDGATE_MASTER_KEY',
    )
  })
})

describe('the next master key', () => {
  test.each([
    ['SPENDGATE_MASTER_KEY', key],
    ['SPENDGATE_MASTER_KEY_COMMAND', 'present'],
    ['SPENDGATE_MASTER_KEY_KEYCHAIN', 'spendgate'],
  ])('of %s may come from any source', (name, value) => {
    program('upcoming', `echo ${other}`)
    const staged = stageMasterKey({ [name]: value, SPENDGATE_NEW_MASTER_KEY_COMMAND: 'upcoming' }, dir, environment)
    expect(staged.key).toEqual(Buffer.alloc(32, 9))
    expect(staged.remains).toContain('the one of SPENDGATE_NEW_MASTER_KEY_COMMAND, in the place of the old one')
    expect(() => stageMasterKey({ [name]: value }, dir, environment)).toThrow(
      /put the new one in SPENDGATE_NEW_MASTER_KEY/,
    )
  })
})
