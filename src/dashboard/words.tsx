import type { Child } from 'hono/jsx'
import type { Usd } from '../contracts/money.js'
import { formatUsd, usd } from '../contracts/money.js'
import type { Html } from './html.js'

/* How things are said on every page: money, instants, and what agents wrote. */

/** `$1,234.50`; `–` for nothing to tell. */
export function dollars(amount: Usd | null): string {
  if (amount === null) return '–'
  const [whole, fraction] = formatUsd(amount).split('.') as [string, string]
  return `${whole.startsWith('-') ? '−' : ''}$${whole.replace('-', '').replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction}`
}

/** A figure to be read at a glance: in cents, rounded up from a dollar on. */
export const roundly = (amount: Usd): string => {
  const cent = 10_000n
  return dollars(amount < 1_000_000n ? amount : usd(((amount + cent - 1n) / cent) * cent))
}

/** A figure that is a guess: in cents, and below a dollar in two digits. */
export function roughly(amount: Usd): string {
  if (amount >= 1_000_000n || amount < 100n) return roundly(amount)
  const step = 10n ** BigInt(amount.toString().length - 2)
  return dollars(usd(((amount + step - 1n) / step) * step))
}

export const sum = (amounts: readonly Usd[]): Usd => usd(amounts.reduce((total, each) => total + each, 0n))

/** `1 call`, `1,204 calls` */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`

/** In UTC; the script turns it into the reader's own time zone and leaves UTC as the title. */
export function Time({ at, form = 'full' }: { at: number; form?: 'full' | 'clock' }): Html {
  const iso = new Date(at).toISOString()
  const text = form === 'clock' ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`
  return (
    <time datetime={iso} data-form={form} title={`${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`}>
      {text}
    </time>
  )
}

/**
 * A text that an agent or a vendor wrote: whatever direction its letters run in, what stands around it stays where it
 * is, and a character that nobody sees is shown as one.
 */
export function Said({ text }: { text: string }): Html {
  return <bdi class="said">{visible(text)}</bdi>
}
export const visible = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD')

/** `in 3 h 20 min`, `12 s ago`, by the largest two units. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 60) return `${s} s`
  const min = Math.floor(s / 60)
  if (min < 60) return `${min} min`
  const h = Math.floor(min / 60)
  if (h < 24) return min % 60 === 0 ? `${h} h` : `${h} h ${min % 60} min`
  const days = Math.floor(h / 24)
  return h % 24 === 0 || days > 9 ? `${days} d` : `${days} d ${h % 24} h`
}

/** Terms and what stands against them; those without a value are left out. */
export function Facts({ of }: { of: readonly (readonly [term: string, value: Child | null])[] }): Html {
  return (
    <dl class="facts">
      {of
        .filter(([, value]) => value !== null && value !== '')
        .map(([term, value]) => (
          <div>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

/** A name that code goes by. Where a column is narrow it may be broken at its own joints. */
export function Name({ of, title }: { of: string; title?: string }): Html {
  return (
    <code class="name" title={title}>
      {of.split(/(?<=[_.])/).map((part, i) => (
        <>
          {i === 0 ? null : <wbr />}
          {part}
        </>
      ))}
    </code>
  )
}

/** What a call's state is called, and what it means. The word carries it; the colour only helps. */
export const STATES = {
  denied: ['Denied', 'It was refused. Nothing was sent.'],
  reserved: ['Under way', 'Sent and not answered yet; its amount is held.'],
  settled: ['Done', 'Done, and counted as spent.'],
  released: ['Released', 'Nothing happened at the vendor; its amount was given back.'],
  assumed: [
    'Unknown',
    "The outcome is unknown, so it counts as spent until the vendor's records or the operator say otherwise.",
  ],
} as const

export function State({ of, observed = false }: { of: keyof typeof STATES; observed?: boolean }): Html {
  return (
    <span class={`state ${of}`} title={STATES[of][1]}>
      {STATES[of][0]}
      {observed ? ' (would be denied)' : ''}
    </span>
  )
}
