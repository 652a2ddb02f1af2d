import '../../ledger/one-book.test.ts'
import '../../ledger/sqlite.test.ts'
