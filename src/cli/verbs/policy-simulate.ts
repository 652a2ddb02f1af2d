import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { keyId } from '../find.js'
import { dollars, dollarsOrDash, instant, table, type Cell } from '../output.js'
import { policyBy } from '../policy-files.js'
import { instantFrom } from '../times.js'

interface SimulateOptions {
  readonly since?: string
  readonly to?: string
  readonly run?: string
  readonly key?: string
  readonly allKeys?: boolean
  readonly enforce?: boolean
}

interface Sum {
  readonly calls: number
  readonly usd: string
}
interface Place {
  readonly call: string
  readonly at: string
}

/** As much of the reply as is drawn. */
interface Simulated {
  readonly policy: string
  readonly keys_under: string | null
  readonly from: string
  readonly to: string
  readonly message: string | null
  readonly keys: number
  readonly recorded: { readonly admitted: Sum; readonly refused: Sum }
  readonly simulated: { readonly admitted: Sum; readonly refused: Sum }
  readonly newly_refused: Sum & {
    readonly by_rule: readonly (Sum & { readonly rule: string; readonly first: Place })[]
  }
  readonly newly_allowed: Sum
  readonly following: Sum
  readonly not_judged: Sum & { readonly by_reason: readonly (Sum & { readonly why: string; readonly first: Place })[] }
  readonly caps: readonly {
    readonly label: string
    readonly cap_usd: string
    readonly most_usd: string
    readonly first: Place | null
    readonly refused: number
  }[]
  readonly changes: readonly {
    readonly call: string
    readonly at: string
    readonly method: string
    readonly path: string
    readonly usd: string
    readonly was: { readonly verdict: string; readonly code: string | null }
    readonly becomes: { readonly verdict: string; readonly code: string | null }
  }[]
}

/** The server reads up to a million calls. */
const WAIT_MS = 300_000
const CHANGES_SHOWN = 15

/** What a policy, in a file or stored, would have said to recorded calls. */
export async function simulate(context: Context, options: SimulateOptions, policy: string): Promise<number> {
  const nowMs = context.io.clock.now()
  const { document } = await policyBy(context, policy)
  const api = await context.api()
  const found = await api.post<Simulated>(
    '/policies/simulate',
    {
      policy: document,
      since: options.since === undefined ? undefined : instantFrom(options.since, nowMs),
      to: options.to === undefined ? undefined : instantFrom(options.to, nowMs),
      run: options.run,
      key: options.key === undefined ? undefined : await keyId(api, options.key),
      all_keys: options.allKeys,
      enforce: options.enforce,
    },
    WAIT_MS,
  )
  if (context.json) context.reply(found)
  else draw(context, found)
  return Exit.ok
}

function draw(context: Context, found: Simulated): void {
  const { style } = context
  const whose = found.keys_under === null ? '' : ` under ${found.keys_under}`
  context.say(
    `${found.policy} over the calls of ${found.keys} ${found.keys === 1 ? 'key' : 'keys'}${whose}, ${instant(found.from)} to ${instant(found.to)} (UTC)`,
  )
  if (found.message !== null) context.say(found.message)
  const line = (title: string, { calls, usd }: Sum, tone: 'plain' | 'good' | 'bad' | 'warn' = 'plain'): Cell[] => [
    { text: title, tone: calls > 0 ? tone : 'plain' },
    String(calls),
    dollarsOrDash(usd),
  ]
  context.show(
    table(
      style,
      [{ title: '' }, { title: 'CALLS', right: true }, { title: 'USD', right: true }],
      [
        line('let through, as recorded', found.recorded.admitted),
        line('let through by this policy', found.simulated.admitted),
        line('newly refused', found.newly_refused, 'bad'),
        line('newly allowed', found.newly_allowed, 'warn'),
        ...(found.following.calls > 0 ? [line('without their object', found.following, 'bad')] : []),
        line('not to be judged from the record', found.not_judged, 'warn'),
      ],
    ),
  )
  if (found.newly_refused.by_rule.length > 0)
    context.show(
      `\n${table(
        style,
        [{ title: 'REFUSED BY' }, { title: 'CALLS', right: true }, { title: 'USD', right: true }, { title: 'FIRST' }],
        found.newly_refused.by_rule.map((each) => [
          each.rule === '' ? 'as before' : each.rule,
          String(each.calls),
          dollarsOrDash(each.usd),
          `${each.first.call}  ${instant(each.first.at)}`,
        ]),
      )}`,
    )
  if (found.caps.length > 0)
    context.show(
      `\n${table(
        style,
        [
          { title: 'CAP' },
          { title: 'MOST', right: true },
          { title: 'REFUSED', right: true },
          { title: 'FIRST THAT DID NOT FIT' },
        ],
        found.caps.map((each) => [
          each.label,
          dollars(each.most_usd),
          { text: String(each.refused), tone: each.refused > 0 ? 'bad' : 'plain' },
          each.first === null ? '–' : `${each.first.call}  ${instant(each.first.at)}`,
        ]),
      )}`,
    )
  if (found.changes.length > 0)
    context.show(
      `\n${table(
        style,
        [
          { title: 'CALL' },
          { title: 'USD', right: true },
          { title: 'WAS' },
          { title: 'BECOMES' },
          { title: 'REQUEST' },
        ],
        found.changes
          .slice(0, CHANGES_SHOWN)
          .map((each) => [
            each.call,
            dollarsOrDash(each.usd),
            each.was.code ?? each.was.verdict,
            each.becomes.code ?? each.becomes.verdict,
            `${each.method} ${each.path}`,
          ]),
      )}`,
    )
  for (const { why, calls, first } of found.not_judged.by_reason)
    context.say(`Not judged: ${calls} ${calls === 1 ? 'call' : 'calls'}, from ${first.call} on: ${why}.`)
}
