// What is mutated. Which tests are to notice stands in together/, one file a group: only fast tests of the part itself,
// because what nothing but a whole server sees is missed by its own tests.
export const groups = {
  money: ['src/contracts/money.ts'],
  policies: ['policies/{budgets,compile,patterns,windows}.ts'],
  rules: ['policies/rules/*.ts'],
  wire: ['src/wire/{form,json,scrub,target}.ts'],
  // The canonical request needs the vendors, whose tables take longer to load than the rest of wire/.
  prepare: ['src/wire/prepare.ts'],
  // What the ledger keeps in memory, by itself; the other three through the contract of the whole ledger.
  memory: ['src/ledger/{bursts,counters,open-calls,rate,recent}.ts'],
  settling: ['src/ledger/settling.ts'],
  book: ['src/ledger/book.ts'],
  records: ['src/ledger/{approvals,commitments,key-records,registry,text-index}.ts'],
}

/** Where reports and what was found out before are kept, from the root of the project. */
export const REPORTS = '.mutation'

/** The group that this process works on. */
export function chosen() {
  const name = process.env.SPENDGATE_MUTATION_GROUP ?? ''
  if (!Object.hasOwn(groups, name)) throw new Error(`no group «${name}»; there are ${Object.keys(groups).join(', ')}`)
  return { name, mutate: groups[name] }
}
