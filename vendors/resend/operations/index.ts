import type { Operation } from '../../../src/contracts/vendor.js'
import { account } from './account.js'
import { automations } from './automations.js'
import { broadcasts } from './broadcasts.js'
import { closed } from './closed.js'
import { contacts } from './contacts.js'
import { domains } from './domains.js'
import { editor } from './editor.js'
import { emails } from './emails.js'
import { inboxes } from './inboxes.js'
import { suppressions } from './suppressions.js'
import { templates } from './templates.js'

export const operations: readonly Operation[] = [
  ...emails,
  ...domains,
  ...contacts,
  ...broadcasts,
  ...templates,
  ...automations,
  ...inboxes,
  ...suppressions,
  ...account,
  ...editor,
  ...closed,
]
