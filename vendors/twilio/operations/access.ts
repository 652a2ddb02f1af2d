import type { Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, listOf } from '../answers.js'
import { rows, SOURCE } from '../rows.js'

const ACCOUNTS = 'accounts.twilio.com/v1'
const ORGANIZATION = 'preview-iam.twilio.com/Organizations/{OrganizationSid}'

/** Keys of other parties, consent, and reads about who may do what. What no policy opens stands in never.ts. */
export const access: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    { effect: 'credential', why: 'Keys with which recordings are stored, encrypted or requests are signed.' },
    `
    credentials.aws.create POST ${ACCOUNTS}/Credentials/AWS
    credentials.aws.update POST ${ACCOUNTS}/Credentials/AWS/{Sid}
    credentials.public_keys.create POST ${ACCOUNTS}/Credentials/PublicKeys`,
  ),
  ...rows(
    { effect: 'write', accepts: ['FriendlyName'], why: 'Renames a key.' },
    `credentials.public_keys.update POST ${ACCOUNTS}/Credentials/PublicKeys/{Sid}`,
  ),
  ...rows(
    { effect: 'write', people: true, repeats: ['Items'], why: 'Records what people agreed to.' },
    `
    consents.bulk POST ${ACCOUNTS}/Consents/Bulk
    contacts.bulk POST ${ACCOUNTS}/Contacts/Bulk`,
  ),
  ...rows(
    { effect: 'destructive' },
    `
    credentials.aws.delete DELETE ${ACCOUNTS}/Credentials/AWS/{Sid}
    credentials.public_keys.delete DELETE ${ACCOUNTS}/Credentials/PublicKeys/{Sid}`,
  ),
  ...rows(
    { effect: 'read' },
    `
    credentials.aws.list GET ${ACCOUNTS}/Credentials/AWS
    credentials.aws.get GET ${ACCOUNTS}/Credentials/AWS/{Sid}
    credentials.public_keys.list GET ${ACCOUNTS}/Credentials/PublicKeys
    credentials.public_keys.get GET ${ACCOUNTS}/Credentials/PublicKeys/{Sid}
    geo_permissions.get GET ${ACCOUNTS}/Messaging/GeoPermissions
    iam.roles.permissions.list GET iam.twilio.com/v1/Roles/{RoleSid}/Permissions
    oauth.server.get GET oauth.twilio.com/v2/oauth-authorization-server`,
  ),
  {
    id: 'safe_list.get',
    routes: [`GET ${ACCOUNTS}/SafeList/Numbers`],
    effect: 'read',
    explain: ({ params }: Question) => ({
      quote: { basis: 'free' },
      subjects: { recipients: listOf(given(params, 'PhoneNumber')) },
    }),
  },
  ...rows({ effect: 'read', people: true }, 'oauth.userinfo.get GET oauth.twilio.com/v1/userinfo'),
  ...rows(
    { effect: 'read', people: true, preview: true },
    `
    organizations.accounts.list GET ${ORGANIZATION}/Accounts
    organizations.accounts.get GET ${ORGANIZATION}/Accounts/{AccountSid}
    organizations.role_assignments.list GET ${ORGANIZATION}/RoleAssignments
    organizations.users.list GET ${ORGANIZATION}/scim/Users
    organizations.users.get GET ${ORGANIZATION}/scim/Users/{Id}`,
  ),
])
