import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { keyId } from '../find.js'
import { dollars, dollarsOrDash, instant, table } from '../output.js'
import { instantFrom } from '../times.js'

interface ObservedOptions {
  readonly since?: string
  readonly run?: string
  readonly key?: string
}

interface Sum {
  readonly calls: number
  readonly usd: string
}
interface ObservedReply {
  readonly from: string
  readonly to: string
  readonly all: Sum
  readonly would_deny: Sum & {
    readonly by_rule: readonly (Sum & {
      readonly rule: string
      readonly code: string
      readonly first: { readonly call: string; readonly at: string }
    })[]
  }
}

/** What policies that only observe let through and would have refused, by rule. */
export async function observed(context: Context, options: ObservedOptions): Promise<number> {
  const api = await context.api()
  const found = await api.get<ObservedReply>('/observed', {
    since: options.since === undefined ? undefined : instantFrom(options.since, context.io.clock.now()),
    run: options.run,
    key: options.key === undefined ? undefined : await keyId(api, options.key),
  })
  if (context.json) {
    context.reply(found)
    return Exit.ok
  }
  const { all, would_deny: refused } = found
  context.say(
    `${instant(found.from)} to ${instant(found.to)} (UTC): of ${all.calls} calls (${dollars(all.usd)}) ${refused.calls} (${dollars(refused.usd)}) would have been refused.`,
  )
  if (refused.by_rule.length > 0)
    context.show(
      table(
        context.style,
        [
          { title: 'RULE' },
          { title: 'CODE' },
          { title: 'CALLS', right: true },
          { title: 'USD', right: true },
          { title: 'FIRST' },
        ],
        refused.by_rule.map((each) => [
          each.rule,
          each.code,
          String(each.calls),
          dollarsOrDash(each.usd),
          `${each.first.call}  ${instant(each.first.at)}`,
        ]),
      ),
    )
  return Exit.ok
}
