import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { childrenOf } from '../machine.js'
import type { Role } from '../part.js'
import { AGENT_KEY, PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

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
  const master = spawn('nginx', ['-p', home, '-c', file, '-e', join(home, 'error.log')], { stdio: ['ignore', 2, 2] })
  // However this process ends, nginx does not outlive it.
  process.once('exit', () => master.kill('SIGTERM'))
  const gone = new Promise<void>((resolve) => master.once('exit', () => resolve()))
  await Promise.race([
    listening(port),
    gone.then(() => Promise.reject(new Error('nginx ended instead of listening; its error is above.'))),
  ])
  return {
    facts: {
      port,
      path: PATH,
      authorization: `Bearer ${AGENT_KEY}`,
      pids: childrenOf(master.pid!),
      version: nginxVersion() ?? 'nginx',
    },
    stop: async () => {
      master.kill('SIGTERM')
      await gone
    },
  }
}

const configuration = (home: string, port: number, upstream: number): string => `
daemon off;
worker_processes 1;
pid ${home}/pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${home}/body;
  proxy_temp_path ${home}/proxy;
  fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi;
  scgi_temp_path ${home}/scgi;
  keepalive_requests 100000000;
  upstream vendor { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://vendor;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer ${REAL_KEY}";
    }
  }
}
`

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** Resolves when the port accepts connections. */
async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('nginx does not listen after 5 seconds.')
}
