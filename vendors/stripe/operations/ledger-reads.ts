import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows } from '../operation.js'
import { CLI, SDK } from '../sources.js'
import { everybodysRows, nobodysRows, SECRETS } from './reads.js'

/**
 * What happened and what applies to everybody. An event holds the whole object it is about, whatever that is, so all
 * fields by which any object could be used are taken out of it.
 */
const EVENT_SECRETS = [...SECRETS, 'cvc', 'number', 'secret', 'upload_url', 'url'] as const

export const ledgerReads: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  ...everybodysRows(`
    events.list GET /v1/events
    events.retrieve GET /v1/events/{event}
  `).map((read) => ({
    ...read,
    why: 'It shows every object of the account for 30 days; what could be acted with is taken out.',
    reveals: EVENT_SECRETS,
  })),
  ...rows(
    {
      effect: 'write',
      source: CLI,
      why: 'It delivers an event once more to an address that is registered already; Stripe moves nothing.',
      reveals: EVENT_SECRETS,
    },
    'events.retry POST /v1/events/{event}/retry',
  ),
  ...nobodysRows(`
    country_specs.list GET /v1/country_specs
    country_specs.retrieve GET /v1/country_specs/{country}
    exchange_rates.list GET /v1/exchange_rates
    exchange_rates.retrieve GET /v1/exchange_rates/{rate}
  `),
])
