import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { operation, rows } from '../operation.js'
import { costs, FREE } from '../pricing.js'
import { SDK } from '../sources.js'
import { subjects } from '../subjects.js'
import { nobodysRows, SECRETS } from './reads.js'

/** How pages that sell look and what they offer to pay with. None of it sells anything. */
export const storefront: readonly Operation[] = product({ source: SDK, reveals: SECRETS }, [
  ...rows(
    { effect: 'write', why: 'It says by which methods buyers may pay, not what or whom.' },
    `
    payment_method_configurations.create POST /v1/payment_method_configurations
    payment_method_configurations.update POST /v1/payment_method_configurations/{configuration}
    `,
  ),
  ...rows(
    {
      effect: 'write',
      why: 'It says on which domains wallets may be offered; what is sold there is judged by itself.',
    },
    `
    payment_method_domains.create POST /v1/payment_method_domains
    payment_method_domains.update POST /v1/payment_method_domains/{payment_method_domain}
    payment_method_domains.validate POST /v1/payment_method_domains/{payment_method_domain}/validate
    apple_pay_domains.create POST /v1/apple_pay/domains
    `,
  ),
  ...rows({ effect: 'destructive' }, 'apple_pay_domains.delete DELETE /v1/apple_pay/domains/{domain}'),
  ...rows(
    { effect: 'write', why: 'A shipping rate sells nothing; pages that offer shipping are refused as unpriceable.' },
    'shipping_rates.create POST /v1/shipping_rates',
  ),
  operation({
    id: 'shipping_rates.update',
    routes: ['POST /v1/shipping_rates/{shipping_rate}'],
    effect: 'write',
    why: 'Pages that offer shipping are refused as unpriceable; another amount changes what those cost that are there.',
    accepts: 'active fixed_amount metadata tax_behavior',
    explain: (question) =>
      question.params.has('fixed_amount')
        ? {
            direction: 'in',
            effects: ['future_spend'],
            subjects: subjects(question, {}),
            ...costs('What pages already offering this rate will cost afterwards cannot be known.'),
          }
        : { quote: FREE, subjects: subjects(question, {}) },
  }),
  ...nobodysRows(`
    payment_method_configurations.list GET /v1/payment_method_configurations
    payment_method_configurations.retrieve GET /v1/payment_method_configurations/{configuration}
    payment_method_domains.list GET /v1/payment_method_domains
    payment_method_domains.retrieve GET /v1/payment_method_domains/{payment_method_domain}
    apple_pay_domains.list GET /v1/apple_pay/domains
    apple_pay_domains.retrieve GET /v1/apple_pay/domains/{domain}
    shipping_rates.list GET /v1/shipping_rates
    shipping_rates.retrieve GET /v1/shipping_rates/{shipping_rate}
  `),
])
