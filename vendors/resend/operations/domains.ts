import type { Operation, Outcome } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, PAGING, rows, SOURCE } from '../answers.js'
import { monthly, quoteFlat } from '../pricing.js'

const FIELDS = [
  'name',
  'region',
  'custom_return_path',
  'capabilities',
  'open_tracking',
  'click_tracking',
  'tls',
  'tracking_subdomain',
]
const CLAIM_FIELDS = ['name', 'region', 'custom_return_path', 'open_tracking', 'click_tracking', 'tracking_subdomain']

export const domains: readonly Operation[] = product({ source: SOURCE }, [
  ...rows({ effect: 'read', accepts: PAGING }, 'domains.list GET /domains'),
  ...rows(
    { effect: 'read', accepts: [] },
    `
    domains.get        GET /domains/{domain_id}
    domains.claims.get GET /domains/{domain_id}/claim
    `,
  ),
  operation({
    id: 'domains.create',
    routes: ['POST /domains'],
    // Domains over the plan's number are a monthly add-on, and the new one may take in mail.
    effect: 'future_spend',
    accepts: FIELDS,
    explain: (question) => {
      const quote = quoteFlat(question.prices, 'domain', 1)
      return { direction: 'out', quote, effects: ['routing'], subjects: {}, ...monthly(quote) }
    },
    outcome: (reply): Outcome => (typeof reply.id === 'string' ? { commitment: reply.id } : {}),
  }),
  ...rows(
    { effect: 'write', accepts: [], why: 'Resend looks up the domain’s DNS records once more.' },
    'domains.verify POST /domains/{domain_id}/verify',
  ),
  ...rows(
    {
      effect: 'routing',
      why: 'Tracking rewrites the links in all mail, receiving takes in mail, and TLS may become optional.',
      accepts: ['click_tracking', 'open_tracking', 'tls', 'capabilities', 'tracking_subdomain'],
    },
    'domains.update PATCH /domains/{domain_id}',
  ),
  ...rows(
    { effect: 'routing', why: 'It takes over a domain that another team has.', accepts: CLAIM_FIELDS },
    'domains.claims.create POST /domains/claim',
  ),
  ...rows(
    { effect: 'routing', why: 'It takes over a domain that another team has.', accepts: [] },
    'domains.claims.verify POST /domains/{domain_id}/claim/verify',
  ),
  operation({
    id: 'domains.delete',
    routes: ['DELETE /domains/{domain_id}'],
    effect: 'destructive',
    why: 'Nothing can be sent from the domain any more.',
    accepts: [],
    explain: () => ({ quote: { basis: 'free' }, subjects: {} }),
    outcome: (_reply, { path }) => ({ ends: path.domain_id! }),
  }),
])
