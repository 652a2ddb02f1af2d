import { EventEmitter } from 'node:events'
import * as childProcess from 'node:child_process'
import { afterEach, expect, test, vi } from 'vitest'
import { printedBy, ProgramFault } from '../../src/custody/program.js'
import { Backends } from '../../src/secrets/backends.js'
import { SecretFault } from '../../src/secrets/fault.js'
import { parseReference, type Reference } from '../../src/secrets/reference.js'
import { NO_BACKENDS } from '../../src/secrets/settings.js'

// A program that cannot be started or stopped costs a refusal, never the server; what it was started with is shown nobody.

vi.mock('node:child_process', async (original) => {
  const real = await original<typeof childProcess>()
  return { ...real, spawn: vi.fn(real.spawn) }
})
afterEach(() => vi.restoreAllMocks())

const PATH = { PATH: '/usr/bin:/bin' }
const clock = { now: () => 0, monotonic: () => performance.now() }

test('no file descriptors left is a refusal', async () => {
  vi.mocked(childProcess.spawn).mockImplementationOnce(() => {
    // As Node does it on EMFILE: no pipes are made, and the fault comes as an event.
    const child = new EventEmitter()
    process.nextTick(() => child.emit('error', Object.assign(new Error('spawn EMFILE'), { code: 'EMFILE' })))
    return child as childProcess.ChildProcess
  })
  await expect(printedBy(['op'], PATH)).rejects.toThrow(new ProgramFault('op cannot be started (EMFILE).'))
})

test('a program of another user, which is not ours to stop, is a refusal in time', async () => {
  const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' })
  })
  await expect(printedBy(['sleep', '30'], PATH, 100)).rejects.toThrow(/did not end within 0.1 s/)
  expect(kill).toHaveBeenCalled()
})

test('arguments of a program stand in no error', async () => {
  const backends = new Backends(NO_BACKENDS, clock, PATH)
  for (const text of ['exec:["false", "CANARYargument"]', 'exec:["printf", "", "CANARYargument"]']) {
    const fault = await backends.ask(parseReference(text) as Reference).catch((cause: unknown) => cause as Error)
    expect(fault).toBeInstanceOf(SecretFault)
    expect((fault as Error).message).toMatch(/^exec:(?:false|printf): /)
    expect((fault as Error).message).not.toContain('CANARY')
  }
  await backends.close()
})
