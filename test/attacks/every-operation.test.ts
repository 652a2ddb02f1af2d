import { beforeAll, describe, expect, test } from 'vitest'
import { PERMITTED_ONLY } from '../../src/contracts/call.js'
import type { SeenRequest } from '../../fixtures/simulators/index.js'
import { SECRET } from '../../fixtures/simulators/everything.js'
import type { Answer, IssuedKey } from '../helpers/world.js'
import { bodies, leastOf, listed, operationOf, readBySdk, request, type Listed, type Plausible } from './plausible.js'
import { onStage, presented, type VendorName } from './stage.js'

// Everything the vendors publish, sent through the product: once under a policy that allows every endpoint and
// permits nothing, and once, as far as it moves money, under one that permits everything.

const stage = onStage()
const NAMES = ['stripe', 'twilio', 'resend'] as const
const CROWD = 16

interface Sent {
  readonly request: Plausible
  readonly answer: Answer
}

/** Sends them all, a few at a time, each as an unmodified client would present its key. */
async function send(requests: readonly Plausible[], key: IssuedKey): Promise<Sent[]> {
  const sent: Sent[] = []
  const left = [...requests].reverse()
  const one = async (): Promise<void> => {
    for (let each = left.pop(); each !== undefined; each = left.pop()) {
      const headers = {
        authorization: presented(each.vendor, key),
        ...(each.type !== null && { 'content-type': each.type }),
      }
      const answer = await stage.world.call(key.key, each.method, each.path, each.body ?? undefined, headers)
      sent.push({ request: each, answer })
    }
  }
  await Promise.all(Array.from({ length: CROWD }, one))
  return sent
}

const header = (answer: Answer, name: string): string => String(answer.headers[`x-spendgate-${name}`] ?? '')
const account = (vendor: VendorName): string => (vendor === 'twilio' ? stage.world.twilio.accountSid : '')

/** Whether it is more than a look-up. */
const isChange = ({ method, path }: SeenRequest): boolean => method !== 'GET' && path !== '/v1/invoices/create_preview'

/** What reached the vendor beside look-ups. */
const changes = (vendor: VendorName): string[] =>
  stage.world[vendor].requests.filter(isChange).map(({ method, path, body }) => `${method} ${path} ${body}`)

const PERMITTED_CLASSES = new Set([
  'commits_future_money',
  'spends_recurring',
  'changes_money_routing',
  'changes_routing',
  'grants_credential',
  'destructive',
])

describe('under a wildcard and no permit', () => {
  const key = new Map<VendorName, IssuedKey>()
  beforeAll(async () => {
    for (const vendor of NAMES) {
      const block = { endpoints: { allow: ['* *'] }, permit: [], callback_hosts: ['*'], beneficiaries: ['*'] }
      const document = { daily_cap_usd: '1000000.00', vendors: { [vendor]: block } }
      key.set(vendor, await stage.key(vendor, document))
    }
    const { twilio } = stage.world
    const service = { sid: `VA${'a'.repeat(32)}`, friendlyName: 'Logins', createdAt: stage.world.clock.now() }
    twilio.state.services.set(service.sid, service)
  })

  test.each(NAMES)('%s: nothing that needs a permit reaches the vendor', async (vendor) => {
    const rows = listed(vendor).filter((row) => needsPermit(vendor, row))
    expect(rows.length).toBeGreaterThan(30)
    stage.forget()
    const sent = await send(
      rows.map((row) => request(vendor, row, account(vendor), leastOf(vendor, row, operationOf(vendor, row)))),
      key.get(vendor)!,
    )
    expect(changes(vendor)).toEqual([])
    const passed = sent.filter(({ answer }) => header(answer, 'decision') !== 'deny')
    expect(passed.map(({ request: { name }, answer }) => `${name}: ${answer.status}`)).toEqual([])
    // Most of them are well-formed requests, refused for what they would do.
    const codes = sent.map(({ answer }) => header(answer, 'code'))
    const unknown = sent.filter(({ answer }) => header(answer, 'code') === 'operation_unknown')
    expect(unknown.map(({ request: { name } }) => name)).toEqual([])
    const forEffect = codes.filter((code) => code === 'effect_not_permitted' || code === 'operation_not_allowed')
    expect(forEffect.length / codes.length).toBeGreaterThan(0.9)
  })

  test.each(NAMES)('%s: whatever is let through shows no secret and leads nowhere past us', async (vendor) => {
    const rows = [...listed(vendor), ...readBySdk(vendor)]
    stage.forget()
    const sent = await send(
      rows.map((row) => request(vendor, row, account(vendor), leastOf(vendor, row, operationOf(vendor, row)))),
      key.get(vendor)!,
    )
    const through = sent.filter(({ answer }) => header(answer, 'decision') === 'allow')
    expect(through.length).toBeGreaterThan(READS[vendor])
    const booked = new Map((await rowsOf(key.get(vendor)!)).map((row) => [row.id as string, row]))
    const telling = through.filter(({ answer }) => {
      const row = booked.get(header(answer, 'call-id'))
      return answer.text.includes(SECRET) && !(COUNTED.has(row.operation) && Number(row.quoted_usd) > 0)
    })
    expect(telling.map(({ request: { name } }) => name)).toEqual([])
    const leading = through.filter(({ answer }) => /"https:\/\/(?!www\.)[a-z0-9.-]+\.twilio\.com\//.test(answer.text))
    expect(leading.map(({ request: { name } }) => name)).toEqual([])
  })
})

/** They show by what the payment that they make is completed, which is held in full by then. */
const COUNTED: ReadonlySet<string> = new Set([
  'payment_intents.create',
  'payment_intents.confirm',
  'checkout.sessions.create',
  'payment_links.create',
  'invoices.finalize',
  'invoices.pay',
  'invoices.send',
])

/** How many of the reads and plain writes get through at least. */
const READS: Readonly<Record<VendorName, number>> = { stripe: 200, twilio: 400, resend: 40 }

/** What the list or we count among the effects that a policy must permit by name. */
function needsPermit(vendor: VendorName, row: Listed): boolean {
  const operation = operationOf(vendor, row)
  if (operation === null) return PERMITTED_CLASSES.has(row.effect)
  if (operation.never !== undefined) return true
  const ours = (PERMITTED_ONLY as readonly string[]).includes(operation.effect)
  return ours || (PERMITTED_CLASSES.has(row.effect) && operation.weaker === undefined && row.triggers == null)
}

const MONEY = new Set(['moves_money_now', 'returns_money', 'spends_now', 'commits_future_money', 'spends_recurring'])

/**
 * Calls that a list counts as money and that may nevertheless go out at no cost: what makes them harmless, and by
 * which requests. All others must be held with an amount.
 */
const HARMLESS: Readonly<Record<string, { readonly why: string; readonly but?: RegExp }>> = {
  'customers.create': { why: 'a customer without a balance owes nothing and is owed nothing', but: /balance=/ },
  'invoices.create': {
    why: 'a draft that takes up nothing and waits for finalize, which is priced',
    but: /auto_advance=true|pending_invoice_items_behavior=include/,
  },
  'invoices.update': { why: 'what a draft shows; its amount comes with its lines', but: /auto_advance=true/ },
  'invoices.add_lines': { why: 'no line', but: /lines\[/ },
  'issuing.cardholders.create': { why: 'who may hold cards; he has none yet' },
  'issuing.cardholders.update': { why: 'who may hold cards', but: /status=active/ },
  'quotes.create': { why: 'a draft that binds nobody until it is finalized, which is priced' },
  'quotes.update': { why: 'a draft that binds nobody until it is finalized, which is priced' },
  'quotes.mark_draft': { why: 'takes an offer back' },
  'setup_intents.create': { why: 'saves a way to pay and takes nothing' },
  'setup_intents.confirm': { why: 'saves a way to pay and takes nothing' },
  'setup_intents.verify_microdeposits': { why: 'proves a bank account' },
  'terminal.readers.process_setup_intent': { why: 'saves a way to pay and takes nothing' },
  'sources.create': { why: 'a way to pay, which only a charge uses' },
  'subscription_schedules.create': { why: 'takes over a subscription as it is', but: /phases/ },
  'subscriptions.cancel': { why: 'nothing is invoiced any more', but: /(invoice_now|prorate)=true/ },
  'orders.update': { why: 'what an order shows; its amount comes with its lines', but: /line_items|shipping_cost/ },
  'conversations.with_participants.create': { why: 'nobody takes part', but: /Participant=/ },
  'flex.web_channels.update': { why: 'ends a chat' },
  'intelligence.services.create': { why: 'transcribes when it is asked to', but: /AutoTranscribe=true/ },
  'intelligence.services.update': { why: 'transcribes when it is asked to', but: /AutoTranscribe=true/ },
  'a2p.brands.create': { why: 'a mock brand is free', but: /with (?!.*Mock=true)/ },
  'preview.wireless.sims.update': { why: 'no new state that is paid for', but: /Status=(active|ready)/ },
  'supersim.sims.update': { why: 'no new state that is paid for', but: /Status=(active|ready)/ },
  'wireless.sims.update': { why: 'no new state that is paid for', but: /Status=(active|ready)/ },
  'verify.verifications.update': { why: 'ends a verification', but: /Status=approved/ },
  'lookups.v1.get': { why: 'the form of a number is checked for nothing', but: /Type=|AddOns=/ },
  'lookups.get': { why: 'the form of a number is checked for nothing', but: /Fields=(?!validation)/ },
  'emails.update': { why: 'moves what is held already' },
  'broadcasts.create': { why: 'a draft', but: /"send":true/ },
}

/** Of an object that another call is being held for at the same moment only the excess is held. */
const isHeld = (row: any): boolean =>
  Number(row.reserved_usd) > 0 || (Number(row.quoted_usd) > 0 && row.object !== null)

/** An update that says nothing changes nothing. */
const NOTHING = /^(POST|PUT|PATCH) \S+ (without a body|with (\{\})?)$/

const excused = new Set<string>()

const harmless = (operation: string, { name }: Plausible): boolean => {
  if (/\.update[a-z_]*$/.test(operation) && NOTHING.test(name)) return true
  const known = HARMLESS[operation]
  if (known === undefined || known.but?.test(name) === true) return false
  excused.add(operation)
  return true
}

describe('with everything permitted', () => {
  test.each(NAMES)('%s: what no policy opens stays closed', async (vendor) => {
    const key = await stage.key(vendor, { daily_cap_usd: '1000000.00', vendors: { [vendor]: EVERYTHING } })
    const rows = [...listed(vendor), ...readBySdk(vendor)].filter(
      (row) => operationOf(vendor, row)?.never !== undefined,
    )
    expect(rows.length).toBeGreaterThan(5)
    stage.forget()
    const sent = await send(
      rows.map((row) => request(vendor, row, account(vendor), leastOf(vendor, row, operationOf(vendor, row)))),
      key,
    )
    const open = sent.filter(({ answer }) => header(answer, 'code') !== 'operation_not_allowed')
    expect(open.map(({ request: { name }, answer }) => `${name}: ${header(answer, 'code')}`)).toEqual([])
    expect(stage.seen()).toEqual([])
  })

  /** Something to act upon in every state. */
  beforeAll(() => {
    const { stripe } = stage.world
    const { invoice } = stripe.seed()
    stripe.state.invoices.set('in_draft', { ...invoice, id: 'in_draft', status: 'draft' })
    stripe.state.invoiceitems.set('ii_A', {
      id: 'ii_A',
      object: 'invoiceitem',
      created: invoice.created,
      livemode: true,
      metadata: {},
      amount: 700,
      currency: 'usd',
      customer: 'cus_A',
      description: 'late',
      invoice: null,
      pricing: null,
      proration: false,
      quantity: 1,
    })
  })

  test.each(NAMES)('%s: nothing that moves money goes out with nothing held for it', async (vendor) => {
    const key = await stage.key(vendor, { daily_cap_usd: '900000000000.00', vendors: { [vendor]: EVERYTHING } })
    const rows = listed(vendor).filter(({ effect }) => MONEY.has(effect))
    const requests = rows.flatMap((row) =>
      bodies(vendor, row, operationOf(vendor, row)).map((fields) => request(vendor, row, account(vendor), fields)),
    )
    // The vendor carries none of them out, so that each meets the same objects.
    const declines = stage.world[vendor].fault(isChange, { do: 'decline', applies: false, times: Infinity })
    const sent = await send(requests, key)
    expect(declines.hits).toBeGreaterThan(MUST_PASS[vendor])
    declines.left = 0
    const through = sent.filter(({ answer }) => header(answer, 'decision') !== 'deny')
    expect(through.length).toBeGreaterThan(MUST_PASS[vendor])
    const held = new Map((await rowsOf(key)).map((row) => [row.id as string, row]))
    const unheld = new Map<string, string[]>()
    for (const { request, answer } of through) {
      const row = held.get(header(answer, 'call-id'))
      if (row !== undefined && (isHeld(row) || harmless(row.operation, request))) continue
      const operation = row?.operation ?? 'no row'
      unheld.set(operation, [...(unheld.get(operation) ?? []), request.name])
    }
    // A few bodies of each: the list of all of them says no more.
    expect(
      [...unheld].map(([operation, names]) => `${operation}, ${names.length}×: ${names.slice(0, 3).join(' | ')}`),
    ).toEqual([])
    expect(held.size).toBeGreaterThan(0)
    // Which way money flows decides which caps it counts on; what says nothing would count on both.
    const aimless = [...held.values()].filter((row) => Number(row.quoted_usd) > 0 && row.direction === 'none')
    expect([...new Set(aimless.map(({ operation }) => operation as string))]).toEqual([])
  })

  test('and no excuse is left that nothing needs', () => {
    expect(Object.keys(HARMLESS).filter((operation) => !excused.has(operation))).toEqual([])
  })
})

const EVERYTHING = {
  endpoints: { allow: ['* *'] },
  permit: ['future_spend', 'credential', 'routing', 'destructive', 'preview'],
  beneficiaries: ['*'],
  connected_accounts: ['*'],
  callback_hosts: ['*'],
}

/** How many of the requests get through at least: fewer would prove little. */
const MUST_PASS: Readonly<Record<VendorName, number>> = { stripe: 50, twilio: 10, resend: 3 }

async function rowsOf(key: IssuedKey): Promise<any[]> {
  const rows: any[] = []
  let cursor = ''
  do {
    const page = await stage.world.must('GET', `/calls?limit=500&key=${key.id}${cursor}`)
    rows.push(...page.calls)
    cursor = page.next_cursor === null ? '' : `&cursor=${encodeURIComponent(page.next_cursor)}`
  } while (cursor !== '')
  return rows
}
