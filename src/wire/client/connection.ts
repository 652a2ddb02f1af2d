import { connect as connectTcp, type LookupFunction, type Socket, type TcpSocketConnectOpts } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { channel } from 'node:diagnostics_channel'
import type { Asker } from './asker.js'
import { BROKEN, ReplyReader, SATISFIED, WAITING, WHOLE, type Progress } from './reply-reader.js'
import type { Ticks } from './ticks.js'

/** Where a connection leads, and what for. */
export interface Destination {
  readonly origin: string
  readonly host: string
  /** As a request's Host header names it. */
  readonly named: string
  readonly port: number
  readonly tls: boolean
  /** Resolves names where it matters what they stand for; null for the system's own way. */
  readonly lookup: LookupFunction | null
  readonly connectMs: number
}

/** What a connection tells the pool it belongs to. */
export interface Keeper {
  readonly ticks: Ticks
  /** It is ready for its first request. */
  opened(connection: Connection): void
  /** Its reply is whole, and another request may follow. */
  freed(connection: Connection, keepAliveMs: number): void
  /** Its request did not leave, and it is as it was before. */
  unused(connection: Connection): void
  /** It will carry nothing more; a request that it was to carry and has not begun is given back. */
  lost(connection: Connection, unbegun: Asker | null): void
  /** Its socket is gone. */
  closed(connection: Connection): void
  keepSession(servername: string, session: Buffer): void
}

/** A reply of usual size comes in one piece, and a record of TLS is not larger. */
const READ_BYTES = 16 * 1024
const PROBE_MS = 60_000
/** What leaves, for those who watch the process (tests, the bench): told in the turn of the first byte. */
const leaving = channel('spendgate:vendor:request')

const CONNECTING = 0
const IDLE = 1
/** It has a request that has not begun: what comes now was not asked for. */
const TAKEN = 2
const BUSY = 3
const OVER = 4
type State = typeof CONNECTING | typeof IDLE | typeof TAKEN | typeof BUSY | typeof OVER

/** One connection, with one request on it at a time. */
export class Connection {
  readonly servername: string
  /** By the clock: from then on it is not used again. */
  idleUntil = 0
  readonly #keeper: Keeper
  readonly #destination: Destination
  readonly #reader = new ReplyReader()
  readonly #socket: Socket
  #state: State = CONNECTING
  #asker: Asker | null
  #deadline: number
  #timeoutMs = 0
  #unreferenced = false

  /**
   * @param servername whose certificate is asked for; empty for an address
   * @param asker goes first, or hears why there is no connection
   */
  constructor(keeper: Keeper, destination: Destination, servername: string, asker: Asker, session: Buffer | null) {
    this.#keeper = keeper
    this.#destination = destination
    this.servername = servername
    this.#asker = asker
    this.#deadline = keeper.ticks.after(destination.connectMs)
    this.#socket = this.#open(session)
  }

  #open(session: Buffer | null): Socket {
    const { host, port, tls, lookup } = this.#destination
    const tcp: TcpSocketConnectOpts = {
      host,
      port,
      ...(lookup === null ? {} : { lookup }),
      // Read into one buffer, past the stream: what is kept of a piece is copied where it is kept.
      onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: this.#onRead },
    }
    let socket: Socket
    if (tls) {
      const options: ConnectionOptions & TcpSocketConnectOpts = {
        ...tcp,
        ALPNProtocols: ['http/1.1'],
        ...(this.servername === '' ? {} : { servername: this.servername }),
        ...(session === null ? {} : { session }),
      }
      socket = connectTls(options, this.#onOpen)
      socket.on('session', (fresh: Buffer) => this.#keeper.keepSession(this.servername, fresh))
    } else socket = connectTcp(tcp, this.#onOpen)
    return socket
      .setNoDelay(true)
      .setKeepAlive(true, PROBE_MS)
      .on('error', this.#onError)
      .on('end', this.#onEnd)
      .on('close', this.#onClose)
  }

  /** Gives an idle connection a request, which has not begun by that. */
  take(asker: Asker): void {
    this.#state = TAKEN
    this.#asker = asker
    if (!this.#unreferenced) return
    this.#socket.ref()
    this.#unreferenced = false
  }

  /** Begins its request: the gate, and then at once the bytes. */
  begin(): void {
    if (this.#state !== TAKEN) return
    // The last reply came before its request had left whole.
    if (this.#socket.writableLength > 0) return this.destroy()
    const asker = this.#asker!
    const { outgoing, timeoutMs } = asker
    if (!asker.leaves(this)) {
      this.#asker = null
      this.#state = IDLE
      return this.#keeper.unused(this)
    }
    this.#state = BUSY
    this.#reader.begin(asker)
    this.#timeoutMs = timeoutMs
    this.#deadline = this.#keeper.ticks.after(timeoutMs)
    if (leaving.hasSubscribers) this.#tell(outgoing.bytes)
    this.#socket.write(outgoing.bytes, 'latin1')
  }

  /** Its request gives up what would still come. */
  giveUp(asker: Asker): void {
    if (this.#asker === asker) this.#destroy()
  }

  /** Called on each tick. @param now by the clock */
  check(now: number): void {
    if (this.#state === IDLE) {
      if (now >= this.idleUntil) return this.destroy()
      if (this.#unreferenced) return
      // Nobody waits for it: it keeps no process alive.
      this.#socket.unref()
      this.#unreferenced = true
    } else if (this.#state !== TAKEN && this.#state !== OVER && this.#keeper.ticks.now >= this.#deadline)
      this.#fail(
        this.#state === CONNECTING
          ? `No connection came about within ${this.#destination.connectMs} ms.`
          : this.#reader.headed
            ? `Nothing more of the reply came within ${this.#timeoutMs} ms.`
            : `No reply came within ${this.#timeoutMs} ms.`,
        true,
      )
  }

  /** Whoever waits on it is told. */
  destroy(): void {
    this.#fail('The connection was given up.', false)
  }

  readonly #onOpen = (): void => {
    if (this.#state !== CONNECTING) return
    this.#state = TAKEN
    this.#keeper.opened(this)
  }

  readonly #onRead = (length: number, bytes: Uint8Array): boolean => {
    // Bytes that nobody asked for would be the next request's reply.
    if (this.#state !== BUSY) this.destroy()
    else this.#proceed(this.#reader.take(bytes as Buffer, length))
    return true
  }

  readonly #onEnd = (): void => {
    if (this.#state === BUSY && this.#reader.endsHere) this.#proceed(WHOLE)
    else this.#fail('The other side closed the connection before a reply was whole.', false)
  }

  readonly #onError = (error: Error & { code?: string }): void => {
    this.#fail(`${error.code ?? error.name}: ${error.message}`, false)
  }

  readonly #onClose = (): void => {
    this.#fail('The connection was closed.', false)
    this.#keeper.closed(this)
  }

  #proceed(progress: Progress): void {
    if (progress === WAITING) {
      if (!this.#reader.advanced) return
      this.#reader.advanced = false
      this.#deadline = this.#keeper.ticks.after(this.#timeoutMs)
      return
    }
    if (progress === BROKEN) return this.#fail(`The reply is refused. ${this.#reader.fault}`, false)
    const asker = this.#asker!
    const { staysOpen, keepAliveMs } = this.#reader
    const reusable = progress !== SATISFIED && staysOpen && !asker.outgoing.last
    if (reusable) {
      this.#asker = null
      this.#state = IDLE
      this.#keeper.freed(this, keepAliveMs)
    } else this.#destroy()
    asker.onEnd()
  }

  #fail(message: string, timedOut: boolean): void {
    if (this.#state === OVER) return
    const asker = this.#asker
    const unbegun = this.#state === TAKEN
    this.#destroy(unbegun ? asker : null)
    if (asker !== null && !unbegun) asker.onFault(message, timedOut)
  }

  #destroy(unbegun: Asker | null = null): void {
    this.#state = OVER
    this.#asker = null
    this.#socket.destroy()
    this.#keeper.lost(this, unbegun)
  }

  #tell(bytes: string | Buffer): void {
    const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1')
    const headers = text.slice(0, text.indexOf('\r\n\r\n') + 2)
    const [method, path] = headers.split(' ', 2)
    const body = Buffer.from(text.slice(headers.length + 2), 'latin1')
    leaving.publish({
      request: { origin: this.#destination.origin, method, path, body },
      headers,
      socket: this.#socket,
    })
  }
}
