import type { Operation } from '../../../src/contracts/vendor.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'

/** Routes that read or make credentials. No policy opens them: what they reveal leads past the proxy. */
export const never: readonly Operation[] = [
  reveals('accounts', 'An account’s record holds its auth token.', [
    'GET /2010-04-01/Accounts.json',
    'POST /2010-04-01/Accounts.json',
    'GET /2010-04-01/Accounts/{Sid}.json',
    'POST /2010-04-01/Accounts/{Sid}.json',
  ]),
  reveals('keys', 'API keys act on the account outside spendgate.', [
    `GET ${ACCOUNT}/Keys.json`,
    `POST ${ACCOUNT}/Keys.json`,
    `GET ${ACCOUNT}/Keys/{Sid}.json`,
    `POST ${ACCOUNT}/Keys/{Sid}.json`,
    `DELETE ${ACCOUNT}/Keys/{Sid}.json`,
    'GET iam.twilio.com/v1/Keys',
    'POST iam.twilio.com/v1/Keys',
    'GET iam.twilio.com/v1/Keys/{Sid}',
    'POST iam.twilio.com/v1/Keys/{Sid}',
    'DELETE iam.twilio.com/v1/Keys/{Sid}',
  ]),
  reveals('signing_keys', 'Signing keys make access tokens outside spendgate.', [
    `GET ${ACCOUNT}/SigningKeys.json`,
    `POST ${ACCOUNT}/SigningKeys.json`,
    `GET ${ACCOUNT}/SigningKeys/{Sid}.json`,
    `POST ${ACCOUNT}/SigningKeys/{Sid}.json`,
    `DELETE ${ACCOUNT}/SigningKeys/{Sid}.json`,
  ]),
  reveals('tokens', 'Relay tokens are credentials whose traffic is billed to the account.', [
    `POST ${ACCOUNT}/Tokens.json`,
  ]),
  reveals('auth_tokens', 'Auth tokens are the account’s master credential.', [
    'POST accounts.twilio.com/v1/AuthTokens/Promote',
    'POST accounts.twilio.com/v1/AuthTokens/Secondary',
    'DELETE accounts.twilio.com/v1/AuthTokens/Secondary',
  ]),
  reveals('verify.access_tokens', 'The token registers a factor for any identity.', [
    'POST verify.twilio.com/v2/Services/{ServiceSid}/AccessTokens',
    'GET verify.twilio.com/v2/Services/{ServiceSid}/AccessTokens/{Sid}',
  ]),
].flat()

/** One operation a route: they are no aliases of each other. */
function reveals(subject: string, why: string, routes: readonly string[]): Operation[] {
  return routes.map((route, at) => ({
    id: `never.${subject}.${at + 1}`,
    routes: [route],
    effect: 'credential',
    never: why,
  }))
}
