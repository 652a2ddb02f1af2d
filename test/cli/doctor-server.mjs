// A small MCP server of somebody's own, for `spendgate doctor` to try out. Its first argument says how it calls the vendor:
//   plain   over node:https, which the preload catches
//   raw     over a socket of its own, which the preload does not catch
//   silent  not at all
//   family  as plain does, beside a child that does not end when it is told to
//   dies    it ends at once, and talks about its key
// Its second argument is a file for what it was given.

import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import https from 'node:https'
import net from 'node:net'
import { createInterface } from 'node:readline'

const [, , way, given] = process.argv
const stubborn = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); process.send('up')"
const child =
  way === 'family' ? spawn(process.execPath, ['-e', stubborn], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }) : null
if (given) writeFileSync(given, JSON.stringify({ env: process.env, argv: process.argv, child: child?.pid }))
const key = process.env.STRIPE_SECRET_KEY
if (way === 'dies') {
  console.error(`cannot work with ${key}`)
  process.exit(3)
}

const plain = (done) =>
  https
    .get('https://api.stripe.com/v1/balance', { headers: { authorization: `Bearer ${key}` } }, (reply) =>
      reply.resume().on('end', () => done(String(reply.statusCode))),
    )
    .on('error', (error) => done(error.message))
const ways = {
  plain,
  // Not before the child hears no signal.
  family: (done) => child.once('message', () => plain(done)),
  raw: (done) => net.connect(443, 'api.stripe.com').on('error', (error) => done(error.message)),
  silent: (done) => done('nothing'),
}

const tools = [{ name: 'retrieve_balance', inputSchema: { type: 'object' } }]
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line)
  const answer = (result) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`)
  if (method === 'initialize')
    answer({ protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'own', version: '1' } })
  if (method === 'tools/list') answer({ tools })
  if (method === 'tools/call') ways[way]((text) => answer({ content: [{ type: 'text', text }] }))
})
