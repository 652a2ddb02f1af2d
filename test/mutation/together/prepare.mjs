import '../../wire/prepare.test.ts'
