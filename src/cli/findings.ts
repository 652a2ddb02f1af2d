import type { Finding } from '../ledger/check.js'
import { table, type Style, type Tone } from './output.js'

export type { Finding } from '../ledger/check.js'

/** Findings as a person reads them. */
export const findingsTable = (style: Style, findings: readonly Finding[]): string =>
  table(style, [{ title: '' }, { title: 'CHECK' }, { title: 'FOUND' }], findings.map(row))

const TONE: Readonly<Record<Finding['status'], Tone>> = { ok: 'good', warn: 'warn', fail: 'bad' }
const MARK: Readonly<Record<Finding['status'], string>> = { ok: '✔', warn: '!', fail: '✘' }
const row = ({ check, status, message }: Finding) => [{ text: MARK[status], tone: TONE[status] }, check, message]
