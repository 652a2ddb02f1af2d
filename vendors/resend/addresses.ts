// One mailbox a string, so that what we count is what is mailed. Quoting, comments, groups, routes and comma lists
// are left out of RFC 5322: every one of them has been read as two different addresses by two parsers.
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const BARE = new RegExp(`^[A-Za-z0-9_+'&=~-]+(?:\\.[A-Za-z0-9_+'&=~-]+)*@${LABEL}(?:\\.${LABEL})+$`)
const NAME = String.raw`[^<>@,;:"()[\]\\\p{C}\p{Zl}\p{Zp}]{1,200}`
const NAMED = new RegExp(`^(?:${NAME}|"${NAME}") <([^<> ]+)>$`, 'u')
const ADDRESS_CHARS_MAX = 254
const LOCAL_CHARS_MAX = 64

/** The bare address of `a@b.c` or `Name <a@b.c>`, in lower case. Null when the text is anything else. */
export function mailbox(text: string): string | null {
  const bare = NAMED.exec(text)?.[1] ?? text
  if (bare.length > ADDRESS_CHARS_MAX || bare.indexOf('@') > LOCAL_CHARS_MAX || !BARE.test(bare)) return null
  return bare.toLowerCase()
}
