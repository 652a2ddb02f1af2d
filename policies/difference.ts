import { parseUsd } from '../src/contracts/money.js'
import type { Difference } from '../src/contracts/policy.js'
import { durationMs, type PolicyDocument } from './document.js'
import { glob } from './patterns.js'

/*
 * What one policy says otherwise than another, in sentences. Each says which way it goes: tighter when calls that were let
 * through may be refused, wider when calls that were refused may be let through.
 */

/** Entries of a list that are written out. */
const ENTRIES_MAX = 10

type Direction = Difference['direction']
type Block = NonNullable<PolicyDocument['vendors']>[string]

export function differences(from: PolicyDocument, to: PolicyDocument): Difference[] {
  return [
    ...named(from, to),
    ...modes(from, to),
    ...capped('daily_cap_usd', 'The cap of a day', from.daily_cap_usd, to.daily_cap_usd),
    ...spans('expires_in', 'The life of a key', 'smaller', from.expires_in, to.expires_in),
    ...counts('rate_limit.per_minute', 'calls a minute', from.rate_limit?.per_minute, to.rate_limit?.per_minute),
    ...budgets(from, to),
    ...approvals(from, to),
    ...asked('require_reason', 'Every call must give a reason', from.require_reason, to.require_reason),
    ...spans(
      'duplicate_guard.within',
      'The span in which an identical write is refused',
      'larger',
      from.duplicate_guard?.within,
      to.duplicate_guard?.within,
    ),
    ...others('', from, to, TOP),
    ...vendors(from, to),
  ]
}

/** Compared by name above; whatever else a document says is told as it stands. */
const TOP = [
  'apiVersion',
  'name',
  'mode',
  'timezone',
  'daily_cap_usd',
  'expires_in',
  'rate_limit',
  'budgets',
  'approval',
  'require_reason',
  'duplicate_guard',
  'vendors',
]

const one = (path: string, direction: Direction, sentence: string): Difference[] => [{ path, direction, sentence }]

function named(from: PolicyDocument, to: PolicyDocument): Difference[] {
  const [was, is] = [from.timezone ?? 'UTC', to.timezone ?? 'UTC']
  return [
    ...(from.name === to.name ? [] : one('name', 'other', `The name is ${to.name}, and was ${from.name}.`)),
    ...(was === is
      ? []
      : one(
          'timezone',
          'other',
          `Days and months begin in ${is}, and began in ${was}: new windows begin with nothing spent.`,
        )),
  ]
}

function modes({ mode: was = 'enforce' }: PolicyDocument, { mode: is = 'enforce' }: PolicyDocument): Difference[] {
  if (was === is) return []
  return is === 'enforce'
    ? one('mode', 'tighter', 'It enforces: what its rules refuse is refused, where it was only recorded.')
    : one('mode', 'wider', 'It only observes: what its rules would refuse is let through and recorded.')
}

/** A most that may be spent; none at all is the widest. */
function capped(path: string, what: string, was: string | undefined, is: string | undefined): Difference[] {
  if (was === is) return []
  if (was === undefined) return one(path, 'tighter', `${what} is USD ${is}, where there was none.`)
  if (is === undefined) return one(path, 'wider', `${what} is gone; it was USD ${was}.`)
  return parseUsd(is)! < parseUsd(was)!
    ? one(path, 'tighter', `${what} falls from USD ${was} to USD ${is}.`)
    : one(path, 'wider', `${what} rises from USD ${was} to USD ${is}.`)
}

function counts(path: string, what: string, was: number | undefined, is: number | undefined): Difference[] {
  if (was === is) return []
  if (was === undefined) return one(path, 'tighter', `At most ${is} ${what}, where there was no limit.`)
  if (is === undefined) return one(path, 'wider', `No limit of ${what} any more; it was ${was}.`)
  return is < was
    ? one(path, 'tighter', `At most ${is} ${what}, where it was ${was}.`)
    : one(path, 'wider', `Up to ${is} ${what}, where it was ${was}.`)
}

/** @param strict which span lets less through */
function spans(
  path: string,
  what: string,
  strict: 'smaller' | 'larger',
  was: string | undefined,
  is: string | undefined,
): Difference[] {
  if (was === is) return []
  if (was === undefined) return one(path, 'tighter', `${what} is ${is}, where there was none set.`)
  if (is === undefined) return one(path, 'wider', `${what} is not set any more; it was ${was}.`)
  const [before, now] = [durationMs(was), durationMs(is)]
  if (before === now) return []
  const tighter = strict === 'smaller' ? now < before : now > before
  return one(path, tighter ? 'tighter' : 'wider', `${what} is ${is}, and was ${was}.`)
}

function asked(path: string, what: string, was = false, is = false): Difference[] {
  if (was === is) return []
  return is ? one(path, 'tighter', `${what}.`) : one(path, 'wider', `${what}: not any more.`)
}

function approvals({ approval: was }: PolicyDocument, { approval: is }: PolicyDocument): Difference[] {
  if (was === undefined && is === undefined) return []
  if (was === undefined)
    return one('approval', 'tighter', `Calls above USD ${is!.above_usd} need an approval, where none was needed.`)
  if (is === undefined)
    return one('approval', 'wider', `No call needs an approval any more; it was needed above USD ${was.above_usd}.`)
  const [before, now] = [was.by ?? 'operator', is.by ?? 'operator']
  return [
    ...(was.above_usd === is.above_usd
      ? []
      : one(
          'approval.above_usd',
          parseUsd(is.above_usd)! < parseUsd(was.above_usd)! ? 'tighter' : 'wider',
          `Calls above USD ${is.above_usd} need an approval, where it was above USD ${was.above_usd}.`,
        )),
    ...spans(
      'approval.expires_in',
      'The time a question and its answer stand',
      'smaller',
      was.expires_in ?? '1h',
      is.expires_in ?? '1h',
    ),
    ...(before === now
      ? []
      : now === 'client'
        ? one('approval.by', 'wider', 'The person at the client may approve, too.')
        : one('approval.by', 'tighter', 'Only the operator may approve.')),
  ]
}

type BudgetEntry = NonNullable<PolicyDocument['budgets']>[number]

/** Budgets that count the same are one budget with another cap. */
function budgets(from: PolicyDocument, to: PolicyDocument): Difference[] {
  const [was, is] = [smallestCaps(from.budgets ?? []), smallestCaps(to.budgets ?? [])]
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((what) =>
    capped('budgets', `The budget ${what}`, was.get(what), is.get(what)),
  )
}

function smallestCaps(entries: readonly BudgetEntry[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { per, vendor, direction, scope = 'key', cap_usd: cap } of entries) {
    const way = direction === undefined ? '' : direction === 'in' ? ' of what comes in' : ' of what goes out'
    const at = vendor === undefined ? '' : ` at ${vendor}`
    const what = `a ${per}${way}${at}${scope === 'key' ? '' : ` (${scope})`}`
    const known = found.get(what)
    if (known === undefined || parseUsd(cap)! < parseUsd(known)!) found.set(what, cap)
  }
  return found
}

function vendors({ vendors: from = {} }: PolicyDocument, { vendors: to = {} }: PolicyDocument): Difference[] {
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].sort().flatMap((vendor) => {
    const [was, is] = [from[vendor], to[vendor]]
    const at = `vendors.${vendor}`
    if (was === undefined) return one(at, 'wider', `${vendor} is opened${opened(is!)}.`)
    if (is === undefined) return one(at, 'tighter', `${vendor} is closed: nothing is allowed there.`)
    return blocks(vendor, at, was, is)
  })
}

const opened = ({ endpoints, max_amount_usd: most }: Block): string =>
  `: ${written(endpoints?.allow ?? [])}${most === undefined ? ', at any amount' : `, up to USD ${most} a call`}`

function blocks(vendor: string, at: string, was: Block, is: Block): Difference[] {
  return [
    ...endpoints(vendor, at, was, is),
    ...entriesOf(`${at}.permit`, `${vendor}: permitted effects`, was.permit ?? [], is.permit ?? [], 'wider'),
    ...capped(`${at}.max_amount_usd`, `${vendor}: the most of one call`, was.max_amount_usd, is.max_amount_usd),
    ...ANY.flatMap((list) => anyList(`${at}.${list}`, `${vendor}: ${list}`, was[list], is[list])),
    ...NONE.flatMap((list) =>
      entriesOf(`${at}.${list}`, `${vendor}: ${NOUN[list]}`, was[list] ?? [], is[list] ?? [], 'wider'),
    ),
    ...capped(
      `${at}.future.recurring_usd_per_month`,
      `${vendor}: what may recur a month`,
      was.future?.recurring_usd_per_month,
      is.future?.recurring_usd_per_month,
    ),
    ...counts(
      `${at}.future.quantity_max`,
      `of anything in one call of ${vendor}`,
      was.future?.quantity_max,
      is.future?.quantity_max,
    ),
    ...asked(
      `${at}.future.bounded_only`,
      `${vendor}: what others can complete must be limited in number`,
      was.future?.bounded_only,
      is.future?.bounded_only,
    ),
    ...others(at, was, is, ['endpoints', 'permit', 'max_amount_usd', ...ANY, ...NONE, 'future']),
  ]
}

/** Absent means any. */
const ANY = ['customers', 'currencies', 'recipients', 'senders'] as const
/** Absent means none. */
const NONE = ['beneficiaries', 'connected_accounts', 'callback_hosts'] as const
const NOUN: Readonly<Record<(typeof NONE)[number], string>> = {
  beneficiaries: 'destinations of money',
  connected_accounts: 'other accounts',
  callback_hosts: 'hosts in addresses',
}

function anyList(
  path: string,
  what: string,
  was: readonly string[] | undefined,
  is: readonly string[] | undefined,
): Difference[] {
  if (was === undefined && is === undefined) return []
  if (was === undefined) return one(path, 'tighter', `${what}: only ${written(is!)}, where any was allowed.`)
  if (is === undefined) return one(path, 'wider', `${what}: any, where only ${written(was)} was.`)
  return entriesOf(path, what, was, is, 'wider')
}

/** @param added which way it goes when there is more in the list */
function entriesOf(
  path: string,
  what: string,
  was: readonly string[],
  is: readonly string[],
  added: 'wider' | 'tighter',
): Difference[] {
  const [more, less] = [missing(is, was), missing(was, is)]
  const removed = added === 'wider' ? 'tighter' : 'wider'
  return [
    ...(more.length === 0 ? [] : one(path, added, `${what}: ${written(more)} added.`)),
    ...(less.length === 0 ? [] : one(path, removed, `${what}: ${written(less)} taken out.`)),
  ]
}

function endpoints(vendor: string, at: string, was: Block, is: Block): Difference[] {
  return [
    ...entriesOf(
      `${at}.endpoints.allow`,
      `${vendor}: allowed`,
      was.endpoints?.allow ?? [],
      is.endpoints?.allow ?? [],
      'wider',
    ),
    ...entriesOf(
      `${at}.endpoints.deny`,
      `${vendor}: denied`,
      was.endpoints?.deny ?? [],
      is.endpoints?.deny ?? [],
      'tighter',
    ),
  ]
}

/** Entries of a list that no entry of another one covers. */
function missing(list: readonly string[], others: readonly string[]): string[] {
  const exact = new Set(others)
  const wild = others
    .filter((entry) => entry.includes('*'))
    .map((entry) => glob(entry.startsWith('* ') ? entry.slice(1) : entry))
  const anyMethod = others.filter((entry) => entry.startsWith('* ')).map((entry) => glob(entry.slice(2)))
  return list.filter(
    (entry) =>
      !exact.has(entry) &&
      !wild.some((matches) => matches(entry)) &&
      !anyMethod.some((matches) => matches(entry, entry.indexOf(' ') + 1)),
  )
}

/** What this file has no words for, as it stands. */
function others(at: string, from: object, to: object, known: readonly string[]): Difference[] {
  const [was, is] = [from, to] as [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>]
  return [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .filter((key) => !known.includes(key) && JSON.stringify(was[key]) !== JSON.stringify(is[key]))
    .flatMap((key) =>
      one(at === '' ? key : `${at}.${key}`, 'other', `${key} is ${shown(is[key])}, and was ${shown(was[key])}.`),
    )
}

const shown = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value))

function written(entries: readonly string[]): string {
  if (entries.length === 0) return 'none'
  const more = entries.length > ENTRIES_MAX ? ` and ${entries.length - ENTRIES_MAX} more` : ''
  return entries.slice(0, ENTRIES_MAX).join(', ') + more
}
