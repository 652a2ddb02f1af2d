import type { CallRow, Ledger } from '../contracts/ledger.js'
import type { Usd } from '../contracts/money.js'
import type { Html } from './html.js'
import { dollars, Name, Said, State, Time } from './words.js'

export const callPath = (id: string): string => `/dashboard/calls/${encodeURIComponent(id)}`
export const runPath = (run: string, rootId: string): string =>
  `/dashboard/runs/${encodeURIComponent(run)}?key=${encodeURIComponent(rootId)}`

export const keyName = (ledger: Ledger, id: string): string => ledger.key(id)?.name ?? id

/** What a call counts for, as far as it is known. */
export function amountOf(row: CallRow): Html {
  const free = row.basis === 'free'
  if (row.state === 'denied')
    return <span class="asked">{row.basis === 'unpriceable' ? 'unknown' : free ? '–' : dollars(row.quoted)}</span>
  if (row.state === 'reserved') return <span class="held">{dollars(row.reserved)}</span>
  if (free && row.settled === 0n) return <span>–</span>
  return <span>{dollars(row.settled)}</span>
}

/** Calls, newest first, as rows that fold into blocks on a narrow screen. */
export function CallTable({
  rows,
  ledger,
  caption,
  withRun = true,
  totals,
}: {
  rows: readonly CallRow[]
  ledger: Ledger
  caption: string
  withRun?: boolean
  /** What it had come to in all after each call, by its id. */
  totals?: ReadonlyMap<string, Usd>
}): Html {
  return (
    <table class="calls">
      <caption class="hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Decision</th>
          <th scope="col" class="number">
            USD
          </th>
          {totals === undefined ? null : (
            <th scope="col" class="number">
              In all
            </th>
          )}
          <th scope="col">Call</th>
          <th scope="col">Key{withRun ? ' and run' : ''}</th>
          <th scope="col">Rule</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr class={row.state}>
            <td class="when">
              <a href={callPath(row.id)}>
                <Time at={row.at} form="clock" />
                <span class="hidden">, call {row.id}</span>
              </a>
            </td>
            <td class="what">
              <State of={row.state} observed={row.verdict === 'would_deny'} />
              {row.count > 1 ? <span class="times"> ×{row.count}</span> : null}
            </td>
            <td class="number">{amountOf(row)}</td>
            {totals === undefined ? null : (
              <td class="number total" data-label="in all">
                {dollars(totals.get(row.id) ?? null)}
              </td>
            )}
            <td class="asked-for">
              <span class="vendor">{row.vendor}</span>{' '}
              <code>
                {row.method} <Said text={row.path} />
              </code>
            </td>
            <td class="who">
              <Said text={keyName(ledger, row.keyId)} />
              {withRun ? (
                <a class="run" href={runPath(row.run, ledger.key(row.keyId)?.rootId ?? row.keyId)}>
                  {row.run}
                </a>
              ) : null}
            </td>
            <td class="rule">{row.code === null ? null : <Name of={row.code} title={row.message ?? ''} />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
