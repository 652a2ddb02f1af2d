import type { Vault } from '../custody/seal.js'
import type { Engine } from '../engine.js'

/** What planning and undoing need of the engine. */
export type Means = Pick<
  Engine,
  'ledger' | 'vendors' | 'credentials' | 'upstream' | 'tables' | 'clock' | 'namespace' | 'log'
> & {
  readonly vault: Vault
}
