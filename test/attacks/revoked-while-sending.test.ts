import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FrontDoor } from './front-door.js'

/*
 * An operator begins a request, lets its body wait until after they were revoked, and then sends the rest.
 */

let door: FrontDoor
let watcher: string
beforeAll(async () => {
  door = await FrontDoor.start()
  watcher = (await added('watcher')).token
})
afterAll(() => door.close())

async function added(name: string): Promise<{ readonly id: string; readonly token: string }> {
  const { record, token } = await door.operators.add({ name, role: 'admin', expiresAt: null }, 'admin')
  return { id: record.id, token: token.reveal() }
}

/** Sends all but the last byte, has something happen, and sends that one too. Status and Location of the reply. */
function slowly(path: string, headers: Record<string, string>, body: string, meanwhile: () => Promise<unknown>) {
  return new Promise<readonly [number, string | undefined]>((resolve, reject) => {
    const { hostname, port } = new URL(door.server.adminUrl)
    const sent = request(
      { hostname, port, method: 'POST', path, agent: false, headers: { ...headers, 'content-length': body.length } },
      (incoming) => {
        incoming.resume()
        resolve([incoming.statusCode!, incoming.headers.location])
      },
    )
    sent.on('error', reject)
    sent.write(body.slice(0, -1), () => {
      // A request that was sent later on another connection is answered: the head of this one has been read.
      void door
        .visitor()
        .get('/healthz')
        .then(meanwhile)
        .then(() => sent.end(body.slice(-1)), reject)
    })
  })
}

const frozen = async (): Promise<boolean> =>
  JSON.parse((await door.visitor().get('/admin/v1/freezes', { authorization: `Bearer ${watcher}` })).text).freezes
    .length > 0

test('a call of the API whose body ends after the revocation does nothing', async () => {
  const { id, token } = await added('mallory')
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const freeze = (meanwhile: () => Promise<unknown>) =>
    slowly('/admin/v1/freeze', headers, '{"scope":"all"}', meanwhile)
  expect((await freeze(() => door.operators.revoke(id, 'admin')))[0]).toBe(401)
  expect(await frozen()).toBe(false)
})

test('a form of the dashboard that ends after the revocation, or after signing out, does nothing', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded', origin: door.server.adminUrl }
  for (const end of ['revoked', 'signed out'] as const) {
    const { id, token } = await added(`oscar-${end.replace(' ', '-')}`)
    const visitor = door.visitor()
    await visitor.post('/dashboard/sign-in', { token, to: '/dashboard' })
    const csrf = await visitor.csrf()
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const body = new URLSearchParams({ csrf, reason: 'mine now' }).toString()
    const reply = await slowly('/dashboard/freeze', { ...form, cookie }, body, () =>
      end === 'revoked' ? door.operators.revoke(id, 'admin') : visitor.post('/dashboard/sign-out', { csrf }),
    )
    expect(reply).toEqual([303, '/dashboard/sign-in?over=yes'])
    expect(await frozen()).toBe(false)
  }
})

test('what is sent as slowly by somebody who still may is done', async () => {
  const { token } = await added('patient')
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  expect((await slowly('/admin/v1/freeze', headers, '{"scope":"all"}', async () => undefined))[0]).toBe(200)
  expect(await frozen()).toBe(true)
})
