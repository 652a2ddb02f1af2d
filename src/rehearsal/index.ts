import type { Engine } from '../engine.js'
import type { Fixtures, Tested } from './fixtures.js'
import type { Observed, ObservedWish } from './observed.js'
import type { Simulation, Wish } from './simulation.js'
import type { Suggested, SuggestionWish } from './suggestion.js'
import type { LiveLookUps, Tried, TriedPolicy, TrialMeans, TrialResult } from './trial.js'

/** Where look-ups may be answered by the vendor: this credential, the only one it has, or nowhere. */
export type LookUpWish = { readonly credential: string } | 'only-one' | 'never'

/**
 * What a policy would say: to a request that nobody has made, to calls that were made, and which one would say what was
 * seen. Each part is loaded when it is first asked for, because no call of an agent needs it.
 */
export class Rehearsal {
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async tryOut(policy: TriedPolicy, tried: Tried, lookUps: LookUpWish): Promise<TrialResult> {
    const { tryOut } = await import('./trial.js')
    const live = this.#live(lookUps)
    return tryOut(policy, tried, this.#means(), live(tried.request.split('/')[1] ?? ''))
  }

  async runFixtures(policy: TriedPolicy, fixtures: Fixtures, lookUps: LookUpWish): Promise<readonly Tested[]> {
    const { runFixtures } = await import('./fixtures.js')
    return runFixtures(policy, fixtures, this.#means(), this.#live(lookUps))
  }

  async simulate(wish: Wish): Promise<Simulation> {
    const { simulate } = await import('./simulation.js')
    return simulate(wish, this.#past())
  }

  async observed(wish: ObservedWish): Promise<Observed> {
    const { observed } = await import('./observed.js')
    return observed(wish, this.#engine.ledger)
  }

  async suggest(wish: SuggestionWish): Promise<Suggested> {
    const { suggest } = await import('./suggestion.js')
    return suggest(wish, this.#past())
  }

  #means(): TrialMeans {
    const { judge, vendors, clock, unlocked, ledger } = this.#engine
    return { judge, vendors, clock, unlocked, setting: (name) => ledger.setting(name) }
  }

  #past() {
    const { ledger, judge, vendors } = this.#engine
    return { ledger, judge, vendors: new Map([...vendors.values()].map((runtime) => [runtime.vendor.name, runtime])) }
  }

  #live(wish: LookUpWish): (vendor: string) => LiveLookUps | null {
    const { ledger, credentials, upstream, vendors } = this.#engine
    return (vendor) => {
      const all = ledger.credentials().filter((record) => record.vendor === vendor)
      // A vendor by configuration looks nothing up, but what it is stands in its credentials.
      if (vendors.get(vendor)?.vendor.bindings !== undefined)
        return all[0] === undefined ? null : { record: all[0], credentials, upstream: null }
      if (wish === 'never') return null
      const fit = all.filter(
        ({ id, name }) => wish === 'only-one' || id === wish.credential || name === wish.credential,
      )
      return fit.length === 1 ? { record: fit[0]!, credentials, upstream } : null
    }
  }
}
