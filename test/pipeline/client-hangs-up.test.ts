import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, moved, payment, spentBy, startWorld } from './given.js'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  key = await world.key()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

/** Sends a payment on a connection of its own. */
function send(minor: number): Socket {
  const { hostname, port } = new URL(world.url)
  const body = new URLSearchParams(payment(minor)).toString()
  const socket = connect(Number(port), hostname)
  socket.on('error', () => socket.destroy())
  socket.write(
    `POST /stripe/v1/payment_intents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key.key}\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  return socket
}

const states = async (): Promise<string[]> => (await world.calls(`&key=${key.id}`)).map(({ state }) => state)

test.each(['destroy', 'resetAndDestroy'] as const)(
  'a client that hangs up (%s) does not stop the call: it ends and is settled',
  async (how) => {
    const before = (await states()).length
    const fault = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
    const socket = send(150)
    await fault.struck
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket[how]()
    await closed
    expect((await states())[0]).toBe('reserved')
    fault.release()
    await expect.poll(async () => (await states())[0]).toBe('settled')
    expect(await states()).toHaveLength(before + 1)
  },
)

test('a client that hangs up in the middle of its body has asked for nothing', async () => {
  const rows = await states()
  const { hostname, port } = new URL(world.url)
  const spent = await spentBy(world, key.id)
  const socket = connect(Number(port), hostname)
  const arrived = world.stripe.requests.length
  await new Promise<void>((resolve) =>
    socket.write(
      `POST /stripe/v1/payment_intents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key.key}\r\n` +
        'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\namount=100&currency=usd',
      () => resolve(),
    ),
  )
  socket.end()
  await expect.poll(states).toEqual(['denied', ...rows])
  expect((await world.calls(`&key=${key.id}`))[0].decision.code).toBe('request_malformed')
  expect(world.stripe.requests).toHaveLength(arrived)
  expect(await spentBy(world, key.id)).toBe(spent)
})
