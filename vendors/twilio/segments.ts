// The GSM 03.38 basic alphabet without the escape character, as in Twilio's sms-segments-calculator 1.3.0 (2026-09-04).
const GSM_BASIC = new Set([
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 \n\r',
  ...'@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!"#¤%&\'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà',
])
/** Reached through the escape character, so each takes two septets, which stay in one part. */
const GSM_EXTENDED = new Set('\f[\\]^{|}~€')

/** The longest body Twilio takes, in characters. */
export const BODY_CHARS_MAX = 1600

/** Parts of the dearest text of BODY_CHARS_MAX UTF-16 units: pairs of units leave one unit of every part empty. */
export const SEGMENTS_MAX = countUnits(
  Array.from({ length: BODY_CHARS_MAX / 2 }, () => 2),
  70,
  67,
)

/**
 * How many SMS parts a text takes: GSM-7 when every character allows it (160 septets, or 153 a part), else UCS-2 (70
 * units, or 67 a part).
 */
export function countSegments(text: string): number {
  const septets = septetsOf(text)
  if (septets !== null) return countUnits(septets, 160, 153)
  return countUnits(
    Array.from(text, (character) => character.length),
    70,
    67,
  )
}

/**
 * The same when Twilio may replace look-alikes first (`SmartEncoded`, or the default of a messaging service). Mostly
 * that shortens a message, but `…` becomes three characters and a tab seven, so neither reading alone is a bound.
 */
export const countSegmentsSmart = (text: string): number =>
  Math.max(
    countSegments(text),
    countSegments(text.replace(GROWS, (character) => 'x'.repeat(GROWN.get(character) ?? 2))),
  )

// Replacements that lengthen, from the table in sms-segments-calculator 1.3.0; all others keep or drop a character.
const GROWN = new Map([
  ['\t', 7],
  ['¼', 3],
  ['½', 3],
  ['¾', 3],
  ['\u2026', 3],
])
const GROWS = /[\t¼½¾\u2026\u203c\u00a0\u2000-\u200a\u202f\u205f\u3000\u0080\u008d\u0090\u009b\u009f]/g

function septetsOf(text: string): number[] | null {
  const septets: number[] = []
  for (const character of text) {
    if (GSM_BASIC.has(character)) septets.push(1)
    else if (GSM_EXTENDED.has(character)) septets.push(2)
    else return null
  }
  return septets
}

/** Fills parts greedily with characters that may not be split. An empty text is one part. */
function countUnits(sizes: readonly number[], single: number, part: number): number {
  if (sizes.reduce((sum, size) => sum + size, 0) <= single) return 1
  let parts = 1
  let free = part
  for (const size of sizes) {
    if (size > free) {
      parts++
      free = part
    }
    free -= size
  }
  return parts
}
