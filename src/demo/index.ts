import { SystemClock } from '../clock.js'
import { Exit } from '../cli/exit.js'
import { prove } from './proof.js'
import { setStage, type Stage } from './stage.js'
import { play } from './story.js'
import { JsonTeller, TextTeller, type Teller } from './telling.js'

export interface DemoOptions {
  /** Keep serving after the story, until SIGINT or SIGTERM. */
  readonly stay: boolean
  /** NDJSON on `out`: one object a step, a summary last. */
  readonly json: boolean
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/**
 * The whole product between simulated vendors and an agent that goes wrong on purpose. Needs no account; nothing
 * leaves the loopback interface, and its directory is gone afterwards.
 *
 * @returns 0 when every step ended as it should and the vendors saw exactly what the ledger says; 1 when not; 130
 * when interrupted before the end
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const teller: Teller = options.json ? new JsonTeller(options.out) : new TextTeller(options.out)
  const interrupt = interruption()
  let stage: Stage | null = null
  try {
    if (!options.json) options.err('Starting simulators of Stripe, Twilio and Resend, and a server between …\n')
    const clock = new SystemClock()
    stage = await setStage(clock, options.stay)
    teller.opened(stage)
    const steps = await play(stage, clock, interrupt, (step) => teller.step(step))
    if (interrupt.came()) return Exit.interrupted
    const proof = await prove(stage, steps)
    teller.closed(proof)
    if (options.stay) {
      teller.staying(stage, await stage.issue('visitor'))
      if (!options.json) options.err('Serving until interrupted.\n')
      await interrupt.comes
    }
    return proof.ok ? Exit.ok : Exit.failure
  } finally {
    interrupt.forget()
    await stage?.close()
  }
}

export interface Interruption {
  /** Resolves at the first SIGINT or SIGTERM. The second one ends the process, as always. */
  readonly comes: Promise<void>
  came(): boolean
}

function interruption(): Interruption & { forget(): void } {
  let came = false
  let heard: () => void = () => {}
  const forget = (): void => {
    process.off('SIGINT', heard)
    process.off('SIGTERM', heard)
  }
  const comes = new Promise<void>((resolve) => {
    heard = () => {
      came = true
      forget()
      resolve()
    }
  })
  process.on('SIGINT', heard)
  process.on('SIGTERM', heard)
  return { comes, came: () => came, forget }
}
