import type { JsonObject, Tool } from '../../src/contracts/vendor.js'

/*
 * Tools under the names and arguments of Resend's own MCP server (resend-mcp 2.22.0, its tools/list, November 2026).
 * Arguments of the calls themselves are camel case there and snake case in the API; what is nested inside a list is
 * given as the API has it.
 */

const text = (description: string): JsonObject => ({ type: 'string', description })
const id = (what: string): JsonObject => text(`The id of ${what}.`)
const addresses = (description: string): JsonObject => ({ type: 'array', items: { type: 'string' }, description })
const PAGE = {
  limit: { type: 'integer', minimum: 1, maximum: 100, description: 'How many to list.' },
  after: text('Only those after this id'),
  before: text('Only those before this id'),
} satisfies Record<string, JsonObject>

const EMAIL = {
  from: text('Sender, such as Acme <billing@acme.com>'),
  to: addresses('Recipients, at most 50; every address costs'),
  subject: text('Subject'),
  text: text('Plain text'),
  html: text('HTML'),
  cc: addresses('Copies'),
  bcc: addresses('Blind copies'),
  attachments: {
    type: 'array',
    items: { type: 'object' },
    description: 'Each {filename, content (base64), content_type}',
  },
  tags: { type: 'array', items: { type: 'object' }, description: 'Each {name, value}' },
  headers: { type: 'object', description: 'Further headers' },
} satisfies Record<string, JsonObject>

const ONCE = text('Makes a repetition of the very same call count and act once')

export const tools: readonly Tool[] = [
  {
    name: 'send-email',
    description: 'Sends one e-mail, at once or later.',
    route: 'POST /emails',
    properties: {
      ...EMAIL,
      replyTo: addresses('Where answers go'),
      scheduledAt: text('When to send it (RFC 3339)'),
      topicId: id('the topic it belongs to'),
      idempotencyKey: ONCE,
    },
    required: ['to', 'subject', 'from'],
    places: {
      replyTo: 'reply_to',
      scheduledAt: 'scheduled_at',
      topicId: 'topic_id',
      idempotencyKey: 'Idempotency-Key',
    },
  },
  {
    name: 'send-batch-emails',
    description: 'Sends up to 100 e-mails. All of them count, and all go or none.',
    route: 'POST /emails/batch',
    properties: {
      emails: {
        type: 'array',
        items: { type: 'object', properties: { ...EMAIL, reply_to: addresses('Where answers go') } },
        minItems: 1,
        maxItems: 100,
      },
      idempotencyKey: ONCE,
    },
    required: ['emails'],
    // The body is the list itself.
    places: { emails: '', idempotencyKey: 'Idempotency-Key' },
  },
  { name: 'list-emails', description: 'Lists e-mails that were sent.', route: 'GET /emails', properties: PAGE },
  {
    name: 'get-email',
    description: 'Shows one e-mail and what became of it.',
    route: 'GET /emails/{email_id}',
    properties: { id: id('the e-mail') },
    required: ['id'],
  },
  {
    name: 'cancel-email',
    description: 'Cancels an e-mail that waits to be sent.',
    route: 'POST /emails/{email_id}/cancel',
    properties: { id: id('the e-mail') },
    required: ['id'],
  },
  {
    name: 'update-email',
    description: 'Moves an e-mail that waits to be sent to another time.',
    route: 'PATCH /emails/{email_id}',
    properties: { id: id('the e-mail'), scheduledAt: text('When to send it (RFC 3339)') },
    required: ['id', 'scheduledAt'],
    places: { scheduledAt: 'scheduled_at' },
  },
  { name: 'list-domains', description: 'Lists sending domains.', route: 'GET /domains', properties: PAGE },
  {
    name: 'get-domain',
    description: 'Shows one sending domain.',
    route: 'GET /domains/{domain_id}',
    properties: { id: id('the domain') },
    required: ['id'],
  },
  {
    name: 'create-contact',
    description: 'Adds a contact.',
    route: 'POST /contacts',
    properties: {
      email: text('Its address'),
      firstName: text('First name'),
      lastName: text('Last name'),
      unsubscribed: { type: 'boolean' },
      properties: { type: 'object', description: 'Further properties' },
    },
    required: ['email'],
    places: { firstName: 'first_name', lastName: 'last_name' },
  },
  {
    name: 'list-contacts',
    description: 'Lists contacts.',
    route: 'GET /contacts',
    properties: { ...PAGE, segmentId: id('the segment they are in') },
    places: { segmentId: 'segment_id' },
  },
  {
    name: 'create-broadcast',
    description: 'Drafts a mail to everybody in a segment. Nothing is sent yet.',
    route: 'POST /broadcasts',
    properties: {
      name: text('What to call it'),
      segmentId: id('the segment it goes to'),
      subject: text('Subject'),
      text: text('Plain text'),
      html: text('HTML'),
      previewText: text('What inboxes show beside the subject'),
      from: text('Sender'),
      replyTo: addresses('Where answers go'),
    },
    required: ['name', 'segmentId', 'subject', 'from'],
    places: { segmentId: 'segment_id', previewText: 'preview_text', replyTo: 'reply_to' },
  },
  {
    name: 'send-broadcast',
    description: 'Sends a drafted broadcast to everybody in its segment; every address costs.',
    route: 'POST /broadcasts/{broadcast_id}/send',
    properties: { broadcastId: id('the broadcast'), scheduledAt: text('When to send it (RFC 3339)') },
    required: ['broadcastId'],
    places: { broadcastId: 'broadcast_id', scheduledAt: 'scheduled_at' },
  },
  {
    name: 'list-broadcasts',
    description: 'Lists broadcasts.',
    route: 'GET /broadcasts',
    properties: PAGE,
  },
]
