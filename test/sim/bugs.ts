import type { Ledger } from '../../src/contracts/ledger.js'
import type { Usage } from '../../src/contracts/policy.js'
import type { Engine } from '../../src/engine.js'
import { Approvals } from '../../src/ledger/approvals.js'
import { Counters } from '../../src/ledger/counters.js'
import { Registry } from '../../src/ledger/registry.js'
import { Reports } from '../../src/ledger/reports.js'
import { Settling } from '../../src/ledger/settling.js'
import type { Planted } from './schedule.js'

/** A bug, and the promises of which it may break one first. */
export interface Bug extends Planted {
  readonly breaks: readonly string[]
  /** Where to begin looking, if not at 1: rarer ones took a hundred schedules and more from there. */
  readonly near?: number
}

/** The engine with some of its ledger's methods in another version. */
const withLedger =
  (change: (ledger: Ledger) => Partial<Ledger>) =>
  (engine: Engine): Engine => ({ ...engine, ledger: instead(engine.ledger, change(engine.ledger)) })

function instead<T extends object>(real: T, changed: Partial<T>): T {
  return new Proxy(real, {
    get(target, name) {
      if (name in changed) return Reflect.get(changed, name) as unknown
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Replaces a method of a class for a while. */
function patched<T extends object, K extends keyof T>(prototype: T, name: K, make: (real: T[K]) => T[K]): () => void {
  const real = prototype[name]
  prototype[name] = make(real)
  return () => void (prototype[name] = real)
}

const from =
  (text: RegExp, to: string) =>
  (sql: string): string =>
    sql.replace(text, to)

/** Mistakes that a ledger of money is prone to, one at a time. */
export const bugs: readonly Bug[] = [
  {
    name: 'an unknown outcome is released',
    breaks: ['an unknown outcome is never released'],
    engine: withLedger((ledger) => ({
      settle: (id, settlement) =>
        ledger.settle(id, settlement.outcome === 'assumed' ? { ...settlement, outcome: 'released' } : settlement),
    })),
  },
  {
    name: 'usage is read before the transaction',
    near: 20,
    breaks: ['admitted spend never passes a cap'],
    engine: withLedger((ledger) => ({
      admit: async (draft, decide) => {
        let seen: Usage
        await ledger.preview(draft, (usage) => decide((seen = usage)))
        return ledger.admit(draft, (usage) => decide({ ...usage, budgets: seen.budgets }))
      },
    })),
  },
  {
    name: 'an object is thought to count for more than it does',
    // What is given back then is more than there is, which the ledger itself does not let pass.
    breaks: ['what moved is counted', 'a ledger that can write does'],
    sql: from(/^select coalesce\(sum\(e\.amount\), 0\)(?=[^]*c\.state = 'settled')/, 'select 1000000000'),
  },
  {
    name: 'a reservation under way is lent to another call on the object',
    near: 170,
    breaks: ['what moved is counted'],
    sql: from(/(?<=e\.object = \?) and c\.state = 'settled'/, ''),
  },
  {
    name: 'a revoked key may leave',
    breaks: ['after revoke nothing leaves'],
    engine: withLedger((ledger) => ({
      mayLeave: (id) => {
        const leave = ledger.mayLeave(id)
        return leave !== true && leave.code === 'key_revoked' ? true : leave
      },
    })),
  },
  {
    name: 'a look-up asks nobody',
    breaks: ['after revoke nothing leaves', 'after freeze nothing leaves', 'after expiry nothing leaves'],
    engine: withLedger(() => ({ stands: () => true })),
  },
  {
    name: 'what is given back goes to the day of the call that gives it back',
    near: 15,
    breaks: ['counters are the sums of rows', 'a ledger that can write does', 'a schedule comes to its end'],
    install: () => {
      let counters: readonly number[] = []
      const settle = patched(
        Settling.prototype,
        'settle',
        (real) =>
          function (this: Settling, call, settlement) {
            counters = call.counters
            real.call(this, call, settlement)
          },
      )
      const load = patched(
        Settling.prototype,
        'load',
        (real) =>
          function (this: Settling, seq) {
            const call = real.call(this, seq)
            return call.state === 'settled' ? { ...call, counters } : call
          },
      )
      return () => {
        load()
        settle()
      }
    },
  },
  {
    name: 'the replay of a released call counts nothing',
    near: 25,
    breaks: ['what moved is counted'],
    sql: from(
      /c\.request_hash, c\.at, c\.state from idempotency/,
      "c.request_hash, c.at, 'settled' as state from idempotency",
    ),
  },
  {
    name: 'a crash gives back what was under way',
    breaks: ['an unknown outcome is never released'],
    install: () =>
      patched(
        Settling.prototype,
        'settle',
        (real) =>
          function (this: Settling, call, settlement) {
            const stale = settlement.outcome === 'assumed' && settlement.ms === null
            real.call(this, call, stale ? { ...settlement, outcome: 'released' } : settlement)
          },
      ),
  },
  {
    name: 'now and then an outcome is dropped',
    breaks: ['no phantom holds'],
    engine: withLedger((ledger) => ({
      settle: (id, settlement) => {
        if (!id.endsWith('5')) ledger.settle(id, settlement)
      },
    })),
  },
  {
    name: 'a declined call stays counted',
    breaks: ['what was not done is released'],
    engine: withLedger((ledger) => ({
      settle: (id, settlement) =>
        ledger.settle(id, settlement.outcome === 'released' ? { ...settlement, outcome: 'assumed' } : settlement),
    })),
  },
  {
    name: 'the spend of a child does not reach its parent',
    breaks: ['admitted spend never passes a cap'],
    engine: (engine) => ({
      ...engine,
      judge: {
        ...engine.judge,
        budgets: (levels, call, nowMs) => engine.judge.budgets(levels.slice(0, 1), call, nowMs),
      },
    }),
  },
  {
    name: 'a freeze does not reach the children of a key',
    near: 55,
    breaks: ['after freeze nothing leaves', 'what is frozen admits nothing'],
    install: () =>
      patched(
        Registry.prototype,
        'freezeOver',
        (real) =>
          function (this: Registry, keyId, run, vendor) {
            const freeze = real.call(this, keyId, run, vendor)
            return freeze?.scope.kind === 'key' && freeze.scope.value !== keyId ? null : freeze
          },
      ),
  },
  {
    name: 'a reissued key begins at zero',
    near: 210,
    breaks: ['admitted spend never passes a cap'],
    install: () => patched(Reports.prototype, 'counted', () => () => 0n),
  },
  {
    name: 'totals in memory survive a rollback',
    breaks: ['counters are the sums of rows', 'a ledger that can write does', 'a schedule comes to its end'],
    install: () => patched(Counters.prototype, 'forget', () => () => {}),
  },
  {
    name: 'an approval is not used up',
    breaks: ['what needs a yes has one'],
    install: () => patched(Approvals.prototype, 'use', () => () => {}),
  },
  {
    name: 'a clock that jumped is believed',
    breaks: ['a jumped clock stops money'],
    engine: (engine) => ({ ...engine, clock: instead(engine.clock, { suspect: () => null }) }),
  },
  {
    name: 'the duplicate guard looks for nothing',
    breaks: ['the duplicate guard holds'],
    engine: withLedger((ledger) => ({ admit: (draft, decide) => ledger.admit({ ...draft, guarded: false }, decide) })),
  },
]
