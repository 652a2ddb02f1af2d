import type { Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { aboutCall, PAGING } from '../answers.js'
import { unpriceable } from '../pricing.js'
import { alsoIs, plainly, rows, SOURCE } from '../rows.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const USAGE = [
  'Records',
  'Records/AllTime',
  'Records/Daily',
  'Records/LastMonth',
  'Records/Monthly',
  'Records/ThisMonth',
  'Records/Today',
  'Records/Yearly',
  'Records/Yesterday',
]

/** The account itself: what it has used, its applications, queues and addresses. */
export const account: readonly Operation[] = product({ source: SOURCE }, [
  { id: 'account.balance', routes: [`GET ${ACCOUNT}/Balance.json`], effect: 'read' },
  ...USAGE.map((records): Operation => ({
    id: `account.usage.${records.toLowerCase().replace('/', '.')}`,
    routes: [`GET ${ACCOUNT}/Usage/${records}.json`],
    effect: 'read',
    accepts: ['Category', 'StartDate', 'EndDate', 'IncludeSubaccounts', ...PAGING],
  })),
  ...rows(
    { effect: 'read' },
    `
    account.usage.triggers.list GET ${ACCOUNT}/Usage/Triggers.json
    account.usage.triggers.get GET ${ACCOUNT}/Usage/Triggers/{Sid}.json
    applications.list GET ${ACCOUNT}/Applications.json
    applications.get GET ${ACCOUNT}/Applications/{Sid}.json
    authorized_connect_apps.list GET ${ACCOUNT}/AuthorizedConnectApps.json
    authorized_connect_apps.get GET ${ACCOUNT}/AuthorizedConnectApps/{ConnectAppSid}.json
    connect_apps.list GET ${ACCOUNT}/ConnectApps.json
    connect_apps.get GET ${ACCOUNT}/ConnectApps/{Sid}.json
    queues.list GET ${ACCOUNT}/Queues.json
    queues.get GET ${ACCOUNT}/Queues/{Sid}.json`,
  ),

  ...rows(
    { effect: 'routing', why: 'Says which addresses take over the calls and messages of an application.' },
    `
    applications.create POST ${ACCOUNT}/Applications.json
    applications.update POST ${ACCOUNT}/Applications/{Sid}.json`,
  ),
  ...rows(
    { effect: 'routing', explain: alsoIs('credential'), why: 'Says where other accounts’ grants are sent.' },
    `connect_apps.update POST ${ACCOUNT}/ConnectApps/{Sid}.json`,
  ),
  ...rows(
    { effect: 'destructive' },
    `
    applications.delete DELETE ${ACCOUNT}/Applications/{Sid}.json
    connect_apps.delete DELETE ${ACCOUNT}/ConnectApps/{Sid}.json
    queues.delete DELETE ${ACCOUNT}/Queues/{Sid}.json
    addresses.delete DELETE ${ACCOUNT}/Addresses/{Sid}.json`,
  ),

  ...rows(
    { effect: 'write', why: 'A place to wait in; the minutes are those of the calls.' },
    `
    queues.create POST ${ACCOUNT}/Queues.json
    queues.update POST ${ACCOUNT}/Queues/{Sid}.json`,
  ),
  {
    id: 'queues.members.update',
    routes: [`POST ${ACCOUNT}/Queues/{QueueSid}/Members/{CallSid}.json`],
    effect: 'routing',
    accepts: ['AccountSid', 'Url', 'Method'],
    why: 'New orders for a waiting caller have no bound we know.',
    explain: (question) => {
      const explanation = plainly(question, false)
      if (explanation.refuse) return explanation
      const quote = unpriceable('New orders for a waiting caller have no bound we know.')
      return aboutCall(question, { ...explanation, direction: 'out', effects: ['spend'], quote })
    },
  },
  ...rows(
    { effect: 'read', explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {} }) },
    `queues.members.get GET ${ACCOUNT}/Queues/{QueueSid}/Members/{CallSid}.json`,
  ),
  ...rows({ effect: 'read', people: true }, `queues.members.list GET ${ACCOUNT}/Queues/{QueueSid}/Members.json`),

  ...rows(
    {
      effect: 'write',
      people: true,
      explain: explainAddress,
      why: 'A postal address; emergency calling on it is not priced.',
    },
    `
    addresses.create POST ${ACCOUNT}/Addresses.json
    addresses.update POST ${ACCOUNT}/Addresses/{Sid}.json`,
  ),
  ...rows(
    { effect: 'read', people: true },
    `
    addresses.list GET ${ACCOUNT}/Addresses.json
    addresses.get GET ${ACCOUNT}/Addresses/{Sid}.json
    addresses.dependent_phone_numbers.list GET ${ACCOUNT}/Addresses/{AddressSid}/DependentPhoneNumbers.json`,
  ),

  // What Twilio logged of a webhook: URLs with user names and passwords, and whatever the server answered.
  ...rows(
    {
      effect: 'read',
      people: true,
      reveals: ['request_url', 'request_variables', 'response_body', 'response_headers'],
    },
    `
    notifications.list GET ${ACCOUNT}/Notifications.json
    notifications.get GET ${ACCOUNT}/Notifications/{Sid}.json
    calls.notifications.list GET ${ACCOUNT}/Calls/{CallSid}/Notifications.json
    calls.notifications.get GET ${ACCOUNT}/Calls/{CallSid}/Notifications/{Sid}.json`,
  ),
  ...rows(
    { effect: 'read', people: true, reveals: ['request', 'response'] },
    `calls.events.list GET ${ACCOUNT}/Calls/{CallSid}/Events.json`,
  ),
])

/** An address made fit for emergency calls may cost a monthly fee for each number that uses it. */
function explainAddress(question: Question) {
  const explanation = plainly(question, true)
  if (!/^true$/i.test(question.params.get('EmergencyEnabled') ?? '')) return explanation
  const quote = unpriceable('What EmergencyEnabled costs a month for the numbers on this address is not known.')
  return { ...explanation, effects: ['future_spend'] as const, quote }
}
