// What an agent's program on Node would be, at the vendors' own addresses, with nothing but its environment to lead it.
// Names are looked up for the loopback only, so that what the proxy does not reach goes nowhere, and is told of.
import dns from 'node:dns'
import { Resend } from 'resend'
import Stripe from 'stripe'
import twilio from 'twilio'

const looked = []
const real = dns.lookup
dns.lookup = (host, ...args) => {
  if (host === 'localhost' || host.startsWith('127.')) return real(host, ...args)
  looked.push(host)
  process.nextTick(args.at(-1), Object.assign(new Error(`no ${host} here`), { code: 'ENOTFOUND' }))
}

const { STRIPE_SECRET_KEY: key, RESEND_API_KEY: resendKey } = process.env
const call = async (method, path, body) => {
  const reply = await fetch(`https://api.stripe.com${path}`, {
    method,
    headers: { authorization: `Bearer ${key}` },
    body,
  })
  const said = await reply.json()
  return { status: reply.status, code: said.error?.code ?? null }
}
const refund = { charge: 'ch_A', amount: 100 }
const told = (work) =>
  work.then(
    () => ({ status: 200 }),
    (error) => ({
      status: error.statusCode ?? error.status ?? null,
      code: error.code ?? null,
      type: error.constructor.name,
    }),
  )
const acts = {
  read: () => call('GET', '/v1/balance'),
  refund: () => call('POST', '/v1/refunds', new URLSearchParams({ charge: 'ch_A', amount: '100' })),
  elsewhere: () => fetch('https://example.com/'),
  'stripe-fetch': () =>
    told(new Stripe(key, { maxNetworkRetries: 0, httpClient: Stripe.createFetchHttpClient() }).refunds.create(refund)),
  stripe: () => told(new Stripe(key, { maxNetworkRetries: 0 }).refunds.create(refund)),
  twilio: () =>
    told(
      twilio(process.env.TWILIO_API_KEY, process.env.TWILIO_API_SECRET, {
        accountSid: process.env.TWILIO_ACCOUNT_SID,
      }).messages.list({ limit: 1 }),
    ),
  resend: async () => {
    const { error } = await new Resend(resendKey).emails.send({
      from: 'billing@acme.com',
      to: 'ann@acme.com',
      subject: 'x',
      text: 'y',
    })
    return error === null ? { status: 200 } : { status: error.statusCode, code: error.name }
  },
}

const results = []
for (const name of process.argv.slice(2)) {
  try {
    results.push(await acts[name]())
  } catch (error) {
    results.push({ failed: error.cause?.code ?? error.code ?? error.message })
  }
}
console.log(JSON.stringify({ results, looked }))
process.exit(0)
