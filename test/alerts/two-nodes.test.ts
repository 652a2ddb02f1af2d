import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judge } from '../../policies/index.js'
import { Alerts } from '../../src/alerts/index.js'
import { receiversIn, signingKeyIn } from '../../src/alerts/receivers.js'
import { SystemClock } from '../../src/clock.js'
import { Vault } from '../../src/custody/seal.js'
import { Credentials, Standings } from '../../src/engine.js'
import { placeOf } from '../../src/ledger/postgres/connect.js'
import { openPostgres, type PostgresLedger } from '../../src/ledger/postgres/ledger.js'
import { Metrics } from '../../src/metrics.js'
import { PostgresServer, postgresMissing } from '../helpers/postgres.js'
import { credential, done, draft, newKey, reply, StandingClock } from '../ledger/book.js'
import { SECRET } from './desk.js'
import { Receiver } from './receiver.js'

if (postgresMissing !== null) process.stderr.write(`skipped, test/alerts/two-nodes: ${postgresMissing}\n`)

const DATABASE = 'alerted'

describe.runIf(postgresMissing === null)('two servers on one PostgreSQL', () => {
  const clock = new StandingClock()
  let database: PostgresServer
  let receiver: Receiver
  const nodes: { readonly ledger: PostgresLedger; readonly alerts: Alerts }[] = []

  async function node(): Promise<void> {
    const ledger = await openPostgres({
      place: placeOf(database.url(DATABASE)),
      clock: new SystemClock(),
      time: clock,
    })
    const alerts = new Alerts({
      receivers: receiversIn(`${receiver.origin}/hook`, []),
      signingKey: signingKeyIn(SECRET),
      means: {
        ledger,
        judge,
        standings: new Standings(ledger, judge),
        credentials: new Credentials(ledger, new Vault(Buffer.alloc(32, 7)), new Map(), clock),
        clock: { now: () => clock.now(), monotonic: () => clock.monotonic(), suspect: () => null },
      },
      metrics: new Metrics(),
      log: () => undefined,
      turn: () => ledger.turn('alerts', 60_000),
    })
    alerts.watch()
    nodes.push({ ledger, alerts })
  }

  beforeAll(async () => {
    database = await PostgresServer.start()
    await database.sql(`create database ${DATABASE}`)
    receiver = await Receiver.start()
    await node()
    await node()
  })
  afterAll(async () => {
    for (const { alerts, ledger } of nodes) {
      await alerts.stop(1_000)
      await ledger.close()
    }
    await receiver?.close()
    await database?.remove()
  })

  test('tell a threshold once, whichever of them admits the calls', async () => {
    const [first, second] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
    await first.ledger.putCredential(credential({ id: 'cred_1' }), 'credential.added', 'test')
    const parsed = judge.parse(
      JSON.stringify({
        apiVersion: 'spendgate/v1',
        name: 'shared',
        daily_cap_usd: '100.00',
        vendors: { stripe: { endpoints: { allow: ['* *'] } } },
      }),
      null,
    )
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
    const { id: policyId } = await first.ledger.addPolicy('shared', parsed.document, 'test')
    const key = await newKey(first.ledger, { policyId })
    for (const [index, { ledger }] of [first, second, first].entries()) {
      const { levels } = new Standings(ledger, judge).of(ledger.key(key.id)!)
      const of = { vendor: 'stripe', credentialId: 'cred_1', direction: 'out' as const }
      const call = draft(key, '30.00', { budgets: judge.budgets(levels, of, clock.now()), run: `run_${index}` })
      await done(ledger, call, reply('settled'))
      // Each hears of the other's calls in its own time; who looks first tells, and both look again.
      for (let looks = 0; looks < 3; looks++) await Promise.all(nodes.map(({ alerts }) => alerts.look()))
    }
    expect(receiver.heard.map(({ body }) => [body.data.percent, body.data.used_usd])).toEqual([
      [50, '60.00'],
      [80, '90.00'],
    ])
    expect(nodes.map(({ alerts }) => alerts.gauges().spendgate_alerts_waiting)).toEqual([0, 0])
  })
})
