import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TOKEN, World } from '../admin/world.js'
import { draft, HOUR, refuse } from '../ledger/book.js'
import { Terminal } from './terminal.js'

/* The command against the real admin API on a real socket over a real ledger. */

let world: World
let terminal: Terminal
let keyId: string

beforeEach(async () => {
  world = await World.start()
  terminal = new Terminal({ SPENDGATE_URL: `http://127.0.0.1:${world.port}`, SPENDGATE_ADMIN_TOKEN: TOKEN })
  keyId = (await world.key()).id
})
afterEach(async () => {
  terminal.close()
  await world.close()
})

/** A refused call that asks for an approval; the id of the request. */
async function asked(requestHash = 'request_1', reason = 'The parcel was lost.'): Promise<string> {
  const more = { requestHash, approvalMs: HOUR, customer: 'cus_A', reason }
  await world.ledger.admit(draft(world.ledger.key(keyId)!, '60.00', more), refuse('approval_required'))
  return (await world.ledger.approvalFor(keyId, requestHash))!.id
}

describe('approvals', () => {
  test('without a verb lists them, the latest first, with what to do', async () => {
    const [first, second] = [await asked('request_1'), await asked('request_2')]
    await terminal.run('approvals', 'deny', first)
    const { exit, out, err } = await terminal.run('approvals')
    expect(exit).toBe(0)
    const lines = out.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^AT \(UTC\) +APPROVAL +STATE +UP TO +KEY +RUN +VENDOR +ENDPOINT +CUSTOMER +LEFT$/)
    expect(lines[1]).toMatch(
      new RegExp(
        `^2026-11-21 12:00:00  ${second}  open +\\$60\\.00  ${keyId}  run_1  stripe +POST /v1/refunds  cus_A +1 h$`,
      ),
    )
    expect(lines[2]).toMatch(new RegExp(`${first}  denied .* –$`))
    expect(err).toBe(`Decide:  spendgate approvals approve ${second}  (or deny)\n`)
  })

  test('by state and key, as one object for programs', async () => {
    const [first, second] = [await asked('request_1'), await asked('request_2')]
    await terminal.run('approvals', 'approve', first)
    const open = await terminal.run('approvals', '--state', 'open', '--key', 'bot', '--json')
    expect(open.exit).toBe(0)
    expect(open.json).toMatchObject({ approvals: [{ id: second, state: 'open' }], next_cursor: null })
    expect((await terminal.run('approvals', 'list', '--state', 'used')).err).toBe('Nothing was asked for.\n')
    expect((await terminal.run('approvals', 'list', '--limit', '1')).err).toContain('There are more: --limit 2')
    expect((await terminal.run('approvals', '--state', 'waiting')).exit).toBe(2)
  })

  test('shows one, and an agent’s words can do nothing to the terminal', async () => {
    const id = await asked('request_1', 'Lost\u001b[2J\u202e parcel')
    terminal.tty = true
    const { exit, out } = await terminal.run('approvals', 'show', id)
    expect(exit).toBe(0)
    expect(out).toContain(`${id}  \u001b[33mopen\u001b[0m`)
    const plain = out.replace(/\u001b\[\d*m/g, '')
    expect(plain).toMatch(/request +POST \/v1\/refunds {2}\(stripe, refunds\.create\)\n/)
    expect(plain).toMatch(/up to +\$60\.00\n/)
    expect(plain).toMatch(/agent says +Lost\ufffd\[2J\ufffd parcel\n/)
    expect(plain).toMatch(/expires +2026-11-21 13:00:00 UTC \(in 1 h\)\n/)
    expect((await terminal.run('approvals', 'show', id, '--json')).json).toMatchObject({ id, ceiling_usd: '60.00' })
  })

  test('approve lets it through once, and says until when; again it says the same', async () => {
    const id = await asked()
    for (let i = 0; i < 2; i++) {
      const { exit, out } = await terminal.run('approvals', 'approve', id, '--reason', 'I know her.')
      expect(exit).toBe(0)
      expect(out).toBe(
        `Approved ${id}, once and up to $60.00. The agent must send the very same request by 2026-11-21 13:00:00 UTC.\n`,
      )
    }
    expect(await world.ledger.approval(id)).toMatchObject({ state: 'approved', reason: 'I know her.' })
  })

  test('deny takes a reason for the agent', async () => {
    const id = await asked()
    const { exit, json } = await terminal.run('approvals', 'deny', id, '--reason', 'Twice already.', '--json')
    expect({ exit, json }).toMatchObject({ exit: 0, json: { id, state: 'denied', reason: 'Twice already.' } })
  })

  test('the other decision ends with 1, what is not there with 3, and a missing id with 2', async () => {
    const id = await asked()
    await terminal.run('approvals', 'approve', id)
    const against = await terminal.run('approvals', 'deny', id)
    expect({ exit: against.exit, out: against.out }).toEqual({ exit: 1, out: '' })
    expect(against.err).toContain('The first decision stands')
    world.nowMs += HOUR
    expect((await terminal.run('approvals', 'approve', id)).err).toContain('approved and not used')
    expect((await terminal.run('approvals', 'show', 'appr_nobody')).exit).toBe(3)
    expect((await terminal.run('approvals', 'approve')).exit).toBe(2)
  })
})
