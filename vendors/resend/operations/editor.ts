import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows } from '../answers.js'

/** The visual editor’s calls. resend-mcp makes them at api.resend.com itself, whatever base URL it is given. */
export const editor: readonly Operation[] = product({ source: 'resend-mcp 2.6.0, 2026-11-20' }, [
  ...rows(
    { effect: 'write', why: 'It opens or ends a session of the editor and changes no content.' },
    `
    editor.connections.create POST /editor/connections
    editor.connections.delete DELETE /editor/connections
    `,
  ),
  ...rows(
    { effect: 'read', why: 'It shows the content of a broadcast or template.' },
    'editor.content.get GET /editor/content',
  ),
  ...rows(
    { effect: 'routing', why: 'It rewrites what a broadcast or template mails.' },
    'editor.content.update POST /editor/content',
  ),
])
