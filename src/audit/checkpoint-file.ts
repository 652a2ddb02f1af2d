import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { Checkpoint } from '../contracts/ledger.js'
import { checkpointView, readCheckpoint } from '../ledger/checkpoints.js'

/** Where checkpoints are written to, so that somebody else can keep them. */
export interface CheckpointSink {
  /** The last entry it holds a checkpoint of, 0 for none. */
  last(): Promise<number>
  /** Resolves when they are there to stay. */
  append(checkpoints: readonly Checkpoint[]): Promise<void>
}

const lineOf = (checkpoint: Checkpoint): string => `${JSON.stringify(checkpointView(checkpoint))}\n`

/** Standard output: what comes before this start was said before. */
export class CheckpointStream implements CheckpointSink {
  readonly #write: (text: string) => void
  readonly #from: number

  /** @param from the last entry that is not written any more */
  constructor(write: (text: string) => void, from: number) {
    this.#write = write
    this.#from = from
  }

  last = async (): Promise<number> => this.#from
  append = async (checkpoints: readonly Checkpoint[]): Promise<void> => this.#write(checkpoints.map(lineOf).join(''))
}

/** How much of the file's end is read to find its last line. A checkpoint is about 250 bytes. */
const TAIL_BYTES = 4096

/**
 * A file that only grows, closed to other users. It is opened anew for every append, so it may be moved away at any
 * time. A line that a kill left unfinished is cut off: it was never acknowledged.
 */
export class CheckpointFile implements CheckpointSink {
  readonly #path: string
  #whole = false

  constructor(path: string) {
    this.#path = path
  }

  last(): Promise<number> {
    return this.#opened(async (file) => {
      const { size } = await file.stat()
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(TAIL_BYTES),
        0,
        TAIL_BYTES,
        Math.max(0, size - TAIL_BYTES),
      )
      const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
      for (const line of lines.reverse()) {
        const seq = checkpointIn(line)?.seq
        if (seq !== undefined) return seq
      }
      return 0
    })
  }

  append(checkpoints: readonly Checkpoint[]): Promise<void> {
    return this.#opened(async (file) => {
      if (!this.#whole) await cutUnfinished(file)
      this.#whole = false
      await file.appendFile(checkpoints.map(lineOf).join(''))
      await file.sync()
      this.#whole = true
    })
  }

  async #opened<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = await open(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o600)
    try {
      return await work(file)
    } finally {
      await file.close()
    }
  }
}

async function cutUnfinished(file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  const from = Math.max(0, size - TAIL_BYTES)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, from)
  const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1
  // Without any line end in so much text it is another kind of file, and is left alone.
  if (end < bytesRead && (end > 0 || from === 0)) await file.truncate(from + end)
}

/** The checkpoint a line holds; null when it holds none. */
export function checkpointIn(line: string): Checkpoint | null {
  try {
    return readCheckpoint(JSON.parse(line))
  } catch {
    return null
  }
}
