import { ROLES, type Role } from '../contracts/operator.js'
import { Secret } from '../custody/secret.js'

/** Where the provider sends people back to, on our side. */
export const RETURN_PATH = '/dashboard/oidc/return'

/** The OpenID provider that vouches for people, and what its word makes of them. */
export interface OidcSettings {
  readonly issuer: URL
  readonly clientId: string
  /** Null for a public client: PKCE alone shows that who comes back is who began. */
  readonly clientSecret: Secret | null
  readonly scope: string
  /** The claim that decides on the role: a text or a list of texts. */
  readonly roleClaim: string
  /** What stands in that claim → the role it gives. Who has none of these has no role, and is refused. */
  readonly roles: ReadonlyMap<string, Role>
  /** Exactly as it is registered with the provider; null: the admin listener's own address. */
  readonly redirectUri: string | null
}

type Env = Readonly<Record<string, string | undefined>>
const NAMES = ['CLIENT_ID', 'ROLES', 'ROLE_CLAIM', 'SCOPE', 'REDIRECT_URI'].map((name) => `SPENDGATE_OIDC_${name}`)

/**
 * Reads SPENDGATE_OIDC_…
 *
 * @param secret the client's, from wherever secrets come
 * @param hosts names under which the admin port answers
 * @param faults gets a sentence for each that cannot be used
 */
export function oidcIn(
  env: Env,
  secret: string | null,
  hosts: ReadonlySet<string>,
  faults: string[],
): OidcSettings | null {
  const text = env.SPENDGATE_OIDC_ISSUER
  if (!text) {
    const lone = NAMES.find((name) => env[name])
    if (lone !== undefined || secret !== null)
      faults.push(
        `${lone ?? 'SPENDGATE_OIDC_CLIENT_SECRET'} is set without SPENDGATE_OIDC_ISSUER. Set both, or neither.`,
      )
    return null
  }
  const issuer = URL.canParse(text) ? new URL(text) : null
  if (issuer === null || !isSafe(issuer) || issuer.username !== '' || issuer.search !== '' || issuer.hash !== '')
    faults.push('SPENDGATE_OIDC_ISSUER must be an https URL without query or credentials; plain http only to loopback.')
  const clientId = env.SPENDGATE_OIDC_CLIENT_ID ?? ''
  if (!/^[\x21-\x7e]{1,256}$/.test(clientId))
    faults.push('SPENDGATE_OIDC_CLIENT_ID must be the name under which spendgate is registered with the provider.')
  const redirectUri = env.SPENDGATE_OIDC_REDIRECT_URI || null
  if (redirectUri !== null && !leadsBack(redirectUri, hosts))
    faults.push(
      `SPENDGATE_OIDC_REDIRECT_URI must be a URL with the path ${RETURN_PATH} and a host that the admin port answers to (SPENDGATE_ADMIN_HOST_NAMES).`,
    )
  const roles = rolesIn(env.SPENDGATE_OIDC_ROLES ?? '', faults)
  if (issuer === null) return null
  return {
    issuer,
    clientId,
    clientSecret: secret === null ? null : new Secret(secret),
    scope: env.SPENDGATE_OIDC_SCOPE || 'openid email profile',
    roleClaim: env.SPENDGATE_OIDC_ROLE_CLAIM || 'groups',
    roles,
    redirectUri,
  }
}

/** `viewer=finance,approver=oncall,admin=platform`; a role may stand several times. */
function rolesIn(text: string, faults: string[]): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>()
  for (const pair of text.split(',').filter((each) => each.trim() !== '')) {
    const [, name, value] = /^\s*([a-z]+)\s*=\s*(\S(?:.*\S)?)\s*$/.exec(pair) ?? []
    const role = ROLES.find((each) => each === name)
    if (role === undefined) faults.push(`SPENDGATE_OIDC_ROLES must be role=value pairs; roles are ${ROLES.join(', ')}.`)
    else if (roles.has(value!)) faults.push(`SPENDGATE_OIDC_ROLES gives «${value!}» two roles.`)
    else roles.set(value!, role)
  }
  if (text.trim() === '')
    faults.push(
      'SPENDGATE_OIDC_ROLES is needed, as viewer=finance,approver=oncall,admin=platform: without it nobody could sign in.',
    )
  return roles
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** Whether what goes there cannot be read on the way. */
export const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname))

function leadsBack(text: string, hosts: ReadonlySet<string>): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  return (
    isSafe(url) && url.href === `${url.origin}${RETURN_PATH}` && (LOOPBACK.has(url.hostname) || hosts.has(url.hostname))
  )
}
