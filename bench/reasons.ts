import type { GoalName } from './goals.js'

const THIN =
  'No single part explains it: in the profile the ledger takes 28 % of the answering thread, waiting and timers 16 %, node:http 13 %, garbage collection 8 %, undici and hashing 7 % each. Raw node:http + undici, which governs nothing, is 1.5 × Hono here and was 2.4 where the goal was set.'
const ROWS =
  'A call writes about eight rows (the prototype two): the call, two hash-chained entries, its idempotency key, its settlement, what its object counts for, the vendor’s id of what it made, sums; some of these came after the first measurement (0.44 × Hono). That they are what the ledger’s larger share goes to is supposed and was not measured row by row.'
const TRIED =
  'Tried: a thread that writes (0.31 to 0.36–0.42 in one hour), gathering calls over turns of the event loop (28 a transaction at 64 connections), reads by key; HMAC in one shot and JSON for handing over made no difference. Not tried: a lean upstream client, which could save undici’s share.'
const LOADED =
  'Nearly all of it is loading: some 800 files and the catalogues of 2,285 operations. Tried: numbering plans and YAML only when needed (70 ms of processor time, 3 MiB). Not tried: one bundled file.'

/**
 * Why a goal is missed and what was tried, in a sentence or two each, for the page. A reason shows only while its goal is
 * missed, so that one that has been met since does no harm here.
 */
export const REASONS: Readonly<Partial<Record<GoalName, string>>> = {
  'times-hono': `${THIN} ${ROWS} ${TRIED} Several processes with one owner of the ledger were not built: the owner would do the ledger’s part for all of them, and load and vendor use the second processor.`,
  'times-hono-one-cpu': `The same, and the thread that writes brings nothing where there is one processor. ${ROWS}`,
  'times-nginx': 'Follows from the first: Hono + undici itself is 0.26 × nginx here, and raw node:http + undici 0.42.',
  'times-portkey':
    'Follows from the first; Portkey’s route is 0.06 × Hono here, and was 0.017 to 0.043 where the goal was set.',
  'ledger-share': ROWS,
  'added-over-nginx':
    'With one connection on two cores each hop wakes an idle processor, which raw node:http + undici pays too (88 µs over nginx). Of the steps the ledger takes 412 µs with its fsync and 129 µs until its turn, reading and parsing 118 µs. Not tried: committing a call that comes alone in the turn in which it was read.',
  'postgres-batching':
    'Both sides are the whole ledger here, with every row of a call, and not one reserving statement as in the prototype: a batch saves round trips, the lock and the commit, and the rows cost what they cost.',
  resident: `117 MiB stand a second after an empty start. ${LOADED} The thread that writes adds 15 MiB, the rest is what V8 lets stand between collections under load.`,
  'start-empty': LOADED,
  'start-keys': `${LOADED} 100,000 keys add about a second: each is read as a row and kept as an object.`,
}
