import { getRequestListener } from '@hono/node-server'
import type { AdminDeps } from './deps.js'
import { createAdmin } from './server.js'

/** The admin API as a listener of Node's server. A module of its own, so that its libraries can be loaded with the first request. */
export const adminListener = (deps: AdminDeps): ReturnType<typeof getRequestListener> =>
  getRequestListener(createAdmin(deps).fetch)
