import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows, SOURCE } from '../answers.js'

/** Logs, usage, suppressions, the editor and OAuth grants. */
export const account: readonly Operation[] = product({ source: SOURCE }, [
  ...rows({ effect: 'read', why: 'It shows the team’s quotas and what is used of them.' }, 'usage.get GET /usage'),
  // The paths in it hold the addresses of contacts.
  ...rows({ effect: 'read', people: true }, 'logs.list GET /logs'),
  ...rows(
    {
      effect: 'credential',
      why: 'It shows what other keys of the team sent and were answered, new API keys among it.',
      people: true,
      reveals: ['request_body', 'response_body'],
    },
    'logs.get GET /logs/{log_id}',
  ),
  ...rows(
    { effect: 'read', why: 'It names programs that were let in, and shows no token.' },
    'oauth_grants.list GET /oauth/grants',
  ),
  ...rows(
    { effect: 'destructive', why: 'It shuts out a program that somebody let in.' },
    'oauth_grants.revoke DELETE /oauth/grants/{grant_id}',
  ),
])
