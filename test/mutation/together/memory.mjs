import '../../ledger/counters.test.ts'
import '../../ledger/in-memory.test.ts'
