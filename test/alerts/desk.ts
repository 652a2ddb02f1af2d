import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { judge } from '../../policies/index.js'
import { Alerts, type AlertsParts } from '../../src/alerts/index.js'
import { receiversIn, signingKeyIn } from '../../src/alerts/receivers.js'
import type { CallDraft, KeyRecord, Ledger } from '../../src/contracts/ledger.js'
import { Vault } from '../../src/custody/seal.js'
import { Credentials, Standings } from '../../src/engine.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { Metrics } from '../../src/metrics.js'
import { credential, draft, newKey, StandingClock } from '../ledger/book.js'
import { Receiver } from './receiver.js'

export const SECRET = `whsec_${Buffer.from('alerts are signed with these bytes').toString('base64')}`

/** A ledger, somebody who is told, and the clock that both go by. */
export class Desk {
  readonly clock = new StandingClock()
  readonly #dir = mkdtempSync(join(tmpdir(), 'spendgate-alerts-'))
  readonly metrics = new Metrics()
  readonly logged: string[] = []
  ledger!: Ledger
  receiver!: Receiver
  alerts!: Alerts
  credentialId!: string

  static async open(urls?: (origin: string) => string, more: Partial<AlertsParts> = {}): Promise<Desk> {
    const desk = new Desk()
    desk.receiver = await Receiver.start()
    desk.ledger = openSqlite({ file: join(desk.#dir, 'spendgate.db'), clock: desk.clock })
    const record = credential({ id: 'cred_1', name: 'main' })
    await desk.ledger.putCredential(record, 'credential.added', 'test')
    desk.credentialId = record.id
    desk.hire(urls, more)
    return desk
  }

  /** Alerts as a server that has just started makes them; the ones before say nothing more. */
  hire(urls = (origin: string): string => `${origin}/hook`, more: Partial<AlertsParts> = {}): Alerts {
    const faults: string[] = []
    const { ledger, clock, metrics } = this
    this.alerts = new Alerts({
      receivers: receiversIn(urls(this.receiver.origin), faults),
      signingKey: signingKeyIn(SECRET),
      means: {
        ledger,
        judge,
        standings: new Standings(ledger, judge),
        credentials: new Credentials(ledger, new Vault(Buffer.alloc(32, 7)), new Map(), clock),
        clock: { now: () => clock.now(), monotonic: () => clock.monotonic(), suspect: () => null },
        approvalLink: (id) => `http://127.0.0.1:4243/approvals/${id}`,
      },
      metrics,
      log: (level, event, fields) => void this.logged.push(`${level} ${event} ${JSON.stringify(fields)}`),
      ...more,
    })
    if (faults.length > 0) throw new Error(faults.join('\n'))
    this.alerts.watch()
    return this.alerts
  }

  /** A key under a policy that allows everything at Stripe within these limits. */
  async key(limits: Record<string, unknown> = { daily_cap_usd: '100.00' }): Promise<KeyRecord> {
    const name = `policy-${this.ledger.policies().length + 1}`
    const document = {
      apiVersion: 'spendgate/v1',
      name,
      ...limits,
      vendors: { stripe: { endpoints: { allow: ['* *'] } } },
    }
    const parsed = judge.parse(JSON.stringify(document), null)
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
    const { id } = await this.ledger.addPolicy(name, parsed.document, 'test')
    return newKey(this.ledger, { policyId: id, credentialIds: [this.credentialId] })
  }

  /** A call with the budgets that the key's policy has. */
  call(key: KeyRecord, usd: string, more: Partial<CallDraft> = {}): CallDraft {
    const { levels } = new Standings(this.ledger, judge).of(key)
    const of = { vendor: 'stripe', credentialId: this.credentialId, direction: 'out' as const }
    return draft(key, usd, { budgets: judge.budgets(levels, of, this.clock.now()), ...more })
  }

  /** Everything told so far: kind and sentence. */
  told(): string[] {
    return this.receiver.heard.map(({ body }) => `${body.type}: ${body.data.message}`)
  }

  kinds(): string[] {
    return this.receiver.heard.map(({ body }) => body.type as string)
  }

  async close(): Promise<void> {
    await this.alerts.stop(2_000)
    await this.ledger.close()
    await this.receiver.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
