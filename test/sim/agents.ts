import type { Denial } from '../../src/contracts/call.js'
import { LedgerFault, type Admission, type CallDraft, type Ledger } from '../../src/contracts/ledger.js'
import type { Decision, Usage } from '../../src/contracts/policy.js'
import type { Engine } from '../../src/engine.js'
import type { Answer, Content, Exchange } from '../../src/exchange.js'
import { govern } from '../../src/pipeline.js'
import { EMPTY, Form } from '../../src/wire/form.js'
import type { Upstream, UpstreamRequest } from '../../src/wire/upstream.js'
import type { Accounts } from './accounts.js'
import type { Dice } from './dice.js'
import type { Disk } from './disk.js'
import type { Loop } from './loop.js'
import type { Network } from './network.js'
import type { Life } from './process.js'
import type { Trace } from './trace.js'
import type { KeyFacts } from './limits.js'
import { Violation, type Asked, type Truth } from './truth.js'
import { altered, drawWishes, isIdempotent, type Wish } from './wishes.js'

/** What agents live among. */
export interface Surroundings {
  readonly loop: Loop
  readonly dice: Dice
  readonly network: Network
  readonly accounts: Accounts
  readonly truth: Truth
  readonly trace: Trace
  /** The process that serves; null while there is none. */
  readonly life: () => Life | null
  readonly disk: Disk
  /** Takes an approval request to a person, who says when to ask again. */
  readonly needsYes: (approval: string, again: () => void) => void
  /** Puts a planted bug between the pipeline and its engine. */
  readonly plant: (engine: Engine) => Engine
}

const RETRIES_MAX = 3

/** The agents: they ask, ask again when an answer is lost, and sometimes ask for what they should not. */
export class Agents {
  readonly #around: Surroundings
  #serial = 0

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** What some agent wants next. */
  act(): void {
    const { dice, truth, accounts } = this.#around
    const keys = [...truth.keys.values()]
    const good = keys.filter(({ revoked }) => !revoked)
    // The newest took something over, or is somebody's child: there is more to go wrong.
    const key = dice.chance(0.3) ? keys.at(-1)! : dice.pick(good.length > 0 && dice.chance(0.85) ? good : keys)
    for (const wish of drawWishes(dice, accounts, this.#serial + 1)) this.#send(key, wish, 0)
  }

  #send(key: KeyFacts, wish: Wish, retries: number): void {
    const { truth, trace } = this.#around
    const life = this.#around.life()
    if (life === null) {
      trace.count('nobody there')
      return this.#again(key, wish, retries)
    }
    const tag = `req-${++this.#serial}`
    const idempotent = wish.idempotencyKey !== null && isIdempotent(wish)
    const asked: Asked = {
      tag,
      key,
      vendor: wish.vendor,
      group: idempotent ? `${key.root.id} ${wish.vendor} ${wish.idempotencyKey}` : tag,
      life,
      draftAt: 0,
      limits: [],
      left: false,
      fate: null,
      state: 'open',
    }
    truth.ask(asked)
    trace.count('requests')
    trace.say(`${tag}: ${wish.method} ${wish.path} ${said(wish)} under ${key.id}`)
    govern(this.#exchange(asked, wish), this.#engine(asked)).then(
      (answer) => life.alive && this.#answered(asked, wish, retries, answer),
      (fault: unknown) => life.alive && this.#failed(asked, wish, retries, fault),
    )
  }

  #exchange({ tag, key, life }: Asked, wish: Wish): Exchange {
    const { loop, dice } = this.#around
    const content: Content =
      wish.json !== undefined
        ? { form: EMPTY, json: wish.json, place: 'json' }
        : wish.params.length === 0
          ? { form: EMPTY, json: undefined, place: 'none' }
          : { form: new Form(wish.params), json: undefined, place: wish.method === 'GET' ? 'query' : 'form' }
    return {
      surface: 'rest',
      authorization: { scheme: 'bearer', token: key.text },
      fault: null,
      named: { prefix: wish.vendor, host: null, root: null },
      labels: wish.run === null ? [] : [{ source: 'header', run: wish.run }],
      base: null,
      reason: tag,
      idempotencyKey: wish.idempotencyKey,
      method: wish.method,
      pathFor: () => wish.path,
      header: () => undefined,
      // A body comes in when it comes in.
      read: () => new Promise((resolve) => loop.after(dice.below(4), `${tag} read`, () => resolve(content), life)),
    }
  }

  /** The engine as one call sees it: its questions to the ledger and what it sends are watched. */
  #engine(asked: Asked): Engine {
    const { truth, network, plant } = this.#around
    const { life } = asked
    const { engine } = life
    const admit = (ledger: Ledger, draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Admission> => {
      truth.asking(asked)
      return ledger.admit(draft, decide)
    }
    const planted = plant(engine)
    const watched = new Proxy(planted.ledger, {
      get(ledger, name) {
        if (name === 'admit')
          return (draft: CallDraft, decide: (usage: Usage) => Decision) => admit(ledger, draft, decide)
        const value: unknown = Reflect.get(ledger, name)
        return typeof value === 'function' ? (value.bind(ledger) as unknown) : value
      },
    })
    const upstream = {
      // What is sent before the ledger was asked is a look-up.
      send: (request: UpstreamRequest, gate: () => Denial | null) =>
        network.send(request, gate, asked, asked.draftAt === 0, life),
    } as unknown as Upstream
    return { ...planted, ledger: watched, upstream }
  }

  #answered(asked: Asked, wish: Wish, retries: number, answer: Answer): void {
    const { truth, trace, dice } = this.#around
    const header = (name: string): string | undefined => {
      const at = answer.headers.indexOf(name)
      return at < 0 ? undefined : answer.headers[at + 1]
    }
    const code = header('x-spendgate-code')
    trace.say(`${asked.tag}: answered ${answer.status}${code === undefined ? '' : ` ${code}`}`)
    truth.answered(asked, header('x-spendgate-call-id'), header('x-spendgate-decision'))
    if (answer.approval !== undefined) {
      return this.#around.needsYes(answer.approval, () => this.#send(asked.key, wish, retries))
    }
    const lost = answer.status >= 500 || answer.status === 409
    if (lost && dice.chance(0.7)) return this.#again(asked.key, wish, retries)
    // Agents repeat themselves, with the same key or none, and a few use one key for two requests.
    if (dice.chance(0.08)) return this.#again(asked.key, dice.chance(0.3) ? altered(wish) : wish, retries)
  }

  #failed(asked: Asked, wish: Wish, retries: number, fault: unknown): void {
    const { truth, trace, disk } = this.#around
    asked.state = 'broken'
    trace.say(`${asked.tag}: ${(fault as Error).name}`)
    if (!(fault instanceof LedgerFault)) {
      const { message, stack } = fault as Error
      truth.violation ??= Object.assign(new Violation(`no bug is thrown: ${asked.tag}: ${message}`), { stack })
    }
    if (disk.fault === null) truth.broken('a ledger that can write does', `${asked.tag}: ${(fault as Error).message}`)
    trace.count('ledger unavailable')
    this.#again(asked.key, wish, retries)
  }

  #again(key: KeyFacts, wish: Wish, retries: number): void {
    const { loop, dice, trace } = this.#around
    if (retries === RETRIES_MAX) return
    trace.count('retries')
    loop.after(dice.pick([0, 5, 200, 2_000]), 'retry', () => this.#send(key, wish, retries + 1))
  }
}

const said = ({ params, json, idempotencyKey }: Wish): string =>
  `${params.map(([name, value]) => `${name}=${value}`).join(' ')}${json === undefined ? '' : JSON.stringify(json)}${idempotencyKey === null ? '' : ` key ${idempotencyKey}`}`
