import type { Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, rows } from '../operation.js'
import { FREE } from '../pricing.js'
import { PREVIEW_SDK, SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { bodyOf, textAt } from './json.js'
import { EVERY_ACCOUNT, NEW_ACCOUNT, reads, readsOfAnybody } from './plain.js'
import { SECRETS } from './reads.js'

const PERSONAL = 'It costs nothing: it says who stands behind an account.'

/**
 * /v2/core: accounts, which may be connected accounts, customers or both, their bank accounts, and where events go.
 * Whoever an account is a customer of, it is known by the account's id, so that is the customer of a call.
 */
export const accountsV2: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  ...rows(
    {
      effect: 'routing',
      body: 'json',
      accepts: `account_token configuration contact_email contact_phone dashboard defaults display_name identity include
        metadata`,
      why: 'It moves nothing now, but decides what an account may receive and who bears its losses.',
      explain: ofAccount,
    },
    `
    v2.core.accounts.create POST /v2/core/accounts
    v2.core.accounts.update POST /v2/core/accounts/{account}
    `,
  ),
  ...rows(
    {
      effect: 'destructive',
      body: 'json',
      accepts: 'applied_configurations',
      why: 'It costs nothing: the account can no longer be used.',
      explain: ofAccount,
    },
    'v2.core.accounts.close POST /v2/core/accounts/{account}/close',
  ),
  ...rows(
    { effect: 'write', body: 'json', why: PERSONAL, explain: ofAccount },
    `
    v2.core.account_tokens.create         POST /v2/core/account_tokens
    v2.core.accounts.person_tokens.create POST /v2/core/accounts/{account}/person_tokens
    v2.core.accounts.persons.create       POST /v2/core/accounts/{account}/persons
    v2.core.accounts.persons.update       POST /v2/core/accounts/{account}/persons/{person}
    `,
  ),
  ...rows(
    {
      effect: 'destructive',
      body: 'json',
      why: 'It costs nothing: a person is taken off the account.',
      explain: ofAccount,
    },
    'v2.core.accounts.persons.delete DELETE /v2/core/accounts/{account}/persons/{person}',
  ),
  ...rows(
    { effect: 'read', explain: ofAccount },
    `
    v2.core.accounts.retrieve               GET /v2/core/accounts/{account}
    v2.core.accounts.persons.list           GET /v2/core/accounts/{account}/persons
    v2.core.accounts.persons.retrieve       GET /v2/core/accounts/{account}/persons/{person}
    v2.core.accounts.person_tokens.retrieve GET /v2/core/accounts/{account}/person_tokens/{token}
    `,
  ),
  operation({
    id: 'v2.core.accounts.list',
    routes: ['GET /v2/core/accounts'],
    effect: 'read',
    explain: () => ({ quote: FREE, subjects: { customers: null, accounts: EVERY_ACCOUNT } }),
  }),
  ...readsOfAnybody('v2.core.account_tokens.retrieve GET /v2/core/account_tokens/{token}'),

  operation({
    id: 'v2.core.account_links.create',
    routes: ['POST /v2/core/account_links'],
    effect: 'credential',
    body: 'json',
    accepts: 'account use_case',
    why: 'It costs nothing, but whoever has the link can change the account, its bank account included.',
    reveals: ['url'],
    explain: ofAccount,
  }),

  ...rows(
    {
      effect: 'credential',
      body: 'json',
      accepts: `amazon_eventbridge azure_event_grid description enabled_events event_payload events_from include metadata
        name snapshot_api_version type webhook_endpoint`,
      why: 'It costs nothing, but sends a copy of all events to the address it names.',
      reveals: ['signing_secret'],
    },
    `
    v2.core.event_destinations.create POST /v2/core/event_destinations
    v2.core.event_destinations.update POST /v2/core/event_destinations/{id}
    `,
  ),
  ...rows(
    { effect: 'destructive', body: 'json', why: 'It costs nothing: events are no longer delivered.' },
    'v2.core.event_destinations.delete DELETE /v2/core/event_destinations/{id}',
  ),
  ...rows(
    { effect: 'write', body: 'json', why: 'It costs nothing: it stops, resumes or tries the delivery of events.' },
    `
    v2.core.event_destinations.disable POST /v2/core/event_destinations/{id}/disable
    v2.core.event_destinations.enable  POST /v2/core/event_destinations/{id}/enable
    v2.core.event_destinations.ping    POST /v2/core/event_destinations/{id}/ping
    `,
  ),
  ...reads(
    `
    v2.core.event_destinations.list     GET /v2/core/event_destinations
    v2.core.event_destinations.retrieve GET /v2/core/event_destinations/{id}
    `,
    { reveals: ['signing_secret'] },
  ),
  ...readsOfAnybody(`
    v2.core.events.list     GET /v2/core/events
    v2.core.events.retrieve GET /v2/core/events/{id}
  `),

  ...rows(
    {
      effect: 'routing',
      body: 'json',
      why: 'It moves nothing now, but adds a bank account that money can be sent to.',
      reveals: ['account_number', 'iban'],
      explain: () => ({ quote: FREE, subjects: { beneficiaries: [NEW_ACCOUNT] } }),
    },
    `
    v2.core.vault.gb_bank_accounts.create POST /v2/core/vault/gb_bank_accounts
    v2.core.vault.us_bank_accounts.create POST /v2/core/vault/us_bank_accounts
    `,
  ),
  ...rows(
    {
      effect: 'routing',
      body: 'json',
      why: 'It moves nothing now, but changes a bank account that money can be sent to.',
      reveals: ['account_number', 'iban'],
      explain: ofBankAccount,
    },
    `
    v2.core.vault.gb_bank_accounts.archive               POST /v2/core/vault/gb_bank_accounts/{bank_account}/archive
    v2.core.vault.gb_bank_accounts.unarchive             POST /v2/core/vault/gb_bank_accounts/{bank_account}/unarchive
    v2.core.vault.us_bank_accounts.update                POST /v2/core/vault/us_bank_accounts/{bank_account}
    v2.core.vault.us_bank_accounts.archive               POST /v2/core/vault/us_bank_accounts/{bank_account}/archive
    v2.core.vault.us_bank_accounts.unarchive             POST /v2/core/vault/us_bank_accounts/{bank_account}/unarchive
    v2.core.vault.us_bank_accounts.confirm_microdeposits POST /v2/core/vault/us_bank_accounts/{bank_account}/confirm_microdeposits
    v2.core.vault.us_bank_accounts.send_microdeposits    POST /v2/core/vault/us_bank_accounts/{bank_account}/send_microdeposits
    `,
  ),
  ...rows(
    {
      effect: 'routing',
      body: 'json',
      preview: true,
      source: PREVIEW_SDK,
      why: 'It moves nothing now, but lets money go to a bank account whose name does not match.',
      explain: ofBankAccount,
    },
    'v2.core.vault.gb_bank_accounts.acknowledge_confirmation_of_payee POST /v2/core/vault/gb_bank_accounts/{bank_account}/acknowledge_confirmation_of_payee',
  ),
  ...rows(
    {
      effect: 'write',
      body: 'json',
      preview: true,
      source: PREVIEW_SDK,
      why: 'It costs nothing: a bank is asked whether name and account match.',
    },
    'v2.core.vault.gb_bank_accounts.initiate_confirmation_of_payee POST /v2/core/vault/gb_bank_accounts/{bank_account}/initiate_confirmation_of_payee',
  ),
  ...reads(
    `
    v2.core.vault.gb_bank_accounts.list     GET /v2/core/vault/gb_bank_accounts
    v2.core.vault.gb_bank_accounts.retrieve GET /v2/core/vault/gb_bank_accounts/{bank_account}
    v2.core.vault.us_bank_accounts.list     GET /v2/core/vault/us_bank_accounts
    v2.core.vault.us_bank_accounts.retrieve GET /v2/core/vault/us_bank_accounts/{bank_account}
    `,
    { reveals: ['account_number', 'iban'] },
  ),
])

function ofAccount(question: Question): Explanation {
  const account = question.path.account ?? textAt(bodyOf(question), 'account')
  return { quote: FREE, subjects: subjects(question, account === null ? {} : { customers: [account] }) }
}

function ofBankAccount(question: Question): Explanation {
  return { quote: FREE, subjects: { beneficiaries: [question.path.bank_account!] } }
}
