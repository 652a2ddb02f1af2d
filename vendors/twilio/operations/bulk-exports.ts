import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { tables } from './tables.js'

const table = tables({ v1: ['bulkexports.twilio.com/v1'] })

/** Every message, call or conference of a day as a file. */
export const bulkExports: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'routing',
    why: 'Every message or call of a day goes to a webhook or an e-mail address from then on.',
  })(`
    bulk_exports.configuration.update POST v1/Exports/{ResourceType}/Configuration
    bulk_exports.jobs.create POST v1/Exports/{ResourceType}/Jobs
  `),
  ...table({ effect: 'destructive', why: 'Stops an export and drops what it made.' })(`
    bulk_exports.jobs.delete DELETE v1/Exports/Jobs/{JobSid}
  `),
  ...table({ effect: 'read', people: true, why: 'A day leads to every message or call of it.' })(`
    bulk_exports.days.list GET v1/Exports/{ResourceType}/Days
    bulk_exports.days.get GET v1/Exports/{ResourceType}/Days/{Day}
  `),
  ...table({ effect: 'read' })(`
    bulk_exports.jobs.get GET v1/Exports/Jobs/{JobSid}
    bulk_exports.exports.get GET v1/Exports/{ResourceType}
    bulk_exports.configuration.get GET v1/Exports/{ResourceType}/Configuration
    bulk_exports.jobs.list GET v1/Exports/{ResourceType}/Jobs
  `),
])
