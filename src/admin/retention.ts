import { Subject } from '../ledger/erasure.js'
import type { AdminDeps } from './deps.js'
import { invalid } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import {
  durationMs,
  erasureReply,
  erasureRequest,
  pruneReply,
  pruneRequest,
  retentionReply,
  retentionRequest,
} from './schemas.js'

const SETTING = 'retention_days'
const DAY_MS = 86_400_000

/** What history leaves behind: how long it is kept, and whose data is taken out of it. */
export function retentionRoutes({ ledger, clock, history, operators }: AdminDeps): Route[] {
  const days = (): number | null => (ledger.setting(SETTING) ?? null) as number | null
  /** An instant, from a span back or an instant or date. */
  const instantOf = (text: string): number =>
    /^\d+[smhd]$/.test(text) ? clock.now() - durationMs(text) : Date.parse(text)
  const routes = [
    route({
      method: 'get',
      path: '/admin/v1/audit/retention',
      needs: 'viewer',
      summary: 'How many days of history pruning leaves',
      status: 200,
      reply: retentionReply,
      run: () => ({ days: days() }),
    }),
    route({
      method: 'put',
      path: '/admin/v1/audit/retention',
      summary: 'Say how many days of history pruning is to leave',
      body: retentionRequest,
      status: 200,
      reply: retentionReply,
      run: async ({ body, actor }) => {
        await ledger.putSetting(SETTING, body.days, actor)
        return { days: body.days }
      },
    }),
  ]
  if (history === undefined) return routes
  return [
    ...routes,
    route({
      method: 'post',
      path: '/admin/v1/audit/prune',
      summary: 'Archive and delete old history, whole signed segments of it; what is left still proves everything',
      body: pruneRequest,
      reads: 'optional',
      status: 200,
      reply: pruneReply,
      run: async ({ body, actor }) => {
        const kept = days()
        if (body.before === undefined && kept === null)
          throw invalid('before', 'is missing, and no retention is set (PUT /audit/retention)')
        const before = body.before === undefined ? clock.now() - kept! * DAY_MS : instantOf(body.before)
        const { to, inTheWay, ...rest } = await ledger.prune(before, history.archive, actor)
        return { pruned_to: to, ...rest, in_the_way: inTheWay }
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/audit/erase',
      summary: "Erase a person's e-mail address, phone number or vendor id from everything that is not in force",
      body: erasureRequest,
      status: 200,
      reply: erasureReply,
      run: async ({ body: { subject }, actor }) => {
        // First, because it is done even where the book itself can erase nobody.
        const named = await operators?.erase(new Subject(subject), actor)
        const erased = await ledger.erase(subject, history.subject(subject), actor)
        return { ...erased, rows: erased.rows + (named?.rows ?? 0), kept: [...erased.kept, ...(named?.kept ?? [])] }
      },
    }),
  ]
}
