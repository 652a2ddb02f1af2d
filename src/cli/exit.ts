/** What the exit code of the command says (contract §1). */
export const Exit = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  authentication: 4,
  denied: 5,
  unreachable: 6,
  /** 128 + SIGINT, as shells expect. */
  interrupted: 130,
} as const

/** One thing that is wrong with what was asked, and where. */
export interface FaultLine {
  /** `refunds.yaml:7:3`, a path in a document, or '' when there is no place to name. */
  readonly at: string
  readonly message: string
}

/** A command that cannot do what was asked. The message is a sentence for the operator; it holds no secret. */
export class CliFault extends Error {
  override readonly name = 'CliFault'

  constructor(
    readonly exit: number,
    message: string,
    readonly more: { readonly code?: string; readonly lines?: readonly FaultLine[]; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause })
  }
}

export const usage = (message: string): CliFault => new CliFault(Exit.usage, message, { code: 'usage' })
export const notFound = (message: string): CliFault => new CliFault(Exit.notFound, message, { code: 'not_found' })
