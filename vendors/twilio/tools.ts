import type { JsonObject, Tool } from '../../src/contracts/vendor.js'

/*
 * What agents do with Twilio most, as tools of their own beside the general ones. Twilio's hosted server has none that
 * act (mcp.twilio.com serves documentation, November 2026), so the names are plain words. The account in a route is
 * filled in from the credential.
 */

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const VERIFY = 'verify.twilio.com/v2/Services/{ServiceSid}'

const text = (description: string): JsonObject => ({ type: 'string', description })
const sid = (what: string): JsonObject => text(`The sid of ${what}.`)
const number = (description: string): JsonObject => text(`${description}, such as +14155550100.`)
const LIMIT: JsonObject = { type: 'integer', minimum: 1, maximum: 1000, description: 'How many to list.' }

export const tools: readonly Tool[] = [
  {
    name: 'send_message',
    description: 'Sends one SMS, MMS or WhatsApp message, at once or later.',
    route: `POST ${ACCOUNT}/Messages.json`,
    properties: {
      to: number('Who gets it'),
      from: number('Which of your numbers sends it'),
      messaging_service_sid: sid('the messaging service that sends it, in place of from'),
      body: text('What it says; every 160 characters or less are a segment that costs'),
      media_url: {
        type: 'array',
        items: { type: 'string' },
        description: 'Addresses of pictures, which make it an MMS',
      },
      status_callback: text('Where Twilio reports what became of it'),
      send_at: text('When to send it (RFC 3339), by a messaging service only'),
    },
    required: ['to'],
    places: {
      to: 'To',
      from: 'From',
      messaging_service_sid: 'MessagingServiceSid',
      body: 'Body',
      media_url: 'MediaUrl',
      status_callback: 'StatusCallback',
      send_at: 'SendAt',
    },
    along: { send_at: { ScheduleType: 'fixed' } },
  },
  {
    name: 'list_messages',
    description: 'Lists messages.',
    route: `GET ${ACCOUNT}/Messages.json`,
    properties: { to: number('Only those to it'), from: number('Only those from it'), limit: LIMIT },
    places: { to: 'To', from: 'From', limit: 'PageSize' },
  },
  {
    name: 'get_message',
    description: 'Shows one message, with what it cost once Twilio knows.',
    route: `GET ${ACCOUNT}/Messages/{Sid}.json`,
    properties: { sid: sid('the message') },
    required: ['sid'],
    places: { sid: 'Sid' },
  },
  {
    name: 'cancel_message',
    description: 'Cancels a message that waits to be sent.',
    route: `POST ${ACCOUNT}/Messages/{Sid}.json`,
    properties: { sid: sid('the message') },
    required: ['sid'],
    places: { sid: 'Sid' },
    fixed: { Status: 'canceled' },
  },
  {
    name: 'create_call',
    description: 'Calls a number and plays what the TwiML says. Every minute costs; a time limit bounds it.',
    route: `POST ${ACCOUNT}/Calls.json`,
    properties: {
      to: number('Who is called'),
      from: number('Which of your numbers calls'),
      twiml: text('What happens on the line, as TwiML'),
      url: text('Where Twilio fetches the TwiML, in place of twiml'),
      time_limit: { type: 'integer', minimum: 1, description: 'Seconds after which Twilio hangs up' },
      timeout: { type: 'integer', minimum: 1, description: 'Seconds to let it ring' },
      status_callback: text('Where Twilio reports what became of it'),
    },
    required: ['to', 'from'],
    places: {
      to: 'To',
      from: 'From',
      twiml: 'Twiml',
      url: 'Url',
      time_limit: 'TimeLimit',
      timeout: 'Timeout',
      status_callback: 'StatusCallback',
    },
  },
  {
    name: 'list_calls',
    description: 'Lists calls.',
    route: `GET ${ACCOUNT}/Calls.json`,
    properties: {
      to: number('Only those to it'),
      from: number('Only those from it'),
      status: text('Only those in it'),
      limit: LIMIT,
    },
    places: { to: 'To', from: 'From', status: 'Status', limit: 'PageSize' },
  },
  {
    name: 'get_call',
    description: 'Shows one call, with what it cost once Twilio knows.',
    route: `GET ${ACCOUNT}/Calls/{Sid}.json`,
    properties: { sid: sid('the call') },
    required: ['sid'],
    places: { sid: 'Sid' },
  },
  {
    name: 'end_call',
    description: 'Hangs up a call that is under way.',
    route: `POST ${ACCOUNT}/Calls/{Sid}.json`,
    properties: { sid: sid('the call') },
    required: ['sid'],
    places: { sid: 'Sid' },
    fixed: { Status: 'completed' },
  },
  {
    name: 'lookup_number',
    description: 'Shows what is known of a phone number. Its format is free, every further field costs.',
    route: 'GET lookups.twilio.com/v2/PhoneNumbers/{PhoneNumber}',
    properties: {
      phone_number: number('The number'),
      fields: text('Further fields, separated by commas, such as line_type_intelligence'),
    },
    required: ['phone_number'],
    places: { phone_number: 'PhoneNumber', fields: 'Fields' },
  },
  {
    name: 'start_verification',
    description: 'Sends somebody a code that proves a number or an address theirs.',
    route: `POST ${VERIFY}/Verifications`,
    properties: {
      service_sid: sid('the Verify service'),
      to: number('Who gets the code'),
      channel: { type: 'string', enum: ['sms', 'call', 'email', 'whatsapp'] },
    },
    required: ['service_sid', 'to', 'channel'],
    places: { service_sid: 'ServiceSid', to: 'To', channel: 'Channel' },
  },
  {
    name: 'check_verification',
    description: 'Checks a code that somebody was sent.',
    route: `POST ${VERIFY}/VerificationCheck`,
    properties: { service_sid: sid('the Verify service'), to: number('Who got the code'), code: text('The code') },
    required: ['service_sid', 'to', 'code'],
    places: { service_sid: 'ServiceSid', to: 'To', code: 'Code' },
  },
  {
    name: 'get_balance',
    description: 'Shows the balance of the account.',
    route: `GET ${ACCOUNT}/Balance.json`,
    properties: {},
  },
]
