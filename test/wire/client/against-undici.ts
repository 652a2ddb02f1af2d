import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { Client, type Dispatcher } from 'undici'
import { type Asker } from '../../../src/wire/client/asker.js'
import { outgoing, Outgoing } from '../../../src/wire/client/outgoing.js'
import { BROKEN, ReplyReader, WAITING, type Progress } from '../../../src/wire/client/reply-reader.js'

/** What a client makes of a reply: all that a caller sees of it. */
export type Read =
  | { readonly kind: 'reply'; readonly status: number; readonly headers: readonly string[]; readonly body: string }
  | { readonly kind: 'fault'; readonly why: string }

/** A reply as it comes: pieces, and then the end of the connection. */
export interface Scripted {
  readonly method: 'GET' | 'HEAD'
  readonly pieces: readonly Buffer[]
}

/** What our own reader makes of it. */
export function oursReads({ method, pieces }: Scripted): Read {
  const got = { status: 0, headers: [] as string[], body: [] as Buffer[] }
  const asker: Asker = {
    outgoing: new Outgoing('', '', method === 'HEAD', false),
    timeoutMs: 0,
    leaves: () => true,
    onHead: (status, headers) => void Object.assign(got, { status, headers }),
    onPiece: (bytes, from, to) => {
      got.body.push(Buffer.from(bytes.subarray(from, to)))
      return null
    },
    onEnd: () => {},
    onFault: () => {},
  }
  const reader = new ReplyReader()
  reader.begin(asker)
  // As a connection reads: one buffer, in which what was there before is still there after what came.
  const buffer = Buffer.alloc(64 * 1024, 'HTTP/1.1 200 OK\r\n\r\n0\r\n\r\n')
  let progress: Progress = WAITING
  for (const piece of pieces) {
    if (progress !== WAITING) break
    piece.copy(buffer)
    progress = reader.take(buffer, piece.length)
  }
  if (progress === WAITING && !reader.endsHere) return { kind: 'fault', why: 'The reply is not whole.' }
  if (progress === BROKEN) return { kind: 'fault', why: reader.fault }
  const { status, headers, body } = got
  return { kind: 'reply', status, headers, body: Buffer.concat(body).toString('latin1') }
}

/** A connection that is one in memory: undici writes into it, and reads what the test pushes. */
class Line extends Duplex {
  readonly written: Buffer[] = []
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    done()
  }
}

const clientOn = (line: Line): Client =>
  new Client('http://vendor.example', {
    pipelining: 1,
    maxHeaderSize: 16 * 1024,
    connect: (_options, done) => void setImmediate(() => done(null, line as unknown as Socket)),
  })

/** What undici makes of the same bytes, with the options that the calls used to go with. */
export async function undiciReads({ method, pieces }: Scripted): Promise<Read> {
  const line = new Line()
  const client = clientOn(line)
  const got = { status: 0, headers: [] as string[], body: [] as Buffer[] }
  const read = await new Promise<Read>((resolve) => {
    client.dispatch(
      { path: '/', method, headers: ['host', 'vendor.example'] },
      {
        onConnect: () => {},
        onHeaders: (status, raw) => {
          if (status < 200) return true
          got.status = status
          got.headers = raw.map((part, at) =>
            at % 2 === 0 ? part.toString('latin1').toLowerCase() : part.toString('latin1'),
          )
          return true
        },
        onData: (piece) => {
          got.body.push(Buffer.from(piece))
          return true
        },
        onComplete: () => {
          const { status, headers, body } = got
          resolve({ kind: 'reply', status, headers, body: Buffer.concat(body).toString('latin1') })
        },
        onError: (error) => resolve({ kind: 'fault', why: error.message }),
      },
    )
    void (async () => {
      while (line.written.length === 0) await new Promise(setImmediate)
      for (const piece of pieces) {
        line.push(piece)
        await new Promise(setImmediate)
      }
      line.push(null)
    })()
  })
  await client.destroy()
  return read
}

/** A request as somebody asks for it. */
export interface Asked {
  readonly method: string
  readonly target: string
  readonly headers: string[]
  readonly body: string | Buffer | null
}

/** The bytes undici writes for it; null when it refuses. */
export async function undiciWrites({ method, target, headers, body }: Asked): Promise<string | null> {
  const line = new Line()
  const client = clientOn(line)
  let failed = false
  client.dispatch(
    { path: target, method: method as Dispatcher.HttpMethod, headers, body },
    {
      onConnect: () => {},
      onHeaders: () => true,
      onData: () => true,
      onComplete: () => {},
      onError: () => {
        failed = true
      },
    },
  )
  for (let turn = 0; turn < 50 && !failed && line.written.length === 0; turn++) await new Promise(setImmediate)
  const written = line.written.length === 0 ? null : Buffer.concat(line.written).toString('latin1')
  await client.destroy()
  return written
}

export function oursWrites({ method, target, headers, body }: Asked): string | null {
  const written = outgoing(method, target, headers, body, 'vendor.example')
  return written instanceof Outgoing
    ? typeof written.bytes === 'string'
      ? written.bytes
      : written.bytes.toString('latin1')
    : null
}
