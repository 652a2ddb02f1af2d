import type { Json, JsonObject } from '../../src/contracts/vendor.js'

/** Fields of Stripe's replies, read without trust: what is not of the expected shape is null. */

export const text = (value: Json | undefined): string | null =>
  typeof value === 'string' && value !== '' ? value : null

/** A whole number of minor units as decimal text, possibly negative. */
export function integer(value: Json | undefined): string | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
  return typeof value === 'string' && /^-?(0|[1-9][0-9]{0,15})$/.test(value) ? value : null
}

/** Stripe writes decimals as text (`unit_amount_decimal: "0.5"`). */
export function decimal(value: Json | undefined): string | null {
  return typeof value === 'string' && /^-?[0-9]{1,15}(\.[0-9]{1,12})?$/.test(value) ? value : null
}

export const object = (value: Json | undefined): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null

export const list = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? value.map(object).filter((one) => one !== null) : []

/** The id in a field that holds an id or, expanded, the object itself. */
export const idIn = (value: Json | undefined): string | null => text(value) ?? text(object(value)?.id)
