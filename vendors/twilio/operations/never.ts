import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows, SOURCE } from '../rows.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const IAM = 'iam.twilio.com/v1'
const ORGANIZATION = 'preview-iam.twilio.com/Organizations/{OrganizationSid}'
const VERIFY = 'verify.twilio.com/v2/Services/{ServiceSid}'
const BUCKETS = `${VERIFY}/RateLimits/{RateLimitSid}/Buckets`

/** No policy opens these: they hand out ways past the proxy, or switch off what Twilio guards the account’s money with. */
export const never: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    { effect: 'credential', never: 'An account’s record holds its auth token.' },
    `
    accounts.list GET /2010-04-01/Accounts.json
    accounts.create POST /2010-04-01/Accounts.json
    accounts.get GET /2010-04-01/Accounts/{Sid}.json
    accounts.update POST /2010-04-01/Accounts/{Sid}.json`,
  ),
  ...rows(
    {
      effect: 'credential',
      never: 'API keys act on the account outside spendgate.',
      reveals: ['secret'],
    },
    `
    keys.list GET ${ACCOUNT}/Keys.json
    keys.create POST ${ACCOUNT}/Keys.json
    keys.get GET ${ACCOUNT}/Keys/{Sid}.json
    keys.update POST ${ACCOUNT}/Keys/{Sid}.json
    keys.delete DELETE ${ACCOUNT}/Keys/{Sid}.json
    iam.keys.list GET ${IAM}/Keys
    iam.keys.create POST ${IAM}/Keys
    iam.keys.get GET ${IAM}/Keys/{Sid}
    iam.keys.update POST ${IAM}/Keys/{Sid}
    iam.keys.delete DELETE ${IAM}/Keys/{Sid}`,
  ),
  ...rows(
    {
      effect: 'credential',
      never: 'Signing keys make access tokens outside spendgate.',
      reveals: ['secret'],
    },
    `
    signing_keys.list GET ${ACCOUNT}/SigningKeys.json
    signing_keys.create POST ${ACCOUNT}/SigningKeys.json
    signing_keys.get GET ${ACCOUNT}/SigningKeys/{Sid}.json
    signing_keys.update POST ${ACCOUNT}/SigningKeys/{Sid}.json
    signing_keys.delete DELETE ${ACCOUNT}/SigningKeys/{Sid}.json`,
  ),
  ...rows(
    {
      effect: 'credential',
      never: 'Relay tokens are credentials whose traffic is billed to the account.',
      reveals: ['username', 'password', 'credential', 'ice_servers'],
    },
    `tokens.create POST ${ACCOUNT}/Tokens.json`,
  ),
  ...rows(
    { effect: 'credential', never: 'Auth tokens are the account’s master credential.' },
    `
    auth_tokens.promote POST accounts.twilio.com/v1/AuthTokens/Promote
    auth_tokens.secondary.create POST accounts.twilio.com/v1/AuthTokens/Secondary
    auth_tokens.secondary.delete DELETE accounts.twilio.com/v1/AuthTokens/Secondary`,
  ),
  ...rows(
    { effect: 'credential', never: 'The token registers a factor for any identity.', reveals: ['token'] },
    `
    verify.access_tokens.create POST ${VERIFY}/AccessTokens
    verify.access_tokens.get GET ${VERIFY}/AccessTokens/{Sid}`,
  ),
  ...rows(
    {
      effect: 'credential',
      never: 'An OAuth token acts on the account outside spendgate, and its secret stands in the body.',
      reveals: ['access_token', 'refresh_token', 'id_token'],
    },
    `
    oauth.token.create POST oauth.twilio.com/v1/token POST oauth.twilio.com/v2/token
    oauth.authorize GET oauth.twilio.com/v1/authorize GET oauth.twilio.com/v2/authorize
    iam.token.create POST ${IAM}/token`,
  ),
  ...rows(
    {
      effect: 'credential',
      never: 'An OAuth app mints tokens that act on the account outside spendgate.',
      body: 'json',
      reveals: ['secret', 'client_secret', 'clientSecret', 'access_token'],
    },
    `
    iam.oauth_apps.create POST ${IAM}/Account/OAuthApps
    iam.oauth_apps.update PUT ${IAM}/Account/OAuthApps/{Sid}`,
  ),
  ...rows(
    { effect: 'destructive', never: 'Whoever removes an OAuth app locks out those who work with it.' },
    `iam.oauth_apps.delete DELETE ${IAM}/Account/OAuthApps/{Sid}`,
  ),
  ...rows(
    {
      effect: 'credential',
      preview: true,
      never: 'An OAuth token acts on the whole organization outside spendgate.',
      reveals: ['access_token', 'refresh_token', 'id_token'],
    },
    `
    organizations.token.create POST preview-iam.twilio.com/v1/token
    organizations.authorize GET preview-iam.twilio.com/v1/authorize`,
  ),
  ...rows(
    {
      effect: 'credential',
      preview: true,
      body: 'json',
      never: 'Users and roles of the organization are for people to grant.',
    },
    `
    organizations.role_assignments.create POST ${ORGANIZATION}/RoleAssignments
    organizations.users.create POST ${ORGANIZATION}/scim/Users
    organizations.users.replace PUT ${ORGANIZATION}/scim/Users/{UserSid}
    organizations.users.update PATCH ${ORGANIZATION}/scim/Users/{UserSid}`,
  ),
  ...rows(
    { effect: 'destructive', preview: true, never: 'Users and roles of the organization are for people to grant.' },
    `
    organizations.role_assignments.delete DELETE ${ORGANIZATION}/RoleAssignments/{RoleAssignmentSid}
    organizations.users.delete DELETE ${ORGANIZATION}/scim/Users/{UserSid}`,
  ),

  ...rows(
    { effect: 'routing', never: 'It opens countries where sending is dear and fraud common.' },
    `
    geo_permissions.update PATCH accounts.twilio.com/v1/Messaging/GeoPermissions
    voice.dialing_permissions.update POST voice.twilio.com/v1/DialingPermissions/BulkCountryUpdates
    voice.settings.update POST voice.twilio.com/v1/Settings`,
  ),
  ...rows(
    {
      effect: 'routing',
      never: 'A safe list exempts numbers, a whole prefix at once, from Twilio’s fraud protection.',
    },
    `
    safe_list.create POST accounts.twilio.com/v1/SafeList/Numbers
    safe_list.delete DELETE accounts.twilio.com/v1/SafeList/Numbers
    verify.safe_list.create POST verify.twilio.com/v2/SafeList/Numbers`,
  ),
  ...rows(
    { effect: 'destructive', never: 'The safe list is the operator’s own.' },
    'verify.safe_list.delete DELETE verify.twilio.com/v2/SafeList/Numbers/{PhoneNumber}',
  ),
  ...rows(
    { effect: 'routing', never: 'Rate limits are the operator’s own guard against abuse.' },
    `
    verify.rate_limits.create POST ${VERIFY}/RateLimits
    verify.rate_limits.update POST ${VERIFY}/RateLimits/{Sid}
    verify.rate_limits.delete DELETE ${VERIFY}/RateLimits/{Sid}
    verify.rate_limits.buckets.create POST ${BUCKETS}
    verify.rate_limits.buckets.update POST ${BUCKETS}/{Sid}
    verify.rate_limits.buckets.delete DELETE ${BUCKETS}/{Sid}
    lookups.rate_limits.delete DELETE lookups.twilio.com/v2/RateLimits/Fields/{Field}/Bucket/{Bucket}`,
  ),
  ...rows(
    { effect: 'routing', body: 'json', never: 'Rate limits are the operator’s own guard against abuse.' },
    'lookups.rate_limits.update PUT lookups.twilio.com/v2/RateLimits/Fields/{Field}/Bucket/{Bucket}',
  ),
  ...rows(
    { effect: 'routing', never: 'Usage triggers are the operator’s own alarm for spend.' },
    `
    account.usage.triggers.create POST ${ACCOUNT}/Usage/Triggers.json
    account.usage.triggers.update POST ${ACCOUNT}/Usage/Triggers/{Sid}.json
    account.usage.triggers.delete DELETE ${ACCOUNT}/Usage/Triggers/{Sid}.json`,
  ),
  ...rows(
    { effect: 'routing', body: 'json', never: 'Alarms are the operator’s own.' },
    `
    monitor.alarms.create POST monitor.twilio.com/v2/Alarms
    monitor.alarms.update PUT monitor.twilio.com/v2/Alarms/{Sid}
    monitor.alarms.status.update PUT monitor.twilio.com/v2/Alarms/{Sid}/status
    monitor.alarms.delete DELETE monitor.twilio.com/v2/Alarms/{Sid}`,
  ),
])
