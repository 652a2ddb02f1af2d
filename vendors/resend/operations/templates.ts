import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows, SOURCE } from '../answers.js'

export const templates: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    { effect: 'read' },
    `
    templates.list GET /templates
    templates.get  GET /templates/{template}
    `,
  ),
  ...rows(
    { effect: 'write', why: 'Only a draft changes; what is mailed stays as it is until the template is published.' },
    `
    templates.create    POST /templates
    templates.update    PATCH /templates/{template}
    templates.duplicate POST /templates/{template}/duplicate
    `,
  ),
  ...rows(
    { effect: 'routing', why: 'What everybody who uses the template mails from now on is other content.' },
    'templates.publish POST /templates/{template}/publish',
  ),
  ...rows({ effect: 'destructive' }, 'templates.delete DELETE /templates/{template}'),
])
