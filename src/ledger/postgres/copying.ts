import pg from 'pg'

/**
 * A question of several statements, some of which copy rows that we send. Those follow the question at once and in order:
 * the database takes them where a statement copies, and drops them when it has given up before (the protocol's chapter
 * on COPY promises both). So it is one round trip, as without them.
 */
class Copying extends pg.Query {
  readonly #text: string
  readonly #copies: readonly string[]

  constructor(text: string, copies: readonly string[], callback: (fault: Error | null, results: unknown) => void) {
    super(text, callback as never)
    this.#text = text
    this.#copies = copies
  }

  override submit = (connection: pg.Connection): void => {
    const line = connection as unknown as Line
    line.stream.cork()
    try {
      line.query(this.#text)
      for (const rows of this.#copies) {
        line.sendCopyFromChunk(Buffer.from(rows))
        line.endCopyFrom()
      }
    } finally {
      line.stream.uncork()
    }
  }

  /** It has them already, or is about to. */
  handleCopyInResponse(): void {}
}

/** What the driver's connection can do beside what it is declared with (pg 8.23, read 2026-11). */
interface Line {
  readonly stream: { cork(): void; uncork(): void }
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

/** @param copies rows for the statements among them that copy from stdin, in their order */
export function askCopying(
  client: pg.Client,
  text: string,
  copies: readonly string[],
): Promise<pg.QueryResult | pg.QueryResult[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new Copying(text, copies, (fault, results) => (fault ? reject(fault) : resolve(results as pg.QueryResult))),
    )
  })
}
