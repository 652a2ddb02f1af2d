#!/usr/bin/env node
import { SystemClock } from '../clock.js'
import { processIo } from './io.js'
import { run } from './program.js'

// `spendgate calls | head` closes the pipe early; that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await run(process.argv.slice(2), processIo(new SystemClock()))
