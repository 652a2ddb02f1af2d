import type { SecretParts, Vendor } from '../contracts/vendor.js'
import type { Given } from './backends.js'
import { SecretFault } from './fault.js'
import { named, parseReference, type Reference } from './reference.js'
import { ALL_PARTS, type References } from './settings.js'

/** The part of a sealed credential that says where its secret is. No vendor's key has a part of that name. */
export const REFERENCE_PART = 'secret_ref'
/** In its place: the reference stands in the configuration file, under the credential's vendor and name. */
const CONFIGURED = 'configuration'

/** A credential whose secret is kept elsewhere, as it is sealed here. */
export interface Referred {
  /** Parts that are no secrets. */
  readonly plain: SecretParts
  /** Null: they stand in the configuration file. */
  readonly references: References | null
}

export const sealedParts = ({ plain, references }: Referred): SecretParts => ({
  ...plain,
  [REFERENCE_PART]: JSON.stringify(references === null ? CONFIGURED : textsOf(references)),
})

/** What is written where references are shown: by part, or the one that gives all. */
export const textsOf = (references: References): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(references).map(([part, { text }]) => [part, text]))

/**
 * Null when the secret itself was sealed.
 *
 * @throws SecretFault when a reference is not read any more
 */
export function referredIn(parts: SecretParts): Referred | null {
  const { [REFERENCE_PART]: said, ...plain } = parts
  if (said === undefined) return null
  const value = placesIn(said)
  if (typeof value === 'string') return { plain, references: null }
  const references: [string, Reference][] = Object.entries(value).map(([part, text]) => {
    const reference = parseReference(text)
    if (typeof reference === 'string') throw new SecretFault(reference)
    return [part, reference]
  })
  return { plain, references: Object.fromEntries(references) }
}

function placesIn(text: string): string | Readonly<Record<string, string>> {
  try {
    return JSON.parse(text) as string | Readonly<Record<string, string>>
  } catch (cause) {
    throw new SecretFault(`What stands as ${REFERENCE_PART} in a credential is no reference. Rotate it.`, { cause })
  }
}

/**
 * The parts of a vendor's key, from what the references gave. A single value without a part's name is for the part that is
 * named like the field, else for the only one that makes it a key of this vendor.
 *
 * @throws SecretFault when that gives none
 */
export function assembled(
  vendor: Pick<Vendor, 'name' | 'credential'>,
  plain: SecretParts,
  references: References,
  given: Readonly<Record<string, Given>>,
): SecretParts {
  // What is sealed here wins: whoever writes the secret elsewhere must not change where it is sent.
  let parts = plain
  for (const [part, reference] of Object.entries(references)) {
    const value = given[part]!
    if (typeof value !== 'string') {
      if (part !== ALL_PARTS)
        throw new SecretFault(`${named(reference)} names no field, and ${part} is one value: write …#field.`)
      parts = { ...value, ...parts }
    } else if (part !== ALL_PARTS) parts = { ...parts, [part]: value }
    else parts = { ...parts, [onlyPart(vendor, parts, reference, value)]: value }
  }
  if (parts[REFERENCE_PART] !== undefined)
    throw new SecretFault(`A secret of ${vendor.name} has a field ${REFERENCE_PART}, which leads nowhere.`)
  return parts
}

/** As the vendors here call the one secret of a key. */
const USUAL = ['api_key', 'token'] as const

function onlyPart(
  vendor: Pick<Vendor, 'name' | 'credential'>,
  parts: SecretParts,
  reference: Reference,
  value: string,
): string {
  const field = 'field' in reference ? reference.field : null
  const candidates = [...(field !== null && /^[a-z_]{1,40}$/.test(field) ? [field] : []), ...USUAL]
  const fitting = candidates.find((part) => typeof vendor.credential({ ...parts, [part]: value }) !== 'string')
  if (fitting !== undefined) return fitting
  throw new SecretFault(
    `What ${named(reference)} gives is no key of ${vendor.name}. If it is one part of several, say which: {"secret_ref": {"<part>": "${named(reference)}"}}.`,
  )
}
