import type { CredentialRecord } from '../contracts/ledger.js'
import type { CredentialFacts, SecretParts, Vendor } from '../contracts/vendor.js'
import { newId } from '../custody/base62.js'
import { keptSettings, namedParts, settingsOf, vendorFor } from './credential-bindings.js'
import { asConfided, confided, placeOf, refreshed, refuseConfigured, type Confided } from './credential-references.js'
import type { AdminDeps } from './deps.js'
import { pageIn } from './paging.js'
import { conflict, invalid, notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { credentialList, credentialReply, newCredential, pageQuery, rotation } from './schemas.js'
import { credentialView } from './views.js'

/** Real credentials of vendors: written here, sealed at once, and never given back. */
export function credentialRoutes(deps: AdminDeps): Route[] {
  const { ledger, vault, clock } = deps
  const vendorNamed = (name: string): Vendor | undefined => deps.vendors.find((vendor) => vendor.name === name)
  const view = (record: CredentialRecord): object => credentialView(record, placeOf(record, deps.keeper))
  const recordOf = (id: string): CredentialRecord => ledger.credential(id) ?? notThere()

  return [
    route({
      method: 'post',
      path: '/admin/v1/credentials',
      summary: "Store a vendor's real key",
      body: newCredential,
      status: 201,
      reply: credentialReply,
      run: async ({ body, actor }) => {
        const vendor = vendorFor(deps, body.vendor)
        if (ledger.credentials().some((record) => record.vendor === vendor.name && record.name === body.name)) {
          throw conflict(
            `A credential named ${body.name} for ${vendor.name} exists. Rotate it, or choose another name.`,
          )
        }
        const settings = await settingsOf(deps, vendor, body)
        const asked = { ...body, secret: namedParts(vendor, body) }
        const { parts, sealed } = await confided(asked, vendor, deps.keeper, settings)
        const facts = factsOf(vendor, parts)
        const id = newId('cred')
        const record: CredentialRecord = {
          id,
          vendor: vendor.name,
          name: body.name,
          account: facts.account,
          test: facts.test,
          apiVersion: apiVersionOf(vendor, body.api_version),
          fingerprint: vault.credentialFingerprint(ofTheKey(vendor, parts)),
          last4: facts.last4,
          sealed: vault.seal({ id, vendor: vendor.name }, sealed),
          createdAt: clock.now(),
          rotatedAt: null,
        }
        if (parts !== sealed) deps.keeper?.keep(record, parts)
        await ledger.putCredential(record, 'credential.added', actor)
        return view(record)
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/credentials',
      needs: 'viewer',
      summary: 'List credentials, without their secrets',
      query: pageQuery,
      status: 200,
      reply: credentialList,
      run: ({ query }) => {
        const page = pageIn(ledger.credentials(), query)
        return { credentials: page.rows.map(view), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/credentials/{id}',
      needs: 'viewer',
      summary: 'One credential, without its secret',
      status: 200,
      reply: credentialReply,
      run: ({ param }) => view(recordOf(param('id'))),
    }),
    route({
      method: 'post',
      path: '/admin/v1/credentials/{id}/rotate',
      summary: 'Replace the secret, or ask for it again where it is kept; vault keys stay as they are',
      body: rotation,
      reads: 'optional',
      status: 200,
      reply: credentialReply,
      run: async ({ param, body, actor }) => {
        const old = recordOf(param('id'))
        const vendor = vendorNamed(old.vendor)
        if (!vendor) throw conflict(`The vendor ${old.vendor} of ${old.id} is not known to this spendgate.`)
        if (body.secret === undefined && body.secret_ref === undefined && body.api_version === undefined)
          return view(await refreshed(old, deps.keeper, actor))
        refuseConfigured(old, deps.keeper)
        const before = vault.open({ id: old.id, vendor: old.vendor }, old.sealed)
        const asked = { ...body, secret: namedParts(vendor, body) }
        const next = rotatedTo(vendor, asConfided(before), asked)
        const { parts, sealed } = await confided(next, vendor, deps.keeper, keptSettings(vendor, before))
        const facts = factsOf(vendor, parts)
        // Issued keys say which mode and account they are for, so neither can change under them.
        if (facts.test !== old.test)
          throw conflict(
            `${old.id} is a ${modeOf(old.test)} credential and the new secret is a ${modeOf(facts.test)} one. ` +
              'Store it as a new credential.',
          )
        if (old.account !== '' && facts.account !== old.account)
          throw conflict(`The new secret is for another account than ${old.id}. Store it as a new credential.`)
        const record: CredentialRecord = {
          ...old,
          account: facts.account,
          apiVersion: body.api_version === undefined ? old.apiVersion : apiVersionOf(vendor, body.api_version),
          fingerprint: vault.credentialFingerprint(ofTheKey(vendor, parts)),
          last4: facts.last4,
          sealed: vault.seal({ id: old.id, vendor: old.vendor }, sealed),
          rotatedAt: clock.now(),
        }
        if (parts !== sealed) deps.keeper?.keep(record, parts)
        await ledger.putCredential(record, 'credential.rotated', actor)
        return view(record)
      },
    }),
    route({
      method: 'delete',
      path: '/admin/v1/credentials/{id}',
      summary: 'Remove a credential that no living key needs',
      status: 204,
      run: async ({ param, actor }) => {
        const record = recordOf(param('id'))
        await ledger.removeCredential(record.id, actor)
      },
    }),
  ]
}

const modeOf = (test: boolean): string => (test ? 'test' : 'live')
const notThere = (): never => {
  throw notFound('credential')
}

/** @throws Problem naming the field, when the vendor cannot be pinned to that version */
function apiVersionOf(vendor: Vendor, version: string | undefined): string {
  if (version === undefined) return ''
  const fault = vendor.apiVersionFault ? vendor.apiVersionFault(version) : `${vendor.name} has no API versions to pin.`
  if (fault !== null) throw invalid('api_version', fault)
  return version
}

/** What is stored after a rotation: where the key is, or the key; whatever of the two is not spoken of stays. */
function rotatedTo(vendor: Vendor, stored: Confided, given: Confided): Confided {
  const names = Object.keys(given.secret ?? {})
  const webhooksAlone = names.length > 0 && names.every((name) => name === vendor.movements?.webhooks?.part)
  const keyStays = given.secret_ref === undefined && (given.secret === undefined || webhooksAlone)
  const secret = keyStays ? { ...stored.secret, ...given.secret } : rotated(vendor, stored.secret!, given.secret ?? {})
  return { secret, secret_ref: keyStays ? stored.secret_ref : given.secret_ref }
}

/** What signs webhooks is rotated apart from the key: whichever of the two is not given stays. */
function rotated({ movements }: Vendor, before: SecretParts, given: SecretParts): SecretParts {
  const part = movements?.webhooks?.part
  if (part === undefined) return given
  if (Object.keys(given).join() === part) return { ...before, ...given }
  return before[part] === undefined ? given : { [part]: before[part], ...given }
}

/** The parts a fingerprint is of: it tells keys apart, with and without a secret for webhooks. */
function ofTheKey({ movements }: Vendor, parts: SecretParts): SecretParts {
  const part = movements?.webhooks?.part
  return Object.fromEntries(Object.entries(parts).filter(([name]) => name !== part))
}

function factsOf(vendor: Vendor, parts: SecretParts): CredentialFacts {
  const { webhooks } = vendor.movements ?? {}
  if (webhooks === undefined && parts.webhook_secret !== undefined)
    throw invalid(
      'secret',
      `spendgate takes no webhooks of ${vendor.name}, so there is nothing a webhook_secret is for.`,
    )
  const signing = webhooks && parts[webhooks.part]
  const fault = signing === undefined ? null : webhooks!.secretFault(signing)
  if (fault !== null) throw invalid('secret', fault)
  const facts = vendor.credential(parts)
  if (typeof facts !== 'string') return facts
  // A vendor promises not to quote the secret. If one does, its sentence is dropped.
  const quoted = Object.values(parts).some((part) => part.length >= 6 && facts.includes(part))
  throw invalid('secret', quoted ? `This is not a credential of ${vendor.name}.` : facts)
}
