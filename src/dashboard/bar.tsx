import type { Html } from './html.js'
import type { Usd } from '../contracts/money.js'
import { dollars } from './words.js'

/**
 * How much of a cap is spent (solid) and held (hatched). Drawn with attributes: the content security policy allows no
 * style in the page. The words beside it say the same.
 */
export function Bar({ spent, held, cap }: { spent: Usd; held: Usd; cap: Usd }): Html {
  const spentAt = share(spent, cap)
  const heldAt = Math.min(1000 - spentAt, share(held, cap))
  const full = spent + held >= cap
  return (
    <svg
      class={full ? 'bar full' : spentAt + heldAt >= 800 ? 'bar near' : 'bar'}
      viewBox="0 0 1000 10"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${dollars(spent)} spent and ${dollars(held)} held of ${dollars(cap)}`}
    >
      <rect class="ground" width="1000" height="10" />
      <rect class="spent" width={String(spentAt)} height="10" />
      <rect class="held" x={String(spentAt)} width={String(heldAt)} height="10" />
    </svg>
  )
}

/** Thousandths, at least one where there is anything at all. */
function share(part: Usd, whole: Usd): number {
  if (part <= 0n) return 0
  if (whole <= 0n || part >= whole) return 1000
  return Math.max(4, Number((part * 1000n) / whole))
}

export const percent = (part: bigint, whole: bigint): string => (whole <= 0n ? '100 %' : `${(part * 100n) / whole} %`)
