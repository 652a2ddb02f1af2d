import type { Explained, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, shown } from '../answers.js'
import { bill, flatPrice, unpriceable } from '../pricing.js'
import { names, plainly, SOURCE } from '../rows.js'
import { flatCost, tables, unknownCost } from './tables.js'

const table = tables({
  supersim: ['supersim.twilio.com/v1'],
  wireless: ['wireless.twilio.com/v1'],
  preview: ['preview.twilio.com/wireless'],
})

const RENT = 'An active SIM is billed every month: a flat price that must hold the data its plan allows.'

const released = product({ source: SOURCE }, [
  ...table({
    effect: 'future_spend',
    why: RENT,
    accepts: names('AccountSid CallbackMethod CallbackUrl Fleet Status UniqueName'),
    explain: (question) => explainSim(question, 'supersim.sim_month', 'Fleet'),
    outcome: outcomeOfSim,
  })(`
    supersim.sims.update POST supersim/Sims/{Sid}
  `),
  ...table({
    effect: 'future_spend',
    why: RENT,
    accepts: names(`
      AccountSid CallbackMethod CallbackUrl CommandsCallbackMethod CommandsCallbackUrl FriendlyName RatePlan
      ResetStatus SmsFallbackMethod SmsFallbackUrl SmsMethod SmsUrl Status UniqueName VoiceFallbackMethod
      VoiceFallbackUrl VoiceMethod VoiceUrl
    `),
    explain: (question) => explainSim(question, 'wireless.sim_month', 'RatePlan'),
    outcome: outcomeOfSim,
  })(`
    wireless.sims.update POST wireless/Sims/{Sid}
  `),
  ...table({
    effect: 'spend',
    ...flatCost(
      'supersim.sms_command',
      'A command to a SIM has a flat price.',
      'CallbackMethod CallbackUrl Payload Sim',
    ),
  })(`
    supersim.sms_commands.create POST supersim/SmsCommands
  `),
  ...table({
    effect: 'spend',
    ...flatCost(
      'supersim.ip_command',
      'A command to a SIM has a flat price.',
      'CallbackMethod CallbackUrl DevicePort Payload PayloadType Sim',
    ),
  })(`
    supersim.ip_commands.create POST supersim/IpCommands
  `),
  ...table({
    effect: 'spend',
    ...flatCost(
      'wireless.command',
      'A command to a SIM has a flat price.',
      'CallbackMethod CallbackUrl Command CommandMode DeliveryReceiptRequested IncludeSid Sim',
    ),
  })(`
    wireless.commands.create POST wireless/Commands
  `),
  ...table({
    effect: 'future_spend',
    ...unknownCost(
      'A SIM that is registered or bought is billed every month once it is active, by the data it uses.',
      'CallbackMethod CallbackUrl Eid GenerateMatchingId Iccid RegistrationCode',
    ),
  })(`
    supersim.esim_profiles.create POST supersim/ESimProfiles
    supersim.sims.create POST supersim/Sims
  `),
  ...table({ effect: 'routing', why: 'A fleet names the URLs that hear from its SIMs; a new one has none.' })(`
    supersim.fleets.create POST supersim/Fleets
  `),
  ...table({
    effect: 'routing',
    why: 'A fleet names the URLs that hear from its SIMs. More data for those that are active is refused.',
    accepts: names(`
      DataEnabled DataLimit IpCommandsMethod IpCommandsUrl NetworkAccessProfile SmsCommandsEnabled
      SmsCommandsMethod SmsCommandsUrl UniqueName
    `),
    explain: explainFleet,
  })(`
    supersim.fleets.update POST supersim/Fleets/{Sid}
  `),
  ...table({
    effect: 'future_spend',
    ...unknownCost('Networks differ in what a megabyte costs, and active SIMs may use the new one at once.', 'Network'),
  })(`
    supersim.network_access_profiles.networks.create POST supersim/NetworkAccessProfiles/{NetworkAccessProfileSid}/Networks
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back; a SIM without its plan goes offline.' })(`
    supersim.network_access_profiles.networks.delete DELETE supersim/NetworkAccessProfiles/{NetworkAccessProfileSid}/Networks/{Sid}
    wireless.commands.delete DELETE wireless/Commands/{Sid}
    wireless.rate_plans.delete DELETE wireless/RatePlans/{Sid}
    wireless.sims.delete DELETE wireless/Sims/{Sid}
  `),
  ...table({
    effect: 'write',
    why: 'A plan or profile costs nothing until a SIM is active under it.',
    repeats: ['InternationalRoaming', 'Networks'],
  })(`
    supersim.network_access_profiles.create POST supersim/NetworkAccessProfiles
    supersim.network_access_profiles.update POST supersim/NetworkAccessProfiles/{Sid}
    wireless.rate_plans.create POST wireless/RatePlans
    wireless.rate_plans.update POST wireless/RatePlans/{Sid}
  `),
  ...table({
    effect: 'read',
    reveals: ['activation_code', 'matching_id'],
    why: 'The code with which a profile is put on a device is taken out.',
  })(`
    supersim.esim_profiles.list GET supersim/ESimProfiles
    supersim.esim_profiles.get GET supersim/ESimProfiles/{Sid}
  `),
  ...table({ effect: 'read', people: true, why: 'Shows what was sent to and from devices.' })(`
    supersim.ip_commands.list GET supersim/IpCommands
    supersim.ip_commands.get GET supersim/IpCommands/{Sid}
    supersim.sms_commands.list GET supersim/SmsCommands
    supersim.sms_commands.get GET supersim/SmsCommands/{Sid}
    wireless.commands.list GET wireless/Commands
    wireless.commands.get GET wireless/Commands/{Sid}
  `),
  ...table({ effect: 'read' })(`
    supersim.fleets.list GET supersim/Fleets
    supersim.fleets.get GET supersim/Fleets/{Sid}
    supersim.network_access_profiles.list GET supersim/NetworkAccessProfiles
    supersim.network_access_profiles.networks.list GET supersim/NetworkAccessProfiles/{NetworkAccessProfileSid}/Networks
    supersim.network_access_profiles.networks.get GET supersim/NetworkAccessProfiles/{NetworkAccessProfileSid}/Networks/{Sid}
    supersim.network_access_profiles.get GET supersim/NetworkAccessProfiles/{Sid}
    supersim.networks.list GET supersim/Networks
    supersim.networks.get GET supersim/Networks/{Sid}
    supersim.settings_updates.list GET supersim/SettingsUpdates
    supersim.sims.list GET supersim/Sims
    supersim.sims.get GET supersim/Sims/{Sid}
    supersim.sims.billing_periods.list GET supersim/Sims/{SimSid}/BillingPeriods
    supersim.sims.ip_addresses.list GET supersim/Sims/{SimSid}/IpAddresses
    supersim.usage_records.list GET supersim/UsageRecords
    wireless.rate_plans.list GET wireless/RatePlans
    wireless.rate_plans.get GET wireless/RatePlans/{Sid}
    wireless.sims.list GET wireless/Sims
    wireless.sims.get GET wireless/Sims/{Sid}
    wireless.sims.data_sessions.list GET wireless/Sims/{SimSid}/DataSessions
    wireless.sims.usage_records.list GET wireless/Sims/{SimSid}/UsageRecords
    wireless.usage_records.list GET wireless/UsageRecords
  `),
])

const preview = product({ source: SOURCE, preview: true }, [
  ...table({
    effect: 'future_spend',
    why: RENT,
    accepts: names(`
      CallbackMethod CallbackUrl CommandsCallbackMethod CommandsCallbackUrl FriendlyName RatePlan
      SmsFallbackMethod SmsFallbackUrl SmsMethod SmsUrl Status UniqueName VoiceFallbackMethod VoiceFallbackUrl
      VoiceMethod VoiceUrl
    `),
    explain: (question) => explainSim(question, 'wireless.sim_month', 'RatePlan'),
    outcome: outcomeOfSim,
  })(`
    preview.wireless.sims.update POST preview/Sims/{Sid}
  `),
  ...table({
    effect: 'spend',
    ...flatCost(
      'wireless.command',
      'A command to a SIM has a flat price.',
      'CallbackMethod CallbackUrl Command CommandMode Device IncludeSid Sim',
    ),
  })(`
    preview.wireless.commands.create POST preview/Commands
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back.' })(`
    preview.wireless.rate_plans.delete DELETE preview/RatePlans/{Sid}
  `),
  ...table({
    effect: 'write',
    why: 'A plan costs nothing until a SIM is active under it.',
    repeats: ['InternationalRoaming'],
  })(`
    preview.wireless.rate_plans.create POST preview/RatePlans
    preview.wireless.rate_plans.update POST preview/RatePlans/{Sid}
  `),
  ...table({ effect: 'read', people: true, why: 'Shows what was sent to and from devices.' })(`
    preview.wireless.commands.list GET preview/Commands
    preview.wireless.commands.get GET preview/Commands/{Sid}
  `),
  ...table({ effect: 'read' })(`
    preview.wireless.rate_plans.list GET preview/RatePlans
    preview.wireless.rate_plans.get GET preview/RatePlans/{Sid}
    preview.wireless.sims.list GET preview/Sims
    preview.wireless.sims.get GET preview/Sims/{Sid}
    preview.wireless.sims.usage.list GET preview/Sims/{SimSid}/Usage
  `),
])

/** Super SIM, Programmable Wireless and its preview. */
export const sims: readonly Operation[] = [...released, ...preview]

/** States in which nothing is billed any more, and those that at least start nothing. */
const ENDED: ReadonlySet<string> = new Set(['inactive', 'deactivated', 'canceled'])
const RESTING: ReadonlySet<string> = new Set([...ENDED, 'suspended'])
/** States that are billed, or become so without another call. */
const BILLED: ReadonlySet<string> = new Set(['active', 'ready', 'scheduled'])

/** @param plan the parameter that says how much data the SIM may use, and so what it may cost */
function explainSim(question: Question, price: string, plan: 'Fleet' | 'RatePlan'): Explained {
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  const { params, path, prices } = question
  const effects = explained.subjects.urls === undefined ? [] : (['routing'] as const)
  const status = given(params, 'Status')
  const because = (why: string): Explained => ({ ...explained, effects, quote: unpriceable(why) })
  const free = (why: string): Explained => ({ ...explained, effects, quote: { basis: 'free', why } })
  const moved = (given(params, 'AccountSid') ?? question.account) !== question.account
  if (given(params, plan) !== undefined || moved)
    return because(`With another ${plan} or account an active SIM may cost another amount, which is not known.`)
  if (status === undefined) return free('Its state stays as it is, so nothing more is billed.')
  if (status === 'canceled')
    return {
      ...explained,
      effects: [...effects, 'destructive'],
      quote: { basis: 'free', why: 'A canceled SIM is never billed again.' },
    }
  if (RESTING.has(status)) return free('The SIM rests, and nothing more is billed than before.')
  if (!BILLED.has(status)) return because(`What a SIM costs whose Status is ${shown(status)} is not known.`)
  const quote = bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, price) }])
  if (!('amount' in quote)) return { ...explained, effects, quote }
  return {
    ...explained,
    direction: 'out',
    effects,
    quote,
    commits: { kind: 'recurring', perMonth: quote.amount, dueAt: null, quantity: 1n, object: path.Sid! },
  }
}

function explainFleet(question: Question): Explained {
  const explained = plainly(question, true)
  const raised = ['DataEnabled', 'DataLimit', 'NetworkAccessProfile'].find((name) => question.params.has(name))
  if (explained.refuse || raised === undefined) return explained
  const why = `With another ${raised} the active SIMs of the fleet may cost another amount, which is not known.`
  return { ...explained, effects: ['future_spend'], quote: unpriceable(why) }
}

function outcomeOfSim(_reply: JsonObject, { params, path }: Question): Outcome {
  return ENDED.has(given(params, 'Status') ?? '') ? { ends: path.Sid! } : {}
}
