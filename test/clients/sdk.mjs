// An agent's program on a vendor's own SDK. Says «ready», then does what each line on stdin names and answers each with
// a line of JSON. With an origin it is pointed there the way the SDK documents; without one it knows of no proxy.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const [sdk, origin = '', retries = ''] = process.argv.slice(2)
const load = createRequire(new URL('../../fixtures/clients/node_modules/x.js', import.meta.url))
const ours = createRequire(import.meta.url)
const { env } = process

function stripe(Stripe, options) {
  const at = new URL(origin || 'https://api.stripe.com')
  const client = new Stripe(env.STRIPE_SECRET_KEY ?? env.STRIPE_API_KEY, {
    ...(origin && { host: at.hostname, port: at.port, protocol: 'http' }),
    ...(retries && { maxNetworkRetries: Number(retries) }),
    ...options?.(Stripe),
  })
  const refund = (amount, more) => client.refunds.create({ charge: 'ch_A', amount }, more).then(({ id }) => id)
  return {
    within: () => refund(100),
    over: () => refund(5001),
    twice: async () => [await refund(100, { idempotencyKey: 'once' }), await refund(100, { idempotencyKey: 'once' })],
  }
}

function twilio(makeClient) {
  const httpClient = new makeClient.RequestClient({ autoRetry: true })
  const send = httpClient.request.bind(httpClient)
  if (origin)
    httpClient.request = (options) => {
      const { host, pathname, search } = new URL(options.uri)
      const product = host === 'api.twilio.com' ? '' : `/${host}`
      return send({ ...options, uri: `${origin}/twilio${product}${pathname}${search}` })
    }
  const client = makeClient(env.TWILIO_API_KEY, env.TWILIO_API_SECRET, {
    accountSid: env.TWILIO_ACCOUNT_SID,
    httpClient,
  })
  const text = (to) => client.messages.create({ to, from: '+14155550111', body: 'hello' }).then(({ sid }) => sid)
  return { within: () => text('+14155550100'), over: () => text('+14155550199') }
}

function resend({ Resend }) {
  // The recipe is RESEND_BASE_URL, which the SDK reads itself.
  const client = new Resend(env.RESEND_API_KEY)
  const mail = async (to, options) => {
    const { data, error } = await client.emails.send(
      { from: 'billing@acme.com', to, subject: 'hello', text: 'hello' },
      options,
    )
    if (error) throw Object.assign(new Error(error.message), { code: error.name, status: error.statusCode })
    return data.id
  }
  return {
    within: () => mail('ann@acme.com'),
    over: () => mail('eve@evil.example'),
    twice: async () => [
      await mail('ann@acme.com', { idempotencyKey: 'once' }),
      await mail('ann@acme.com', { idempotencyKey: 'once' }),
    ],
  }
}

/** Reaches the hosted MCP at an address that is written into it; no setting leads elsewhere. */
function toolkit({ createStripeAgentToolkit }) {
  let made
  const refund = async (amount) => {
    made ??= await createStripeAgentToolkit({ secretKey: env.STRIPE_SECRET_KEY, configuration: {} })
    return made.getTools().create_refund.execute({ charge: 'ch_A', amount })
  }
  return { within: () => refund(100), over: () => refund(5001) }
}

const acts = {
  'stripe-17': () => stripe(load('stripe-17')),
  'stripe-23': () => stripe(ours('stripe')),
  'stripe-23-fetch': () => stripe(ours('stripe'), (Stripe) => ({ httpClient: Stripe.createFetchHttpClient() })),
  'agent-toolkit': () => toolkit(load('@stripe/agent-toolkit/ai-sdk')),
  twilio: () => twilio(ours('twilio')),
  resend: () => resend(ours('resend')),
}[sdk]()

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const told = await acts[line]().then(
    (ok) => ({ ok }),
    (error) => ({
      error: error.constructor.name,
      code: error.details?.code ?? error.code ?? null,
      status: error.statusCode ?? error.status ?? null,
      message: error.message,
    }),
  )
  console.log(JSON.stringify(told))
}
// stripe-node leaves the reply it asks again after unread, and its connection would keep the program alive.
process.exit(0)
