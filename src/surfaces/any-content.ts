import { isUtf8 } from 'node:buffer'
import type { Content, Fault } from '../exchange.js'
import { EMPTY, Form, parseForm } from '../wire/form.js'
import { parseJson } from '../wire/json.js'

/**
 * What follows the head of a call at a vendor by configuration: JSON or a form, whichever it says it is, or a query, and
 * only one of them, because nobody here knows how the vendor would merge two. Parsed as strictly as everything else.
 */
export function anyContent(
  method: string,
  query: string,
  body: Buffer,
  mediaType: string | undefined,
): Content | Fault {
  if (body.length === 0) {
    if (query === '') return { form: EMPTY, json: undefined, place: 'none' }
    const form = parseForm(query)
    return form instanceof Form ? { form, json: undefined, place: 'query' } : form
  }
  if (method === 'GET' || method === 'HEAD')
    return ambiguous(`A ${method} has its parameters in the query; this one has a body too.`)
  if (query !== '')
    return ambiguous('The parameters stand in the query or in the body. Some servers would merge the two.')
  const kind = kindOf(mediaType)
  if (kind === null)
    return ambiguous(
      `The body must be application/json or application/x-www-form-urlencoded (UTF-8), not «${shown(mediaType ?? 'no media type')}»: what it holds could not be judged.`,
    )
  if (!isUtf8(body)) return { code: 'request_malformed', message: 'The body is not UTF-8.' }
  if (kind === 'form') {
    const form = parseForm(body.toString('utf8'))
    return form instanceof Form ? { form, json: undefined, place: 'form' } : form
  }
  const parsed = parseJson(body.toString('utf8'), true)
  return 'code' in parsed ? parsed : { form: EMPTY, json: parsed.value, place: 'json' }
}

const KINDS = { 'application/json': 'json', 'application/x-www-form-urlencoded': 'form' } as const

function kindOf(header: string | undefined): 'json' | 'form' | null {
  const [type = '', ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase())
  const plain = parameters.every((each) => each === 'charset=utf-8' || each === 'charset="utf-8"')
  return plain && Object.hasOwn(KINDS, type) ? KINDS[type as keyof typeof KINDS] : null
}

const ambiguous = (message: string): Fault => ({ code: 'request_ambiguous', message })
const shown = (text: string): string => text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?')
