import type { Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, rows, unpriced } from '../operation.js'
import { FREE } from '../pricing.js'
import { CLI, SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { reads, readsOfAnybody } from './plain.js'
import { SECRETS } from './reads.js'

const MULTIPART =
  'Files are uploaded as multipart/form-data, which this version does not forward: upload the file outside spendgate.'
const EVENTS_LEAVE = 'It costs nothing, but sends a copy of all events to the address it names.'

/** What lets somebody act or read past spendgate: short-lived keys, links, event feeds, stored secrets, installed apps. */
export const credentials: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'ephemeral_keys.create',
    routes: ['POST /v1/ephemeral_keys'],
    effect: 'credential',
    accepts: 'customer issuing_card nonce verification_session',
    why: 'It costs nothing, but the key it returns acts as the customer or shows the card, past spendgate.',
    reveals: ['secret'],
    explain: ofCustomer,
  }),
  operation({
    id: 'ephemeral_keys.delete',
    routes: ['DELETE /v1/ephemeral_keys/{key}'],
    effect: 'destructive',
    accepts: '',
    why: 'It costs nothing: the key stops working.',
    reveals: ['secret'],
  }),
  operation({
    id: 'customer_sessions.create',
    routes: ['POST /v1/customer_sessions'],
    effect: 'credential',
    accepts: 'components customer',
    why: 'It costs nothing, but its secret opens the saved payment methods of the customer to a browser.',
    reveals: ['client_secret'],
    explain: ofCustomer,
  }),

  operation({
    id: 'webhook_endpoints.create',
    routes: ['POST /v1/webhook_endpoints'],
    effect: 'credential',
    accepts: 'api_version connect description enabled_events metadata url',
    why: EVENTS_LEAVE,
    reveals: ['secret'],
    explain: plainly,
  }),
  operation({
    id: 'webhook_endpoints.update',
    routes: ['POST /v1/webhook_endpoints/{webhook_endpoint}'],
    effect: 'credential',
    accepts: 'description disabled enabled_events metadata url',
    why: EVENTS_LEAVE,
    reveals: ['secret'],
    explain: (question) => ({
      ...plainly(question),
      ...(question.params.has('disabled') && { effects: ['destructive' as const] }),
    }),
  }),
  ...rows(
    { effect: 'destructive', accepts: '', why: 'It costs nothing: events are no longer delivered.' },
    'webhook_endpoints.delete DELETE /v1/webhook_endpoints/{webhook_endpoint}',
  ),
  ...reads(
    `
    webhook_endpoints.list     GET /v1/webhook_endpoints
    webhook_endpoints.retrieve GET /v1/webhook_endpoints/{webhook_endpoint}
    `,
    { reveals: ['secret'] },
  ),

  operation({
    id: 'apps.secrets.create',
    routes: ['POST /v1/apps/secrets'],
    effect: 'credential',
    accepts: 'expires_at name payload scope',
    why: 'It costs nothing, but changes a secret that an app works with.',
    reveals: ['payload'],
  }),
  ...rows(
    {
      effect: 'destructive',
      accepts: 'name scope',
      why: 'It costs nothing: an app loses a secret.',
      reveals: ['payload'],
    },
    'apps.secrets.delete_where POST /v1/apps/secrets/delete',
  ),
  ...rows(
    {
      effect: 'credential',
      never: 'Installing an app hands the permissions it asks for to its maker, past spendgate.',
    },
    `
    apps.installs.create POST /v1/apps/installs
    apps.installs.update POST /v1/apps/installs/{install}
    `,
  ),
  ...rows(
    { effect: 'destructive', why: 'It costs nothing: an app loses its permissions.' },
    'apps.installs.uninstall POST /v1/apps/installs/{install}/uninstall',
  ),
  ...reads(
    `
    apps.secrets.list       GET /v1/apps/secrets
    apps.secrets.find       GET /v1/apps/secrets/find
    apps.installs.list      GET /v1/apps/installs
    apps.installs.retrieve  GET /v1/apps/installs/{install}
    `,
    { reveals: ['payload'] },
  ),

  operation({
    id: 'files.create',
    routes: ['POST /v1/files'],
    host: 'files.stripe.com',
    effect: 'credential',
    accepts: 'file file_link_data purpose',
    why: MULTIPART,
    reveals: ['url'],
    explain: unpriced(MULTIPART),
  }),
  ...rows(
    {
      effect: 'credential',
      accepts: 'expires_at file metadata',
      why: 'It costs nothing, but whoever has the link can read the file.',
      reveals: ['url'],
    },
    `
    file_links.create POST /v1/file_links
    file_links.update POST /v1/file_links/{link}
    `,
  ),
  ...readsOfAnybody(
    `
    files.list          GET /v1/files
    files.retrieve      GET /v1/files/{file}
    file_links.list     GET /v1/file_links
    file_links.retrieve GET /v1/file_links/{link}
    `,
    { reveals: ['url'] },
  ),
  operation({
    id: 'files.contents',
    routes: ['GET /v1/files/{file}/contents'],
    host: 'files.stripe.com',
    effect: 'read',
    // The reply is the file itself, in which there are no fields to take out.
    reveals: [],
    explain: () => ({ quote: FREE, subjects: { customers: null } }),
  }),

  ...rows(
    {
      effect: 'credential',
      host: 'connect.stripe.com',
      never: 'It leads to a secret key of another account, which would live outside spendgate.',
      reveals: [...SECRETS, 'access_token', 'refresh_token'],
    },
    `
    oauth.token     POST /oauth/token
    oauth.authorize GET /oauth/authorize
    `,
  ),
  ...rows(
    {
      effect: 'destructive',
      host: 'connect.stripe.com',
      accepts: 'client_id stripe_user_id',
      why: 'It costs nothing: the platform loses its access to a connected account.',
    },
    'oauth.deauthorize POST /oauth/deauthorize',
  ),
  ...rows(
    {
      effect: 'credential',
      preview: true,
      source: CLI,
      never:
        'It opens a socket that carries all events of the account and the secret they are signed with past spendgate.',
    },
    'stripecli.sessions.create POST /v1/stripecli/sessions',
  ),
  ...rows(
    {
      effect: 'write',
      preview: true,
      source: CLI,
      why: 'It costs nothing: it tells which permissions endpoints need.',
    },
    'stripecli.key_permissions POST /v1/stripecli/key_permissions',
  ),
])

function plainly(question: Question): Explanation {
  return { quote: FREE, subjects: subjects(question, {}) }
}

function ofCustomer(question: Question): Explanation {
  return { quote: FREE, subjects: subjects(question, { customers: owners(question.params.get('customer')) }) }
}
