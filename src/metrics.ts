/** Counters for `/metrics`, with labels from closed sets only. */
export class Metrics {
  readonly #counts = new Map<string, number>()

  /**
   * @param labels already in the exposition's form: `vendor="stripe",decision="allow"`
   * @param by what is counted, where it is not one
   */
  count(name: string, labels = '', by = 1): void {
    const key = labels === '' ? name : `${name}{${labels}}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by)
  }

  /**
   * Prometheus text exposition, format 0.0.4.
   *
   * @param gauges by name, with labels where a family has several
   */
  text(gauges: Readonly<Record<string, number>>): string {
    const lines: string[] = []
    let family = ''
    for (const [key, value] of [...this.#counts].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
      const name = key.split('{')[0]!
      if (name !== family) lines.push(`# TYPE ${name} counter`)
      family = name
      lines.push(`${key} ${value}`)
    }
    family = ''
    for (const [key, value] of Object.entries(gauges).sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
      const name = key.split('{')[0]!
      if (name !== family) lines.push(`# TYPE ${name} gauge`)
      family = name
      lines.push(`${key} ${value}`)
    }
    return lines.join('\n') + '\n'
  }
}
