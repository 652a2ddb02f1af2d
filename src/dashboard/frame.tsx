import type { Child } from 'hono/jsx'
import type { Html } from './html.js'
import type { Session } from './door.js'
import { may, SCREENS, type Page } from './visit.js'
import { Said, Time } from './words.js'

const ICON =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#1f5fbf"/><path d="M3 12h10M3 12V8l4-2 3 1 3-4" fill="none" stroke="#fff" stroke-width="1.6"/></svg>',
  )

/** Everything around a page's own part. `assets` is the name under which scripts and styles of this version are kept. */
export interface Surroundings {
  readonly assets: string
  readonly version: string
}

function Shell({
  title,
  around,
  live = false,
  nowMs = 0,
  on,
  children,
}: {
  title: string
  around: Surroundings
  live?: boolean
  nowMs?: number
  /** The page to go on to at once. */
  on?: string
  children: Child
}): Html {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        {on === undefined ? null : <meta http-equiv="refresh" content={`0; url=${on}`} />}
        <title>{`${title} · spendgate`}</title>
        <link rel="icon" href={ICON} />
        <link rel="stylesheet" href={`${around.assets}/uplot.css`} />
        <link rel="stylesheet" href={`${around.assets}/style.css`} />
        <script src={`${around.assets}/uplot.js`} defer />
        <script src={`${around.assets}/live.js`} defer />
      </head>
      <body data-live={live ? 'on' : 'off'} data-now={new Date(nowMs).toISOString()}>
        {children}
      </body>
    </html>
  )
}

export interface Standing {
  readonly session: Session
  /** A freeze of everything that is in force. */
  readonly frozen: { readonly at: number; readonly reason: string | null } | null
  /** Requests for approval that wait; shown beside the screen's name. */
  readonly waiting: number
  readonly nowMs: number
}

export function Framed({ page, around, standing }: { page: Page; around: Surroundings; standing: Standing }): Html {
  const { session, frozen, waiting } = standing
  return (
    <Shell title={page.title} around={around} live={page.live} nowMs={standing.nowMs}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header>
        <p class="brand">
          <a href="/dashboard">spendgate</a>
        </p>
        <nav aria-label="Screens" id="nav" data-part>
          <ul>
            {Object.entries(SCREENS).map(([name, [label, path]]) => (
              <li>
                <a href={path} aria-current={name === page.screen ? 'page' : undefined}>
                  {label}
                  {name === 'approvals' && waiting > 0 ? (
                    <span class="count">
                      {waiting > 99 ? '99+' : waiting}
                      <span class="hidden"> waiting</span>
                    </span>
                  ) : null}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <form method="post" action="/dashboard/sign-out" class="leave">
          <input type="hidden" name="csrf" value={session.csrf} />
          <span class="hint">
            <Said text={session.by.name} />
            {session.by.role === session.by.name ? '' : ` (${session.by.role})`}
          </span>{' '}
          <button class="quiet">Sign out</button>
        </form>
      </header>
      <div id="frozen" data-part>
        {frozen === null ? null : (
          <div class="banner" role="alert">
            <p>
              <strong>Everything is frozen</strong> since <Time at={frozen.at} />
              {frozen.reason === null ? '' : ': '}
              {frozen.reason === null ? null : <Said text={frozen.reason} />}. No call reaches a vendor.
            </p>
            {may({ session }, 'admin') ? (
              <form method="post" action="/dashboard/unfreeze">
                <input type="hidden" name="csrf" value={session.csrf} />
                <button>Unfreeze everything</button>
              </form>
            ) : null}
          </div>
        )}
      </div>
      <main id="main" tabindex={-1}>
        {session.notices.length === 0 ? null : (
          <div class="notice" role="status">
            {session.notices.map((text) => (
              <p>{text}</p>
            ))}
          </div>
        )}
        <h1>{page.title}</h1>
        {page.body}
      </main>
      <footer>
        <p>
          spendgate {around.version}
          {page.live ? (
            <>
              {' · '}
              <span id="pulse">as of the moment it was loaded</span>
            </>
          ) : null}
        </p>
      </footer>
    </Shell>
  )
}

/** Before anybody signed in, and after the session ended. */
export function SignIn({
  around,
  to,
  fault,
  provider,
}: {
  around: Surroundings
  to: string
  fault: string | null
  /** Who vouches for people; null: they show a token. */
  provider: string | null
}): Html {
  return (
    <Shell title="Sign in" around={around}>
      <main id="main" class="door">
        <h1>spendgate</h1>
        {fault === null ? null : (
          <p class="fault" role="alert">
            {fault}
          </p>
        )}
        {provider === null ? null : (
          <p>
            <a class="button main" href={`/dashboard/oidc/begin?to=${encodeURIComponent(to)}`}>
              Sign in at {provider}
            </a>
          </p>
        )}
        <form method="post" action="/dashboard/sign-in">
          <input type="hidden" name="to" value={to} />
          <label for="token">{provider === null ? 'Admin token' : 'Or a token'}</label>
          <input
            id="token"
            name="token"
            type="password"
            autocomplete="current-password"
            required
            autofocus
            aria-describedby="where"
          />
          <p class="hint" id="where">
            The admin token begins with sgadmin_. Unless the environment gives it, it is in the data directory, in the
            file admin-token. An operator's begins with sgop_. A link that signs in once is printed when spendgate
            starts.
          </p>
          <button class={provider === null ? 'main' : ''}>Sign in</button>
        </form>
      </main>
    </Shell>
  )
}

/**
 * Between the provider's page and ours. The cookie of the session goes with requests that our own pages make and with no
 * others, so a redirect from there would arrive without it.
 */
export function Crossing({ around, to, name }: { around: Surroundings; to: string; name: string }): Html {
  return (
    <Shell title="Signed in" around={around} on={to}>
      <main id="main" class="door">
        <h1>Signed in</h1>
        <p>
          You are <Said text={name} />.
        </p>
        <p>
          <a class="button main" href={to}>
            Go on
          </a>
        </p>
      </main>
    </Shell>
  )
}

/** Something could not be done: a sentence, and the way on. */
export function Trouble({
  around,
  title,
  text,
  on,
}: {
  around: Surroundings
  title: string
  text: string
  on: readonly [label: string, path: string]
}): Html {
  return (
    <Shell title={title} around={around}>
      <main id="main" class="door">
        <h1>{title}</h1>
        <p>{text}</p>
        <p>
          <a class="button" href={on[1]}>
            {on[0]}
          </a>
        </p>
      </main>
    </Shell>
  )
}
