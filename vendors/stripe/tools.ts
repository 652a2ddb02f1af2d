import type { JsonObject, Tool } from '../../src/contracts/vendor.js'

/*
 * The named tools of Stripe's own MCP servers: those @stripe/mcp 0.2.5 brought itself (its tools/list, November 2026) and
 * `create_refund` and `get_stripe_account_info`, which the hosted server still shows beside its general ones.
 */

const id = (what: string): JsonObject => ({ type: 'string', description: `The id of ${what}.` })
const text = (description: string): JsonObject => ({ type: 'string', description })
const minor = (description: string): JsonObject => ({
  type: 'integer',
  description: `${description}, in minor units (cents).`,
})
const LIMIT: JsonObject = { type: 'integer', minimum: 1, maximum: 100, description: 'How many to list.' }

export const tools: readonly Tool[] = [
  {
    name: 'create_refund',
    description: 'Refunds a payment intent or a charge, in whole or in part.',
    route: 'POST /v1/refunds',
    properties: {
      payment_intent: id('the payment intent'),
      charge: id('the charge'),
      amount: minor('How much; all that is left without it'),
      reason: { type: 'string', enum: ['duplicate', 'fraudulent', 'requested_by_customer'] },
    },
  },
  {
    name: 'create_customer',
    description: 'Creates a customer.',
    route: 'POST /v1/customers',
    properties: { name: text('Full name'), email: text('E-mail address') },
    required: ['name'],
  },
  {
    name: 'list_customers',
    description: 'Lists customers.',
    route: 'GET /v1/customers',
    properties: { limit: LIMIT, email: text('Only those with this address') },
  },
  {
    name: 'create_product',
    description: 'Creates a product.',
    route: 'POST /v1/products',
    properties: { name: text('Name of the product'), description: text('What it is') },
    required: ['name'],
  },
  { name: 'list_products', description: 'Lists products.', route: 'GET /v1/products', properties: { limit: LIMIT } },
  {
    name: 'create_price',
    description: 'Creates a price for a product.',
    route: 'POST /v1/prices',
    properties: { product: id('the product'), unit_amount: minor('The price'), currency: text('Three letters') },
    required: ['product', 'unit_amount', 'currency'],
  },
  {
    name: 'list_prices',
    description: 'Lists prices.',
    route: 'GET /v1/prices',
    properties: { product: id('the product'), limit: LIMIT },
  },
  {
    name: 'create_payment_link',
    description: 'Creates a payment link for one price.',
    route: 'POST /v1/payment_links',
    properties: {
      price: id('the price'),
      quantity: { type: 'integer', minimum: 1 },
      redirect_url: text('Where the buyer goes afterwards'),
    },
    required: ['price', 'quantity'],
    places: {
      price: 'line_items[0][price]',
      quantity: 'line_items[0][quantity]',
      redirect_url: 'after_completion[redirect][url]',
    },
    along: { redirect_url: { 'after_completion[type]': 'redirect' } },
  },
  {
    name: 'create_invoice',
    description: 'Creates a draft invoice that is sent to be paid.',
    route: 'POST /v1/invoices',
    properties: { customer: id('the customer'), days_until_due: { type: 'integer', minimum: 0 } },
    required: ['customer'],
    fixed: { collection_method: 'send_invoice' },
  },
  {
    name: 'list_invoices',
    description: 'Lists invoices.',
    route: 'GET /v1/invoices',
    properties: { customer: id('the customer'), limit: LIMIT },
  },
  {
    name: 'create_invoice_item',
    description: 'Adds an item to an invoice.',
    route: 'POST /v1/invoiceitems',
    properties: { customer: id('the customer'), price: id('the price'), invoice: id('the invoice') },
    required: ['customer', 'price', 'invoice'],
    places: { price: 'pricing[price]' },
  },
  {
    name: 'finalize_invoice',
    description: 'Finalizes a draft invoice.',
    route: 'POST /v1/invoices/{invoice}/finalize',
    properties: { invoice: id('the invoice') },
    required: ['invoice'],
  },
  { name: 'retrieve_balance', description: 'Shows the balance.', route: 'GET /v1/balance', properties: {} },
  {
    name: 'list_payment_intents',
    description: 'Lists payment intents.',
    route: 'GET /v1/payment_intents',
    properties: { customer: id('the customer'), limit: LIMIT },
  },
  {
    name: 'list_subscriptions',
    description: 'Lists subscriptions.',
    route: 'GET /v1/subscriptions',
    properties: {
      customer: id('the customer'),
      price: id('the price'),
      status: text('Only those in it'),
      limit: LIMIT,
    },
  },
  {
    name: 'cancel_subscription',
    description: 'Cancels a subscription.',
    route: 'DELETE /v1/subscriptions/{subscription}',
    properties: { subscription: id('the subscription') },
    required: ['subscription'],
  },
  {
    name: 'update_subscription',
    description: 'Changes the items of a subscription.',
    route: 'POST /v1/subscriptions/{subscription}',
    properties: {
      subscription: id('the subscription'),
      proration_behavior: { type: 'string', enum: ['create_prorations', 'none', 'always_invoice', 'none_implicit'] },
      items: { type: 'array', items: { type: 'object' }, description: 'Subscription items to change.' },
    },
    required: ['subscription'],
  },
  { name: 'list_coupons', description: 'Lists coupons.', route: 'GET /v1/coupons', properties: { limit: LIMIT } },
  {
    name: 'create_coupon',
    description: 'Creates a coupon.',
    route: 'POST /v1/coupons',
    properties: {
      name: text('Name'),
      percent_off: { type: 'integer', minimum: 1, maximum: 100 },
      amount_off: minor('How much less'),
      currency: text('Three letters'),
      duration: { type: 'string', enum: ['once', 'repeating', 'forever'] },
      duration_in_months: { type: 'integer', minimum: 1 },
      max_redemptions: { type: 'integer', minimum: 1 },
    },
    required: ['name'],
  },
  {
    name: 'update_dispute',
    description: 'Adds evidence to a dispute, and submits it when asked to.',
    route: 'POST /v1/disputes/{dispute}',
    properties: { dispute: id('the dispute'), evidence: { type: 'object' }, submit: { type: 'boolean' } },
    required: ['dispute'],
  },
  {
    name: 'list_disputes',
    description: 'Lists disputes.',
    route: 'GET /v1/disputes',
    properties: { charge: id('the charge'), payment_intent: id('the payment intent'), limit: LIMIT },
  },
  { name: 'get_stripe_account_info', description: 'Shows the account.', route: 'GET /v1/account', properties: {} },
]
