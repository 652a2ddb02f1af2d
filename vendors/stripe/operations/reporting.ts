import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { FREE } from '../pricing.js'
import { rows } from '../operation.js'
import { SDK } from '../sources.js'
import { everybodys, nobodys } from './reads.js'

/** Reports on everything an account did: they show all customers. Their files need the key to be read. */
export const reporting: readonly Operation[] = product({ source: SDK }, [
  ...rows(
    {
      effect: 'write',
      why: 'It writes a report about what has happened; nothing else does.',
      explain: () => ({ quote: FREE, subjects: { customers: null } }),
    },
    `
    reporting.report_runs.create POST /v1/reporting/report_runs
    sigma.saved_queries.update   POST /v1/sigma/saved_queries/{saved_query}
    `,
  ),
  everybodys('reporting.report_runs.list', '/v1/reporting/report_runs'),
  everybodys('reporting.report_runs.retrieve', '/v1/reporting/report_runs/{report_run}'),
  nobodys('reporting.report_types.list', '/v1/reporting/report_types'),
  nobodys('reporting.report_types.retrieve', '/v1/reporting/report_types/{report_type}'),
  everybodys('sigma.scheduled_query_runs.list', '/v1/sigma/scheduled_query_runs'),
  everybodys('sigma.scheduled_query_runs.retrieve', '/v1/sigma/scheduled_query_runs/{scheduled_query_run}'),
])
