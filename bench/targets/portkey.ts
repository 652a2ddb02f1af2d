import type { Role } from '../part.js'
import { fileOfPeer, versionOfPeer } from '../peers.js'
import { freePort, runForeign } from './foreign.js'
import { REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

const NAME = '@portkey-ai/gateway'

/**
 * A popular gateway on Hono, on its main route: chat completions with a small JSON body, sent to our vendor as a custom
 * host. Its generic routes refuse forms (400) or fail on Node 20 (500, measured 2026-11 with 1.15.2), and on this one it
 * does what an LLM's reply needs. So it is measured unlike for like.
 */
export async function start({ upstream }: TargetOptions): Promise<Role<TargetFacts>> {
  const port = await freePort()
  const gateway = await runForeign(
    [process.execPath, fileOfPeer(NAME, 'build/start-server.js'), `--port=${port}`, '--headless'],
    port,
    { NODE_ENV: 'production' },
  )
  return {
    facts: {
      port,
      path: '/v1/chat/completions',
      authorization: `Bearer ${REAL_KEY}`,
      pids: [gateway.pid],
      version: `Portkey gateway ${versionOfPeer(NAME)}`,
      own: {
        headers: [
          'Content-Type: application/json',
          'x-portkey-provider: openai',
          `x-portkey-custom-host: http://127.0.0.1:${upstream}/v1`,
        ],
        body: JSON.stringify({
          model: 'gpt-4o-mini',
          messages: [{ role: 'user', content: 'Pay order 6735, please.' }],
        }),
      },
    },
    stop: () => gateway.stop(),
  }
}
