// What an agent's program would be: real clients of the vendors, at the vendors' own addresses, knowing nothing of a proxy.
// Calls what it is told on the command line and prints what came of it as one JSON line.
import dns from 'node:dns'
import { Resend } from 'resend'
import Stripe from 'stripe'
import twilio from 'twilio'

const looked = []
for (const name of ['lookup', 'resolve', 'resolve4']) {
  const real = dns[name]
  dns[name] = (...args) => {
    looked.push(String(args[0]))
    return real(...args)
  }
}

const refund = { charge: 'ch_A', amount: 100 }
const sms = { to: '+14155550100', from: '+14155550111', body: 'hello' }
const mail = { from: 'billing@acme.com', to: 'ann@acme.com', subject: 'x', text: 'y' }
const stripe = (options) =>
  new Stripe(process.env.STRIPE_SECRET_KEY ?? 'rk_vault_live_none', { maxNetworkRetries: 0, ...options })
const twilioClient = () =>
  twilio(process.env.TWILIO_API_KEY, process.env.TWILIO_API_SECRET, { accountSid: process.env.TWILIO_ACCOUNT_SID })

const acts = {
  refund: async () => (await stripe().refunds.create(refund)).status,
  'many-balances': async () => {
    const client = stripe()
    for (let i = 0; i < 15; i++) await client.balance.retrieve()
    return 'done'
  },
  'refund-fetch': async () =>
    (await stripe({ httpClient: Stripe.createFetchHttpClient() }).refunds.create(refund)).status,
  balance: async () => (await stripe().balance.retrieve()).object,
  sms: async () => (await twilioClient().messages.create(sms)).status,
  verify: async () =>
    (
      await twilioClient()
        .verify.v2.services(`VA${'1'.repeat(32)}`)
        .verifications.create({ to: sms.to, channel: 'sms' })
    ).status,
  mail: async () => {
    const { data, error } = await new Resend(process.env.RESEND_API_KEY).emails.send(mail)
    if (error) throw Object.assign(new Error(error.message), { code: error.name })
    return typeof data.id
  },
  fetch: async () => {
    const reply = await fetch('https://api.stripe.com/v1/customers/../balance', {
      headers: { authorization: `Bearer ${process.env.STRIPE_SECRET_KEY}` },
    })
    return reply.status
  },
  'fetch-bare': async () => (await fetch('https://api.stripe.com/v1/balance')).text(),
  http2: () =>
    new Promise((resolve, reject) => {
      void import('node:http2').then(({ connect }) => {
        const session = connect('https://api.stripe.com')
        session.on('error', reject)
        session
          .request({ ':path': '/v1/balance' })
          .on('response', resolve)
          .on('error', reject)
          .on('close', () => reject(new Error('closed')))
      })
    }),
}

const started = performance.now()
const results = []
for (const name of process.argv.slice(2).filter((word) => word in acts)) {
  try {
    results.push({ name, ok: await acts[name]() })
  } catch (error) {
    results.push({
      name,
      code: error.code ?? error.raw?.code ?? null,
      status: error.statusCode ?? error.status ?? null,
      message: error.message,
    })
  }
}
console.log(
  JSON.stringify({
    results,
    looked,
    ms: performance.now() - started,
    argv: process.argv,
    secretKey: process.env.STRIPE_SECRET_KEY ?? null,
  }),
)
process.exit(0)
