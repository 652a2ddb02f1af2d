import type { GoalName } from './goals.js'

/**
 * Why a goal is missed and what was tried, in a sentence or two each, for the page. A reason shows only while its goal is
 * missed, so that one that has been met since does no harm here.
 */
export const REASONS: Readonly<Partial<Record<GoalName, string>>> = {}
