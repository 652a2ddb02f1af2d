import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/package-root.js'

// The Python preload leaves TLS out between the program and the base on the same machine. A proxy that the client
// itself names stands in between, and what is said to it without TLS is said to everybody on the way.

const THROUGH_A_PROXY = `
import http.client, socket, threading
server = socket.create_server(("127.0.0.1", 0))
seen = []
def serve():
    conn, _ = server.accept()
    conn.settimeout(2)
    conn.recv(4096)
    conn.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    try:
        seen.append(conn.recv(4096))
    except OSError:
        pass
    conn.close()
proxy = threading.Thread(target=serve)
proxy.start()
client = http.client.HTTPSConnection("127.0.0.1", server.getsockname()[1], timeout=5)
client.set_tunnel("api.stripe.com", 443)
try:
    client.request("GET", "/v1/charges", headers={"Authorization": "Bearer rk_vault_live_x"})
except OSError as error:
    print(error)
client.close()
proxy.join()
print(b"".join(seen))
`
const ELSEWHERE = `
import http.client
try:
    http.client.HTTPSConnection("api.stripe.com", timeout=5).request("GET", "/", headers={"Authorization": "Bearer rk_vault_live_x"})
except OSError as error:
    print(error)
`

const hasPython = spawnSync('python3', ['--version']).status === 0

function said(script: string, base: string): string {
  const env = {
    ...process.env,
    PYTHONPATH: join(packageRoot(), 'src', 'preload', 'python'),
    STRIPE_API_BASE: base,
  }
  return spawnSync('python3', ['-c', script], { env, encoding: 'utf8', timeout: 20_000 }).stdout
}

test.runIf(hasPython)('no key is said in the clear through a proxy of the client’s own', () => {
  const heard = said(THROUGH_A_PROXY, 'http://127.0.0.1:9/stripe')
  expect(heard).toMatch(/^spendgate: api\.stripe\.com is reached through no proxy here.*Nothing was sent/)
  expect(heard).toMatch(/b''\s*$/)
})

test.runIf(hasPython)('a host whose name begins like a loopback is another machine', () => {
  expect(said(ELSEWHERE, 'http://127.evil.example/stripe')).toMatch(
    /plain http to 127\.evil\.example.*Nothing was sent/,
  )
})
