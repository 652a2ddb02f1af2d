/* A suggested policy, written so that whoever reads it can tell where each line comes from. */

export interface Reasoned {
  readonly calls: number
  /** When the first and the last of them began; null when there were none. */
  readonly span: readonly [string, string] | null
  readonly days: number
  readonly mostADay: string
  readonly dailyCap: string
  /** Per cent. */
  readonly headroom: number
  readonly timeZone: string
  readonly mostAMinute: number
  readonly perMinute: number
  /** Whether every call gave one. */
  readonly reasons: boolean
  readonly approvalAbove: string | null
  readonly vendors: readonly ReasonedBlock[]
}

export interface ReasonedBlock {
  readonly vendor: string
  readonly allow: readonly ReasonedEndpoint[]
  readonly deny: readonly string[]
  readonly permit: readonly string[]
  readonly mostACall: string
  /** What calls cost at a vendor whose prices only a policy knows. */
  readonly costs: readonly (readonly [pattern: string, usd: string])[]
  readonly lists: readonly ReasonedList[]
}

export interface ReasonedEndpoint {
  readonly pattern: string
  readonly why: string | null
}

export interface ReasonedList {
  readonly key: string
  readonly entries: readonly string[]
  readonly why: string
}

export function writtenOut(name: string, seen: Reasoned): string {
  const share = seen.headroom === 0 ? 'no headroom' : `${seen.headroom} % headroom`
  return [
    seen.span === null
      ? '# No call was let through, so nothing is allowed.'
      : `# The least that lets through ${seen.calls} recorded ${seen.calls === 1 ? 'call' : 'calls'}, from ${seen.span[0]} to ${seen.span[1]}.`,
    'apiVersion: spendgate/v1',
    `name: ${quoted(name)}`,
    'mode: enforce',
    `timezone: ${quoted(seen.timeZone)}`,
    `daily_cap_usd: ${quoted(seen.dailyCap)} # a key came to USD ${seen.mostADay} on its dearest day (UTC); ${share}`,
    'expires_in: 8h',
    ...(seen.mostAMinute === 0
      ? []
      : [`rate_limit: { per_minute: ${seen.perMinute} } # at most ${seen.mostAMinute} in a minute; ${share}`]),
    ...(seen.reasons ? ['require_reason: true # every call gave one'] : []),
    ...(seen.approvalAbove === null
      ? []
      : [`approval: { above_usd: ${quoted(seen.approvalAbove)} } # as the policy that was in force`]),
    seen.vendors.length === 0 ? 'vendors: {}' : 'vendors:',
    ...seen.vendors.flatMap(block),
    '',
  ].join('\n')
}

function block({ vendor, allow, deny, permit, mostACall, costs, lists }: ReasonedBlock): string[] {
  return [
    `  ${vendor}:`,
    '    endpoints:',
    '      allow:',
    ...allow.map(({ pattern, why }) => `        - ${quoted(pattern)}${why === null ? '' : ` # ${why}`}`),
    ...(deny.length === 0
      ? []
      : [
          '      # The patterns above would open these as well, and nobody called them.',
          '      deny:',
          ...deny.map((pattern) => `        - ${quoted(pattern)}`),
        ]),
    ...(permit.length === 0 ? [] : [`    permit: [${permit.join(', ')}]`]),
    `    max_amount_usd: ${quoted(mostACall)} # the largest of them`,
    ...(costs.length === 0
      ? []
      : [
          '    cost_usd: # what they were counted at',
          ...costs.map(([pattern, cost]) => `      ${quoted(pattern)}: ${quoted(cost)}`),
        ]),
    ...lists.map(({ key, entries, why }) => `    ${key}: [${entries.map(quoted).join(', ')}] # ${why}`),
  ]
}

const quoted = (text: string): string => JSON.stringify(text)
