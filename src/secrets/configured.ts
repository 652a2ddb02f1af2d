import { createHash } from 'node:crypto'
import type { CredentialFacts, SecretParts, Vendor } from '../contracts/vendor.js'
import { BASE62 } from '../custody/base62.js'
import { SecretFault } from './fault.js'
import type { ConfiguredCredential } from './settings.js'

/** The same on every node that reads the same file, so that two which start at once enter one credential. */
export function configuredId({ vendor, name }: Pick<ConfiguredCredential, 'vendor' | 'name'>): string {
  let rest = BigInt(`0x${createHash('sha256').update(`configured\n${vendor}\n${name}`).digest('hex')}`)
  let text = ''
  for (let place = 0; place < 20; place++) {
    text += BASE62[Number(rest % 62n)]!
    rest /= 62n
  }
  return `cred_${text}`
}

/**
 * What is sealed of a credential that the file names, beside that it names it: where a vendor by configuration is.
 *
 * @param addressFault why an address may not be called
 * @throws SecretFault when the file says what cannot be
 */
export async function settingsOf(
  { vendor: name, name: own, wish }: ConfiguredCredential,
  { bindings }: Vendor,
  addressFault: (address: string) => Promise<string | null>,
): Promise<SecretParts> {
  const place = `${name}/${own} in the configuration file`
  if (bindings === undefined) {
    if (Object.values(wish).every((each) => each === undefined)) return {}
    throw new SecretFault(`${place}: ${name} has addresses and ways of its own. Leave base_url, auth and headers out.`)
  }
  const settings = bindings.settings(wish)
  if (isFault(settings)) throw new SecretFault(`${place}: ${settings.path}: ${settings.message}`)
  for (const address of bindings.addresses(settings)) {
    const fault = await addressFault(address)
    if (fault !== null) throw new SecretFault(`${place}: ${fault}`)
  }
  return settings
}

const isFault = (
  settings: SecretParts | { readonly path: string; readonly message: string },
): settings is { readonly path: string; readonly message: string } => 'message' in settings

/**
 * What a vendor says of a key that was fetched.
 *
 * @throws SecretFault when it is none
 */
export function factsOf(vendor: Vendor, parts: SecretParts): CredentialFacts {
  const facts = vendor.credential(parts)
  if (typeof facts !== 'string') return facts
  // A vendor promises not to quote the secret. If one does, its sentence is dropped.
  const quoted = Object.values(parts).some((part) => part.length >= 6 && facts.includes(part))
  throw new SecretFault(`What is kept elsewhere is no credential of ${vendor.name}.${quoted ? '' : ` ${facts}`}`)
}

/** The parts a fingerprint is of: it tells keys apart, with and without a secret for webhooks. */
export function ofTheKey({ movements }: Vendor, parts: SecretParts): SecretParts {
  const part = movements?.webhooks?.part
  return Object.fromEntries(Object.entries(parts).filter(([name]) => name !== part))
}
