import { killed } from './killed.js'

// After each kill the test waits until the dead node is given up, so here are fewer than on a file. A campaign chooses.
if (process.env.SPENDGATE_CRASH_STORE === undefined) killed('postgres', 6)
