import type { BindingWish } from '../contracts/binding.js'
import type { SecretParts, Vendor } from '../contracts/vendor.js'
import type { Confided } from './credential-references.js'
import type { AdminDeps } from './deps.js'
import { invalid } from './problem.js'

/* Credentials of vendors by configuration: which vendor one is for, and what is sealed beside its secret. */

/** The vendor a new credential is for; one that nobody knew is made where the request says how it is reached. */
export function vendorFor(deps: AdminDeps, name: string): Vendor {
  const made = deps.vendors.find((vendor) => vendor.name === name) ?? deps.configured?.vendor(name)
  if (made !== undefined && typeof made !== 'string') return made
  const known = `Vendors: ${deps.vendors.map((each) => each.name).join(', ')}.`
  throw invalid('vendor', made === undefined ? `There is no such vendor. ${known}` : `${made} ${known}`)
}

/** What is sealed beside the secret and is none. Nothing for a vendor that has addresses of its own. */
export async function settingsOf(deps: AdminDeps, vendor: Vendor, wish: BindingWish): Promise<SecretParts> {
  const { bindings } = vendor
  if (bindings === undefined) {
    const said = (['base_url', 'auth', 'headers'] as const).find((name) => wish[name] !== undefined)
    if (said === undefined) return {}
    throw invalid(said, `${vendor.name} has addresses and ways of its own, which are known. Leave it out.`)
  }
  const settings = bindings.settings(wish)
  if (isFault(settings)) throw invalid(settings.path, settings.message)
  for (const [place, address] of bindings.addresses(settings).entries()) {
    const fault = await deps.configured?.fault(address)
    if (fault) throw invalid(place === 0 ? 'base_url' : 'auth.token_url', fault)
  }
  return settings
}

/** What a rotation keeps: where calls go cannot change under the keys that were issued. */
export function keptSettings(vendor: Vendor, before: SecretParts): SecretParts {
  const names = vendor.bindings?.settingNames ?? []
  return Object.fromEntries(names.map((name) => [name, before[name]!]))
}

/** Names that others give to the one secret a scheme has. */
const TOKEN = ['api_key', 'key', 'secret', 'value']

/** The parts of a secret under the names they are kept by. Where calls go is no part of it, here or elsewhere. */
export function namedParts(vendor: Vendor, { secret, secret_ref: referred }: Confided): SecretParts | undefined {
  const { bindings } = vendor
  if (bindings === undefined) return secret
  const parts = { ...secret, ...(typeof referred === 'object' ? referred : {}) }
  const said = Object.keys(parts).find((name) => bindings.settingNames.includes(name))
  if (said !== undefined) throw invalid('secret', `${said} is no part of the secret; it stands beside it.`)
  const alias = TOKEN.find((name) => secret?.[name] !== undefined)
  if (secret === undefined || alias === undefined || secret.token !== undefined) return secret
  const { [alias]: token, ...others } = secret
  return { ...others, token: token! }
}

const isFault = (
  settings: SecretParts | { readonly path: string; readonly message: string },
): settings is { readonly path: string; readonly message: string } => 'message' in settings
