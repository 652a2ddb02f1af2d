import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Resend } from 'resend'
import type { Stripe } from 'stripe'
import type { Twilio } from 'twilio'
import type { ResendSimulator, StripeSimulator, TwilioSimulator } from '../../fixtures/simulators/index.js'
import { Api, adminToken } from '../cli/client.js'
import type { SystemClock } from '../clock.js'
import type { PriceTable } from '../contracts/vendor.js'
import { readConfig } from '../config.js'
import { startServer, type Running } from '../main.js'

/** What the agent may do. Small on purpose, so that it soon meets every wall. */
export const POLICY = {
  apiVersion: 'spendgate/v1',
  name: 'demo-support',
  daily_cap_usd: '50.00',
  expires_in: '8h',
  vendors: {
    stripe: {
      endpoints: { allow: ['GET /v1/charges/*', 'POST /v1/refunds', 'POST /v1/payment_intents'] },
      max_amount_usd: '25.00',
      customers: ['cus_A'],
    },
    twilio: {
      endpoints: { allow: ['POST /2010-04-01/Accounts/*/Messages.json'] },
      max_amount_usd: '0.25',
      recipients: ['+1415*'],
      senders: ['+14155550100'],
    },
    resend: {
      endpoints: { allow: ['POST /emails'] },
      max_amount_usd: '0.10',
      recipients: ['*@acme.com'],
      senders: ['billing@acme.com'],
    },
  },
} as const

/** Pieces of the agent's work, as it labels them. */
export const RUNS = { refunds: 'run_refunds', notices: 'run_notices' } as const

/** A vault key as its three clients present it. */
export interface Issued {
  readonly id: string
  readonly key: string
  readonly presentations: {
    readonly stripe: readonly [string, ...string[]]
    readonly twilio: { readonly account_sid: string; readonly api_key_sid: string; readonly api_key_secret: string }
    readonly resend: string
  }
}

/** The vendors' own clients, pointed at the agent port. */
export interface Agent {
  readonly keyId: string
  readonly stripe: Stripe
  readonly twilio: Twilio
  readonly resend: Resend
}

/** Everything that runs during the demo. */
export interface Stage {
  readonly agentUrl: string
  readonly adminUrl: string
  readonly dataDir: string
  readonly vendors: {
    readonly stripe: StripeSimulator
    readonly twilio: TwilioSimulator
    readonly resend: ResendSimulator
  }
  readonly admin: Api
  readonly agent: Agent
  /** A link that opens the dashboard once. */
  signInUrl(): string
  /** A further key under the same policy. */
  issue(name: string): Promise<Issued>
  close(): Promise<void>
}

/** Ports of the contract; taken only by a demo that stays. */
const AGENT_PORT = '4242'
const ADMIN_PORT = '4243'

/**
 * Starts simulators, a server in a directory of its own, and the agent's clients. Whatever was started is closed
 * again when a later part fails.
 */
export async function setStage(clock: SystemClock, stay: boolean): Promise<Stage> {
  const closers: (() => unknown)[] = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const dataDir = mkdtempSync(join(tmpdir(), 'spendgate-demo-'))
    closers.push(() => rmSync(dataDir, { recursive: true, force: true }))
    const real = {
      stripe: `sk_live_${randomBytes(16).toString('hex')}`,
      resend: `re_${randomBytes(16).toString('hex')}`,
    }
    const { startResend, startStripe, startTwilio } = await import('../../fixtures/simulators/index.js')
    const stripe = await startStripe({ keys: [real.stripe] })
    closers.push(() => stripe.close())
    const twilio = await startTwilio()
    closers.push(() => twilio.close())
    const resend = await startResend({ keys: [real.resend] })
    closers.push(() => resend.close())
    stripe.seed()

    const server = await serve(clock, stay, {
      SPENDGATE_DATA_DIR: dataDir,
      SPENDGATE_STRIPE_UPSTREAM: stripe.origin,
      SPENDGATE_TWILIO_UPSTREAM: twilio.origin,
      SPENDGATE_RESEND_UPSTREAM: resend.origin,
      SPENDGATE_LOG_LEVEL: 'error',
      SPENDGATE_DRAIN_MS: '2000',
    })
    closers.push(() => server.stop())
    const admin = new Api(new URL(server.adminUrl), adminToken({}, dataDir))
    closers.push(() => admin.close())

    // The simulated vendors' price lists are of today: shipped ones have a date, and a demo must not grow stale.
    for (const vendor of ['twilio', 'resend']) {
      const shipped = await admin.get<PriceTable>(`/prices/${vendor}`)
      await admin.put(`/prices/${vendor}`, { ...shipped, as_of: new Date(clock.now()).toISOString().slice(0, 10) })
    }

    const store = async (vendor: string, secret: object): Promise<string> =>
      (await admin.post<{ id: string }>('/credentials', { vendor, name: 'demo', secret })).id
    const credentials = [
      await store('stripe', { api_key: real.stripe }),
      await store('twilio', {
        account_sid: twilio.accountSid,
        api_key_sid: twilio.keySid,
        api_key_secret: twilio.keySecret,
      }),
      await store('resend', { api_key: real.resend }),
    ]
    await admin.post('/policies', POLICY)
    const issue = (name: string): Promise<Issued> =>
      admin.post<Issued>('/keys', { name, policy: POLICY.name, credentials })
    const agent = await hire(server.agentUrl, await issue('support-bot'))
    const { agentUrl, adminUrl } = server
    const signInUrl = (): string => server.signInUrl()
    return { agentUrl, adminUrl, dataDir, vendors: { stripe, twilio, resend }, admin, agent, signInUrl, issue, close }
  } catch (fault) {
    await close()
    throw fault
  }
}

/** On any free ports; a demo that stays prefers those the documentation names. */
async function serve(clock: SystemClock, stay: boolean, env: Record<string, string>): Promise<Running> {
  const on = (port: string, adminPort: string): Promise<Running> =>
    startServer(readConfig({ ...env, SPENDGATE_PORT: port, SPENDGATE_ADMIN_PORT: adminPort }), clock)
  if (!stay) return on('0', '0')
  try {
    return await on(AGENT_PORT, ADMIN_PORT)
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw fault
    return on('0', '0')
  }
}

/** One key, three unmodified clients. Each learns a base URL and its form of the key, and nothing else. */
async function hire(agentUrl: string, issued: Issued): Promise<Agent> {
  const { resendClient, stripeClient, twilioClient } = await import('../../fixtures/simulators/clients.js')
  const { stripe, twilio, resend } = issued.presentations
  const notices = `/run/${RUNS.notices}`
  return {
    keyId: issued.id,
    stripe: await stripeClient(agentUrl, stripe[0], { runId: RUNS.refunds }),
    twilio: await twilioClient(agentUrl, twilio.account_sid, twilio.api_key_sid, twilio.api_key_secret, {
      prefix: `${notices}/twilio`,
    }),
    resend: await resendClient(`${agentUrl}${notices}/resend`, resend),
  }
}
