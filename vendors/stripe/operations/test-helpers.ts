import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, rows } from '../operation.js'
import { FREE } from '../pricing.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { nobodys, SECRETS } from './reads.js'

const WHY = 'It works with test keys only: with a live key Stripe refuses it, and with a test key no real money moves.'

/** Events of the world that a test plays itself: a card that is shipped, a bank that answers, a clock that goes on. */
export const testHelpers: readonly Operation[] = product({ source: SDK, reveals: [...SECRETS, 'cvc', 'number'] }, [
  operation({
    id: 'test_helpers.customers.fund_cash_balance',
    routes: ['POST /v1/test_helpers/customers/{customer}/fund_cash_balance'],
    effect: 'write',
    why: WHY,
    explain: (question) => ({ quote: FREE, subjects: subjects(question, { customers: [question.path.customer!] }) }),
  }),
  ...rows(
    { effect: 'write', why: WHY },
    `
    test_helpers.confirmation_tokens.create                      POST /v1/test_helpers/confirmation_tokens
    test_helpers.issuing.authorizations.create                   POST /v1/test_helpers/issuing/authorizations
    test_helpers.issuing.authorizations.capture                  POST /v1/test_helpers/issuing/authorizations/{authorization}/capture
    test_helpers.issuing.authorizations.expire                   POST /v1/test_helpers/issuing/authorizations/{authorization}/expire
    test_helpers.issuing.authorizations.finalize_amount          POST /v1/test_helpers/issuing/authorizations/{authorization}/finalize_amount
    test_helpers.issuing.authorizations.fraud_challenges.respond POST /v1/test_helpers/issuing/authorizations/{authorization}/fraud_challenges/respond
    test_helpers.issuing.authorizations.increment                POST /v1/test_helpers/issuing/authorizations/{authorization}/increment
    test_helpers.issuing.authorizations.reverse                  POST /v1/test_helpers/issuing/authorizations/{authorization}/reverse
    test_helpers.issuing.cards.shipping.deliver           POST /v1/test_helpers/issuing/cards/{card}/shipping/deliver
    test_helpers.issuing.cards.shipping.fail              POST /v1/test_helpers/issuing/cards/{card}/shipping/fail
    test_helpers.issuing.cards.shipping.return            POST /v1/test_helpers/issuing/cards/{card}/shipping/return
    test_helpers.issuing.cards.shipping.ship              POST /v1/test_helpers/issuing/cards/{card}/shipping/ship
    test_helpers.issuing.cards.shipping.submit            POST /v1/test_helpers/issuing/cards/{card}/shipping/submit
    test_helpers.issuing.personalization_designs.activate        POST /v1/test_helpers/issuing/personalization_designs/{personalization_design}/activate
    test_helpers.issuing.personalization_designs.deactivate      POST /v1/test_helpers/issuing/personalization_designs/{personalization_design}/deactivate
    test_helpers.issuing.personalization_designs.reject          POST /v1/test_helpers/issuing/personalization_designs/{personalization_design}/reject
    test_helpers.issuing.transactions.create_force_capture       POST /v1/test_helpers/issuing/transactions/create_force_capture
    test_helpers.issuing.transactions.create_unlinked_refund     POST /v1/test_helpers/issuing/transactions/create_unlinked_refund
    test_helpers.issuing.transactions.refund                     POST /v1/test_helpers/issuing/transactions/{transaction}/refund
    test_helpers.refunds.expire                                  POST /v1/test_helpers/refunds/{refund}/expire
    test_helpers.terminal.readers.present_payment_method         POST /v1/test_helpers/terminal/readers/{reader}/present_payment_method
    test_helpers.terminal.readers.succeed_input_collection       POST /v1/test_helpers/terminal/readers/{reader}/succeed_input_collection
    test_helpers.terminal.readers.timeout_input_collection       POST /v1/test_helpers/terminal/readers/{reader}/timeout_input_collection
    test_helpers.test_clocks.create                              POST /v1/test_helpers/test_clocks
    test_helpers.test_clocks.delete                              DELETE /v1/test_helpers/test_clocks/{test_clock}
    test_helpers.test_clocks.advance                             POST /v1/test_helpers/test_clocks/{test_clock}/advance
    test_helpers.treasury.inbound_transfers.fail                 POST /v1/test_helpers/treasury/inbound_transfers/{id}/fail
    test_helpers.treasury.inbound_transfers.return               POST /v1/test_helpers/treasury/inbound_transfers/{id}/return
    test_helpers.treasury.inbound_transfers.succeed              POST /v1/test_helpers/treasury/inbound_transfers/{id}/succeed
    test_helpers.treasury.outbound_payments.update               POST /v1/test_helpers/treasury/outbound_payments/{id}
    test_helpers.treasury.outbound_payments.fail                 POST /v1/test_helpers/treasury/outbound_payments/{id}/fail
    test_helpers.treasury.outbound_payments.post                 POST /v1/test_helpers/treasury/outbound_payments/{id}/post
    test_helpers.treasury.outbound_payments.return               POST /v1/test_helpers/treasury/outbound_payments/{id}/return
    test_helpers.treasury.outbound_transfers.update              POST /v1/test_helpers/treasury/outbound_transfers/{outbound_transfer}
    test_helpers.treasury.outbound_transfers.fail                POST /v1/test_helpers/treasury/outbound_transfers/{outbound_transfer}/fail
    test_helpers.treasury.outbound_transfers.post                POST /v1/test_helpers/treasury/outbound_transfers/{outbound_transfer}/post
    test_helpers.treasury.outbound_transfers.return              POST /v1/test_helpers/treasury/outbound_transfers/{outbound_transfer}/return
    test_helpers.treasury.received_credits.create                POST /v1/test_helpers/treasury/received_credits
    test_helpers.treasury.received_debits.create                 POST /v1/test_helpers/treasury/received_debits
    test_helpers.issuing.settlements.create                      POST /v1/test_helpers/issuing/settlements
    test_helpers.issuing.settlements.complete                    POST /v1/test_helpers/issuing/settlements/{settlement}/complete
    `,
  ),
  ...rows(
    { effect: 'write', why: WHY, preview: true },
    `
    test_helpers.shared_payment.granted_tokens.create POST /v1/test_helpers/shared_payment/granted_tokens
    test_helpers.shared_payment.granted_tokens.revoke POST /v1/test_helpers/shared_payment/granted_tokens/{id}/revoke
    `,
  ),
  ...rows(
    { effect: 'write', why: WHY, body: 'json' },
    `
    v2.test_helpers.money_management.recipient_verifications.create POST /v2/test_helpers/money_management/recipient_verifications
    `,
  ),
  nobodys('test_helpers.test_clocks.list', '/v1/test_helpers/test_clocks'),
  nobodys('test_helpers.test_clocks.retrieve', '/v1/test_helpers/test_clocks/{test_clock}'),
])
