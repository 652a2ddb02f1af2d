import { alertOf, type Alert, type AlertKind, type Telling } from './alert.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

type Fields = Readonly<Record<string, unknown>>
interface Told {
  readonly kind: AlertKind
  readonly quietMs: number
  readonly about: (fields: Fields) => string
  readonly message: (fields: Fields) => string
}

const word = (fields: Fields, name: string): string => {
  const value = fields[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 500) : ''
}

/** Events of the log that the operator is told of, although nobody reads the log. */
const EVENTS: Readonly<Record<string, Told>> = {
  ledger_fault: {
    kind: 'ledger.fault',
    quietMs: HOUR_MS,
    // Every call that meets it says so, too, without the kind.
    about: () => 'ledger',
    message: (fields) => `The ledger cannot write, so calls are refused. ${word(fields, 'message')}`,
  },
  unexplained_spend: {
    kind: 'reconciliation.drift',
    quietMs: DAY_MS,
    about: (fields) => `${word(fields, 'vendor')} ${word(fields, 'credential')}`,
    message: (fields) =>
      `USD ${word(fields, 'unexplained_usd')} of the USD ${word(fields, 'moved_usd')} that moved at ${word(fields, 'vendor')} under the credential ${word(fields, 'credential')} came from no call through spendgate. Somebody else has the key, or something went around.`,
  },
  released_call_moved: {
    kind: 'reconciliation.drift',
    quietMs: DAY_MS,
    about: (fields) => `released ${word(fields, 'call')}`,
    message: (fields) =>
      `Money moved for ${word(fields, 'call')}, of which the vendor had said that nothing came (${word(fields, 'movement')}). It is counted now.`,
  },
  movement_over_cap: {
    kind: 'budget.passed',
    quietMs: DAY_MS,
    about: (fields) => `${word(fields, 'movement')} ${word(fields, 'rule')}`,
    message: (fields) =>
      `Money that moved at ${word(fields, 'vendor')} without a call brought ${word(fields, 'limit')} beyond its cap (${word(fields, 'rule')}, ${word(fields, 'movement')}). It has moved; further calls are refused.`,
  },
  table_goes_stale: {
    kind: 'table.stale',
    quietMs: DAY_MS,
    about: (fields) => word(fields, 'table'),
    message: (fields) =>
      `The table ${word(fields, 'table')} of ${word(fields, 'as_of')} is stale in ${word(fields, 'stale_in_days')} days; calls it prices are refused then. Renew it: ${word(fields, 'renew')}.`,
  },
  table_is_stale: {
    kind: 'table.stale',
    quietMs: DAY_MS,
    about: (fields) => word(fields, 'table'),
    message: (fields) =>
      `The table ${word(fields, 'table')} of ${word(fields, 'as_of')} is stale, and calls it prices are refused. Renew it: ${word(fields, 'renew')}.`,
  },
  secret_unavailable: {
    kind: 'credential.refused',
    quietMs: HOUR_MS,
    about: (fields) => `secret ${word(fields, 'credential')}`,
    message: (fields) =>
      `The secret of the credential ${word(fields, 'credential')} (${word(fields, 'vendor')}) cannot be had from where it is kept. The last one is used for a while; then its calls are refused. ${word(fields, 'message')}`,
  },
  disk_little_room: {
    kind: 'disk.room',
    quietMs: DAY_MS,
    about: () => 'ledger',
    message: (fields) => word(fields, 'message'),
  },
}

/** What an event of the log is to the operator; null for those that are for the log alone. */
export function alertOfEvent(event: string, fields: Fields, at: number): Alert | null {
  if (!Object.hasOwn(EVENTS, event)) return null
  const { kind, quietMs, about, message } = EVENTS[event]!
  const facts = Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => name !== 'stack' && ['string', 'number'].includes(typeof value)),
  ) as Telling['facts']
  return alertOf({
    kind,
    about: about(fields),
    at,
    quietMs,
    message: message(fields).trim(),
    facts: { event, ...facts },
  })
}
