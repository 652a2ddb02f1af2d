import type { CredentialRecord } from '../contracts/ledger.js'
import type { SecretParts, Vendor } from '../contracts/vendor.js'
import { SecretFault } from '../secrets/fault.js'
import type { Keeper } from '../secrets/keeper.js'
import { parseReference } from '../secrets/reference.js'
import { REFERENCE_PART, referredIn, sealedParts, textsOf, type Referred } from '../secrets/referred.js'
import { ALL_PARTS, type References } from '../secrets/settings.js'
import { conflict, invalid, Problem } from './problem.js'

/* A credential whose secret stays where the operator keeps it: what is asked for, fetched, sealed and shown in its place. */

/** What a request says of a secret: the parts themselves, where they are, or some of both. */
export interface Confided {
  readonly secret?: SecretParts | undefined
  readonly secret_ref?: string | Readonly<Record<string, string>> | undefined
}

/** What is to be stored, and the parts of the key as they are now. */
export interface Confidence {
  readonly parts: SecretParts
  /** What is sealed: the parts, or where they are. */
  readonly sealed: SecretParts
}

/**
 * @param settings what is sealed beside the secret and is none
 * @throws Problem when nothing usable is given, or what is referred to may not be or cannot be had
 */
export async function confided(
  asked: Confided,
  vendor: Vendor,
  keeper: Keeper | undefined,
  settings: SecretParts = {},
): Promise<Confidence> {
  const { [REFERENCE_PART]: within, ...given } = asked.secret ?? {}
  if (within !== undefined && asked.secret_ref !== undefined)
    throw invalid('secret_ref', 'It stands twice: beside the secret and in it.')
  const said = asked.secret_ref ?? within
  const plain = { ...given, ...settings }
  if (said === undefined) {
    if (asked.secret === undefined)
      throw new Problem('invalid', 'secret: is missing, and so is where it is (secret_ref)', [
        { path: 'secret', message: 'is missing' },
      ])
    return { parts: plain, sealed: plain }
  }
  if (keeper === undefined) throw invalid('secret_ref', 'This server takes no references.')
  const referred: Referred = { plain, references: referencesIn(said, keeper) }
  const parts = await had(() => keeper.fetched(vendor, referred))
  return { parts, sealed: sealedParts(referred) }
}

/** What is sealed, as a request would say it. */
export function asConfided(sealed: SecretParts): Confided {
  const referred = referredIn(sealed)
  if (referred === null) return { secret: sealed }
  return { secret: referred.plain, secret_ref: textsOf(referred.references ?? {}) }
}

/**
 * Asks for the secret of a credential again, where it is kept.
 *
 * @throws Problem when it is stored here, or cannot be had
 */
export async function refreshed(
  record: CredentialRecord,
  keeper: Keeper | undefined,
  actor: string,
): Promise<CredentialRecord> {
  if (!keeper?.whereOf(record))
    throw invalid('secret', `The secret of ${record.id} is stored here, so a new one is needed to rotate it.`)
  return had(() => keeper.refresh(record, actor))
}

/** @throws Problem when what stands in the configuration file is to be changed over the API */
export function refuseConfigured(record: CredentialRecord, keeper: Keeper | undefined): void {
  if (keeper?.whereOf(record)?.references !== null) return
  throw conflict(
    `${record.id} stands in the configuration file, under credentials: ${record.vendor}/${record.name}. Change it there; without a body this call asks for its secret again.`,
  )
}

/** Where the secret is, as it is shown: one reference, several by part, `configuration`, or null where it is stored here. */
export function placeOf(
  record: CredentialRecord,
  keeper: Keeper | undefined,
): string | Readonly<Record<string, string>> | null {
  const referred = keeper?.whereOf(record) ?? null
  if (referred === null) return null
  if (referred.references === null) return 'configuration'
  const texts = textsOf(referred.references)
  return texts[ALL_PARTS] ?? texts
}

function referencesIn(said: NonNullable<Confided['secret_ref']>, keeper: Keeper): References {
  const texts = typeof said === 'string' ? { [ALL_PARTS]: said } : said
  if (Object.keys(texts).length === 0) throw invalid('secret_ref', 'It names no part.')
  const references = Object.entries(texts).map(([part, text]) => {
    const path = typeof said === 'string' ? 'secret_ref' : `secret_ref.${part}`
    const reference = parseReference(text)
    if (typeof reference === 'string') throw invalid(path, reference)
    const why = keeper.refusal(reference)
    if (why !== null) throw invalid(path, why)
    return [part, reference] as const
  })
  return Object.fromEntries(references)
}

async function had<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (fault) {
    if (fault instanceof SecretFault) throw new Problem('secret_unavailable', fault.message)
    throw fault
  }
}
