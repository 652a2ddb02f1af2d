import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { dollars, facts, instant, safe } from '../output.js'
import type { CallReply } from '../replies.js'
import { stateTone } from './calls.js'

export async function explain(context: Context, _options: unknown, id: string): Promise<number> {
  const api = await context.api()
  const call = await api.get<CallReply>(`/calls/${encodeURIComponent(id)}`)
  if (context.json) {
    context.reply(call)
    return Exit.ok
  }
  const { decision, upstream } = call
  const headline =
    decision.verdict === 'deny'
      ? `DENIED  ${decision.code ?? ''}`
      : `${call.state.toUpperCase()}  ${SENTENCE[call.state] ?? ''}`
  context.show(`${context.style.paint(stateTone(call.state), safe(headline))}\n`)
  const observed = `Would be denied (${decision.code ?? ''}), but the policy only observes: `
  if (decision.message !== null)
    context.show(`${safe((decision.verdict === 'would_deny' ? observed : '') + decision.message)}\n`)
  context.show(
    facts(context.style, [
      ['rule', decision.rule],
      ['call', call.id],
      ['at', `${instant(call.at)} UTC`],
      ['asked for', `${call.method} ${call.path}`],
      ['of', `${call.vendor} (${call.surface})`],
      ['operation', call.operation ?? 'not known to spendgate'],
      ['effect', call.effect],
      ['customer', call.customer],
      ['reason given', call.reason],
      ['quoted', dollars(call.quoted_usd)],
      ['settled', call.state === 'settled' || call.state === 'assumed' ? dollars(call.settled_usd) : null],
      ['found out', found(call.resolution)],
      ['replay of', call.replay_of],
      ['key', call.key_id],
      ['run', call.run],
      ['look-ups', call.look_ups === undefined || call.look_ups === 0 ? null : String(call.look_ups)],
      ['refusals in this row', (call.count ?? 1) > 1 ? String(call.count) : null],
      ['vendor replied', replied(upstream)],
      ['vendor request id', upstream?.request_id],
    ]),
  )
  return Exit.ok
}

const SENTENCE: Readonly<Record<string, string>> = {
  reserved: 'sent, and not answered yet; its amount is held',
  settled: 'done, and counted as spent',
  released: 'nothing happened at the vendor; its amount was given back',
  assumed: "the outcome is unknown, so it counts as spent until the vendor's records or the operator say otherwise",
}

function found(resolution: CallReply['resolution']): string | null {
  if (!resolution) return null
  return `${instant(resolution.at)} UTC by ${resolution.by}: ${resolution.reason}`
}

function replied(upstream: CallReply['upstream']): string | null {
  if ((upstream?.status ?? null) === null) return null
  return (upstream?.ms ?? null) === null ? String(upstream?.status) : `${upstream?.status} after ${upstream?.ms} ms`
}
