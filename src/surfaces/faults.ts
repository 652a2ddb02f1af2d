import type { Denial } from '../contracts/call.js'
import { LedgerFault } from '../contracts/ledger.js'
import type { Engine, VendorRuntime } from '../engine.js'
import type { Answer, Exchange } from '../exchange.js'
import { identify, shapeFor } from '../identify.js'
import { refusal } from '../pipeline.js'

export const BUSY = 'Too many calls are under way. Retry after a second.'
export const STOPPING = 'The server is stopping. Nothing was sent. Retry later.'

export function overloaded(message: string, exchange: Exchange, engine: Engine): Answer {
  return refusal(
    shapeOf(exchange, engine),
    {
      code: 'overloaded',
      rule: 'overload',
      message,
      retryAfterS: 1,
      retrySafe: true,
    },
    null,
    engine,
  )
}

/** Faults of our own become an answer here and nowhere else. Before a reservation nothing was sent; after one it stands. */
export function internalFault(cause: unknown, exchange: Exchange, engine: Engine): Answer {
  const ledger = cause instanceof LedgerFault
  engine.log('error', ledger ? 'ledger_fault' : 'internal_fault', {
    message: (cause as Error).message,
    stack: ledger ? undefined : (cause as Error).stack,
  })
  engine.metrics.count('spendgate_faults_total', `kind="${ledger ? 'ledger' : 'internal'}"`)
  const denial: Denial = ledger
    ? {
        code: 'ledger_unavailable',
        rule: 'ledger',
        message: 'The ledger cannot write, so nothing is sent. Retry later; the operator has been told.',
        retryAfterS: 5,
      }
    : {
        code: 'ledger_unavailable',
        rule: 'internal',
        message: 'An internal fault stopped this call. Retry later; the operator has been told.',
        retryAfterS: 5,
      }
  return refusal(shapeOf(exchange, engine), denial, null, engine)
}

const shapeOf = (exchange: Exchange, engine: Engine): VendorRuntime =>
  shapeFor(exchange.named, identify(exchange.authorization, engine).form, engine)
