import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { caFile } from '../connect/ca-file.js'
import { replaceOwnFile } from '../custody/master-key.js'
import { packageRoot } from '../package-root.js'
import { CliFault, Exit } from './exit.js'

/** Where systems keep the roots that programs trust: Debian, Red Hat, SUSE, and Alpine, BSD or macOS. */
const SYSTEM_ROOTS = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]
const BUNDLE = 'connect-bundle.pem'
const DOMAINS = ['stripe.com', 'twilio.com', 'resend.com']
const PYTHON_PRELOAD = join(packageRoot(), 'src', 'preload', 'python')
const LOOPBACK = ['localhost', '127.0.0.1', '::1']

/**
 * The environment of a program that CONNECT mode shall reach: the proxy, and the CA to trust. Node's preload stays,
 * because it reaches clients that ask no environment for a proxy. Python's goes: it leaves TLS out, and would do so inside
 * a tunnel as well.
 *
 * @param env the environment it has otherwise, such as childEnv made it
 * @param port where the proxy listens (SPENDGATE_CONNECT_PORT)
 */
export function connectEnv(env: Readonly<NodeJS.ProcessEnv>, dataDir: string, port = '4244'): NodeJS.ProcessEnv {
  const ca = caFile(dataDir)
  if (!existsSync(ca))
    throw new CliFault(
      Exit.failure,
      `CONNECT mode has never been on here: ${ca} is missing. Start the server with --connect-port ${port}, or name its data directory with --data-dir.`,
      { code: 'connect_off' },
    )
  const proxy = `http://127.0.0.1:${port}`
  const around = [...LOOPBACK, ...exceptions(env.NO_PROXY ?? env.no_proxy ?? '')].join(',')
  const bundle = writeBundle(env, dataDir, ca)
  const { PYTHONPATH: python, ...rest } = env
  const folders = python?.split(delimiter).filter((folder) => folder !== PYTHON_PRELOAD) ?? []
  return {
    ...rest,
    ...(folders.length > 0 ? { PYTHONPATH: folders.join(delimiter) } : {}),
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    NO_PROXY: around,
    no_proxy: around,
    // Node 22.21 and 24 take the proxy for fetch and for the agent of https by this.
    NODE_USE_ENV_PROXY: '1',
    // This one adds to Node's own roots; each of the others replaces the roots of its reader.
    NODE_EXTRA_CA_CERTS: env.NODE_EXTRA_CA_CERTS ? bundle : ca,
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
  }
}

/** The caller's exceptions, but for those that would lead calls to the vendors past the proxy. */
const exceptions = (list: string): readonly string[] =>
  list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => {
      const name = entry.replace(/^\*?\./, '').replace(/:\d+$/, '')
      return (
        name !== '' &&
        name !== '*' &&
        !DOMAINS.some((domain) => `.${domain}`.endsWith(`.${name}`) || name.endsWith(`.${domain}`))
      )
    })

/** The roots that would hold without us, and ours: hosts that the proxy does not serve are still checked as before. */
function writeBundle(env: Readonly<NodeJS.ProcessEnv>, dataDir: string, ca: string): string {
  const roots = [env.SSL_CERT_FILE, ...SYSTEM_ROOTS].find((file) => file && existsSync(file))
  const texts = [
    roots ? readFileSync(roots, 'utf8') : rootCertificates.join('\n'),
    ...(env.NODE_EXTRA_CA_CERTS && existsSync(env.NODE_EXTRA_CA_CERTS)
      ? [readFileSync(env.NODE_EXTRA_CA_CERTS, 'utf8')]
      : []),
    readFileSync(ca, 'utf8'),
  ]
  replaceOwnFile(dataDir, BUNDLE, texts.map((text) => text.trim()).join('\n'))
  return join(dataDir, BUNDLE)
}
