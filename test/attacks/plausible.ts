import { readFileSync } from 'node:fs'
import { Catalogue } from '../../src/catalogue.js'
import type { Operation } from '../../src/contracts/vendor.js'
import { sdkOperations } from '../../scripts/vendor-operations.mjs'
import { vendors } from '../../vendors/index.js'
import type { VendorName } from './stage.js'

/** A row of the lists in fixtures/catalogues, as far as a request can be made from it. */
export interface Listed {
  readonly host: string
  readonly method: string
  readonly path: string
  readonly effect: string
  readonly content_type?: string | null
  readonly triggers?: string | null
  // Stripe
  readonly amount_params?: readonly { readonly path: string; readonly currency_param: string | null }[]
  readonly customer_params?: readonly string[]
  readonly reference_params?: readonly string[]
  // Twilio and Resend
  readonly amount_inputs?: readonly string[]
  readonly recipient_params?: readonly string[]
  readonly url_params?: readonly string[]
}

export const listed = (vendor: VendorName): Listed[] =>
  JSON.parse(
    readFileSync(new URL(`../../fixtures/catalogues/${vendor}-operations.json`, import.meta.url), 'utf8'),
  ) as Listed[]

const MAIN = { stripe: 'api.stripe.com', twilio: 'api.twilio.com', resend: 'api.resend.com' } as const

/** What the installed SDK reads, lists of the vendor's own included. */
export const readBySdk = (vendor: VendorName): Listed[] =>
  sdkOperations()
    [vendor].filter(({ method, path }) => method === 'GET' && !path.includes('$'))
    .map(({ method, path }) => {
      const slash = path.indexOf('/')
      return {
        host: slash > 0 ? path.slice(0, slash) : MAIN[vendor],
        method,
        path: path.slice(slash),
        effect: 'harmless',
      }
    })

/** What a request asks for, before it is written in the vendor's encoding. */
export type Fields = readonly (readonly [string, string])[]

/** A request an honest client could send: real-looking ids, numbers that can be reached, amounts above zero. */
export interface Plausible {
  readonly vendor: VendorName
  readonly method: string
  /** With the vendor's prefix. */
  readonly path: string
  readonly body: string | null
  readonly type: string | null
  /** For messages. */
  readonly name: string
}

const catalogues = new Map(vendors.map((vendor) => [vendor.name, new Catalogue(vendor)]))

/** Ours for a row, or null while there is none. */
export function operationOf(vendor: VendorName, row: Listed): Operation | null {
  return catalogues.get(vendor)!.match(row.method, pathOf(vendor, row, ''))?.operation ?? null
}

/** The path as the catalogue knows it: a host beside the vendor's main one stands before it. */
export function pathOf(vendor: VendorName, { host, path }: Listed, account: string): string {
  const at = vendor === 'twilio' && host !== 'api.twilio.com' ? host : ''
  return at + path.replace(/\{([^}]*)\}/g, (_, name: string) => idFor(vendor, path, name, account))
}

export function request(vendor: VendorName, row: Listed, account: string, fields: Fields | null): Plausible {
  const at = pathOf(vendor, row, account)
  const path = `/${vendor}${at.startsWith('/') ? '' : '/'}${at}`
  const sent = fields === null ? '' : fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  const said = `${row.method} ${at}`
  if (row.method === 'GET' || row.method === 'DELETE')
    return {
      vendor,
      method: row.method,
      path: sent === '' ? path : `${path}?${sent}`,
      body: null,
      type: null,
      name: `${said}${sent && ` ?${sent}`}`,
    }
  if (fields === null)
    return { vendor, method: row.method, path, body: null, type: null, name: `${said} without a body` }
  const json = /json/.test(row.content_type ?? '') || vendor === 'resend'
  const body = json ? JSON.stringify(nested(vendor, row, fields)) : sent
  return {
    vendor,
    method: row.method,
    path,
    body,
    type: json ? 'application/json' : 'application/x-www-form-urlencoded',
    name: `${said} with ${body}`,
  }
}

/** Dotted and bracketed names as JSON holds them. A batch of e-mails is a list. */
function nested(vendor: VendorName, { path }: Listed, fields: Fields): unknown {
  const root: Record<string, unknown> = {}
  for (const [name, value] of fields) {
    const parts = name.split(/[.[\]]+/).filter((part) => part !== '')
    let at: Record<string, unknown> | unknown[] = root
    parts.forEach((part, i) => {
      const last = i === parts.length - 1
      const holder = at as Record<string, unknown>
      if (last) holder[part] = jsonOf(part, value)
      else at = (holder[part] ??= /^\d+$/.test(parts[i + 1]!) ? [] : {}) as Record<string, unknown>
    })
  }
  return vendor === 'resend' && path === '/emails/batch' ? [root] : root
}

const LISTS = /^(to|cc|bcc|phone_numbers|emails|events|segments)$/

function jsonOf(name: string, value: string): unknown {
  if (value === 'true' || value === 'false') return value === 'true'
  if (name === 'value' && /^\d+$/.test(value)) return Number(value)
  return LISTS.test(name) ? [value] : value
}

/**
 * Several bodies for one operation: none, an empty one, the amounts it is listed with, and every parameter that it
 * takes, one by one beside the least it needs.
 */
export function bodies(vendor: VendorName, row: Listed, operation: Operation | null): (Fields | null)[] {
  const least = leastOf(vendor, row, operation)
  const amounts = (row.amount_params ?? []).map(({ path, currency_param: currency }) => [
    ...least.filter(([name]) => name !== 'amount'),
    field(bracketed(path), '1000'),
    ...(currency !== null && /^[a-z_.[\]]+$/.test(currency) && !least.some(([name]) => name === bracketed(currency))
      ? [field(bracketed(currency), 'usd')]
      : []),
  ])
  const singles = (operation?.accepts ?? [])
    .filter((name) => name !== 'expand' && !least.some(([known]) => known === name || known.startsWith(`${name}[`)))
    .flatMap((name) => VALUES(vendor, name).map((pairs) => [...least, ...pairs]))
  return [null, [], least, ...amounts, ...singles]
}

const field = (name: string, value: string): readonly [string, string] => [name, value]

/** `line_items[].price_data.unit_amount` to `line_items[0][price_data][unit_amount]`. */
const bracketed = (path: string): string => {
  const [first = '', ...rest] = path.replaceAll('[]', '.0').replaceAll('.*', '.eur').split('.')
  return first + rest.map((part) => `[${part}]`).join('')
}

/** What an operation hardly does without: whom it concerns, how much, to whom. Only names that it takes. */
export function leastOf(vendor: VendorName, row: Listed, operation: Operation | null): Fields {
  const names = [
    ...(row.amount_params ?? []).slice(0, 1).map(({ path }) => path),
    ...(row.amount_params?.length ? ['currency'] : []),
    ...(row.customer_params ?? []).slice(0, 1),
    ...(row.reference_params ?? []).filter((name) => !/[.[]/.test(name)),
    ...(row.recipient_params ?? []),
    ...(row.url_params ?? []).slice(0, 1),
    ...(NEEDS[vendor].find(([at]) => at.test(row.path))?.[1] ?? []),
  ]
  const takes = (name: string): boolean =>
    operation?.accepts === undefined || operation.accepts.includes(name.split(/[.[]/)[0]!)
  return [...new Set(names)]
    .filter((name) => takes(name) && !/[<( ]/.test(name))
    .flatMap((name) => {
      const written = vendor === 'stripe' && !row.path.startsWith('/v2/') ? bracketed(name) : name.replace('[].', '')
      return VALUES(vendor, written)[0] ?? []
    })
}

/** Parameters without which the vendor, or its simulator, does nothing. */
const NEEDS: Readonly<Record<VendorName, readonly (readonly [RegExp, readonly string[]])[]>> = {
  stripe: [
    [/subscriptions$/, ['customer', 'items[0][price]']],
    [/payment_links$|checkout\/sessions$/, ['mode', 'success_url', 'line_items[0][price]', 'line_items[0][quantity]']],
    [/coupons$/, ['percent_off', 'duration']],
    [/payment_intents$/, ['amount', 'currency', 'customer']],
    [/invoices$/, ['customer']],
    [/v1\/(transfers|payouts|topups|charges)$/, ['amount', 'currency']],
  ],
  twilio: [
    [/Messages\.json$/, ['To', 'From', 'Body']],
    [/Calls\.json$|Participants\.json$/, ['To', 'From', 'Twiml']],
    [/Verifications$/, ['To', 'Channel']],
  ],
  resend: [
    [/^\/emails(\/batch)?$|drafts$/, ['from', 'to', 'subject', 'text']],
    [/^\/broadcasts$/, ['segment_id', 'from', 'subject', 'html']],
    [/^\/contacts$/, ['email']],
    [/^\/events\/send$/, ['event', 'email']],
  ],
}

const BY_NAME: Readonly<Record<string, readonly string[]>> = {
  amount: ['1000'],
  currency: ['usd'],
  customer: ['cus_A'],
  charge: ['ch_A'],
  payment_intent: ['pi_A'],
  payment_method: ['pm_card_visa'],
  source: ['tok_visa'],
  destination: ['acct_B'],
  on_behalf_of: ['acct_B'],
  invoice: ['in_A'],
  subscription: ['sub_A'],
  schedule: ['sub_sched_A'],
  price: ['price_month'],
  product: ['prod_A'],
  coupon: ['coupon_A'],
  mode: ['payment', 'subscription', 'setup'],
  success_url: ['https://ok.example/done'],
  duration: ['forever'],
  percent_off: ['100'],
  confirm: ['true'],
  capture_method: ['manual'],
  balance: ['-1000', '1000'],
  trial_end: ['now'],
  billing_cycle_anchor: ['now'],
  proration_behavior: ['always_invoice'],
  collection_method: ['charge_automatically', 'send_invoice'],
  To: ['+14155550123'],
  From: ['+14155550100'],
  Body: ['hi'],
  Twiml: ['<Response><Say>hi</Say></Response>'],
  Channel: ['sms'],
  Url: ['https://ok.example/twiml'],
  PhoneNumber: ['+14155550123'],
  MediaUrl: ['https://ok.example/cat.png'],
  MessagingServiceSid: [`MG${'a'.repeat(32)}`],
  ContentSid: [`HX${'a'.repeat(32)}`],
  Status: ['approved', 'completed', 'canceled', 'active', 'ready'],
  Type: ['carrier', 'caller-name', 'group', 'mobile'],
  AddOns: ['whitepages_pro_caller_id'],
  pending_invoice_items_behavior: ['include'],
  status: ['active', 'canceled'],
  Fields: ['caller_name', 'validation'],
  SendAt: ['2026-11-25T12:00:00Z'],
  Instruction: ['call'],
  CallTo: ['+14155550123'],
  CallFrom: ['+14155550100'],
  AreaCode: ['415'],
  from: ['billing@acme.com'],
  to: ['ann@acme.com'],
  cc: ['bob@acme.com'],
  bcc: ['eve@acme.com'],
  email: ['ann@acme.com'],
  subject: ['Hello'],
  text: ['hi'],
  html: ['<p>hi</p>'],
  send: ['true'],
  segment_id: ['78261eea-8f8b-4381-83c6-79fa7120f1cf'],
  audience_id: ['78261eea-8f8b-4381-83c6-79fa7120f1cf'],
  scheduled_at: ['2026-11-25T12:00:00Z'],
  event: ['user.created'],
}

/** Structures of Stripe that hold money. */
const MAPS: Readonly<Record<string, readonly Fields[]>> = {
  items: [
    [field('items[0][price]', 'price_month')],
    [field('items[0][id]', 'si_A'), field('items[0][quantity]', '1000')],
    [
      field('items[0][price_data][currency]', 'usd'),
      field('items[0][price_data][product]', 'prod_A'),
      field('items[0][price_data][unit_amount_decimal]', '1000'),
      field('items[0][price_data][recurring][interval]', 'day'),
    ],
  ],
  add_invoice_items: [[field('add_invoice_items[0][price]', 'price_once')]],
  line_items: [[field('line_items[0][price]', 'price_once'), field('line_items[0][quantity]', '2')]],
  lines: [[field('lines[0][amount]', '1000'), field('lines[0][description]', 'x')]],
  transfer_data: [[field('transfer_data[destination]', 'acct_B')]],
  metadata: [[field('metadata[a]', 'b')]],
  phases: [[field('phases[0][items][0][price]', 'price_month')]],
  spending_controls: [[field('spending_controls[spending_limits]', '')]],
  external_account: [[field('external_account', 'btok_1')]],
  cash_balance: [[field('cash_balance[settings][reconciliation_mode]', 'automatic')]],
}

/** Values to try a parameter with, as fields. What is not known by name is tried as a switch, a number and a text. */
function VALUES(vendor: VendorName, name: string): readonly Fields[] {
  const top = name.split(/[.[]/)[0]!
  const own = vendor === 'stripe' && name === top ? MAPS[top] : undefined
  if (own !== undefined) return own
  const last =
    name
      .split(/[.[\]]+/)
      .filter((part) => part !== '' && part !== '0')
      .at(-1) ?? name
  const known = BY_NAME[last] ?? guessed(last)
  return known.map((value) => [field(name, value)])
}

function guessed(name: string): readonly string[] {
  if (/url|uri|callback|webhook/i.test(name)) return ['https://ok.example/x']
  if (/amount|quantity|price$|limit/i.test(name)) return ['1000']
  if (/email/i.test(name)) return ['ann@acme.com']
  if (/currency/i.test(name)) return ['usd']
  if (/(^to$|number|address)/i.test(name)) return ['+14155550123']
  if (/account/i.test(name)) return ['acct_B']
  if (/Sid$/.test(name)) return [`XX${'a'.repeat(32)}`]
  return ['true']
}

const HEX = 'a'.repeat(32)

/** Ids of objects the seeded simulators have; any other is made up there. */
const IDS: Readonly<Record<string, string>> = {
  customer: 'cus_A',
  charge: 'ch_A',
  intent: 'pi_A',
  invoice: 'in_A',
  invoiceitem: 'ii_A',
  subscription: 'sub_A',
  subscription_exposed_id: 'sub_A',
  subscription_item: 'si_A',
  dispute: 'du_A',
  transfer: 'tr_A',
  payout: 'po_A',
  price: 'price_month',
  product: 'prod_A',
  quote: 'qt_A',
  schedule: 'sub_sched_A',
  account: 'acct_B',
  account_id: 'acct_B',
  topup: 'tu_A',
  fee: 'fee_A',
  authorization: 'iauth_A',
}

const BY_COLLECTION: Readonly<Record<string, string>> = {
  application_fees: 'fee_A',
  credit_notes: 'cn_A',
  subscription_schedules: 'sub_sched_A',
  payment_records: 'payrec_A',
  transfers: 'tr_A',
  outbound_payments: 'obp_A',
  outbound_transfers: 'obt_A',
}

const SIDS: Readonly<Record<string, string>> = {
  CallSid: 'CA',
  ChannelSid: 'CH',
  ConferenceSid: 'CF',
  ConversationSid: 'CH',
  DomainSid: 'SD',
  FlowSid: 'FW',
  MessageSid: 'SM',
  MessagingServiceSid: 'MG',
  RoomSid: 'RM',
  TrunkSid: 'TK',
  WorkspaceSid: 'WS',
  TaskSid: 'WT',
  WorkerSid: 'WK',
}

const BY_SEGMENT: Readonly<Record<string, string>> = {
  Calls: 'CA',
  Messages: 'SM',
  IncomingPhoneNumbers: 'PN',
  Recordings: 'RE',
  Reservations: 'WR',
  Verifications: 'VE',
  Sims: 'HS',
  Keys: 'SK',
  Services: 'IS',
}

/** The state in which the seeded object can be acted upon. */
const BY_ACTION: Readonly<Record<string, string>> = {
  capture: 'pi_Ahold',
  increment_authorization: 'pi_Ahold',
  finalize: 'in_draft',
  add_lines: 'in_draft',
  update_lines: 'in_draft',
}

function idFor(vendor: VendorName, path: string, name: string, account: string): string {
  const before =
    path
      .slice(0, path.indexOf(`{${name}}`))
      .split('/')
      .filter((part) => part !== '')
      .at(-1) ?? ''
  const action = /^(intent|invoice)$/.test(name) ? BY_ACTION[path.split('/').at(-1)!] : undefined
  if (vendor === 'stripe') return action ?? BY_COLLECTION[before] ?? IDS[name] ?? `${before.slice(0, 3)}_A`
  if (vendor === 'resend') return '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'
  if (name === 'AccountSid' || before === 'Accounts') return account
  if (name === 'PhoneNumber') return '+14155550123'
  if (name === 'ServiceSid' && path.startsWith('/v2/Services')) return `VA${HEX}`
  if (/^(Sid|sid|.*Sid)$/.test(name))
    return `${SIDS[name] ?? BY_SEGMENT[before] ?? before.slice(0, 2).toUpperCase()}${HEX}`
  return name === 'Identity' ? 'ann' : 'x1'
}
