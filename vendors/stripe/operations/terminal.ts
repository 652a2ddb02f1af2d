import type { Explained, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { find, ofOwner } from '../lookups.js'
import { ambiguous, operation, rows } from '../operation.js'
import { brings, costs, free, largerMinor, plus, priceOf, type Priced } from '../pricing.js'
import { integer, object, text } from '../replies.js'
import { SDK } from '../sources.js'
import { beneficiariesOf, customerOf, owners, subjects } from '../subjects.js'
import { nobodys, nobodysUnlessExpanded, SECRETS } from './reads.js'
import { refundOf } from './refunds.js'

/** Card readers. What a reader is told to take counts with its intent. */
export const terminal: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  operation({
    id: 'terminal.readers.process_payment_intent',
    routes: ['POST /v1/terminal/readers/{reader}/process_payment_intent'],
    effect: 'spend',
    accepts: 'payment_intent process_config',
    explain: (question) => takes(question, 'process_config'),
  }),
  operation({
    id: 'terminal.readers.confirm_payment_intent',
    routes: ['POST /v1/terminal/readers/{reader}/confirm_payment_intent'],
    effect: 'spend',
    accepts: 'confirm_config payment_intent',
    explain: (question) => takes(question, null),
  }),
  operation({
    id: 'terminal.readers.collect_payment_method',
    routes: ['POST /v1/terminal/readers/{reader}/collect_payment_method'],
    effect: 'future_spend',
    accepts: 'collect_config payment_intent',
    explain: (question) => takes(question, 'collect_config'),
  }),
  operation({
    id: 'terminal.readers.process_setup_intent',
    routes: ['POST /v1/terminal/readers/{reader}/process_setup_intent'],
    effect: 'future_spend',
    accepts: 'allow_redisplay process_config setup_intent',
    explain: (question) => {
      const intent = question.params.get('setup_intent')
      const quote = free('A saved card pays nothing; every later payment with it is a call of its own.')
      if (!intent) return { quote, subjects: subjects(question, { customers: null }) }
      return ofOwner(question, 'setup_intent', intent, (customers) => ({
        quote,
        subjects: subjects(question, { customers }),
      }))
    },
  }),
  operation({
    id: 'terminal.readers.refund_payment',
    routes: ['POST /v1/terminal/readers/{reader}/refund_payment'],
    effect: 'spend',
    accepts: 'amount charge metadata payment_intent refund_application_fee refund_payment_config reverse_transfer',
    explain: refund,
  }),
  operation({
    id: 'terminal.refunds.create',
    routes: ['POST /v1/terminal/refunds'],
    effect: 'spend',
    // The public specification names the route and none of its parameters: only those of a refund are taken.
    accepts: 'amount charge metadata payment_intent reason refund_application_fee reverse_transfer',
    explain: refund,
  }),

  ...rows(
    { effect: 'write', why: 'It changes what a reader shows or asks and takes no payment.' },
    `
      terminal.readers.cancel_action      POST /v1/terminal/readers/{reader}/cancel_action
      terminal.readers.collect_inputs     POST /v1/terminal/readers/{reader}/collect_inputs
      terminal.readers.set_reader_display POST /v1/terminal/readers/{reader}/set_reader_display
      `,
  ),
  ...rows(
    { effect: 'write', why: 'It describes shops and readers; every payment on them is a call of its own.' },
    `
      terminal.readers.create        POST /v1/terminal/readers
      terminal.readers.update        POST /v1/terminal/readers/{reader}
      terminal.locations.create      POST /v1/terminal/locations
      terminal.locations.update      POST /v1/terminal/locations/{location}
      terminal.configurations.create POST /v1/terminal/configurations
      terminal.configurations.update POST /v1/terminal/configurations/{configuration}
      `,
  ),
  ...rows(
    { effect: 'destructive', why: 'It takes a reader or a shop out of use and moves no money.' },
    `
      terminal.readers.delete        DELETE /v1/terminal/readers/{reader}
      terminal.locations.delete      DELETE /v1/terminal/locations/{location}
      terminal.configurations.delete DELETE /v1/terminal/configurations/{configuration}
      `,
  ),
  ...rows(
    {
      effect: 'credential',
      why: 'Whoever holds the secret drives readers and takes payments past spendgate.',
      reveals: ['secret'],
    },
    'terminal.connection_tokens.create POST /v1/terminal/connection_tokens',
  ),
  ...rows(
    {
      effect: 'credential',
      why: 'Whoever holds the link accepts terms in the name of the account.',
      reveals: ['redirect_url'],
    },
    'terminal.onboarding_links.create POST /v1/terminal/onboarding_links',
  ),

  nobodysUnlessExpanded('terminal.readers.list', '/v1/terminal/readers'),
  nobodysUnlessExpanded('terminal.readers.retrieve', '/v1/terminal/readers/{reader}'),
  nobodys('terminal.locations.list', '/v1/terminal/locations'),
  nobodys('terminal.locations.retrieve', '/v1/terminal/locations/{location}'),
  nobodys('terminal.configurations.list', '/v1/terminal/configurations'),
  nobodys('terminal.configurations.retrieve', '/v1/terminal/configurations/{configuration}'),
])

const UNNAMED = 'The call names no payment, so neither its amount nor its customer is known.'

/**
 * An intent that is taken on a reader, where the buyer may add a tip.
 *
 * @param config the parameter that says whether the reader asks for one; null when that has been settled before
 */
function takes(question: Question, config: 'process_config' | 'collect_config' | null): Explained {
  const { params } = question
  const id = params.get('payment_intent')
  if (!id) return { subjects: subjects(question, { customers: null }), ...costs(UNNAMED) }
  return find('payment_intent', id, (intent) => {
    const currency = text(intent.currency)
    const tips = config !== null && params.get(`${config}[skip_tipping]`) !== 'true'
    const amount: Priced = tips
      ? `The buyer may add a tip on the reader, so the total has no upper bound. Send ${config}[skip_tipping]=true.`
      : priceOf(question, held(intent), currency)
    return {
      direction: 'in',
      subjects: subjects(question, {
        customers: owners(customerOf(intent)),
        currencies: [currency],
        beneficiaries: beneficiariesOf(intent),
      }),
      ...brings(id, amount),
    }
  })
}

/** All that can still be taken of an intent, and what was. */
function held(intent: JsonObject): string | null {
  const amount = integer(intent.amount)
  return (
    amount &&
    largerMinor(amount, plus(integer(intent.amount_received) ?? '0', integer(intent.amount_capturable) ?? '0'))
  )
}

/** Without an amount a refund is all that is left. */
function refund(question: Question): Explained {
  const { params } = question
  const intent = params.get('payment_intent')
  const charge = params.get('charge')
  if (intent && charge) return ambiguous('The refund names a charge and an intent.')
  if (intent) {
    return find(
      'payment_intent',
      intent,
      (found) => {
        const latest = text(found.latest_charge)
        if (latest === null) return refundOf(question, object(found.latest_charge), found)
        return find('charge', latest, (one) => refundOf(question, one, found))
      },
      { expand: ['latest_charge'] },
    )
  }
  if (charge) return find('charge', charge, (one) => refundOf(question, one, one))
  return { subjects: subjects(question, { customers: null }), ...costs(UNNAMED) }
}
