import { describe, expect, test } from 'vitest'
import { oidcIn, type OidcSettings } from '../../src/dashboard/oidc-settings.js'

const WHOLE = {
  SPENDGATE_OIDC_ISSUER: 'https://id.example/realms/main',
  SPENDGATE_OIDC_CLIENT_ID: 'spendgate',
  SPENDGATE_OIDC_ROLES: 'viewer=finance, approver=on call,admin=platform,admin=sre',
}
function read(
  changes: Readonly<Record<string, string>> = {},
  secret: string | null = 'the client secret',
): { settings: OidcSettings | null; faults: string[] } {
  const faults: string[] = []
  return { settings: oidcIn({ ...WHOLE, ...changes }, secret, new Set(['gate.example']), faults), faults }
}

describe('who vouches for people', () => {
  test('nobody, unless an issuer is named', () => {
    const faults: string[] = []
    expect([oidcIn({}, null, new Set(), faults), faults]).toEqual([null, []])
  })

  test('a role may be given by several groups, and the secret is not printed', () => {
    const { settings, faults } = read()
    expect(faults).toEqual([])
    expect([...settings!.roles]).toEqual([
      ['finance', 'viewer'],
      ['on call', 'approver'],
      ['platform', 'admin'],
      ['sre', 'admin'],
    ])
    expect([settings!.roleClaim, settings!.scope, settings!.redirectUri]).toEqual([
      'groups',
      'openid email profile',
      null,
    ])
    expect(JSON.stringify(settings)).not.toContain('the client secret')
    expect(read({}, null).settings!.clientSecret).toBeNull()
  })

  test.each([
    ['SPENDGATE_OIDC_ISSUER', 'http://id.example', 'plain http only to loopback'],
    ['SPENDGATE_OIDC_ISSUER', 'id.example', 'must be an https URL'],
    ['SPENDGATE_OIDC_ISSUER', 'https://user@id.example', 'without query or credentials'],
    ['SPENDGATE_OIDC_ISSUER', 'https://id.example/?x', 'without query or credentials'],
    ['SPENDGATE_OIDC_ISSUER', '', 'is set without SPENDGATE_OIDC_ISSUER'],
    ['SPENDGATE_OIDC_CLIENT_ID', '', 'must be the name under which spendgate is registered'],
    ['SPENDGATE_OIDC_ROLES', '', 'without it nobody could sign in'],
    ['SPENDGATE_OIDC_ROLES', 'root=platform', 'roles are viewer, approver, admin'],
    ['SPENDGATE_OIDC_ROLES', 'admin', 'must be role=value pairs'],
    ['SPENDGATE_OIDC_ROLES', 'viewer=a,admin=a', 'gives «a» two roles'],
    [
      'SPENDGATE_OIDC_REDIRECT_URI',
      'https://evil.example/dashboard/oidc/return',
      'a host that the admin port answers to',
    ],
    ['SPENDGATE_OIDC_REDIRECT_URI', 'http://gate.example/dashboard/oidc/return', 'SPENDGATE_OIDC_REDIRECT_URI must be'],
    ['SPENDGATE_OIDC_REDIRECT_URI', 'https://gate.example/dashboard', 'with the path /dashboard/oidc/return'],
    ['SPENDGATE_OIDC_REDIRECT_URI', 'https://gate.example/dashboard/oidc/return?x=1', 'must be a URL with the path'],
  ])('%s=%s is refused by name', (name, value, sentence) => {
    const { faults } = read({ [name]: value })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain(sentence)
  })

  test('the way back may be behind a proxy of a name that is served', () => {
    const uri = 'https://gate.example/dashboard/oidc/return'
    expect(read({ SPENDGATE_OIDC_REDIRECT_URI: uri })).toMatchObject({ faults: [], settings: { redirectUri: uri } })
    expect(read({ SPENDGATE_OIDC_ISSUER: 'http://127.0.0.1:9000' }).faults).toEqual([])
  })
})
