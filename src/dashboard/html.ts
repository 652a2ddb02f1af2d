import type { HtmlEscapedString } from 'hono/utils/html'

/** What a component gives: text in which whatever came from outside is escaped. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>
