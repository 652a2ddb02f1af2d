import { expect, test } from 'vitest'
import type { IssuedKey } from '../helpers/world.js'
import { onStage, presented, readReply, twilio, written, type Attack } from './stage.js'

// A repetition under the same idempotency key is counted once, because the vendor acts once. Twilio and most of
// Resend know no such key: there the second message is a second message.

const stage = onStage()

async function sent(attack: Attack, key: IssuedKey): Promise<readonly [status: number, code: string | undefined]> {
  const reply = readReply(await stage.world.raw(written(attack, presented(attack.vendor ?? 'stripe', key))))
  return [reply.status, reply.headers['x-spendgate-code']]
}

test('messages under one idempotency key cost as often as they are sent', async () => {
  const key = await stage.key('twilio')
  const message = twilio(stage, '/Messages.json', 'To=%2B14155550199&From=%2B14155550100&Body=hi')
  const before = stage.world.twilio.moved().length
  for (let i = 0; i < 3; i++)
    expect(await sent({ ...message, headers: ['Idempotency-Key: once'] }, key)).toEqual([201, undefined])
  const rows = await stage.rows(key)
  expect(stage.world.twilio.moved().length - before).toBe(3)
  expect(rows.map((row) => [row.replay_of, row.settled_usd])).toEqual(rows.map(() => [null, rows.at(-1).settled_usd]))
  expect(Number(rows[0].settled_usd)).toBeGreaterThan(0)
})
