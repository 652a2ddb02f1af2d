import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { agrees } from '../helpers/agreement.js'
import type { World } from '../helpers/world.js'
import { allCalls, codeOf, HOUR, startWorld, travel } from './given.js'
import { Storm, TAG, type Made, type Sent, type Victim } from './storm.js'

/*
 * Revoke, freeze and expiry at full load: once the reply is there, or the instant has come, not a byte of a call or of a
 * look-up leaves any more under what they cover, and what had left before is named.
 */

/** How often a key is stopped. `npm run test:revoke` says 1000. */
const STOPS = Number(process.env.SPENDGATE_REVOKES ?? 50)
/** So many in one storm. All of it is in one process, which what it remembers would in time hold up for seconds. */
const STORM = 250
const STORMS = Array.from({ length: Math.ceil(STOPS / STORM) }, (_, at) => at).map(
  (at, _, { length }) => [Math.min(STORM, STOPS - at * STORM), `${at + 1} of ${length}`] as const,
)
const CLIENTS = 200
const SLOTS = 10
/** By then a burst that met no stop is at the vendor. */
const TURNS = 24
/** Fewer stops of the other kinds: each of them stops more than one key. */
const FREEZES = Math.max(8, Math.ceil(STOPS / 10))

// Idle connections of the clients end long before the server would end them: on a busy machine both would do it at once.
const usual = getGlobalDispatcher()
const brief = new Agent({ keepAliveTimeout: 2_000, keepAliveMaxTimeout: 2_000 })
setGlobalDispatcher(brief)
afterAll(async () => {
  setGlobalDispatcher(usual)
  await brief.close()
})

let world: World
let storm: Storm
afterEach(async () => {
  await storm.end()
  // Not all reports: a long campaign has more runs than one page of them.
  expect(await world.verified()).toEqual([])
  expect((await world.must('GET', '/spend?by=vendor')).total.held_usd).toBe('0.00')
  expect((await agrees(world)).phantoms).toBe(0)
  await world.close()
}, 300_000)

async function begin(life?: string): Promise<void> {
  world = await startWorld()
  storm = new Storm(world, CLIENTS, SLOTS)
  await storm.start(life)
}

/** Waits until so many more calls have left: then the storm has reached every state there is. */
async function moreLeave(count: number): Promise<void> {
  const until = storm.sent.length + count
  while (storm.sent.length < until) await new Promise(setImmediate)
}

interface Stop {
  readonly victim: Victim
  readonly at: number
  readonly underWay: number
  readonly arrivedBefore: number
  readonly named: Set<string>
  readonly revokedAt: string
}

test.each(STORMS)(
  `of %i keys revoked at ${CLIENTS} calls in flight none sends a byte after the reply, and what had left is named (storm %s)`,
  async (many) => {
    await begin()
    const stops: Stop[] = []
    for (let stop = 0; stop < many; stop++) {
      const slot = storm.slots[stop % SLOTS]!
      const { victim } = slot
      const release = storm.hold([slot])
      await storm.burst(victim, stop % TURNS)
      const underWay = storm.underWay
      const reply = await world.must('POST', `/keys/${victim.root.id}/revoke`)
      stops.push({
        victim,
        at: storm.now(),
        underWay,
        arrivedBefore: world.stripe.requests.length,
        named: new Set(reply.in_flight),
        revokedAt: reply.revoked_at,
      })
      slot.victim = await storm.victim()
      release()
    }
    await storm.end()

    const rows = new Map((await allCalls(world)).map((row) => [row.id, row]))
    const leftTags = new Set(storm.sent.map(({ tag }) => tag))
    const lastSent = new Map(storm.sent.map(({ victim, order }) => [victim, order]))
    const madeBy = new Map<Victim, Made[]>(stops.map(({ victim }) => [victim, []]))
    for (const each of storm.made) madeBy.get(each.victim)?.push(each)
    const lastSeen = new Map(world.stripe.requests.map(({ body }, at) => [TAG.exec(body)?.[0], at]))
    let named = 0
    for (const { victim, at, ...stop } of stops) {
      // By the order in which heads were written, calls and look-ups alike.
      expect(lastSent.get(victim) ?? 0).toBeLessThan(at)
      for (const { callId, tag, code } of madeBy.get(victim) ?? []) {
        const row = rows.get(callId)!
        // What left was answered by the vendor, and what did not was refused for the one reason there is.
        expect(code).toBe(leftTags.has(tag) ? null : 'key_revoked')
        const isNamed = stop.named.delete(callId)
        if (isNamed) expect([leftTags.has(tag), row.settled_at >= stop.revokedAt]).toEqual([true, true])
        else if (leftTags.has(tag)) expect(row.settled_at <= stop.revokedAt, callId).toBe(true)
        // By the order in which they reached the vendor: what arrives after the reply is a call that was named.
        if ((lastSeen.get(tag) ?? -1) >= stop.arrivedBefore) expect(isNamed, callId).toBe(true)
        if (isNamed) named++
      }
      expect([...stop.named], 'named, and nobody’s call').toEqual([])
    }
    // A storm that was never there when a key was revoked would prove nothing.
    expect(stops.filter(({ underWay }) => underWay >= CLIENTS * 0.8).length).toBeGreaterThan(many * 0.9)
    expect(named).toBeGreaterThan(many * 2)
    const refused = storm.made.filter(({ code }) => code === 'key_revoked')
    expect(refused.length).toBeGreaterThan(many)
    const states = refused.map(({ callId }) => rows.get(callId)!).map(({ state }) => state)
    expect(new Set(states)).toEqual(new Set(['denied', 'released']))
  },
  60_000 + STORM * 3_000,
)

describe(`a freeze at ${CLIENTS} calls in flight: nothing it covers leaves until it is lifted, everything else goes on`, () => {
  const SCOPES: readonly {
    readonly what: string
    readonly scope: (victim: Victim) => object
    readonly covers: (sent: Sent, victim: Victim) => boolean
  }[] = [
    { what: 'all', scope: () => ({ scope: 'all' }), covers: () => true },
    { what: 'a key with its child', scope: ({ root }) => ({ key: root.id }), covers: (sent, it) => sent.victim === it },
    { what: 'a vendor', scope: () => ({ vendor: 'stripe' }), covers: ({ vendor }) => vendor === 'stripe' },
    { what: 'a run', scope: ({ run }) => ({ run }), covers: (sent, it) => sent.victim === it && sent.byChild },
  ]

  test.each(SCOPES.map((each) => [each.what, each] as const))(
    '%s',
    async (what, { scope, covers }) => {
      await begin()
      let elsewhere = 0
      for (let stop = 0; stop < FREEZES; stop++) {
        await moreLeave(50)
        const { victim } = storm.slots[stop % SLOTS]!
        const release = storm.hold(storm.slots)
        await world.must('POST', '/freeze', scope(victim))
        const at = storm.now()
        // New calls come while it is on, among them every kind that it covers.
        const answers = await Promise.all(Array.from({ length: 8 }, (_, turn) => storm.call(victim, turn)))
        const until = storm.now()
        expect(answers.some((answer) => codeOf(answer) === 'key_frozen')).toBe(true)
        const during = storm.sent.filter(({ order }) => order > at && order < until)
        expect(during.filter((sent) => covers(sent, victim))).toEqual([])
        elsewhere += during.length
        await world.must('POST', '/unfreeze', scope(victim))
        release()
      }
      if (what === 'all') expect(elsewhere).toBe(0)
      else expect(elsewhere).toBeGreaterThan(0)
    },
    60_000 + STOPS * 3_000,
  )
})

test(
  `a key that expires at ${CLIENTS} calls in flight sends nothing from that instant on, nor does its child`,
  async () => {
    await begin('1h')
    for (let stop = 0; stop < FREEZES; stop++) {
      await moreLeave(50)
      const victims = storm.slots.map(({ victim }) => victim)
      const release = storm.hold(storm.slots)
      travel(world, HOUR)
      const at = storm.now()
      for (const slot of storm.slots) slot.victim = await storm.victim('1h')
      release()
      await moreLeave(50)
      expect(storm.sent.filter(({ order, victim }) => order > at && victims.includes(victim))).toEqual([])
    }
    expect(storm.made.filter(({ code }) => code === 'key_expired').length).toBeGreaterThan(FREEZES)
  },
  60_000 + STOPS * 3_000,
)
