import type { Operation } from '../../../src/contracts/vendor.js'
import { assistants } from './assistants.js'
import { bulkExports } from './bulk-exports.js'
import { chat } from './chat.js'
import { conversations } from './conversations.js'
import { events } from './events.js'
import { flex } from './flex.js'
import { hostedNumbers } from './hosted-numbers.js'
import { intelligence } from './intelligence.js'
import { knowledge } from './knowledge.js'
import { marketplace } from './marketplace.js'
import { memory } from './memory.js'
import { proxy } from './proxy.js'
import { serverless } from './serverless.js'
import { sims } from './sims.js'
import { studio } from './studio.js'
import { sync } from './sync.js'
import { taskrouter } from './taskrouter.js'
import { trusthub } from './trusthub.js'
import { video } from './video.js'

/** The products on hosts of their own that are neither messages, calls, numbers nor the account. */
export const products: readonly Operation[] = [
  ...assistants,
  ...bulkExports,
  ...chat,
  ...conversations,
  ...events,
  ...flex,
  ...hostedNumbers,
  ...intelligence,
  ...knowledge,
  ...marketplace,
  ...memory,
  ...proxy,
  ...serverless,
  ...sims,
  ...studio,
  ...sync,
  ...taskrouter,
  ...trusthub,
  ...video,
]
