import '../../ledger/audit-erase.test.ts'
import '../../ledger/audit-history.test.ts'
import '../../ledger/audit-prune.test.ts'
import '../../ledger/sqlite.test.ts'
