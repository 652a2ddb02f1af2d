// What questions to a database are put together from.

export const quoted = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(', ')

/** The driver's own puts a text together letter by letter, and a batch is hundreds of kilobytes. See `PLANS` of the writer. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/**
 * The call made the same request. Said so that one index only serves, whatever a planner believes who has not yet seen
 * how many calls a run or a day has.
 */
export const alike = (call: string, name: string): string => {
  const [own, asked] = [
    `(${call}.root_id, ${call}.run, ${call}.request_hash)`,
    `(${name} ->> 0, ${name} ->> 1, ${name} ->> 2)`,
  ]
  return `${own} >= ${asked} and ${own} <= ${asked}`
}
