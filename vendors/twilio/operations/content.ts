import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows, SOURCE } from '../rows.js'

const V1 = 'content.twilio.com/v1'
const V2 = 'content.twilio.com/v2'
const TEXT = 'A text for later; a message with it is priced as the longest there is.'

/** Message templates. */
export const content: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    { effect: 'write', body: 'json', why: TEXT },
    `
    content.create POST ${V1}/Content
    content.approvals.create POST ${V1}/Content/{ContentSid}/ApprovalRequests/whatsapp`,
  ),
  ...rows(
    {
      effect: 'routing',
      body: 'json',
      why: 'Whoever sends by the template, others too, says something else from now on.',
    },
    `content.update PUT ${V1}/Content/{Sid}`,
  ),
  ...rows({ effect: 'destructive' }, `content.delete DELETE ${V1}/Content/{Sid}`),
  ...rows(
    { effect: 'read' },
    `
    content.list GET ${V1}/Content GET ${V2}/Content
    content.get GET ${V1}/Content/{Sid}
    content.approvals.get GET ${V1}/Content/{Sid}/ApprovalRequests
    content.with_approvals.list GET ${V1}/ContentAndApprovals GET ${V2}/ContentAndApprovals
    content.legacy.list GET ${V1}/LegacyContent`,
  ),
])
