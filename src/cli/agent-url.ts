import type { Context } from './context.js'

/** Where agents call, as this environment names it; the server may say otherwise if it was started elsewhere. */
export function agentUrl(context: Context): URL {
  const { SPENDGATE_HOST: host = '127.0.0.1', SPENDGATE_PORT: port = '4242' } = context.io.env
  const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return new URL(`http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`)
}
