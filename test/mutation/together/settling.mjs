import '../../ledger/sqlite.test.ts'
