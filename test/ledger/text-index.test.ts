import { expect, test } from 'vitest'
import { TextIndex } from '../../src/ledger/text-index.js'

const indexOf = (texts: readonly string[]): TextIndex => {
  const index = new TextIndex()
  for (const text of texts) index.add(text)
  index.close()
  return index
}

test('every text is found where it was added, however many there are', () => {
  for (const count of [1, 2, 3, 100, 1_023, 1_024, 5_000]) {
    const texts = Array.from({ length: count }, (_, n) => `key_${n * 7_919}`)
    const index = indexOf(texts)
    for (const [place, text] of texts.entries()) expect(index.places(text)).toContain(place)
  }
})

test('a text that was not added is nowhere, but for a rare one with the hash of another', () => {
  const index = indexOf(Array.from({ length: 5_000 }, (_, n) => `key_${n}`))
  const wrong = Array.from({ length: 5_000 }, (_, n) => index.places(`other ${n}`).length)
  expect(wrong.filter((places) => places > 0).length).toBeLessThan(3)
})

test('texts that end alike are all named, for whoever asks to tell apart', () => {
  const index = indexOf(['a/same sixteen chars', 'between', 'b/same sixteen chars', ''])
  expect(index.places('b/same sixteen chars')).toEqual([0, 2])
  expect(index.places('')).toEqual([3])
})

test('nothing is found in an empty one, nor before it is closed', () => {
  expect(indexOf([]).places('key_1')).toEqual([])
  const open = new TextIndex()
  open.add('key_1')
  expect(open.places('key_1')).toEqual([])
})
