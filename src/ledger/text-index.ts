/**
 * Where each of many texts is, without the texts: by a hash of each. Other texts may have the same one, so whoever asks
 * compares. Eight bytes a text and two places for each, where a Map of a hundred thousand takes as long to fill as reading them.
 */
export class TextIndex {
  /** By place. */
  #hashes: number[] | Int32Array = []
  /** Places, each at its hash or the next slot that was free; -1 for none. At most half of them are taken. */
  #slots = new Int32Array(1).fill(-1)

  /** The next place. */
  add(text: string): void {
    ;(this.#hashes as number[]).push(hashOf(text))
  }

  /** No more come. */
  close(): void {
    this.#hashes = Int32Array.from(this.#hashes)
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * this.#hashes.length + 1))).fill(-1)
    const mask = this.#slots.length - 1
    for (let place = 0; place < this.#hashes.length; place++) {
      let slot = this.#hashes[place]! & mask
      while (this.#slots[slot] !== -1) slot = (slot + 1) & mask
      this.#slots[slot] = place
    }
  }

  /** Where it may be: nearly always one place or none. */
  places(text: string): number[] {
    const found: number[] = []
    const hash = hashOf(text)
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; this.#slots[slot] !== -1; slot = (slot + 1) & mask) {
      const place = this.#slots[slot]!
      if (this.#hashes[place] === hash) found.push(place)
    }
    return found
  }
}

/** Ids and digests end in what nobody chose, so this much of them tells them apart, and hashing all takes four times as long. */
const HASHED_CHARS = 16

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = Math.max(0, text.length - HASHED_CHARS); at < text.length; at++)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash ^ (hash >>> 15)
}
