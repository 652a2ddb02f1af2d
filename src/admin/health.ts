import { RECOVERY, recoveryOf } from '../ledger/recovery.js'
import { confirmTime } from '../reached.js'
import type { AdminDeps } from './deps.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { checkReply, confirmClockReply, confirmRestoreReply, nothing } from './schemas.js'
import { instant } from './views.js'

/** What the ledger and the clock stand on, and what only the operator can say about them. */
export function healthRoutes({ ledger, clock, standing }: AdminDeps): Route[] {
  if (standing === undefined) return []
  return [
    route({
      method: 'get',
      path: '/admin/v1/ledger/check',
      needs: 'viewer',
      summary: 'What the ledger’s file stands on, and whether it can be trusted; the proof is at audit/verify',
      status: 200,
      reply: checkReply,
      run: () => {
        const findings = standing.storage()
        return { ok: findings.every(({ status }) => status !== 'fail'), findings }
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/ledger/confirm-restore',
      summary: 'Let calls cost money again after a restore: what the ledger does not know has been looked at',
      body: nothing,
      reads: 'optional',
      status: 200,
      reply: confirmRestoreReply,
      run: async ({ actor }) => {
        const recovery = recoveryOf(ledger)
        if (recovery === null) return { confirmed: false, unknown_since: null }
        await ledger.putSetting(RECOVERY, null, actor)
        return { confirmed: true, unknown_since: recovery.since === 0 ? null : instant(recovery.since) }
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/clock/confirm',
      summary: 'Let calls cost money again after the clock was set: it is right now',
      body: nothing,
      reads: 'optional',
      status: 200,
      reply: confirmClockReply,
      run: async ({ actor }) => {
        standing.confirmClock()
        await confirmTime(ledger, clock, actor)
        return { at: instant(clock.now()) }
      },
    }),
  ]
}
