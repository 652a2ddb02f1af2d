// Loaded into a vendor's MCP server by `spendgate doctor` alone, in front of everything else: writes down which hosts the
// server tries to connect to, and lets it reach none but this machine. Keys in such a server are worthless ones, and
// what goes past spendgate ends here.

import fs = require('node:fs')
import net = require('node:net')
import path = require('node:path')
import tls = require('node:tls')

const report = process.env.SPENDGATE_DOCTOR_REPORT
/** npx and its like fetch the server first; they hold no real key either. */
const FETCHERS = /^(?:npx|npm|pnpm|pnpx|yarn|corepack)(?:-cli)?(?:\.c?js)?$/
const HERE = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\]|::ffff:127(?:\.\d{1,3}){3})$/

if (report && !FETCHERS.test(path.basename(process.argv[1] ?? ''))) watch(report)

function watch(file: string): void {
  const note = (line: object): void => fs.appendFileSync(file, `${JSON.stringify(line)}\n`)
  note({ watched: process.pid })
  const untouched = tls.connect
  const connect = net.Socket.prototype.connect as (...args: unknown[]) => net.Socket
  // Below tls.connect, http, fetch and every agent: all of them open their sockets by this method.
  const guarded = function (this: net.Socket, ...args: unknown[]): net.Socket {
    const options = optionsOf(args)
    const host = String(options.host ?? 'localhost').toLowerCase()
    if (options.path || HERE.test(host)) return connect.apply(this, args)
    const name = String(options.servername || host)
    // Whoever hooks TLS after us is the preload: then it is there, and did not catch this.
    note({ refused: name, hooked: tls.connect !== untouched })
    process.nextTick(() =>
      this.destroy(
        Object.assign(new Error(`${name} is not reached while spendgate doctor looks on`), { code: 'ENOTFOUND' }),
      ),
    )
    return this
  }
  net.Socket.prototype.connect = guarded as typeof net.Socket.prototype.connect
}

interface Target {
  readonly host?: unknown
  readonly servername?: unknown
  readonly path?: unknown
}

/** `connect(options)`, `connect(port, host)`, `connect(path)`, or Node's own list of the two. */
function optionsOf(args: readonly unknown[]): Target {
  const [first, second] = args
  if (Array.isArray(first)) return optionsOf(first)
  if (typeof first === 'object' && first !== null) return first
  if (typeof first === 'string' && !/^\d+$/.test(first)) return { path: first }
  return { host: typeof second === 'string' ? second : undefined }
}
