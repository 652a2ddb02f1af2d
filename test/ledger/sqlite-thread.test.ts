import { admissionsContract } from './admissions.js'
import { approvalsContract } from './approvals.js'
import { changesContract } from './changes.js'
import { commitmentsContract } from './commitments.js'
import { ledgerContract } from './contract.js'
import { movementsContract } from './movements.js'
import { outcomesContract } from './outcomes.js'
import { reconciliationContract } from './reconciliation.js'
import { registryContract } from './registry.js'
import { threadedBook } from './sqlite-book.js'

ledgerContract('SQLite with a thread to write', threadedBook)
commitmentsContract('SQLite with a thread to write', threadedBook)
approvalsContract('SQLite with a thread to write', threadedBook)
reconciliationContract('SQLite with a thread to write', threadedBook)
movementsContract('SQLite with a thread to write', threadedBook)
outcomesContract('SQLite with a thread to write', threadedBook)
registryContract('SQLite with a thread to write', threadedBook)
admissionsContract('SQLite with a thread to write', threadedBook)
changesContract('SQLite with a thread to write', threadedBook)
