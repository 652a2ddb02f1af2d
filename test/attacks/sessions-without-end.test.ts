import { expect, test } from 'vitest'
import type { Principal } from '../../src/contracts/operator.js'
import { Door } from '../../src/dashboard/door.js'

/*
 * A viewer signs in over and over, so that the sessions of everybody else make room for theirs.
 */

const somebody = (actor: string): Principal => ({ actor, role: 'viewer', name: actor, stands: () => true })

test('whoever signs in without end puts out themselves alone', () => {
  const door = new Door({ now: () => 0, monotonic: () => 0 })
  const admin = door.open(somebody('admin'))
  const own = Array.from({ length: 300 }, () => door.open(somebody('opr_1')))
  expect(door.find(admin)).not.toBeNull()
  expect(own.filter((token) => door.find(token) !== null)).toEqual(own.slice(-16))
})
