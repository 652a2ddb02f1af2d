import { isIP } from 'node:net'
import type { Clock } from '../../contracts/clock.js'
import type { Asker } from './asker.js'
import { Connection, type Destination, type Keeper } from './connection.js'
import type { Ticks } from './ticks.js'

/** Below what vendors and their load balancers keep idle connections for: a request on a dying connection is a call of unknown outcome. */
const IDLE_MS = 4_000
/** Where the server says how long, so much less, because its word takes a while to get here. */
const IDLE_MARGIN_MS = 2_000
const IDLE_MS_MAX = 30_000
const CONNECTIONS_MAX = 1024
const SESSIONS_MAX = 100

/**
 * Connections to one origin. A request goes on the idle connection that was used last, on a new one, or, where there are
 * as many as may be, waits in order for one to become free.
 */
export class Pool implements Keeper {
  readonly ticks: Ticks
  readonly #clock: Clock
  readonly #destination: Destination
  readonly #connections = new Set<Connection>()
  /** The last is the one that was used last. */
  readonly #idle: Connection[] = []
  readonly #waiting: Asker[] = []
  readonly #connectionsMax: number
  /** TLS sessions to resume, by the name the certificate was for. */
  readonly #sessions = new Map<string, Buffer>()
  #named: { readonly host: string; readonly name: string }
  #taken: Connection[] = []
  #gone: (() => void) | null = null
  #over = false

  constructor(destination: Destination, ticks: Ticks, clock: Clock, connectionsMax = CONNECTIONS_MAX) {
    this.#destination = destination
    this.ticks = ticks
    this.#clock = clock
    this.#connectionsMax = connectionsMax
    this.#named = { host: '', name: serverNameOf(destination.named) }
  }

  /** For a request that names no host. */
  get host(): string {
    return this.#destination.named
  }

  send(asker: Asker): void {
    if (!this.#placed(asker)) this.#waiting.push(asker)
  }

  #placed(asker: Asker): boolean {
    if (this.#over) {
      asker.onFault('The connections are closed.', false)
      return true
    }
    const name = this.#nameFor(asker)
    const connection = this.#idleFor(name)
    if (connection !== null) this.#take(connection, asker)
    else if (this.#connections.size < this.#connectionsMax) this.#open(name, asker)
    else {
      // What is idle now is open under another name, and makes room.
      this.#idle.shift()?.destroy()
      return false
    }
    return true
  }

  /** Whose certificate is asked for: of the host that the request names, wherever the origin leads. */
  #nameFor({ outgoing: { host } }: Asker): string {
    if (!this.#destination.tls) return ''
    if (host !== this.#named.host) {
      const name = serverNameOf(host)
      this.#named = { host, name: name === '' ? serverNameOf(this.#destination.named) : name }
    }
    return this.#named.name
  }

  /** Closes every connection. Whoever waits is told. */
  async close(): Promise<void> {
    this.#over = true
    for (const asker of this.#waiting.splice(0)) asker.onFault('The connections are closed.', false)
    if (this.#connections.size === 0) return
    const gone = new Promise<void>((resolve) => (this.#gone = resolve))
    for (const connection of this.#connections) connection.destroy()
    await gone
  }

  check(): void {
    const now = this.#clock.monotonic()
    for (const connection of this.#connections) connection.check(now)
  }

  opened(connection: Connection): void {
    connection.begin()
  }

  freed(connection: Connection, keepAliveMs: number): void {
    const idleMs = keepAliveMs < 0 ? IDLE_MS : Math.min(keepAliveMs - IDLE_MARGIN_MS, IDLE_MS_MAX)
    if (idleMs <= 0) return connection.destroy()
    connection.idleUntil = this.#clock.monotonic() + idleMs
    this.#offer(connection)
  }

  /** The other side has seen nothing by which it would wait for longer. */
  unused(connection: Connection): void {
    if (connection.idleUntil === 0) connection.idleUntil = this.#clock.monotonic() + IDLE_MS
    this.#offer(connection)
  }

  #offer(connection: Connection): void {
    const [next] = this.#waiting
    if (next === undefined) this.#idle.push(connection)
    // One that is open under another name closes, which lets the first in line open its own.
    else if (this.#nameFor(next) !== connection.servername) connection.destroy()
    else {
      this.#waiting.shift()
      this.#take(connection, next)
    }
  }

  lost(connection: Connection, unbegun: Asker | null): void {
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    // It was before all that wait.
    if (unbegun !== null && !this.#placed(unbegun)) this.#waiting.unshift(unbegun)
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection)
    this.ticks.release()
    if (this.#connections.size === 0) this.#gone?.()
    while (this.#waiting.length > 0 && this.#connections.size < this.#connectionsMax)
      if (this.#placed(this.#waiting[0]!)) this.#waiting.shift()
  }

  keepSession(servername: string, session: Buffer): void {
    if (this.#sessions.size >= SESSIONS_MAX) this.#sessions.clear()
    this.#sessions.set(servername, session)
  }

  #open(servername: string, asker: Asker): void {
    const session = this.#sessions.get(servername) ?? null
    let connection: Connection
    try {
      connection = new Connection(this, this.#destination, servername, asker, session)
    } catch (error) {
      // A name or a port that Node does not take.
      return asker.onFault(error instanceof Error ? `${error.name}: ${error.message}` : String(error), false)
    }
    this.ticks.use()
    this.#connections.add(connection)
  }

  /** The idle connection that was used last under this name. What should have been closed by now is, and is not used. */
  #idleFor(servername: string): Connection | null {
    if (this.#idle.length === 0) return null
    const now = this.#clock.monotonic()
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      const connection = this.#idle[at]!
      if (connection.servername !== servername) continue
      if (at === this.#idle.length - 1) this.#idle.pop()
      else this.#idle.splice(at, 1)
      if (now < connection.idleUntil) return connection
      connection.destroy()
    }
    return null
  }

  /**
   * A request begins on a used connection in the turn after next: in between the system was certainly asked what has
   * come, so that a goodbye sent with the last reply, or bytes nobody asked for, are seen first. One wait for all that are
   * taken in a turn.
   */
  #take(connection: Connection, asker: Asker): void {
    connection.take(asker)
    if (this.#taken.push(connection) === 1) setImmediate(this.#look)
  }

  readonly #look = (): void => {
    const taken = this.#taken
    this.#taken = []
    setImmediate(() => {
      for (const connection of taken) connection.begin()
    })
  }
}

/** A host without its port; empty for an address, which no certificate is asked for by name. */
function serverNameOf(host: string): string {
  const name = host.startsWith('[') ? host.slice(1, Math.max(1, host.indexOf(']'))) : host.split(':', 1)[0]!
  return isIP(name) === 0 ? name : ''
}
