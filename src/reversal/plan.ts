import * as crypto from 'node:crypto'
import { requestOf } from '../admin/take-back.js'
import type { CredentialRecord } from '../contracts/ledger.js'
import type { Usd } from '../contracts/money.js'
import type { Reading } from '../contracts/records.js'
import type { Done, Look, Step, Steps, Undo, Unnamed } from '../contracts/reversal.js'
import { SealFault } from '../custody/seal.js'
import type { OpenCredential, VendorRuntime } from '../engine.js'
import { Readings } from '../reconcile/reach.js'
import type { Canonical } from '../wire/prepare.js'
import { deedsOf, type Deed } from './deeds.js'
import { lookAt } from './look.js'
import type { Means } from './means.js'
import { nameOf } from './named.js'

/** Objects that are looked at at a time, looks at one of them, and how long all of them may take. */
const AT_A_TIME = 8
const LOOKS_MAX = 6
const ALL_MS_MAX = 30_000

/** What would undo a run, and what nothing does. */
export interface Plan {
  readonly run: string
  /** Oldest deed first. */
  readonly items: readonly Item[]
  readonly harmless: number
  readonly cut: boolean
}

/** open: it can be undone by the request. undone: it is, or came to nothing. impossible: nothing undoes it, or not from here. */
export type Item = {
  readonly deed: Deed
  /** The vendor's id of what it is about; null where it is not known. */
  readonly on: string | null
} & (
  | { readonly state: 'open'; readonly id: string; readonly undo: Undo; readonly request: Canonical }
  | { readonly state: 'undone' | 'impossible'; readonly why: string; readonly absent?: true }
)
export type OpenItem = Extract<Item, { state: 'open' }>

export async function planOf(run: string, rootId: string | undefined, means: Means): Promise<Plan> {
  const { deeds, harmless, cut } = await deedsOf(run, rootId, means)
  const planner = new Planner(run, means)
  const items: (readonly Item[])[] = deeds.map(() => [])
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < deeds.length; i = next++) items[i] = await planner.itemsOf(deeds[i]!)
  }
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, deeds.length) }, worker))
  return { run, items: onceEach(items.flat()), harmless, cut }
}

/** What two deeds lead to (an invoice and the intent that paid it) is undone once. */
function onceEach(items: readonly Item[]): readonly Item[] {
  const seen = new Set<string>()
  return items.filter((item) => {
    const name = item.state === 'open' ? item.id : null
    if (name !== null && seen.has(name)) return false
    if (name !== null) seen.add(name)
    return true
  })
}

class Planner {
  readonly #run: string
  readonly #means: Means
  readonly #readings: Readings
  readonly #until: number

  constructor(run: string, means: Means) {
    this.#run = run
    this.#means = means
    this.#readings = new Readings(means)
    this.#until = means.clock.monotonic() + ALL_MS_MAX
  }

  async itemsOf(deed: Deed): Promise<readonly Item[]> {
    const runtime = this.#means.vendors.get(deed.vendor)
    const { record } = deed
    if (runtime === undefined || record === null)
      return [impossible(deed, `Its credential was removed. Undo it at ${deed.vendor} by hand.`)]
    const first = this.#undo(deed, deed.object, runtime, record)
    const steps = first !== null && isUnnamed(first) ? await this.#named(deed, runtime, record, first.why) : first
    if (steps === null) return nothingKnown(deed)
    const another = await this.#madeElsewhere(deed, record)
    if (another !== null) return [impossible(deed, another)]
    const credential = this.#opened(record)
    if (credential === null)
      return [impossible(deed, `The credential ${record.id} cannot be opened now, so nobody can look. Plan again.`)]
    const found = await this.#looked(steps, runtime, credential, LOOKS_MAX)
    return found.map((step) => this.#itemOf(deed, step, runtime, record))
  }

  /** What another run made and this one only touched is not undone as a whole; why not, as a sentence. */
  async #madeElsewhere({ operation, object, keyId }: Deed, record: CredentialRecord): Promise<string | null> {
    // Money that followed is on the run that made what it followed from.
    if (object === null || operation === 'movement') return null
    const { ledger } = this.#means
    const origin = await ledger.originOf([record.id], [object])
    const rootOf = (id: string): string => ledger.key(id)?.rootId ?? id
    if (origin === null || (origin.run === this.#run && rootOf(origin.keyId) === rootOf(keyId))) return null
    return `The run ${origin.run} of ${rootOf(origin.keyId)} has made it or begun to pay for it, and undoing it would undo that as well. Plan that run, or undo the part of this one by hand.`
  }

  #opened(record: CredentialRecord): OpenCredential | null {
    try {
      return this.#means.credentials.open(record)
    } catch (fault) {
      if (fault instanceof SealFault) return null // Of other credentials the plan still tells.
      throw fault
    }
  }

  #undo(deed: Deed, object: string | null, { vendor }: VendorRuntime, record: CredentialRecord): Steps | null {
    const done: Done = {
      operation: deed.operation,
      object,
      account: record.account,
      rates: this.#means.tables.rates,
    }
    return vendor.reversal?.undo(done) ?? null
  }

  async #named(deed: Deed, runtime: VendorRuntime, record: CredentialRecord, why: string): Promise<Steps> {
    const { row } = deed
    const reading: Promise<Reading> | null = this.#readings.of(record)
    const object = row === null ? null : await nameOf(row, runtime, record, reading, this.#means)
    const again = object === null ? null : this.#undo(deed, object, runtime, record)
    if (again !== null && !isUnnamed(again)) return again
    const advice =
      row?.state === 'assumed'
        ? `Whether it was executed is not known either: reconcile first, and plan again.`
        : `Look at ${deed.vendor} for what was made then, and undo it there.`
    return { step: 'impossible', on: null, why: `${why} ${advice}` }
  }

  /** Looks until it is known what is to be done. */
  async #looked(
    steps: Steps,
    runtime: VendorRuntime,
    credential: OpenCredential,
    looks: number,
  ): Promise<readonly Decided[]> {
    const found: Decided[] = []
    for (const step of [steps].flat() as readonly Step[]) {
      if (step.step === 'unnamed') found.push({ step: 'impossible', on: null, why: step.why })
      else if (step.step !== 'look') found.push(step)
      else if (looks === 0) found.push({ step: 'impossible', on: null, why: 'It takes more looks than are taken.' })
      else {
        const then = await this.#lookAt(step, runtime, credential)
        found.push(
          ...(typeof then === 'string' ? [unseen(then)] : await this.#looked(then, runtime, credential, looks - 1)),
        )
      }
    }
    return found
  }

  #lookAt(look: Look, runtime: VendorRuntime, credential: OpenCredential): Promise<Steps | string> {
    const leftMs = Math.ceil(this.#until - this.#means.clock.monotonic())
    if (leftMs <= 0) return Promise.resolve(`planning takes longer than ${ALL_MS_MAX / 1000} s.`)
    return lookAt(look, runtime, credential, leftMs, this.#means)
  }

  #itemOf(deed: Deed, step: Decided, runtime: VendorRuntime, record: CredentialRecord): Item {
    if (step.step !== 'undo') {
      const { step: state, on, why, ...absent } = step
      return { deed, on, state, why, ...absent }
    }
    const request = requestOf(step.request, runtime)
    if (request === null)
      return impossible(deed, `What would undo it is no address of ${deed.vendor}. Undo it there by hand.`)
    const id = `undo_${crypto.hash('sha256', `${record.id}\n${request.hash}`, 'hex').slice(0, 32)}`
    return { deed, on: step.on, state: 'open', id, undo: step, request }
  }
}

const isUnnamed = (steps: Steps): steps is Unnamed => 'step' in steps && steps.step === 'unnamed'

type Decided = Exclude<Step, { step: 'look' | 'unnamed' }>

const unseen = (why: string): Decided => ({
  step: 'impossible',
  on: null,
  why: `How it stands by now could not be seen: ${why} Plan again.`,
})

const impossible = (deed: Deed, why: string): Item => ({ deed, on: deed.object, state: 'impossible', why })

/** What the catalogue of what can be undone does not hold, and cost or changed something. */
function nothingKnown(deed: Deed): readonly Item[] {
  const { counted, row, vendor, operation } = deed
  // A later call on an object is told of with the first one.
  if (row === null && operation === 'movement') return []
  const effect = row?.effect ?? 'spend'
  if (counted === (0n as Usd) && effect === 'write') return []
  return [impossible(deed, `No request is known that undoes ${operation}. Look at ${vendor}.`)]
}
