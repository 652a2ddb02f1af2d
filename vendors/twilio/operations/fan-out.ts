import type { Quote } from '../../../src/contracts/call.js'
import { usd } from '../../../src/contracts/money.js'
import type { Prices } from '../../../src/contracts/vendor.js'
import { isEmail, recipientChannel } from '../addresses.js'
import { shown } from '../answers.js'
import { bill, flatPrice, mmsPrice, smsPrice, unpriceable } from '../pricing.js'
import { countSegmentsSmart, SEGMENTS_MAX } from '../segments.js'

/** What is sent to each of several people at once. */
export interface Content {
  readonly text: string
  readonly media: boolean
  /** The text stands in a template at Twilio. */
  readonly template: boolean
}

/** One message to every address, each at the price of its channel. */
export function quoteEach(prices: Prices, addresses: readonly string[], content: Content): Quote {
  let amount = usd(0n)
  for (const address of addresses) {
    const quote = quoteOne(prices, address, content)
    if (!('amount' in quote)) return quote
    amount = usd(amount + quote.amount)
  }
  return { basis: 'ceiling', amount }
}

function quoteOne(prices: Prices, address: string, { text, media, template }: Content): Quote {
  if (isEmail(address)) return bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, 'conversations.email') }])
  const channel = recipientChannel(address)
  if (channel === null || channel === 'sip' || channel === 'client')
    return unpriceable(`A message to ${shown(address)} has no price in the table.`)
  if (channel !== 'phone')
    return bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, `${channel}.twilio`) }])
  // A messaging service may stand between, which may encode smartly.
  const segments = template ? SEGMENTS_MAX : countSegmentsSmart(text)
  const asText = bill(prices, 'ceiling', [{ units: BigInt(segments), price: smsPrice(prices, address) }])
  if ((!media && !template) || !('amount' in asText)) return asText
  const asMedia = bill(prices, 'ceiling', [{ units: 1n, price: mmsPrice(prices, address) }])
  return 'amount' in asMedia && asText.amount > asMedia.amount ? asText : asMedia
}
