import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { parseUsd } from '../contracts/money.js'
import { packageVersion } from '../package-root.js'
import { openContext, type Context, type GlobalOptions, type Verb } from './context.js'
import { CliFault, Exit } from './exit.js'
import type { Io } from './io.js'
import { json, safe, styleFor } from './output.js'
import { secretOnCommandLine } from './secrets.js'

/** Runs one command line (without node and script) and says with which code to exit. Never throws for a fault. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const jsonWanted = argv.includes('--json')
  const leaked = secretOnCommandLine(argv)
  if (leaked !== null) return complain(io, jsonWanted, leaked)
  let exit: number = Exit.ok
  const program = buildProgram(io, async (command, load, args) => {
    const { context, close } = openContext(io, command.optsWithGlobals<GlobalOptions>())
    try {
      const verb = (await load()) as Loose
      exit = await verb(context, command.opts(), ...args)
    } finally {
      await close()
    }
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError)
      return HELP_CODES.has(error.code) && error.exitCode === 0 ? Exit.ok : Exit.usage
    return complain(io, jsonWanted, error)
  }
}

type Loose = (context: Context, options: unknown, ...args: readonly unknown[]) => Promise<number>
const HELP_CODES = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version'])

function complain(io: Io, jsonWanted: boolean, error: unknown): number {
  const fault = asFault(error)
  const { code = 'failure', lines = [] } = fault.more
  if (jsonWanted) {
    io.err.write(`${json({ error: { code, message: fault.message, errors: lines, exit: fault.exit } }, false)}\n`)
    return fault.exit
  }
  const style = styleFor(io.err.tty, io.env, true)
  io.err.write(`${style.paint('bad', 'spendgate:')} ${safe(fault.message)}\n`)
  for (const { at, message } of lines) io.err.write(`  ${safe(at === '' ? message : `${at} ${message}`)}\n`)
  if (!(error instanceof CliFault) && io.env.SPENDGATE_LOG_LEVEL === 'debug' && error instanceof Error) {
    io.err.write(`${safe(error.stack ?? '').replaceAll('\ufffd', '\n')}\n`)
  }
  return fault.exit
}

/**
 * Faults of the server's own parts, met where a command works on the data directory itself. Known by name, because
 * importing their classes would cost every command their modules.
 */
const CODES: Readonly<Record<string, readonly [exit: number, code: string]>> = {
  SealFault: [Exit.authentication, 'vault'],
  CustodyFault: [Exit.failure, 'custody'],
  LedgerFault: [Exit.failure, 'ledger'],
}

function asFault(error: unknown): CliFault {
  if (error instanceof CliFault) return error
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) }
  const [exit, code] = CODES[name] ?? [Exit.failure, 'unexpected']
  return new CliFault(exit, message, { code, cause: error })
}

type Perform = (command: Command, load: () => Promise<Verb>, args: readonly unknown[]) => Promise<void>

/**
 * The whole command tree. A verb's module is imported when the verb runs, so that a wrong flag or a look at the help
 * costs neither a database binding nor an HTTP client.
 */
export function buildProgram(io: Pick<Io, 'out' | 'err' | 'env'>, perform: Perform): Command {
  const program = new Command('spendgate')
    .description('A gate between an AI agent and the vendors it can spend money at.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--json', 'reply with JSON on stdout: one object, or a line each for streams')
    .option('--url <url>', 'admin API of the server (SPENDGATE_URL; http://127.0.0.1:4243)')
    .option('--data-dir <dir>', 'where database, master key and admin token are (SPENDGATE_DATA_DIR)')
    .option('--no-color', 'plain text (as NO_COLOR does)')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      // A value after = may be anything, even a secret under a misspelt flag.
      outputError: (text, write) =>
        write(
          `spendgate: ${safe(text.trimEnd().replaceAll('\n', ' '))
            .replace(/^error: /, '')
            .replace(/('--?[\w-]+)=[^']*'/g, "$1'")}\n`,
        ),
    })
    .exitOverride()
    .addHelpText('after', EPILOGUE)

  const lazily = (command: Command, load: () => Promise<Verb>): Command =>
    command.action(async (...given: readonly unknown[]) => perform(command, load, given.slice(0, -2)))

  serveAndDemo(program, lazily)
  setUp(program, lazily)
  grant(program, lazily)
  watch(program, lazily)
  keep(program, lazily)
  return program
}

const EPILOGUE = `
Examples:
  spendgate demo                      see it work; no account needed
  spendgate init                      your own vendor key, a policy and a vault key

Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 authentication, 5 denied by policy, 6 server unreachable.
`

// Named here again, so that the help costs no module of theirs.
const CLIENT_IDS = ['claude-desktop', 'claude-code', 'cursor', 'vscode', 'windsurf', 'codex']

type Lazily = (command: Command, load: () => Promise<Verb>) => Command

function serveAndDemo(program: Command, lazily: Lazily): void {
  const serve = program
    .command('serve')
    .description('open the agent port and the admin port, and stay')
    .option('--host <address>', 'agent listener (127.0.0.1)')
    .option('--port <port>', 'agent listener (4242)', port)
    .option('--admin-host <address>', 'admin listener (127.0.0.1)')
    .option('--admin-port <port>', 'admin listener (4243)', port)
    .option('--admin-host-names <names>', 'further host names the admin port answers to, separated by commas')
    .option('--connect-port <port>', 'proxy port for clients that only HTTPS_PROXY reaches; off without it', port)
    .option('--tls-cert <file>', 'certificate of the admin listener')
    .option('--tls-key <file>', 'its private key')
    .option('--insecure-admin', 'let the admin port listen beyond loopback without TLS')
    .option('--stripe-upstream <origin>', 'another origin for Stripe; plain http only to loopback')
    .option('--twilio-upstream <origin>', 'another origin for Twilio')
    .option('--resend-upstream <origin>', 'another origin for Resend')
    .option('--stripe-mcp-upstream <origin>', 'another origin for the MCP server that Stripe hosts')
    .option('--upstream-timeout-ms <ms>', 'how long a vendor may take (60000)', wholeNumber)
    .option('--allow-private-upstreams <list>', 'private hosts and networks that vendors by configuration may be at')
    .option('--checkpoints <file>', 'where signed checkpoints of the audit trail go; - for stdout (checkpoints.ndjson)')
    .option('--config <file>', 'what no flag says: references to secrets, private networks (docs/secrets.md)')
    .option('--secret-refs <patterns>', 'references the admin API may store, separated by commas')
    .option('--drain-ms <ms>', 'how long calls may finish at the end (25000)', wholeNumber)
    .option('--allow-network-filesystem', 'keep the ledger on a file system that no other machine touches')
    .option('--reconcile-ms <ms>', 'between two reconciliations with the vendors (300000); 0 for none', milliseconds)
    .option(
      '--unlock <ids>',
      'operations whose hard refusal is lifted, separated by commas; a policy must still permit them',
    )
    .option('--log-level <level>', 'silent, error, warn, info or debug')
    .addHelpText(
      'after',
      '\nSecrets come from files and the environment only: SPENDGATE_ADMIN_TOKEN and SPENDGATE_MASTER_KEY, or _FILE of either.\n',
    )
  lazily(serve, async () => (await import('./verbs/serve.js')).serve)

  const demo = program
    .command('demo')
    .description('start vendor simulators and an agent that goes wrong on purpose; needs no account')
    .option('--stay', 'keep serving after the story')
  lazily(demo, async () => (await import('./verbs/demo.js')).demo)

  const doctor = program
    .command('doctor')
    .description('look at everything that commonly goes wrong')
    .addOption(new Option('--client <client>', 'try out the MCP servers of this client only').choices(CLIENT_IDS))
    .option('--file <file>', "try out those in this file, in place of the clients' own")
  lazily(doctor, async () => (await import('./verbs/doctor.js')).doctor)
}

function setUp(program: Command, lazily: Lazily): void {
  const init = program
    .command('init')
    .description('store a vendor key, write a policy and make a vault key under it')
    .option('--vendor <name>', 'stripe, twilio or resend; may be repeated', collect)
    .option('--daily-cap <usd>', 'cap a day in USD over everything the key does', dollars)
    .option('--customer <id>', 'allow this customer only; may be repeated', collect)
    .option('--sender <address>', 'number or mail address messages come from; may be repeated', collect)
    .option('--recipient <address>', 'number, address or pattern they may go to; may be repeated', collect)
    .option('--preset <name>', 'start from this policy in policies/presets')
    .option('--name <name>', 'name of policy and key')
    .option('--policy-file <file>', 'where to write the policy (NAME.yaml)')
    .option('--expires <span>', 'life of the key, such as 8h', duration)
    .option('--account-sid <sid>', 'Twilio account (AC…)')
    .option('--api-key-sid <sid>', 'Twilio API key (SK…); without it the secret is the auth token')
    .option('--api-version <version>', 'Stripe API version that every call under it is sent with')
    .option('--secret-stdin', 'read the vendor key from standard input (one vendor)')
    .option('--secret-env <name>', 'take it from this variable; VENDOR=NAME with several vendors', collect)
    .option('--secret-file <file>', 'take it from this file; VENDOR=FILE with several vendors', collect)
  lazily(init, async () => (await import('./verbs/init.js')).init)

  const setup = program
    .command('setup')
    .description('let unmodified MCP servers started by npx reach spendgate (npm node-options)')
    .option('--undo', 'take it out again')
  lazily(setup, async () => (await import('./verbs/setup.js')).setup)
  const connect = program
    .command('connect')
    .description('let an MCP client reach the vendors through spendgate')
    .addArgument(program.createArgument('<client>').choices(CLIENT_IDS))
    .option('--key <key>', 'parent of its key, id or name (the only living one)')
    .option('--vendor <vendors>', 'of these vendors, separated by commas (all of the key)')
    .option('--file <file>', "its configuration file, where it is not the client's usual one")
    .addOption(
      new Option('--mode <mode>', 'how servers are reached (what suits the client)').choices(['url', 'npx', 'run']),
    )
    .option('--write', 'do it; without this the change is only shown')
    .option('--undo', 'put back what was there')
    .addHelpText(
      'after',
      '\nExamples:\n  spendgate connect cursor\n  spendgate connect claude-desktop --key support-bot --write\n',
    )
  lazily(connect, async () => (await import('./verbs/connect.js')).connect)
  const run = program
    .command('run')
    .description('start a program under a key of its own, which dies with it')
    .option('--key <key>', 'parent key, id or name (the only living one)')
    .option('--cap <usd>', 'at most this much for the run', dollars)
    .option('--run <id>', 'name of the run', runId)
    .option('--expires <span>', 'end the key after this span at the latest', duration)
    .addOption(new Option('--via <way>', 'how calls are led here (preload)').choices(['preload', 'connect']))
    .argument('<command>', 'after --')
    .argument('[args...]')
    .addHelpText('after', '\nExample:\n  spendgate run --cap 10 -- npx -y @stripe/mcp\n')
  lazily(run, async () => (await import('./verbs/run.js')).run)

  const mcp = program
    .command('mcp')
    .description("spendgate's MCP tools on standard input and output, for hosts that only start programs")
    .option('--vendor <name>', 'the tools of this vendor instead')
    .option('--key-file <file>', 'take the vault key from this file (SPENDGATE_VAULT_KEY)')
  lazily(mcp, async () => (await import('./verbs/mcp.js')).mcp)

  const credential = program.command('credential').description("the vendors' real keys")
  const add = credential
    .command('add')
    .description('store a credential')
    .argument('<vendor>', 'stripe, twilio, resend, or a name of your own for any HTTP API')
  secretFlags(bindingFlags(add.option('--name <name>', 'what to call it (the name of the vendor)')))
  lazily(add, async () => (await import('./verbs/credential.js')).add)
  lazily(credential.command('list').description('list them'), async () => (await import('./verbs/credential.js')).list)
  const show = credential.command('show').description('show one').argument('<credential>', 'id or name')
  lazily(show, async () => (await import('./verbs/credential.js')).show)
  const rotate = credential.command('rotate').description('replace its secret').argument('<credential>', 'id or name')
  secretFlags(rotate)
  lazily(rotate, async () => (await import('./verbs/credential.js')).rotate)
  const refresh = credential
    .command('refresh')
    .description('ask for its secret again, where that is kept')
    .argument('<credential>', 'id or name')
  lazily(refresh, async () => (await import('./verbs/credential.js')).refresh)
  const remove = credential.command('remove').description('delete it').argument('<credential>', 'id or name')
  lazily(remove, async () => (await import('./verbs/credential.js')).remove)
}

/** For vendors by configuration. github, openai, anthropic, slack, shopify, postmark and sendgrid are known. */
function bindingFlags(command: Command): Command {
  return command
    .option('--base-url <url>', 'where its API is; the credential goes nowhere else')
    .option('--auth <scheme>', 'how it takes its key: bearer, basic, header:NAME, query:NAME, hmac or oauth2')
    .option('--auth-file <file>', 'all of that as JSON')
    .option('--header <pair>', 'NAME=VALUE sent with every call; several are possible', collect)
    .option('--username <name>', 'for basic')
    .option('--key-id <id>', 'for hmac, where the key has an id')
    .option('--client-id <id>', 'for oauth2')
    .option('--grant-url <url>', 'for oauth2: where access tokens are asked for')
    .option('--scope <scope>', 'for oauth2')
}

function secretFlags(command: Command): Command {
  return command
    .option('--account-sid <sid>', 'Twilio account (AC…)')
    .option('--api-key-sid <sid>', 'Twilio API key (SK…); without it the secret is the auth token')
    .option('--secret-stdin', 'read the secret from standard input')
    .option('--secret-env <name>', 'take the secret from this environment variable')
    .option('--secret-file <file>', 'take the secret from this file')
    .option(
      '--secret-ref <reference>',
      'where the server finds it, as vault://mount/data/path#field; PART=… of several',
      collect,
    )
    .option('--webhook-secret-stdin', 'read what Stripe signs its webhooks with (whsec_…) from standard input')
    .option('--webhook-secret-env <name>', 'take that from this environment variable')
    .option('--webhook-secret-file <file>', 'take that from this file')
    .addHelpText(
      'after',
      '\nThe secret is asked for without echo when no source is given. It is never taken from the command line.\n',
    )
}

function grant(program: Command, lazily: Lazily): void {
  const policy = program.command('policy').description('what agents may do')
  const add = policy
    .command('add')
    .description('store the next version of a policy')
    .argument('<file>', 'YAML or JSON; - for standard input')
  lazily(add, async () => (await import('./verbs/policy.js')).add)
  const check = policy
    .command('check')
    .description('look for faults without storing anything')
    .argument('<file>', 'YAML or JSON; - for standard input')
  lazily(check, async () => (await import('./verbs/policy.js')).check)
  lazily(policy.command('list').description('list policies'), async () => (await import('./verbs/policy.js')).list)
  const show = policy.command('show').description('print a policy').argument('<policy>', 'NAME or NAME@VERSION')
  lazily(show, async () => (await import('./verbs/policy.js')).show)
  const versions = policy.command('versions').description('list the versions of a policy').argument('<name>')
  lazily(versions, async () => (await import('./verbs/policy.js')).versions)
  const test = policy
    .command('test')
    .description('say what a policy says to requests, and whether that is what was expected')
    .argument('<file>', 'the policy, YAML or JSON')
    .requiredOption('--fixtures <file>', 'requests with their expectations, YAML or JSON')
    .option('--server', 'let the server judge: with its rates, prices and vendors')
    .option('--offline', 'ask nobody, even where an object is missing')
    .option('--credential <credential>', 'answers look-ups on the server, id or name (the only one of the vendor)')
    .addHelpText('after', '\nExample:\n  spendgate policy test refunds.yaml --fixtures refunds.tests.yaml\n')
  lazily(test, async () => (await import('./verbs/policy-test.js')).test)
  const simulated = policy
    .command('simulate')
    .description('play recorded calls again under a policy, and say what would change in dollars')
    .argument('<policy>', 'a file, NAME or NAME@VERSION')
    .option('--since <when>', 'span back, date or instant (7d; with --run, all of it)')
    .option('--to <when>', 'date or instant (now)')
    .option('--run <run>', 'calls of this run', runId)
    .option('--key <key>', 'calls of this key and those below it, id or name')
    .option('--all-keys', 'of every key, whatever policy it was issued under')
    .option('--enforce', 'as if it enforced, where it only observes')
    .addHelpText('after', '\nExample:\n  spendgate policy simulate refunds.yaml --since 7d\n')
  lazily(simulated, async () => (await import('./verbs/policy-simulate.js')).simulate)
  const difference = policy
    .command('diff')
    .description('say in words what one policy says otherwise than another')
    .argument('<from>', 'a file, NAME or NAME@VERSION')
    .argument('<to>', 'a file, NAME or NAME@VERSION')
  lazily(difference, async () => (await import('./verbs/policy-diff.js')).diff)
  const suggested = policy
    .command('suggest')
    .description('write the least policy that would have let recorded calls through')
    .option('--run <run>', 'calls of this run', runId)
    .option('--key <key>', 'calls of this key and those below it, id or name')
    .addOption(new Option('--from <what>', 'calls under policies that only observe').choices(['observe']))
    .option('--since <span>', 'only calls of the last so long (7d; with --run, all of it)', duration)
    .option('--name <name>', 'name of the policy (suggested)')
    .option('--headroom <percent>', 'how far caps and rates lie above what was seen (20)', percent)
  lazily(suggested, async () => (await import('./verbs/policy-suggest.js')).suggest)
  const observed = policy
    .command('observed')
    .description('what policies that only observe would have refused, in dollars')
    .option('--since <when>', 'span back, date or instant (7d; with --run, all of it)')
    .option('--run <run>', 'calls of this run', runId)
    .option('--key <key>', 'calls of this key and those below it, id or name')
  lazily(observed, async () => (await import('./verbs/policy-observed.js')).observed)
  const permissions = policy
    .command('permissions')
    .description('the smallest vendor keys that a policy needs')
    .argument('<policy>', 'a file, NAME or NAME@VERSION')
  lazily(permissions, async () => (await import('./verbs/policy-permissions.js')).permissions)

  const taken = program.command('import').description('take over what another program was told')
  const janee = taken
    .command('janee')
    .description("turn Janee's services and capabilities into credentials and policies, and say what is different")
    .argument('<file>', "Janee's config.yaml")
    .option('--credentials <file>', 'its credentials.json (the one beside it)')
    .option('--daily-cap <usd>', 'cap a day in USD for every key under these policies', dollars)
    .option('--keys', 'also make a vault key for each capability; they are shown once')
    .option('--dry-run', 'say what would be done, and store nothing')
    .addHelpText('after', '\nExample:\n  spendgate import janee ~/.janee/config.yaml --dry-run\n')
  lazily(janee, async () => (await import('./verbs/import-janee.js')).importJanee)

  const key = program.command('key').description('vault keys: what agents hold')
  const create = key
    .command('create')
    .description('make a vault key; it is shown once')
    .argument('<name>')
    .requiredOption('--policy <policy>', 'NAME or NAME@VERSION')
    .requiredOption('--credential <credential...>', 'id or name; several for several vendors')
    .option('--expires <span>', 'such as 8h; the policy may set a default', duration)
    .option('--run <run>', 'bind the key to this run', runId)
    .addHelpText(
      'after',
      '\nExample:\n  spendgate key create refunds-bot --policy support-refunds --credential main --expires 8h\n',
    )
  lazily(create, async () => (await import('./verbs/key.js')).create)
  const list = key.command('list').description('list keys').option('--limit <n>', 'at most this many', wholeNumber)
  lazily(list, async () => (await import('./verbs/key.js')).list)
  const show_ = key.command('show').description('show one').argument('<key>', 'id or name')
  lazily(show_, async () => (await import('./verbs/key.js')).show)
  const narrow = key
    .command('narrow')
    .description('tighten a key and its children; this cannot be undone')
    .argument('<key>', 'id or name')
    .argument('<file>', 'part of a policy, YAML or JSON; - for standard input')
  lazily(narrow, async () => (await import('./verbs/key.js')).narrow)
  const revoke = key
    .command('revoke')
    .description('end a key and its children; this cannot be undone')
    .argument('<key>', 'id or name')
    .option('--reason <text>', 'for the record')
    .option('--cancel-pending', 'also cancel at the vendors what is still to come')
  lazily(revoke, async () => (await import('./verbs/key.js')).revoke)
  const pending = key
    .command('pending')
    .description('what a key and its children made that is still to come')
    .argument('<key>', 'id or name')
    .option('--limit <n>', 'at most this many', wholeNumber)
  lazily(pending, async () => (await import('./verbs/key.js')).pending)
  const runKey = key
    .command('run')
    .description('make a child key for one run')
    .argument('<key>', 'id or name of the parent')
    .option('--run <run>', 'run id; made up when absent', runId)
    .option('--cap <usd>', 'cap over the whole run', dollars)
    .option('--expires <span>', 'such as 2h', duration)
  lazily(runKey, async () => (await import('./verbs/key.js')).run)
  const token = key
    .command('token')
    .description('make a session token: a child key with a frozen scope')
    .argument('<key>', 'id or name of the parent')
    .argument('[file]', 'the scope as JSON or YAML, in place of the flags; - for standard input')
    .option('--credential <credential...>', 'of these credentials of the parent, by id or name')
    .option('--vendor <vendor...>', 'of these vendors')
    .option('--method <method...>', 'only these HTTP methods')
    .option('--domain <host...>', "only these hosts of the vendors' APIs")
    .option('--endpoint <pattern...>', 'only endpoints such as "GET /v1/charges*"')
    .option('--rate <n>', 'calls a minute', wholeNumber)
    .option('--expires <span>', 'such as 4h (1h)', duration)
    .option('--daily-cap <usd>', 'cap a day', dollars)
    .option('--max-amount <usd>', 'cap a call', dollars)
    .option('--name <name>', "the parent's when absent")
    .addHelpText(
      'after',
      '\nExample:\n  spendgate key token support-bot --vendor stripe --method GET POST --rate 30 --expires 4h\n',
    )
  lazily(token, async () => (await import('./verbs/key.js')).token)
}

function watch(program: Command, lazily: Lazily): void {
  const runs = program.command('runs').description('pieces of agent work')
  const list = runs
    .command('list')
    .description('list runs, the latest first')
    .option('--key <key>', 'of this key')
    .option('--limit <n>', 'at most this many', wholeNumber)
  lazily(list, async () => (await import('./verbs/runs.js')).list)
  const show = runs
    .command('show')
    .description('show one with its calls')
    .argument('<run>')
    .option('--key <key>', 'of this key')
  lazily(show, async () => (await import('./verbs/runs.js')).show)

  const spend = program
    .command('spend')
    .description('what was spent')
    .addOption(
      new Option('--by <what>', 'one row for each')
        .choices(['run', 'key', 'vendor', 'operation', 'day'])
        .default('key'),
    )
    .option('--from <time>', 'a date, an instant, or a span back such as 24h')
    .option('--to <time>', 'the same; the end is not included')
    .option('--max-loss', 'in place of it, what may still be lost now')
    .addHelpText(
      'after',
      '\nExamples:\n  spendgate spend --by day --from 30d\n  spendgate spend --by vendor --from 2026-11-01 --to 2026-12-01 --json\n  spendgate spend --max-loss\n',
    )
  lazily(spend, async () => (await import('./verbs/spend.js')).spend)

  const calls = program.command('calls').description('what agents called')
  const listCalls = filters(calls.command('list', { isDefault: true }).description('list them, the latest first'))
    .addOption(new Option('--state <state>', 'in this state').choices(STATES))
    .option('--limit <n>', 'at most this many', wholeNumber)
    .option('--cursor <cursor>', 'go on after a page (next_cursor of --json)')
    .option('--csv', 'as a table for a spreadsheet')
  lazily(listCalls, async () => (await import('./verbs/calls.js')).calls)
  const resolve = calls
    .command('resolve')
    .description('say what became of a call whose outcome no record tells')
    .argument('<call>', 'id')
    .addOption(
      new Option('--outcome <outcome>', 'what happened').choices(['settled', 'released']).makeOptionMandatory(),
    )
    .option('--amount <usd>', 'what it cost, with settled (what was reserved)', dollars)
    .requiredOption('--reason <text>', 'how you know')
  lazily(resolve, async () => (await import('./verbs/reconcile.js')).resolve)

  const tail = filters(program.command('tail').description('follow calls as they happen'))
    .option('--denied', 'only refused ones')
    .addHelpText(
      'after',
      '\nExamples:\n  spendgate tail --denied\n  spendgate tail --vendor stripe --json | jq .decision.code\n',
    )
  lazily(tail, async () => (await import('./verbs/tail.js')).tail)

  const explain = program
    .command('explain')
    .description('why a call was let through or refused')
    .argument('<call>', 'id, from x-spendgate-call-id or "spendgate calls"')
  lazily(explain, async () => (await import('./verbs/explain.js')).explain)
}

const APPROVAL_STATES = ['open', 'approved', 'denied', 'expired', 'used']
const STATES = ['denied', 'reserved', 'settled', 'released', 'assumed']

const filters = (command: Command): Command =>
  command
    .option('--key <key>', 'of this key')
    .option('--run <run>', 'of this run')
    .option('--vendor <vendor>', 'to this vendor')

function keep(program: Command, lazily: Lazily): void {
  const scoped = (command: Command): Command =>
    command
      .option('--all', 'everything')
      .option('--key <key>', 'one key and its children, by id or name')
      .option('--run <run>', 'one run')
      .option('--vendor <vendor>', 'one vendor')
  const freeze = scoped(program.command('freeze').description('stop calls at once; undone by unfreeze')).option(
    '--reason <text>',
    'for the record',
  )
  lazily(freeze, async () => (await import('./verbs/freeze.js')).freeze)
  const unfreeze = scoped(program.command('unfreeze').description('let calls pass again'))
  lazily(unfreeze, async () => (await import('./verbs/freeze.js')).unfreeze)

  const approvals = program.command('approvals').description('calls that wait for your yes')
  const asked = approvals
    .command('list', { isDefault: true })
    .description('list them, the latest first')
    .addOption(new Option('--state <state>', 'in this state').choices(APPROVAL_STATES))
    .option('--key <key>', 'of this key, by id or name; of a root key with its children')
    .option('--limit <n>', 'at most this many', wholeNumber)
  lazily(asked, async () => (await import('./verbs/approvals.js')).list)
  const showApproval = approvals.command('show').description('show one').argument('<approval>', 'id')
  lazily(showApproval, async () => (await import('./verbs/approvals.js')).show)
  const approve = approvals
    .command('approve')
    .description('let the very same request through once')
    .argument('<approval>', 'id')
    .option('--reason <text>', 'for the record')
  lazily(approve, async () => (await import('./verbs/approvals.js')).approve)
  const deny = approvals
    .command('deny')
    .description('refuse it')
    .argument('<approval>', 'id')
    .option('--reason <text>', 'for the record, and for the agent')
  lazily(deny, async () => (await import('./verbs/approvals.js')).deny)

  const operator = program.command('operator').description('who may act on the admin port, and as what')
  const addOperator = operator
    .command('add')
    .description('add an operator; the token is shown once')
    .argument('<name>')
    .addOption(
      new Option('--role <role>', 'what they may').choices(['viewer', 'approver', 'admin']).makeOptionMandatory(),
    )
    .option('--expires <span>', 'how long the token opens anything, such as 90d', duration)
  lazily(addOperator, async () => (await import('./verbs/operator.js')).add)
  lazily(
    operator.command('list', { isDefault: true }).description('list them'),
    async () => (await import('./verbs/operator.js')).list,
  )
  const revokeOperator = operator
    .command('revoke')
    .description('let one do nothing more, at once')
    .argument('<operator>', 'id or name')
  lazily(revokeOperator, async () => (await import('./verbs/operator.js')).revoke)
  const readmit = operator
    .command('readmit')
    .description('let a person sign in again who was revoked')
    .argument('<operator>', 'id or name')
  lazily(readmit, async () => (await import('./verbs/operator.js')).readmit)

  const rates = program.command('rates').description('exchange rates, kept by the operator')
  lazily(rates.command('show').description('print the table'), async () => (await import('./verbs/rates.js')).show)
  const set = rates
    .command('set')
    .description('set rates: USD for one major unit')
    .argument('<rate...>', 'such as eur=1.09')
    .option('--as-of <date>', 'the day the rates are of (today)', date)
    .option('--haircut <fraction>', 'added when reserving, such as 0.03', decimal)
    .option('--max-age-days <days>', 'after which the table is stale', wholeNumber)
    .option('--replace', 'drop the currencies that are not named')
    .option('--confirm', 'accept a change of more than 20 %')
  lazily(set, async () => (await import('./verbs/rates.js')).set)
  const importRates = rates
    .command('import')
    .description('replace the table by a file')
    .argument('<file>', 'YAML or JSON')
    .option('--confirm', 'accept a change of more than 20 %')
  lazily(importRates, async () => (await import('./verbs/rates.js')).importFile)

  const prices = program.command('prices').description('price tables of the vendors')
  const showPrices = prices.command('show').description('print a table').argument('<vendor>')
  lazily(showPrices, async () => (await import('./verbs/prices.js')).show)
  const importPrices = prices
    .command('import')
    .description('replace a table by a file')
    .argument('<vendor>')
    .argument('<file>', 'YAML or JSON')
  lazily(importPrices, async () => (await import('./verbs/prices.js')).importFile)
  const syncPrices = prices
    .command('sync')
    .description("make a table from the vendor's own price lists")
    .addArgument(program.createArgument('<vendor>').choices(['twilio']))
    .option('--credential <credential>', 'to ask with, id or name (the only one of the vendor)')
    .option('--confirm', 'accept a change of more than 20 %')
  lazily(syncPrices, async () => (await import('./verbs/prices.js')).sync)

  const reverse = program
    .command('reverse')
    .description('what would undo a run; with --execute, the undoing of what you confirm')
    .argument('<run>')
    .option('--key <key>', 'the root key, where several have a run of that name')
    .option('--execute', 'ask about each item, and do what is confirmed')
    .option('--yes <item...>', 'these items are confirmed, by their ids in the plan')
    .addHelpText(
      'after',
      '\nExamples:\n  spendgate reverse run_42\n  spendgate reverse run_42 --execute\n  spendgate reverse run_42 --execute --yes undo_1f0c… --json\n',
    )
  lazily(reverse, async () => (await import('./verbs/reverse.js')).reverse)

  const reconcile = program
    .command('reconcile')
    .description("find out what became of unanswered calls, from the vendors' own records")
    .option('--since <span>', 'only calls of the last so long, such as 7d', duration)
    .option('--replay', 'send again, under its idempotency key, what no record tells; this may execute it')
  lazily(reconcile, async () => (await import('./verbs/reconcile.js')).reconcile)

  const audit = program.command('audit').description('the hash-chained record')
  const verify = audit
    .command('verify')
    .description('check the chain of an export or an archive, or of the server')
    .argument('[file]', 'an export or an archive')
    .option('--checkpoints <file>', 'signed checkpoints that somebody kept; the chain must bear them out')
    .option('--public-key <key>', 'the key they are signed with (asked of the server)', collect)
  lazily(verify, async () => (await import('./verbs/audit.js')).verify)
  const exported = audit
    .command('export')
    .description('write every entry, a line each')
    .option('--output <file>', 'to this file instead of stdout')
    .addOption(new Option('--format <format>', 'ndjson can be verified, csv is a table').choices(['ndjson', 'csv']))
    .option('--since <time>', 'a date, an instant, or a span back such as 24h')
    .option('--to <time>', 'the same; the end is not included')
  lazily(exported, async () => (await import('./verbs/audit.js')).exportAll)
  const keys = audit.command('public-key').description('print the keys that checkpoints are signed with')
  lazily(keys, async () => (await import('./verbs/audit.js')).publicKey)
  const retention = audit
    .command('retention')
    .description('show how many days of history pruning leaves, or set it')
    .argument('[days]', '35 or more', wholeNumber)
  lazily(retention, async () => (await import('./verbs/retention.js')).retention)
  const prune = audit
    .command('prune')
    .description('archive and delete old history; what is left still proves everything')
    .option('--before <time>', 'a span back such as 400d, a date or an instant (as the retention says)')
  lazily(prune, async () => (await import('./verbs/retention.js')).prune)
  const erase = audit
    .command('erase')
    .description('take a person out of everything that is not in force; this cannot be undone')
    .requiredOption('--subject <subject>', "an e-mail address, a phone number or a vendor's id such as cus_…")
  lazily(erase, async () => (await import('./verbs/retention.js')).erase)

  const backup = program
    .command('backup')
    .description('copy the database of the running server')
    .argument('<file>', 'must not exist yet')
  lazily(backup, async () => (await import('./verbs/backup.js')).backup)

  const restore = program
    .command('restore')
    .description('put a backup in the place of the ledger, while the server is stopped')
    .argument('<file>', 'a backup')
  lazily(restore, async () => (await import('./verbs/restore.js')).restore)

  const db = program.command('db').description('work on the data directory itself, and say what only you can know')
  lazily(
    db.command('verify').description('prove the chain and every total against the entries'),
    async () => (await import('./verbs/db.js')).verify,
  )
  lazily(
    db.command('check').description('look at the file, what it stands on, and how to repair it'),
    async () => (await import('./verbs/db.js')).check,
  )
  lazily(
    db.command('confirm-restore').description('let calls cost money again after a restore'),
    async () => (await import('./verbs/db.js')).confirmRestore,
  )
  lazily(
    db.command('confirm-clock').description('let calls cost money again after the clock was set'),
    async () => (await import('./verbs/db.js')).confirmClock,
  )
  lazily(
    db.command('rotate-master-key').description('seal every credential under a new master key'),
    async () => (await import('./verbs/db.js')).rotateMasterKey,
  )
  lazily(
    db.command('reset-admin-token').description('make a new admin token'),
    async () => (await import('./verbs/db.js')).resetAdminToken,
  )
  const copy = db
    .command('copy')
    .description('copy the ledger into an empty PostgreSQL database, or back into a file')
    .option('--to <url>', 'the database, without a password (DATABASE_URL); with --from: the new file')
    .option('--to-env <name>', 'take the URL from this environment variable')
    .option('--from <database>', 'the way back: a URL without a password, or the name of the variable that has it')
    .option('--dry-run', 'look at both sides and write nothing')
    .addHelpText(
      'after',
      '\nThe password comes from PGPASSWORD, or in the URL of a variable. Stop every server first.\n' +
        '\nExamples:\n  spendgate db copy --to-env DATABASE_URL\n  spendgate db copy --from DATABASE_URL --to spendgate.db\n',
    )
  lazily(copy, async () => (await import('./verbs/db-copy.js')).copy)

  const completion = program
    .command('completion')
    .description('print a completion script')
    .addArgument(program.createArgument('<shell>').choices(['bash', 'zsh', 'fish']))
  lazily(completion, async () => (await import('./verbs/completion.js')).completion)
}

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value]

// Values stay text: the admin API takes text, and money must not become a number on the way.
const checked =
  (grammar: RegExp, what: string) =>
  (value: string): string => {
    if (grammar.test(value)) return value
    throw new InvalidArgumentError(what)
  }
const milliseconds = checked(/^(?:0|[1-9]\d{0,7})$/, 'Expected milliseconds.')
const wholeNumber = checked(/^[1-9]\d{0,8}$/, 'Expected a whole number above zero.')
const percent = checked(/^\d{1,3}$/, 'Expected whole per cents, such as 20.')
const port = checked(/^(?:0|[1-9]\d{0,4})$/, 'Expected a port number.')
const duration = checked(/^\d{1,9}[smhd]$/, 'Expected a span such as 30m, 8h or 7d.')
const date = checked(/^\d{4}-\d{2}-\d{2}$/, 'Expected a date such as 2026-11-20.')
const decimal = checked(/^(?:0|[1-9]\d*)(?:\.\d+)?$/, 'Expected a decimal such as 0.03.')
const runId = checked(/^[A-Za-z0-9_-]{1,64}$/, 'Expected 1 to 64 letters, digits, _ and -.')
const dollars = (value: string): string => {
  if (parseUsd(value) !== null) return value
  throw new InvalidArgumentError('Expected US dollars such as 50 or 12.50.')
}
