/** A time that grows with the calls of a batch, in µs of CPU. */
export interface Line {
  readonly base: number
  readonly perCall: number
}

/** What one batch costs whom, measured. */
export interface Costs {
  readonly node: { readonly still: Line; readonly moved: Line }
  readonly database: { readonly still: Line; readonly moved: Line }
}

/** Where the nodes and the database run. */
export interface World {
  readonly nodes: number
  /** Over all nodes. */
  readonly callers: number
  /** Books that are locked each for itself. Every call belongs to one. */
  readonly partitions: number
  /** Processors of the database. */
  readonly cores: number
  /** Whether the nodes run on the same processors, or each on a machine of its own. */
  readonly together: boolean
  readonly roundTripUs: number
  readonly fsyncUs: number
}

export interface Predicted {
  readonly admitsPerSecond: number
  readonly p50Ms: number
  readonly callsPerCommit: number
}

const JOBS_MAX = 256
const SECONDS = 4

/** Least squares through batches of several sizes. Nothing costs less than nothing. */
export function lineThrough(points: readonly { readonly calls: number; readonly us: number }[]): Line {
  const mean = (of: (point: { calls: number; us: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [calls, us] = [mean((point) => point.calls), mean((point) => point.us)]
  const spread = points.reduce((sum, point) => sum + (point.calls - calls) ** 2, 0)
  const slope = points.reduce((sum, point) => sum + (point.calls - calls) * (point.us - us), 0) / (spread || 1)
  const perCall = Math.max(0, spread === 0 ? us / calls : slope)
  return { base: Math.max(0, us - perCall * calls), perCall }
}

/**
 * Plays several nodes that contend for the head of one book, event by event. A node whose batch follows its own last one
 * decides first and asks once; else it locks the head, fetches, decides and writes, and the head stays locked over two
 * round trips. Processors serve who came first. Random is only which book a call belongs to, from a fixed seed.
 */
export function simulate(world: World, costs: Costs): Predicted {
  return new Play(world, costs).run()
}

class Play {
  readonly #world: World
  readonly #costs: Costs
  readonly #events: { readonly at: number; readonly then: () => void; readonly order: number }[] = []
  readonly #database: Processors
  readonly #heads: Head[]
  readonly #writers: Writer[]
  readonly #waitsUs: number[] = []
  #now = 0
  #order = 0
  #batches = 0
  #seed = 1

  constructor(world: World, costs: Costs) {
    this.#world = world
    this.#costs = costs
    this.#database = new Processors(world.cores, this.#after)
    const shared = world.together ? this.#database : null
    this.#heads = Array.from({ length: world.partitions }, () => new Head())
    this.#writers = []
    for (let node = 0; node < world.nodes; node++) {
      // A node decides on one thread, however many processors it has.
      const thread = new Processors(1, this.#after)
      for (const head of this.#heads) this.#writers.push({ node, head, thread, shared, waiting: [], busy: false })
    }
  }

  run(): Predicted {
    const { nodes, callers } = this.#world
    for (let i = 0; i < callers; i++) this.#call(i % nodes)
    const end = SECONDS * 1e6
    const warm = end / 4
    while (this.#events.length > 0 && this.#now < end) {
      const { at, then } = take(this.#events)
      if (this.#now < warm && at >= warm) {
        this.#waitsUs.length = 0
        this.#batches = 0
      }
      this.#now = at
      then()
    }
    const waits = this.#waitsUs.sort((a, b) => a - b)
    return {
      admitsPerSecond: waits.length / (SECONDS * 0.75),
      p50Ms: (waits[waits.length >> 1] ?? 0) / 1000,
      callsPerCommit: waits.length / Math.max(1, this.#batches),
    }
  }

  readonly #after = (us: number, then: () => void): void => {
    put(this.#events, { at: this.#now + us, then, order: this.#order++ })
  }

  #call(node: number): void {
    const { partitions } = this.#world
    // Xorshift: the low bits of a congruential generator would send a node's calls to its books in turn.
    this.#seed ^= this.#seed << 13
    this.#seed ^= this.#seed >>> 17
    this.#seed ^= this.#seed << 5
    const writer = this.#writers[node * partitions + ((this.#seed >>> 0) % partitions)]!
    writer.waiting.push(this.#now)
    if (!writer.busy) this.#start(writer)
  }

  #start(writer: Writer): void {
    const batch = writer.waiting.splice(0, JOBS_MAX)
    if (batch.length === 0) return void (writer.busy = false)
    writer.busy = true
    const still = writer.head.last === writer
    if (still) this.#decide(writer, batch.length, 'still', () => this.#write(writer, batch, true))
    else this.#lockFirst(writer, batch)
  }

  /** Processors are shared by all where everything runs on one machine, and still a node has one thread. */
  #decide(writer: Writer, calls: number, way: 'still' | 'moved', then: () => void): void {
    const us = at(this.#costs.node[way], calls)
    writer.thread.use(us, then, writer.shared)
  }

  #lockFirst(writer: Writer, batch: readonly number[]): void {
    const { roundTripUs } = this.#world
    const { still, moved } = this.#costs.database
    const fetchUs = Math.max(0, at(moved, batch.length) - at(still, batch.length))
    this.#after(roundTripUs / 2, () =>
      writer.head.lock(() =>
        this.#database.use(fetchUs, () =>
          this.#after(roundTripUs / 2, () =>
            this.#decide(writer, batch.length, 'moved', () =>
              this.#after(roundTripUs / 2, () => this.#commit(writer, batch)),
            ),
          ),
        ),
      ),
    )
  }

  #write(writer: Writer, batch: readonly number[], hopeful: boolean): void {
    this.#after(this.#world.roundTripUs / 2, () =>
      writer.head.lock(() => {
        if (!hopeful || writer.head.last === writer) return this.#commit(writer, batch)
        // Somebody wrote in between: the write fails, and everything is done again under the lock.
        writer.head.unlock()
        this.#after(this.#world.roundTripUs / 2, () => this.#lockFirst(writer, batch))
      }),
    )
  }

  #commit(writer: Writer, batch: readonly number[]): void {
    const { roundTripUs, fsyncUs } = this.#world
    this.#database.use(at(this.#costs.database.still, batch.length), () =>
      this.#after(fsyncUs, () => {
        writer.head.last = writer
        writer.head.unlock()
        this.#batches++
        this.#after(roundTripUs / 2, () => {
          for (const since of batch) {
            this.#waitsUs.push(this.#now - since)
            this.#call(writer.node)
          }
          this.#start(writer)
        })
      }),
    )
  }
}

interface Writer {
  readonly node: number
  readonly head: Head
  readonly thread: Processors
  readonly shared: Processors | null
  /** When each waiting call came. */
  readonly waiting: number[]
  busy: boolean
}

/** The row that is locked by whoever writes the book. */
class Head {
  last: Writer | null = null
  #locked = false
  readonly #queue: (() => void)[] = []

  lock(then: () => void): void {
    if (this.#locked) this.#queue.push(then)
    else {
      this.#locked = true
      then()
    }
  }

  unlock(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#locked = false
    else next()
  }
}

class Processors {
  #free: number
  readonly #after: (us: number, then: () => void) => void
  readonly #queue: (() => void)[] = []

  constructor(count: number, after: (us: number, then: () => void) => void) {
    this.#free = count
    this.#after = after
  }

  /** @param on what has to be free as well */
  use(us: number, then: () => void, on: Processors | null = null): void {
    const begin = (): void =>
      on === null ? this.#after(us, () => this.#over(then)) : on.use(us, () => this.#over(then))
    if (this.#free > 0) {
      this.#free--
      begin()
    } else this.#queue.push(begin)
  }

  #over(then: () => void): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#free++
    else next()
    then()
  }
}

const at = ({ base, perCall }: Line, calls: number): number => base + perCall * calls

interface Timed {
  readonly at: number
  readonly order: number
}
const earlier = (a: Timed, b: Timed): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A binary heap, the earliest first. */
function put<T extends Timed>(heap: T[], event: T): void {
  let place = heap.push(event) - 1
  while (place > 0) {
    const parent = (place - 1) >> 1
    if (!earlier(heap[place]!, heap[parent]!)) return
    ;[heap[place], heap[parent]] = [heap[parent]!, heap[place]!]
    place = parent
  }
}

function take<T extends Timed>(heap: T[]): T {
  const first = heap[0]!
  const last = heap.pop()!
  if (heap.length === 0) return first
  heap[0] = last
  for (let place = 0; ;) {
    const [left, right] = [2 * place + 1, 2 * place + 2]
    let least = place
    if (left < heap.length && earlier(heap[left]!, heap[least]!)) least = left
    if (right < heap.length && earlier(heap[right]!, heap[least]!)) least = right
    if (least === place) return first
    ;[heap[place], heap[least]] = [heap[least]!, heap[place]!]
    place = least
  }
}
