import type { GoalName } from './goals.js'

const BASE =
  'Raw node:http + undici, which governs nothing, is 1.6 × Hono here and was 2.4 where the goal was set: 2.2 would be 1.4 × a bare proxy on the same server library.'
const LEFT =
  'Of the answering thread’s 170 µs a call under the profiler, waiting and timers take 20 %, the ledger 19 %, node:http 18 %, hashing 10 %, garbage collection 8 %, the rest less each; none of our functions has more than 4 %, the parsing of the reply.'
const DONE =
  'Before this page was measured it was 0.30. What brought it: a client of our own to the vendor, literals without a spread in front and calls of one shape (V8 looked every field up anew), half the reads of a batch left out and the others under one lock, half the garbage.'
const TRIED =
  'Tried without gain: V8’s young generation of 2 to 64 MB, its collections on one thread, replies held back and written in a row. Not tried: a parser of requests of our own in place of node:http. Several processes with one owner of the ledger were not built: load, vendor and the thread that writes use the second processor.'
const LOADED =
  'Pinned to one processor with its compiler and collector here; with both it took 0.21 s (median of 15 starts), of which Node itself takes 0.05 and compiling what is loaded 0.06. Not tried: a cache of compiled code, which a server that holds credentials would have to read from somewhere.'

/**
 * Why a goal is missed and what was tried, in a sentence or two each, for the page. A reason shows only while its goal is
 * missed, so that one that has been met since does no harm here.
 */
export const REASONS: Readonly<Partial<Record<GoalName, string>>> = {
  'times-hono': `${BASE} ${LEFT} ${DONE} ${TRIED}`,
  'times-hono-one-cpu':
    'The same, and what a thread writes elsewhere is written by the one that answers: about 35 µs a call for seven statements of SQLite and their pages.',
  'times-nginx': 'Follows from the first: Hono + undici itself is 0.25 × nginx here, and raw node:http + undici 0.42.',
  'times-portkey':
    'Follows from the first; Portkey’s route is 0.06 × Hono here, and was 0.017 to 0.043 where the goal was set.',
  'ledger-share':
    'It was 0.44 before. What is left on the answering thread is the decision on totals, the texts and hashes of two entries and a row, one read of what else stands on the object, and handing the batch over: about 30 µs a call.',
  'added-over-nginx':
    'With one connection on two cores each hop wakes an idle processor, which raw node:http + undici pays too (140 µs over nginx), and code runs with cold caches: the steps below come to 885 µs, where the same call takes 190 under load. The ledger takes 403 with its fsync of 330, and 85 until its turn. Not tried: committing a call that comes alone in the turn in which it was read.',
  'postgres-batching':
    'Both sides are the whole ledger here, with every row of a call, and not one reserving statement as in the prototype. Both have become faster, and the lone call more: 2,816 → 3,904 a second in batches, 238 → 401 alone, so that the ratio fell from 12.6.',
  resident:
    'About 30 MB are alive. Node’s own binary takes 45, V8’s young generation 32, the thread that writes 9, and the rest is what outlived two collections of the young and waits for one of the old. V8 told to collect earlier (--heap-growing-percent=30) stood at 144 to 150 MB; a flag without a promise is not set for everybody. --max-semi-space-size made no difference.',
  'start-empty': LOADED,
  'start-keys': `${LOADED} 100,000 keys add 0.6 to 0.7 s: the file is checked, a page of keys at a time is read as JSON, and three maps are filled.`,
  'keys-memory':
    'With them it is 157 MiB at rest, 184 before; an empty server fell from 117 to 78, so less of what keys need fits into what was left over from the start.',
}
