import '../../ledger/money.test.ts'
