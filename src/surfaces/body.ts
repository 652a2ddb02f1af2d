import type { IncomingMessage } from 'node:http'
import type { Fault } from '../exchange.js'

/**
 * Reads a request's body whole.
 *
 * @param limit bytes it may have
 * @param together resolves in the same row with other work that became ready (see together.ts)
 */
export function readBody(
  incoming: IncomingMessage,
  headers: ReadonlyMap<string, string>,
  limit: number,
  together: (work: () => void) => void,
): Promise<Buffer | Fault> {
  const declared = headers.get('content-length')
  if (declared === undefined && !headers.has('transfer-encoding')) return Promise.resolve(NOTHING)
  if (declared !== undefined && Number(declared) > limit) return Promise.resolve(tooLarge(limit))
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > limit) resolve(tooLarge(limit))
      else chunks.push(chunk)
    })
    let ended = false
    incoming.on('end', () => {
      ended = true
      together(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    })
    // The server's own time limit for a request ends a body that never arrives; every way leads here.
    const broken = (): void => {
      if (!ended) resolve({ code: 'request_malformed', message: 'The body did not arrive whole.' })
    }
    if (incoming.destroyed) broken()
    incoming.on('close', broken)
    incoming.on('error', broken)
  })
}

const tooLarge = (limit: number): Fault => ({
  code: 'body_too_large',
  message: `The body is larger than the ${limit} bytes this operation may have. Do not retry.`,
})

const NOTHING = Buffer.alloc(0)
