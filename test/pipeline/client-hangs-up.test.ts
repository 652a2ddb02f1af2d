import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import { World, type IssuedKey } from '../helpers/world.js'
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

test('clients that hang up in a crowd, wherever they are in their request, leave no call under way', async () => {
  const crowd = await World.start()
  try {
    crowd.stripe.seed()
    const { key } = await crowd.key()
    const hang = crowd.stripe.fault('POST /v1/refunds', { do: 'hang', applies: true, times: 20 })
    const waiting = Array.from({ length: 20 }, (_, n) =>
      crowd.call(`rk_${key}`, 'POST', '/v1/refunds', { charge: 'ch_A', amount: String(100 + n) }),
    )
    await expect.poll(() => hang.hits).toBe(20)
    const body = 'charge=ch_A&amount=50'
    const head = `POST /v1/refunds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer rk_${key}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n`
    const { hostname, port } = new URL(crowd.url)
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const socket = connect(Number(port), hostname)
        return new Promise<void>((resolve) => {
          socket.on('error', () => undefined).on('close', () => resolve())
          // Some break off in the head, some in the body, some after the last byte.
          socket.on('connect', () => {
            socket.write((head + body).slice(0, [60, head.length, head.length + 5, head.length + body.length][n % 4]))
            socket.resetAndDestroy()
          })
        })
      }),
    )
    hang.release()
    expect((await Promise.all(waiting)).map((answer) => answer.status)).toEqual(Array(20).fill(200))
    const inFlight = async (): Promise<string | undefined> =>
      /^spendgate_in_flight (\d+)$/m.exec((await crowd.metrics()).text)?.[1]
    await expect.poll(inFlight).toBe('0')
    expect(await crowd.verified()).toEqual([])
  } finally {
    await crowd.close()
  }
})
