import { ROLES, type Principal, type Role } from '../contracts/operator.js'
import { Problem } from './problem.js'

/**
 * What a call or a page asks for that declares nothing: one that was forgotten is open to too few, not to too many. A
 * viewer reads what holds no secret; an approver also decides on requests, freezes and revokes, because stopping is for
 * everybody who may act; everything else is an admin's.
 */
export const UNDECLARED: Role = 'admin'

/** What can be asked for, with the least role that may; alone it is UNDECLARED's. */
export type Declared<T> = T | readonly [needs: Role, what: T]

export const declared = <T extends (...given: never[]) => unknown>(what: Declared<T>): readonly [Role, T] =>
  typeof what === 'function' ? [UNDECLARED, what] : what

/** Whether a role may do what another one is asked for. */
export const covers = (has: Role, needed: Role): boolean => ROLES.indexOf(has) >= ROLES.indexOf(needed)

/** @throws Problem `role_needed` naming the role */
export function requireRole({ name, role }: Pick<Principal, 'name' | 'role'>, needed: Role): void {
  if (covers(role, needed)) return
  throw new Problem(
    'role_needed',
    `This needs the role ${needed}, and ${name} is ${role}. Nothing was done. Ask somebody who has it.`,
  )
}
