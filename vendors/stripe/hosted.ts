import type { Denial } from '../../src/contracts/call.js'
import type { Explanation, Json, JsonObject, Operation, Tool } from '../../src/contracts/vendor.js'
import { bodyOf } from './operations/json.js'

/*
 * The tools of Stripe's hosted MCP server that are passed on to it because they are no operation of the API. Only what
 * reads Stripe's own texts may stand here: what acts goes through the catalogue, where it is priced. Its planner,
 * analytics and feedback tools are left out; they read the account or write to somebody.
 */

export const MCP_HOST = 'mcp.stripe.com'
const QUESTION_CHARS_MAX = 2_000
const LANGUAGES = ['curl', 'dotnet', 'go', 'java', 'node', 'php', 'python', 'ruby'] as const

interface HarmlessTool {
  readonly operation: string
  readonly name: string
  readonly description: string
  readonly properties: Readonly<Record<string, JsonObject>>
  readonly required: readonly string[]
  readonly why: string
  readonly source: string
  /** What is wrong with the arguments, as a sentence, or null. They leave for Stripe as they are. */
  fault(args: JsonObject): string | null
}

const HARMLESS: readonly HarmlessTool[] = [
  {
    operation: 'documentation.search',
    name: 'search_stripe_documentation',
    description: 'Searches Stripe’s documentation. The question is sent to Stripe: put no keys into it.',
    properties: {
      question: { type: 'string', minLength: 1, maxLength: QUESTION_CHARS_MAX, description: 'What to look for.' },
      language: { type: 'string', enum: LANGUAGES, description: 'The language examples should be in.' },
    },
    required: ['question'],
    why: 'Reading documentation costs nothing.',
    source:
      'public captures of the tools of mcp.stripe.com, 2026-09-22; arguments as in @stripe/agent-toolkit, 2025-06-18',
    fault: ({ question, language }) => {
      if (typeof question !== 'string' || question.trim() === '') return 'question must be text.'
      if (question.length > QUESTION_CHARS_MAX)
        return `question has ${question.length} characters, and at most ${QUESTION_CHARS_MAX} are passed on.`
      if (language !== undefined && !isOneOf(LANGUAGES, language))
        return `language must be one of ${LANGUAGES.join(', ')}.`
      return looksLikeSecret(question)
        ? 'question holds what looks like a key or another secret, and it would leave for Stripe. Ask without it.'
        : null
    },
  },
]

export const hostedOperations: readonly Operation[] = HARMLESS.map(
  ({ operation, name, properties, why, source, fault }) => ({
    id: operation,
    routes: [`POST ${MCP_HOST}/tools/${name}`],
    tools: [name],
    hostedTool: name,
    effect: 'read',
    body: 'json',
    accepts: Object.keys(properties),
    why,
    source,
    explain: ({ json }): Explanation => {
      const sentence = fault(bodyOf({ json }))
      const refuse: Pick<Denial, 'code' | 'message'> | null = sentence === null ? null : malformed(sentence)
      return { quote: { basis: 'free', why }, subjects: {}, ...(refuse && { refuse }) }
    },
  }),
)

export const hostedTools: readonly Tool[] = HARMLESS.map(({ name, description, properties, required }) => ({
  name,
  description,
  route: `POST ${MCP_HOST}/tools/${name}`,
  properties,
  required,
}))

/**
 * Vault keys, the vendors' keys and signing secrets by their prefixes, and any long run of letters and digits: Twilio's
 * secrets have no prefix, and no question about documentation needs one. An id such as `pi_3MtwBwLkdIwHu7ix28a3tqPa`
 * is shorter.
 */
const SECRETS: readonly RegExp[] = [
  /vault_(?:live|test)_[a-z0-9]{4}/i,
  /(?:sk|rk|ek|uk)_(?:live|test|org)_[a-z0-9_-]{4}/i,
  /whsec_[a-z0-9+/]{4}/i,
  /(?<![a-z0-9])re_[a-z0-9]{4,}_[a-z0-9_]{4}/i,
  /sgadmin_[a-z0-9_-]{4}/i,
  /(?=[a-z]*[0-9])[a-z0-9]{32}/i,
]

/** Characters that nobody sees do not hide a key, nor do other forms of the same letters. */
function looksLikeSecret(text: string): boolean {
  const plain = text.normalize('NFKC').replace(/\p{Cf}/gu, '')
  return SECRETS.some((form) => form.test(plain))
}

const isOneOf = (texts: readonly string[], value: Json): boolean => typeof value === 'string' && texts.includes(value)

const malformed = (message: string): Pick<Denial, 'code' | 'message'> => ({
  code: 'request_malformed',
  message: `${message} Do not retry.`,
})
