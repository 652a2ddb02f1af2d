import { describe, expect, test } from 'vitest'
import { bugs } from './bugs.js'
import { campaign } from './campaign.js'
import { play } from './schedule.js'

/** More than any of these bugs has needed from seed 1 on. */
const SCHEDULES_MAX = 400

describe('a simulator that finds nothing proves nothing', () => {
  for (const bug of bugs)
    test(`it finds that ${bug.name}`, { timeout: 120_000 }, async () => {
      const { broken, schedules } = await campaign(bug.near ?? 1, SCHEDULES_MAX, bug)
      expect(broken, `${bug.name} was not found in ${schedules} schedules`).not.toBeNull()
      const { seed, violation, hash } = broken!
      console.log(`${bug.name}: seed ${seed}. ${violation!.message}`)
      expect(bug.breaks).toContain(violation!.message.split(':')[0])
      // The seed is enough to see it again, and without the bug all is well.
      expect((await play(seed, bug)).hash).toBe(hash)
      expect((await play(seed)).violation).toBeNull()
    })
})
