import type { Tested } from '../../rehearsal/fixtures.js'
import type { Api } from '../client.js'
import type { Context } from '../context.js'
import { located, plain, readSource, type Source } from '../documents.js'
import { CliFault, Exit } from '../exit.js'
import { dollars, safe, table } from '../output.js'
import { readPolicy, type ReadPolicy } from '../policy-files.js'

interface TestOptions {
  readonly fixtures: string
  readonly server?: boolean
  readonly offline?: boolean
  readonly credential?: string
}

/** One test as it is told: the same whether it was judged here or by the server. */
interface Told {
  readonly name: string
  readonly ok: boolean
  readonly expect: string
  readonly said: string
  readonly verdict: string
  readonly code: string | null
  readonly rule: string | null
  readonly message: string | null
  readonly operation: string | null
  readonly effect: string | null
  readonly quoted_usd: string | null
  readonly needs?: readonly string[]
}

/** Server time for many look-ups at the vendors. */
const WAIT_MS = 300_000

/**
 * Judges requests by a policy, without a server as far as that goes: what hangs on a vendor's object that the fixtures do not
 * hold is asked of the server, if one answers.
 */
export async function test(context: Context, options: TestOptions, file: string): Promise<number> {
  const policy = await readPolicy(context, file)
  const source = await readSource(context, options.fixtures)
  const { parseFixtures } = await import('../../rehearsal/fixtures.js')
  const parsed = parseFixtures(plain(source))
  if (!parsed.ok) throw faulty(source, parsed.faults)
  const { fixtures } = parsed
  const asks = async (which: readonly number[]): Promise<readonly Told[]> => {
    const api = await context.api()
    const tests = which.map((each) => fixtures.tests[each])
    return asked(api, policy, { ...fixtures, tests }, options)
  }
  let told: Told[]
  if (options.server) told = [...(await asks(fixtures.tests.map((_, index) => index)))]
  else {
    const { testPolicy } = await import('../../main.js')
    told = (await testPolicy(policy.document, fixtures, context.io.clock)).map(tell)
    const open = told.flatMap((each, index) => (each.said === 'unknown' || isStranger(each) ? [index] : []))
    if (open.length > 0 && !options.offline)
      for (const [place, answer] of (await ifAnyAnswers(() => asks(open))).entries()) told[open[place]!] = answer
  }
  return report(context, policy, source, told)
}

async function asked(
  api: Api,
  { document }: ReadPolicy,
  { tests, at, objects }: { readonly tests: readonly unknown[]; readonly at?: unknown; readonly objects?: unknown },
  { credential }: TestOptions,
): Promise<readonly Told[]> {
  const body = { policy: document, tests, at, objects, credential }
  return (await api.post<{ readonly results: readonly Told[] }>('/policies/test', body, WAIT_MS)).results
}

/** Its vendor may be one by configuration, which only the server knows. */
const isStranger = ({ code, rule }: Told): boolean => code === 'vendor_not_granted' && rule === 'address'

/** Nothing where no server answers or knows us: then the tests stay open, and say so. */
async function ifAnyAnswers(ask: () => Promise<readonly Told[]>): Promise<readonly Told[]> {
  try {
    return await ask()
  } catch (fault) {
    if (fault instanceof CliFault && (fault.exit === Exit.unreachable || fault.exit === Exit.authentication)) return []
    throw fault
  }
}

const tell = ({ quoted, ...rest }: Tested): Told => ({ ...rest, quoted_usd: quoted === null ? null : usdText(quoted) })

/** Whole micro-dollars as the API writes them. */
function usdText(micro: bigint): string {
  const fraction = (micro % 1_000_000n).toString().padStart(6, '0')
  return `${micro / 1_000_000n}.${fraction.replace(/0{1,4}$/, '')}`
}

function report(context: Context, policy: ReadPolicy, source: Source, told: readonly Told[]): number {
  const failed = told.flatMap((each, index) => (each.ok ? [] : [{ ...each, path: `tests[${index}].expect` }]))
  const lines = failed.map(({ path, name, expect, said, message }) => ({
    at: path,
    message: `«${name}» expects ${expect}, and the policy says ${said}${message === null ? '' : `: ${message}`}`,
  }))
  const faults =
    lines.length === 0
      ? null
      : faulty(
          source,
          lines.map(({ at, message }) => ({ path: at, message })),
        )
  const places = (faults?.more.lines ?? []).map(({ at }) => at)
  if (context.json) {
    const placed = new Map(failed.map(({ path }, index) => [path, places[index] ?? source.name]))
    context.reply({
      ok: failed.length === 0,
      policy: policy.name,
      passed: told.length - failed.length,
      failed: failed.length,
      results: told.map((each, index) => ({
        ...each,
        ...(each.ok ? {} : { at: placed.get(`tests[${index}].expect`) }),
      })),
    })
    return failed.length === 0 ? Exit.ok : Exit.failure
  }
  const rows = told.map((each) => [
    each.ok ? { text: 'ok', tone: 'good' as const } : { text: 'FAIL', tone: 'bad' as const },
    each.name,
    each.expect,
    each.said,
    dollars(each.quoted_usd),
  ])
  context.show(table(context.style, COLUMNS, rows))
  context.say(`${told.length - failed.length} of ${told.length} hold under ${policy.name}.`)
  for (const { at, message } of faults?.more.lines ?? []) context.say(`${safe(at)} ${safe(message)}`)
  return failed.length === 0 ? Exit.ok : Exit.failure
}

const COLUMNS = [
  { title: '' },
  { title: 'TEST' },
  { title: 'EXPECTED' },
  { title: 'SAID' },
  { title: 'PRICE', right: true },
]

const faulty = (source: Source, faults: readonly { readonly path: string; readonly message: string }[]): CliFault => {
  const lines = faults.map(({ path, message }) => ({ at: path, message }))
  const message = `${source.name} has faults.`
  return located(new CliFault(Exit.failure, message, { code: 'invalid', lines }), source, message)
}
