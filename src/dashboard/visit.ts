import type { Html } from './html.js'
import type { AdminDeps } from '../admin/deps.js'
import { covers } from '../admin/roles.js'
import type { Role } from '../contracts/operator.js'
import type { Session } from './door.js'
import type { Form } from './form.js'
import type { Sums } from './sums.js'

/** Somebody signed in asks for a page, or sends a form. */
export interface Visit {
  readonly deps: AdminDeps
  readonly sums: Sums
  readonly session: Session
  readonly query: URLSearchParams
  /** What the colon in the screen's path stood for. */
  readonly param: string
  readonly nowMs: number
}

/** Whether the visitor may: what they may not is not shown, and refused all the same. */
export const may = ({ session }: Pick<Visit, 'session'>, needed: Role): boolean => covers(session.by.role, needed)

export const SCREENS = {
  now: ['Now', '/dashboard'],
  runs: ['Runs', '/dashboard/runs'],
  calls: ['Calls', '/dashboard/calls'],
  approvals: ['Approvals', '/dashboard/approvals'],
  keys: ['Keys', '/dashboard/keys'],
  policies: ['Policies', '/dashboard/policies'],
  vendors: ['Vendors', '/dashboard/vendors'],
  audit: ['Audit', '/dashboard/audit'],
} as const

export interface Page {
  readonly title: string
  readonly screen: keyof typeof SCREENS
  readonly body: Html
  /** Whether it is to follow what happens. A page that answers a form is not: asking for it again would send it again. */
  readonly live: boolean
  readonly status?: 200 | 400 | 409
}

/** What a form did: a sentence, shown where the reader goes next. Or a page, where there is something to correct or to show once. */
export type Done = { readonly to: string; readonly notice: string } | Page

export type Screen = (visit: Visit) => Promise<Page>
export type Action = (visit: Visit, form: Form) => Promise<Done>
