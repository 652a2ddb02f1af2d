import type { GoalName } from './goals.js'

const BASE =
  'Raw node:http + undici, which governs nothing, is 1.7 × Hono here and was 2.4 where the goal was set: 2.2 would be 1.3 × a bare proxy on the same server library.'
const LEFT =
  'Of the answering thread’s 105 µs a call under the profiler the ledger takes 20 %, waiting and timers 19 %, node:http 15 %, hashing 12 %, the rest less each; none of our functions has more than 4 %, the parsing of the reply. With its ledger off the server is ahead of Hono, at 1.3.'
const DONE =
  'It was 0.30 and then 0.56 on pages before. What brought it: a client of our own to the vendor, literals without a spread in front and calls of one shape (V8 looked every field up anew), half the reads of a batch left out and the others under one lock, half the garbage, maps made anew.'
const TRIED =
  'Tried without gain: V8’s young generation of 2 to 64 MB, its collections on one thread, replies held back and written in a row, two servers side by side (see A second process). Not tried: a parser of requests of our own in place of node:http.'
const LOADED =
  'Pinned to one processor with its compiler and collector here; with both it took 0.21 s (median of 15 starts), of which Node itself takes 0.05 and compiling what is loaded 0.06. Not tried: a cache of compiled code, which a server that holds credentials would have to read from somewhere.'

/**
 * Why a goal is missed and what was tried, in a sentence or two each, for the page. A reason shows only while its goal is
 * missed, so that one that has been met since does no harm here.
 */
export const REASONS: Readonly<Partial<Record<GoalName, string>>> = {
  'times-hono': `${BASE} ${LEFT} ${DONE} ${TRIED}`,
  'times-hono-one-cpu':
    'The same, and what a thread writes elsewhere is written by the one that answers: about 38 µs a call for seven statements of SQLite and their pages.',
  'times-nginx': 'Follows from the first: Hono + undici itself is 0.27 × nginx here, and raw node:http + undici 0.37.',
  'times-portkey':
    'Follows from the first; Portkey’s route is 0.07 × Hono here, and was 0.017 to 0.043 where the goal was set.',
  'ledger-share':
    'It stood at 0.87 here while the server with its ledger off made its usage by a spread that was the bench’s own; it is gone, and what the ledger costs did not change by it: about 33 µs a call on the answering thread (decision on totals, texts and hashes of two entries and a row, one read of what else stands on the object, handing the batch over) and 38 on the one that writes, against 68 for all of a call without it.',
  'added-over-nginx':
    'With one connection on two cores each hop wakes an idle processor, which raw node:http + undici pays too (140 µs over nginx), and code runs with cold caches: the steps below come to 722 µs, where the same call takes 105 under load. What would help is less work on its way. Tried: booking the settlement before in an idle moment (20 µs less until the decision, nothing at the client), deciding in the turn in which it was read (4 µs), handing one call to the thread that writes (110 to 140 µs more).',
  'postgres-batching':
    'Both sides are the whole ledger here, with every row of a call, and not one reserving statement as in the prototype. The next batch is decided while the last is written, and many rows are copied in; of what is left half is the node’s own work and half the database’s, most of it the update of calls at their settlement, which writes every index again (see decision 0019 for what a step of the schema would save).',
  resident:
    'It stood at 184 and grew on before maps that calls pass through were made anew (V8 keeps what stood in the tables they outgrew). Node’s own binary and libraries take 49 MiB, V8’s young generation 32, its old objects 35, memory outside its heap 15, the rest mostly the thread that writes; Node’s fetch, which the admin port’s library loads, 8. Raw node:http + undici stands at 95. --max-semi-space-size made no difference.',
  'start-empty': LOADED,
  'start-keys': `${LOADED} 100,000 keys stay the texts they were read as until they call; what is left is the check of the file and reading them.`,
  'keys-memory': 'Keys stay the texts they were read as, leaf by leaf, with a hash of each id and digest beside them.',
}
