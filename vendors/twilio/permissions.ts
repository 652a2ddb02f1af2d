import type { KeyNeeds, Operation } from '../../src/contracts/vendor.js'

/*
 * Kinds of API keys: www.twilio.com/docs/iam/api-keys/keys-in-console and /restricted-api-keys with the permission lists
 * linked there (read November 2026). Standard keys reach everything but /Accounts and /Keys, which take a Main key. Restricted
 * keys exist in the US region, hold at most 100 permissions and cannot mint access tokens.
 */
const SOURCE = 'www.twilio.com/docs/iam/api-keys/restricted-api-keys, 2026-11'
const PERMISSIONS_MAX = 100

/** Route → permission. Reading one and listing all are two permissions. */
const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const PERMISSIONS: Readonly<Record<string, string>> = {
  [`POST ${ACCOUNT}/Messages.json`]: '/twilio/messaging/messages/create',
  [`GET ${ACCOUNT}/Messages.json`]: '/twilio/messaging/messages/list',
  [`GET ${ACCOUNT}/Messages/{Sid}.json`]: '/twilio/messaging/messages/read',
  [`POST ${ACCOUNT}/Messages/{Sid}.json`]: '/twilio/messaging/messages/update',
  [`DELETE ${ACCOUNT}/Messages/{Sid}.json`]: '/twilio/messaging/messages/delete',
  [`POST ${ACCOUNT}/Messages/{MessageSid}/Feedback.json`]: '/twilio/messaging/messages.feedback/create',
  [`POST ${ACCOUNT}/Calls.json`]: '/twilio/voice/calls/create',
  [`GET ${ACCOUNT}/Calls/{Sid}.json`]: '/twilio/voice/calls/read',
  'GET messaging.twilio.com/v1/Services': '/twilio/messaging/services/list',
  'GET messaging.twilio.com/v1/Services/{Sid}': '/twilio/messaging/services/read',
  'POST messaging.twilio.com/v1/Services': '/twilio/messaging/services/create',
  'POST messaging.twilio.com/v1/Services/{Sid}': '/twilio/messaging/services/update',
  'DELETE messaging.twilio.com/v1/Services/{Sid}': '/twilio/messaging/services/delete',
  'POST verify.twilio.com/v2/Services/{ServiceSid}/Verifications': '/twilio/verify/verification/create',
  'POST verify.twilio.com/v2/Services/{ServiceSid}/VerificationCheck': '/twilio/verify/verification-check/create',
}

/** What only a Main key reaches. */
const MAIN = /^[A-Z]+ (?:\/2010-04-01\/Accounts(?:\.json|\/\{Sid\}\.json)|\S*\/Keys(?:\.json|\/|$)|iam\.twilio\.com\/)/

export function leastKey(operations: readonly Operation[]): KeyNeeds {
  const routes = operations.map(({ id, routes: [route] }) => ({ id, route }))
  if (routes.some(({ route }) => MAIN.test(route)))
    return { kind: 'Main API key: it reaches accounts and keys', permissions: [], unknown: [], source: SOURCE }
  const unknown = routes.filter(({ route }) => PERMISSIONS[named(route)] === undefined).map(({ id }) => id)
  const permissions = [...new Set(routes.flatMap(({ route }) => PERMISSIONS[named(route)] ?? []))].sort()
  if (permissions.length === 0 || permissions.length > PERMISSIONS_MAX || unknown.length > UNKNOWN_MAX)
    return { kind: 'Standard API key', permissions: [], unknown, source: SOURCE }
  return { kind: 'Restricted API key (US region)', permissions, unknown, source: SOURCE }
}

/** So many permissions can be looked up by hand; beyond, a Standard key is what one would end with. */
const UNKNOWN_MAX = 20

/** The catalogue's placeholders by the names of this table. */
const named = (route: string): string => {
  const bare = (text: string): string => text.replace(/\{(?!AccountSid)[^}]*\}/g, '{}')
  return Object.keys(PERMISSIONS).find((each) => bare(each) === bare(route)) ?? route
}
