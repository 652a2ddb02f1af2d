import { postgresMissing } from '../helpers/postgres.js'
import { killed } from './killed.js'

/** Which store the books are in: `npm run test:crash -- --store postgres`. Unset, as in `npm test`: each has its turn. */
const store = process.env.SPENDGATE_CRASH_STORE ?? 'sqlite'
if (store !== 'sqlite' && store !== 'postgres') throw new Error(`there is no store «${store}»: sqlite or postgres`)
if (store === 'postgres' && postgresMissing !== null) throw new Error(postgresMissing)

/** `npm run test:crash` says 1000. */
killed(store, Number(process.env.SPENDGATE_CRASH_CYCLES ?? 50))
