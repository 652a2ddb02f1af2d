import { z } from 'zod'

/* How a vendor by configuration is reached, as the admin API takes it. Parts of the secret by scheme: docs/http-vendors.md. */

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'must be a header name, such as X-Api-Key')
const url = z
  .string()
  .max(512)
  .regex(/^https?:\/\/[^\s?#]+$/, 'must be an address without query, such as https://api.example.com')
const PLACEHOLDER = /\{(?!(?:timestamp|method|target|path|query|body|body_sha256)\})/

export const baseUrl = url.meta({
  description: 'Where its API is, and what stands before every path. The credential goes nowhere else.',
})

export const authScheme = z
  .discriminatedUnion(
    'scheme',
    [
      z.strictObject({ scheme: z.literal('bearer') }),
      z.strictObject({ scheme: z.literal('basic') }),
      z.strictObject({
        scheme: z.literal('header'),
        name: headerName,
        prefix: z
          .string()
          .regex(/^[\x21-\x7e]{1,32} ?$/, 'must be printable text, such as "Token "')
          .optional()
          .meta({ description: 'Stands before the key, such as "Token ".' }),
      }),
      z.strictObject({
        scheme: z.literal('query'),
        name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/, 'must be the name of a query parameter'),
      }),
      z.strictObject({
        scheme: z.literal('hmac'),
        algorithm: z.enum(['sha256', 'sha512']).optional(),
        encoding: z.enum(['hex', 'base64']).optional(),
        payload: z
          .string()
          .min(1)
          .max(500)
          .refine((text) => text.includes('{body') && !PLACEHOLDER.test(text), {
            message: 'must sign {body} or {body_sha256}, beside {timestamp} {method} {target} {path} {query}',
          })
          .optional()
          .meta({ description: 'What is signed; absent: timestamp, method, target and body, a line each.' }),
        timestamp: z.enum(['seconds', 'milliseconds', 'iso']).optional(),
        signature_header: headerName.optional(),
        timestamp_header: headerName.optional(),
        key_header: headerName.optional(),
      }),
      z.strictObject({
        scheme: z.literal('oauth2'),
        token_url: url,
        scope: z.string().min(1).max(500).optional(),
        audience: z.string().min(1).max(500).optional(),
        client: z.enum(['basic', 'body']).optional(),
        header: headerName
          .optional()
          .meta({ description: 'Takes the token as it is; absent: Authorization, as Bearer.' }),
      }),
    ],
    'must have a scheme: bearer, basic, header, query, hmac or oauth2',
  )
  .meta({ id: 'AuthScheme', description: 'How a vendor by configuration takes its key.' })

export const fixedHeaders = z
  .record(headerName, z.string().regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?$/, 'must be printable text'))
  .refine((headers) => Object.keys(headers).length <= 20, 'has more than 20 headers')
  .meta({ description: 'Sent with every call under the credential. No secrets: they are shown.' })
