import type { Engine } from '../../src/engine.js'
import type { Upstream } from '../../src/wire/upstream.js'
import { Accounts } from './accounts.js'
import { Agents } from './agents.js'
import { Dice } from './dice.js'
import { Disk, emptyImage } from './disk.js'
import { Loop } from './loop.js'
import { settled, takeNature } from './nature.js'
import { Network } from './network.js'
import { Operator } from './operator.js'
import { DAY_MS, untilMidnight } from './plan.js'
import { openSqliteLedger, openThreadedLedger, start, storeCredentials, type Life, type OpenLedger } from './process.js'
import { Reconciler } from './records.js'
import { Trace } from './trace.js'
import { Truth, type Violation } from './truth.js'

/** A bug put into the product for the length of a schedule. */
export interface Planted {
  readonly name: string
  /** Stands between the pipeline and its engine. */
  readonly engine?: (engine: Engine) => Engine
  /** Changes the product's SQL. */
  readonly sql?: (sql: string) => string
  /** Changes what modules export, and gives the way back. */
  readonly install?: () => () => void
}

export interface Outcome {
  readonly seed: number
  /** The first promise that was broken; null when all held. */
  readonly violation: Violation | null
  readonly trace: readonly string[]
  /** Equal for equal traces. */
  readonly hash: string
  readonly counts: ReadonlyMap<string, number>
}

/** A schedule that goes on for longer has a loop in it. */
const STEPS_MAX = 5_000
/** A day in the middle of the time for which the shipped prices are believed. */
const FIRST_DAY = Date.parse('2026-11-24T00:00:00.000Z')
const HOUR_MS = 3_600_000
/** How often the whole book is proved after a restart, and how often a schedule ends with one: both take long. */
const PROVED = 0.2
const RESTARTED = 0.2

const CHAOS = { clock: 30, disk: 18, crash: 9, crashInCommit: 10, operator: 64, records: 24 } as const
const GAPS_MS = [0, 0, 0, 1, 3, 10, 50, 1_000, 20_000, 70_000]

/**
 * Plays one schedule: everything in it follows from the seed. The pipeline, the ledger, policies and catalogues are the
 * product's own; clients, operator, clock, network, vendors and disk are simulated around them.
 *
 * @param open how the ledger is opened; by default every second schedule has a thread that writes
 */
export async function play(
  seed: number,
  planted: Planted | null = null,
  open: OpenLedger = seed % 2 === 0 ? openSqliteLedger : openThreadedLedger,
): Promise<Outcome> {
  const uninstall = planted?.install?.()
  const world = new Schedule(seed, planted, open, (first ??= await firstImage()))
  try {
    return await world.play()
  } finally {
    world.end()
    uninstall?.()
  }
}

/** A server that has been set up and has no keys yet: the same for all schedules. */
let first: Buffer | null = null
async function firstImage(): Promise<Buffer> {
  const disk = new Disk(emptyImage())
  const loop = new Loop(new Dice(0))
  const giveBack = takeNature(loop, () => FIRST_DAY, 0)
  try {
    await storeCredentials(await start(disk, openSqliteLedger, {}, nobody))
    return disk.image
  } finally {
    giveBack()
    disk.close()
  }
}

/** Calls bring the network along; the engine's own connections lead nowhere. */
const nobody = {} as Upstream

class Schedule {
  readonly #seed: number
  readonly #dice: Dice
  readonly #loop: Loop
  readonly #trace: Trace
  readonly #disk: Disk
  readonly #truth: Truth
  readonly #agents: Agents
  readonly #operator: Operator
  readonly #records: Reconciler
  readonly #open: OpenLedger
  readonly #giveBack: () => void
  /** Epoch ms by the machine's clock when the schedule began; the clock may be set while it runs. */
  #wallBase: number
  #life: Life | null = null

  constructor(seed: number, planted: Planted | null, open: OpenLedger, image: Buffer) {
    this.#seed = seed
    this.#open = open
    const dice = (this.#dice = new Dice(seed))
    const loop = (this.#loop = new Loop(dice))
    const trace = (this.#trace = new Trace(loop))
    this.#wallBase = FIRST_DAY + dice.below(5 * 24) * HOUR_MS + dice.below(HOUR_MS)
    const wall = (): number => this.#wallBase + loop.now
    this.#disk = new Disk(image, planted?.sql)
    const accounts = new Accounts(() => loop.now)
    const truth = (this.#truth = new Truth({
      accounts,
      trace,
      wall,
      monotonic: () => loop.now,
      decided: () => this.#disk.decided,
    }))
    accounts.onExecuted = () => truth.executed()
    const network = new Network({ loop, dice, accounts, trace, witness: truth, bad: dice.chance(0.75) })
    this.#agents = new Agents({
      loop,
      dice,
      network,
      accounts,
      truth,
      trace,
      life: () => this.#life,
      disk: this.#disk,
      needsYes: (approval, again) => {
        loop.after(dice.pick(GAPS_MS), 'a person decides', () => {
          if (this.#life !== null) void this.#operator.decide(this.#life, approval, again)
        })
      },
      plant: planted?.engine ?? ((engine) => engine),
    })
    this.#operator = new Operator({ dice, truth, trace })
    this.#records = new Reconciler({ loop, dice, accounts, network, truth, trace })
    this.#disk.onCommit = () => truth.committed(this.#disk.book)
    this.#disk.onCrash = () => this.#ended('in a commit')
    this.#giveBack = takeNature(loop, wall, seed)
  }

  end(): void {
    this.#disk.close()
    this.#giveBack()
  }

  async play(): Promise<Outcome> {
    await this.#start()
    if (this.#life === null) throw this.#truth.violation!
    await this.#operator.prepare(this.#life)
    this.#draw()
    await this.#run()
    // Everything that goes wrong ends here, and what was begun is brought to its end.
    this.#disk.fault = null
    this.#disk.crash = null
    await this.#quiet()
    const { violation } = this.#truth
    this.#trace.say(violation === null ? 'sound' : violation.message)
    return {
      seed: this.#seed,
      violation,
      trace: this.#trace.lines,
      hash: this.#trace.hash(),
      counts: this.#trace.counts,
    }
  }

  /** Lays out what agents, operator and nature are about to do, and when. */
  #draw(): void {
    const requests = 4 + this.#dice.below(14)
    let at = 0
    for (let i = 0; i < requests; i++) {
      at += this.#dice.pick(GAPS_MS)
      this.#loop.after(at, 'an agent acts', () => this.#agents.act())
      if (!this.#dice.chance(0.4)) continue
      const what = this.#dice.weighted(CHAOS)
      this.#loop.after(at + this.#dice.pick(GAPS_MS), what, () => this.#happen(what))
    }
  }

  #happen(what: keyof typeof CHAOS): void {
    const life = this.#life
    if (what === 'clock') return this.#setClock()
    if (what === 'disk') return this.#breakDisk()
    if (life === null) return
    if (what === 'records') return void this.#operator.attempt('reconcile', life, () => this.#records.act(life))
    if (what === 'operator') return void this.#operator.act(life)
    if (what === 'crash') return this.#kill()
    this.#disk.crash = this.#dice.chance(0.5) ? 'before' : 'after'
  }

  #setClock(): void {
    const zone = this.#dice.pick(['UTC', 'Asia/Tokyo', 'Asia/Kolkata'] as const)
    const now = this.#wallBase + this.#loop.now
    const how = this.#dice.weighted({ midnight: 50, step: 20, back: 16, day: 10, jump: 4 })
    this.#wallBase += {
      // Just before midnight, so that calls are under way when the day changes.
      midnight: untilMidnight(zone, now) - this.#dice.below(2_000),
      step: this.#dice.below(2 * HOUR_MS),
      back: -this.#dice.below(8 * 60_000),
      day: DAY_MS,
      jump: 30 * HOUR_MS,
    }[how]
    // The way out is a restart, by which somebody who has looked says that the time is right.
    if (how === 'jump') this.#loop.after(1 + this.#dice.below(3_000), 'crash', () => this.#happen('crash'))
    this.#trace.count(`clock: ${how}`)
    this.#trace.say(`the clock is set to ${new Date(this.#wallBase + this.#loop.now).toISOString()}`)
  }

  #breakDisk(): void {
    if (this.#disk.fault !== null) return
    this.#disk.fault = this.#dice.pick(['begin', 'write', 'commit'] as const)
    this.#trace.count(`disk: ${this.#disk.fault}`)
    this.#trace.say(`the disk fails at ${this.#disk.fault}`)
    this.#loop.after(this.#dice.pick([3, 100, 1_000, 5_000]), 'the disk works again', () => {
      this.#disk.fault = null
      this.#trace.say('the disk works again')
    })
  }

  #kill(): void {
    this.#disk.die()
    this.#ended('at once')
  }

  /** The process is gone; its disk and the vendors are not. */
  #ended(how: string): void {
    const life = this.#life
    if (life === null) return
    this.#trace.count(`crash ${how}`)
    this.#trace.say(`the process ends ${how}`)
    life.alive = false
    this.#life = null
    this.#loop.drop(life)
    this.#loop.owner = null
    for (const asked of this.#truth.asked.values())
      if (asked.life === life && asked.state === 'open') asked.state = 'lost'
    this.#loop.after(this.#dice.pick([0, 10, 1_000]), 'the process starts', () => void this.#start())
  }

  async #start(): Promise<void> {
    const life = { alive: true }
    this.#loop.owner = life
    // A disk that cannot be written keeps the process from starting; the supervisor tries until it can.
    this.#disk.fault = null
    try {
      this.#life = await start(this.#disk, this.#open, life, nobody)
      this.#truth.restarted(this.#disk.book)
      if (this.#truth.rows.size > 0 && this.#dice.chance(PROVED)) await this.#prove(this.#life)
    } catch (fault) {
      this.#truth.broken('the process starts', (fault as Error).stack ?? String(fault))
    }
    this.#trace.say('the process has started')
  }

  async #run(): Promise<void> {
    for (let steps = 0; this.#truth.violation === null; steps++) {
      await settled()
      const step = this.#loop.take()
      if (step === null) return
      if (steps === STEPS_MAX) return this.#truth.broken('a schedule comes to its end', `${step.what} is still waiting`)
      this.#trace.count('steps')
      this.#loop.owner = this.#life
      try {
        step.run()
      } catch (bug) {
        this.#truth.broken('no bug is thrown', `${step.what}: ${(bug as Error).stack}`)
      }
    }
  }

  /** Nothing is left to happen: everything is booked, and in some schedules it still is after a last restart. */
  async #quiet(): Promise<void> {
    for (let more = this.#dice.chance(RESTARTED); ; more = false) {
      if (this.#truth.violation !== null || this.#life === null) return
      await this.#life.engine.ledger.flushed()
      this.#truth.quiet()
      if (!more) return this.#prove(this.#life)
      this.#kill()
      await this.#run()
    }
  }

  async #prove({ engine }: Life): Promise<void> {
    this.#trace.count('proofs of the whole book')
    for (const fault of await engine.ledger.verify()) this.#truth.broken('verify is sound', fault)
  }
}
