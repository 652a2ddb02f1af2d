import '../../ledger/sqlite.test.ts'
import '../../ledger/registry.test.ts'
import { commitmentsInOneCommit } from '../../ledger/commitments-in-one-commit.ts'
import { threadedBook } from '../../ledger/sqlite-book.ts'

// What statements on commitments are said to touch matters only where a transaction is recorded.
commitmentsInOneCommit('SQLite with a thread to write', threadedBook)
