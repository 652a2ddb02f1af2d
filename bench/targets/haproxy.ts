import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Role } from '../part.js'
import { freePort, runForeign } from './foreign.js'
import { AGENT_KEY, PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/** HAProxy's version, or null when there is no HAProxy. */
export function haproxyVersion(): string | null {
  const { status, stdout } = spawnSync('haproxy', ['-v'], { encoding: 'utf8' })
  return status === 0 ? `HAProxy ${/version (\S+)/.exec(stdout)?.[1] ?? ''}`.trim() : null
}

/** One thread in one process, connections to the vendor kept and shared, the key swapped. */
export async function start({ upstream, directory }: TargetOptions): Promise<Role<TargetFacts>> {
  const home = join(directory, 'haproxy')
  mkdirSync(home, { recursive: true })
  const port = await freePort()
  const file = join(home, 'haproxy.cfg')
  writeFileSync(file, configuration(port, upstream))
  // -db: in the foreground, in the process we started.
  const haproxy = await runForeign(['haproxy', '-db', '-f', file], port)
  return {
    facts: {
      port,
      path: PATH,
      authorization: `Bearer ${AGENT_KEY}`,
      pids: [haproxy.pid],
      version: haproxyVersion() ?? 'HAProxy',
    },
    stop: () => haproxy.stop(),
  }
}

const configuration = (port: number, upstream: number): string => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  timeout http-keep-alive 75s
  option http-keep-alive
  http-reuse always
frontend agents
  bind 127.0.0.1:${port}
  default_backend vendor
backend vendor
  http-request set-header Authorization "Bearer ${REAL_KEY}"
  server vendor 127.0.0.1:${upstream} pool-max-conn 128
`
