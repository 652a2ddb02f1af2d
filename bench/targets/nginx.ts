import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { childrenOf } from '../machine.js'
import type { Role } from '../part.js'
import { freePort, runForeign } from './foreign.js'
import { AGENT_KEY, PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

const WORKER_MS = 2_000

/** nginx's version line, or null when there is no nginx. */
export function nginxVersion(): string | null {
  const { status, stderr } = spawnSync('nginx', ['-v'], { encoding: 'utf8' })
  return status === 0 ? (/nginx\/\S+/.exec(stderr)?.[0] ?? 'nginx') : null
}

/** One worker, keep-alive on both sides, the key swapped: what a pass-through costs when it is not written in JavaScript. */
export async function start({ upstream, directory }: TargetOptions): Promise<Role<TargetFacts>> {
  const home = join(directory, 'nginx')
  mkdirSync(home, { recursive: true })
  const port = await freePort()
  const file = join(home, 'nginx.conf')
  writeFileSync(file, configuration(home, port, upstream))
  const nginx = await runForeign(['nginx', '-p', home, '-c', file, '-e', join(home, 'error.log')], port)
  // The port is open before the worker is there.
  for (let waited = 0; childrenOf(nginx.pid).length === 0 && waited < WORKER_MS; waited += 10) await pause(10)
  return {
    facts: {
      port,
      path: PATH,
      authorization: `Bearer ${AGENT_KEY}`,
      pids: childrenOf(nginx.pid),
      version: nginxVersion() ?? 'nginx',
    },
    stop: () => nginx.stop(),
  }
}

/**
 * As root nginx gives its worker to `nobody`, who may not write into a directory of root's; the worker of a bench stays
 * what its master is. Nagle is off on both sides already, and a body this small needs no file.
 */
const configuration = (home: string, port: number, upstream: number): string => `
daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${home}/pid;
error_log ${home}/error.log error;
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path ${home}/body;
  proxy_temp_path ${home}/proxy;
  fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi;
  scgi_temp_path ${home}/scgi;
  keepalive_timeout 75s;
  keepalive_requests 100000000;
  upstream vendor { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests 100000000; keepalive_timeout 60s; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://vendor;
      proxy_http_version 1.1;
      proxy_set_header Host 127.0.0.1:${upstream};
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer ${REAL_KEY}";
    }
  }
}
`
