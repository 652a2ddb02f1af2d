import type { Explained, Json, Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { asObject, free, isAbsent, malformed, operation, rows, SOURCE } from '../answers.js'
import { isPlainUrl } from '../emails.js'

const KEYS = 'API keys act on the account outside spendgate.'
const WEBHOOKS = 'Webhooks copy all mail events to an address outside, and their records hold signing secrets.'

/** What leads past spendgate: keys, and webhooks with their secrets. No policy alone opens it. */
export const closed: readonly Operation[] = [
  ...product({ source: SOURCE, never: KEYS, reveals: ['token'] }, [
    ...rows(
      { effect: 'credential' },
      `
      api_keys.list   GET /api-keys
      api_keys.create POST /api-keys
      api_keys.update PATCH /api-keys/{api_key_id}
      `,
    ),
    ...rows({ effect: 'destructive' }, 'api_keys.delete DELETE /api-keys/{api_key_id}'),
  ]),
  ...product({ source: SOURCE, never: WEBHOOKS, reveals: ['signing_secret'] }, [
    operation({
      id: 'webhooks.create',
      routes: ['POST /webhooks'],
      effect: 'routing',
      explain: (question) => endpoint(question.json),
    }),
    operation({
      id: 'webhooks.update',
      routes: ['PATCH /webhooks/{webhook_id}'],
      effect: 'routing',
      explain: (question) => endpoint(question.json),
    }),
    ...rows(
      { effect: 'credential' },
      `
      webhooks.list GET /webhooks
      webhooks.get  GET /webhooks/{webhook_id}
      webhooks.rotate_signing_secret POST /webhooks/{webhook_id}/signing-secret/rotate
      `,
    ),
    ...rows(
      { effect: 'credential', people: true },
      `
      webhooks.events.list          GET /webhooks/{webhook_id}/events
      webhooks.events.get           GET /webhooks/{webhook_id}/events/{event_id}
      webhooks.events.attempts.list GET /webhooks/{webhook_id}/events/{event_id}/attempts
      `,
    ),
    ...rows({ effect: 'routing' }, 'webhooks.events.replay POST /webhooks/{webhook_id}/events/{event_id}/replay'),
    ...rows({ effect: 'destructive' }, 'webhooks.delete DELETE /webhooks/{webhook_id}'),
  ]),
]

/** The reply to a new webhook holds its signing secret. */
function endpoint(json: Json | undefined): Explained {
  const url = asObject(json)?.endpoint
  if (isAbsent(url)) return { ...free({}), effects: ['credential'] }
  if (typeof url !== 'string' || !isPlainUrl(url)) return malformed('endpoint must be a plain https URL.')
  return { ...free({ urls: [url] }), effects: ['credential'] }
}
