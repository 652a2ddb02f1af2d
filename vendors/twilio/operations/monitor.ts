import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows, SOURCE } from '../rows.js'

const V1 = 'monitor.twilio.com/v1'

/** Twilio’s own log of an account. Alarms are the operator’s: see never.ts. */
export const monitor: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    // An alert repeats the failed request and its answer, with user names and passwords in URLs.
    {
      effect: 'read',
      people: true,
      reveals: [
        'request_url',
        'request_variables',
        'request_headers',
        'response_body',
        'response_headers',
        'alert_text',
      ],
    },
    `
    monitor.alerts.list GET ${V1}/Alerts
    monitor.alerts.get GET ${V1}/Alerts/{Sid}`,
  ),
  ...rows(
    { effect: 'read', people: true },
    `
    monitor.events.list GET ${V1}/Events
    monitor.events.get GET ${V1}/Events/{Sid}`,
  ),
])
