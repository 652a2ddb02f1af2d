/** From how many calls under way on it pays to wait. */
const FROM = 8

/**
 * Lets what became ready in one turn of the event loop go on in a row. Between system calls the code of a call runs
 * with cold caches; the second call in a row finds them warm (measured 2026-11: 15 to 20 % less CPU a call at 64
 * connections). Costs one turn, so a call that is nearly alone does not wait.
 */
export class Together {
  #waiting: (() => void)[] = []

  /** @param underWay how many calls there are, this one included */
  run(work: () => void, underWay: number): void {
    if (underWay < FROM) return work()
    if (this.#waiting.push(work) === 1) setImmediate(this.#all)
  }

  readonly #all = (): void => {
    const ready = this.#waiting
    this.#waiting = []
    for (const work of ready) work()
  }
}
