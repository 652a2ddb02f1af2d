import { afterEach, describe, expect, test } from 'vitest'
import { SETTINGS } from '../../src/config.js'
import { buildProgram } from '../../src/cli/program.js'
import { processIo } from '../../src/cli/io.js'
import { Terminal } from './terminal.js'

const terminal = new Terminal()
afterEach(() => terminal.close())

describe('what is typed wrongly ends with 2 and a way on', () => {
  test.each([
    [['spnd'], /unknown command 'spnd'.*Did you mean spend\?/],
    [['key', 'creat'], /Did you mean create\?/],
    [['spend', '--bye', 'run'], /unknown option '--bye'.*Did you mean --by\?/],
    [['spend', '--by', 'moon'], /'moon' is invalid. Allowed choices are run, key, vendor, operation, day/],
    [['key', 'create', 'bot', '--policy', 'p'], /required option '--credential/],
    [
      ['key', 'create', 'bot', '--policy', 'p', '--credential', 'c', '--expires', '8 hours'],
      /Expected a span such as 30m, 8h or 7d/,
    ],
    [['key', 'run', 'key_1', '--cap', '1e2'], /Expected US dollars/],
    [['key', 'run', 'key_1', '--run', 'a b'], /Expected 1 to 64 letters/],
    [['serve', '--port', 'http'], /Expected a port number/],
    [['explain'], /missing required argument 'call'/],
    [['calls', '--limit', '0'], /Expected a whole number above zero/],
    [['credential', 'add', 'stripe', 'whatever'], /too many arguments/],
    [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
    [['freeze'], /exactly one of --all, --key, --run and --vendor/],
    [['freeze', '--all', '--key', 'key_1'], /exactly one of/],
    [['spend', '--from', 'yesterday'], /"yesterday" is no time/],
    [['spend', '--from', '2026-02-30'], /"2026-02-30" is no time/],
    [['spend', '--from', '1h', '--to', '2h'], /must lie before/],
    [['rates', 'set', 'eur'], /"eur" is no rate/],
    [['rates', 'set', 'usd=1'], /USD needs no rate/],
    [['credential', 'add', 'paypal'], /knows no vendor "paypal"/],
    [['calls', '--url', 'ftp://x'], /not an http or https address/],
    [['calls', '--url', 'http://gate.example.com:4243'], /not sent over plain http to gate.example.com/],
    [['calls', '--url', 'https://u:p@gate.example.com'], /Leave user name and password out/],
  ])('%j', async (argv, sentence) => {
    const { exit, out, err } = await terminal.run(...argv)
    expect(err.replaceAll('\n', ' ')).toMatch(sentence)
    expect({ exit, out }).toEqual({ exit: 2, out: '' })
  })

  test('no verb shows the help on stderr', async () => {
    const { exit, out, err } = await terminal.run()
    expect(err).toContain('Usage: spendgate')
    expect({ exit, out }).toEqual({ exit: 2, out: '' })
  })
})

describe('help', () => {
  test('is data and ends with 0', async () => {
    const { exit, out, err } = await terminal.run('--help')
    expect(out).toContain(
      'Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 authentication, 5 denied by policy, 6 server unreachable.',
    )
    expect({ exit, err }).toEqual({ exit: 0, err: '' })
  })

  test('of a verb shows the options every verb takes', async () => {
    const { exit, out } = await terminal.run('key', 'create', '--help')
    expect(exit).toBe(0)
    expect(out).toContain('--json')
    expect(out).toContain('--credential <credential...>')
  })

  test('version is that of the package', async () => {
    const { exit, out } = await terminal.run('--version')
    expect(exit).toBe(0)
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('secrets on the command line', () => {
  const stripe = `rk_${'live'}_51Habcdefghijklmnopqrstuv`
  test.each([
    [['credential', 'add', 'stripe', stripe]],
    [['credential', 'add', 'stripe', '--secret-env', stripe]],
    [['credential', 'add', 'stripe', `--api-key=${stripe}`]],
    [['credential', 'add', 'resend', 're_AbCdEf12_0123456789abcdefghij']],
    [['init', '--secret-env', `stripe=${stripe}`]],
    [['key', 'show', 'vault_live_9cQabcdefghijklmnopqrstuvwxyz0123456789ABC']],
  ])('are refused and not repeated (%#)', async (argv) => {
    const { exit, out, err } = await terminal.run(...argv)
    expect(exit).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(/is on the command line, where the shell history and every process can read it/)
    for (const word of argv.filter((each) => each.length > 20)) expect(err).not.toContain(word.slice(-16))
  })

  test('a value under a misspelt flag is not repeated', async () => {
    const { exit, err } = await terminal.run(
      'credential',
      'add',
      'twilio',
      '--auth-token=0123456789abcdef0123456789abcdef',
    )
    expect(err).toContain("unknown option '--auth-token'")
    expect(err).not.toContain('0123456789abcdef')
    expect(exit).toBe(2)
  })

  test('no option of any verb takes one', () => {
    const flags: string[] = []
    const collect = (command: ReturnType<typeof buildProgram>): void => {
      flags.push(...command.options.map(({ flags: text }) => text))
      command.commands.forEach((each) => collect(each as typeof command))
    }
    collect(buildProgram(processIo({ now: () => 0, monotonic: () => 0 }), () => Promise.resolve()))
    expect(flags.filter((text) => /secret|token|password|master|api-key/.test(text)).sort()).toEqual([
      '--api-key-sid <sid>',
      '--api-key-sid <sid>',
      '--api-key-sid <sid>',
      '--secret-env <name>',
      '--secret-env <name>',
      '--secret-env <name>',
      '--secret-file <file>',
      '--secret-file <file>',
      '--secret-file <file>',
      '--secret-ref <reference>',
      '--secret-ref <reference>',
      '--secret-refs <patterns>',
      '--secret-stdin',
      '--secret-stdin',
      '--secret-stdin',
      '--webhook-secret-env <name>',
      '--webhook-secret-env <name>',
      '--webhook-secret-file <file>',
      '--webhook-secret-file <file>',
      '--webhook-secret-stdin',
      '--webhook-secret-stdin',
    ])
  })
})

describe('serve', () => {
  test('takes every setting of the server as a flag', () => {
    const program = buildProgram(processIo({ now: () => 0, monotonic: () => 0 }), () => Promise.resolve())
    const serve = program.commands.find((each) => each.name() === 'serve')
    const flags = [...(serve?.options ?? []), ...program.options].map(({ long }) => long)
    expect(SETTINGS.map((name) => `--${name}`).filter((flag) => !flags.includes(flag))).toEqual([])
  })
})

describe('a server that is not there', () => {
  const nobody = ['--url', 'http://127.0.0.1:9']

  test('ends with 6 and says what to do', async () => {
    const { exit, out, err } = await terminal.run('calls', ...nobody)
    expect(err).toBe(
      'spendgate: No spendgate answers at http://127.0.0.1:9 (ECONNREFUSED). Start one with "npm start" or "spendgate serve" in another terminal, or name another with --url or SPENDGATE_URL.\n',
    )
    expect({ exit, out }).toEqual({ exit: 6, out: '' })
  })

  test('says so in JSON on stderr under --json', async () => {
    const { exit, out, err } = await terminal.run(...nobody, '--json', 'spend')
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'unreachable', exit: 6, errors: [] } })
    expect({ exit, out }).toEqual({ exit: 6, out: '' })
  })

  test('is looked for where the environment puts the admin port', async () => {
    const other = new Terminal({ SPENDGATE_ADMIN_PORT: '11' })
    expect((await other.run('runs', 'list')).err).toContain('http://127.0.0.1:11 ')
    other.close()
  })
})
