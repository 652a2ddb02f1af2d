import type { Context } from 'hono'
import type { Env } from '../admin/route.js'
import { Problem, invalid } from '../admin/problem.js'

const FORM_BYTES_MAX = 256 * 1024
const FIELDS_MAX = 100

/** The fields of a form as they were sent. */
export class Form {
  readonly #fields: ReadonlyMap<string, readonly string[]>

  constructor(fields: ReadonlyMap<string, readonly string[]>) {
    this.#fields = fields
  }

  /** @throws Problem `invalid` when it stands twice, which no form of ours does */
  text(name: string): string {
    const found = this.#fields.get(name) ?? []
    if (found.length > 1) throw invalid(name, 'stands twice')
    return (found[0] ?? '').trim()
  }

  all(name: string): readonly string[] {
    return this.#fields.get(name) ?? []
  }
}

/** @throws Problem when it is no form, or too large */
export async function formOf(context: Context<Env>): Promise<Form> {
  const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') throw new Problem('media_type', 'Send the form as its page does.')
  const tooLarge = (): Problem =>
    new Problem('body_too_large', `The form is over the limit of ${FORM_BYTES_MAX} bytes.`, [], { connection: 'close' })
  if (Number(context.req.header('content-length') ?? 0) > FORM_BYTES_MAX) throw tooLarge()
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = context.req.raw.body?.getReader()
  for (let read = await reader?.read(); read && !read.done; read = await reader!.read()) {
    length += read.value.byteLength
    if (length > FORM_BYTES_MAX) {
      await reader!.cancel()
      throw tooLarge()
    }
    chunks.push(read.value)
  }
  const fields = new Map<string, string[]>()
  let count = 0
  for (const [name, value] of new URLSearchParams(Buffer.concat(chunks).toString('utf8'))) {
    if (++count > FIELDS_MAX) throw invalid('', `The form has more than ${FIELDS_MAX} fields.`)
    // A text area sends its line ends as CR LF.
    fields.set(name, [...(fields.get(name) ?? []), value.replace(/\r\n/g, '\n')])
  }
  return new Form(fields)
}

const REASON = /^[^\p{Cc}]{1,500}$/u

/** Why the operator does something, or null. @throws Problem `invalid` */
export function reasonIn(form: Form): string | null {
  const reason = form.text('reason')
  if (reason === '') return null
  if (!REASON.test(reason)) throw invalid('reason', 'must be at most 500 characters on one line')
  return reason
}
