import type { Explained, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { ofOwner } from '../lookups.js'
import { operation, rows } from '../operation.js'
import { free, open } from '../pricing.js'
import { text } from '../replies.js'
import { SDK } from '../sources.js'
import { owners, subjects } from '../subjects.js'
import { ofObject } from './owned.js'
import { filteredList, ownedList, ownedRead, SECRETS } from './reads.js'

/** Saving a payment method for later. No money moves, yet afterwards it can be charged without its holder. */
export const setupIntents: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'setup_intents.create',
    routes: ['POST /v1/setup_intents'],
    effect: 'future_spend',
    weaker:
      'Its client_secret is taken out of the reply unless credential is permitted, so the call hands out nothing.',
    accepts: `allowed_payment_method_types attach_to_self automatic_payment_methods confirm confirmation_token customer
      description excluded_payment_method_types flow_directions mandate_data metadata on_behalf_of payment_method
      payment_method_configuration payment_method_data payment_method_options payment_method_types return_url
      single_use usage use_stripe_sdk`,
    explain: (question) => ({
      quote: free(SAVES),
      commits: open(1n),
      subjects: subjects(question, { customers: owners(question.params.get('customer')) }),
    }),
    outcome,
  }),
  ...rows(
    {
      effect: 'write',
      why: 'It changes what will be saved when somebody confirms; confirming is a call of its own.',
      explain: ofEither,
    },
    'setup_intents.update POST /v1/setup_intents/{intent}',
  ),
  operation({
    id: 'setup_intents.confirm',
    routes: ['POST /v1/setup_intents/{intent}/confirm'],
    effect: 'future_spend',
    accepts: `allowed_payment_method_types confirmation_token mandate_data payment_method payment_method_data
      payment_method_options return_url use_stripe_sdk`,
    explain: saves,
    outcome,
  }),
  operation({
    id: 'setup_intents.verify_microdeposits',
    routes: ['POST /v1/setup_intents/{intent}/verify_microdeposits'],
    effect: 'future_spend',
    accepts: 'amounts descriptor_code',
    explain: saves,
    outcome,
  }),
  operation({
    id: 'setup_intents.cancel',
    routes: ['POST /v1/setup_intents/{intent}/cancel'],
    effect: 'write',
    why: 'It takes back what was open; no money was in it.',
    weaker: 'It only ends what could still be saved.',
    accepts: 'cancellation_reason',
    explain: ofObject('setup_intent', 'intent'),
    outcome,
  }),
  ownedList('setup_intents.list', '/v1/setup_intents'),
  ownedRead('setup_intents.retrieve', '/v1/setup_intents/{intent}', 'setup_intent', 'intent'),
  filteredList('setup_attempts.list', '/v1/setup_attempts', { setup_intent: 'setup_intent' }),
])

const SAVES = 'It saves a payment method and charges nothing; every later charge is a call of its own, which counts.'

function saves(question: Question): Explained {
  const intent = question.path.intent!
  return ofOwner(question, 'setup_intent', intent, (customers) => ({
    quote: free(SAVES),
    commits: open(1n, intent),
    subjects: subjects(question, { customers }),
  }))
}

/** An update may give the intent to another customer. */
function ofEither(question: Question): Explained {
  const named = question.params.get('customer')
  return ofOwner(question, 'setup_intent', question.path.intent!, (customers) => ({
    quote: free(SAVES),
    subjects: subjects(question, { customers: customers && named ? owners(...customers, named) : customers }),
  }))
}

function outcome(reply: JsonObject): Outcome {
  const id = text(reply.id)
  if (!id) return {}
  const over = reply.status === 'succeeded' || reply.status === 'canceled'
  return { commitment: id, ...(over && { ends: id }) }
}
