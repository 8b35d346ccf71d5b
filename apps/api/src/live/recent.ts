import { type Change, compareChangeIds } from '@deblox/fleet/changes'

/** The changes after some entry, and the id of the last entry that was looked at. */
export interface Passage {
  changes: Change[]
  last: string
}

/** An entry of the stream: what is no change has its place, too. */
export interface Entry {
  id: string
  change: Change | undefined
}

/** So many entries are kept, so that those who follow need not ask Redis for them. */
const kept = 1_000

/** The last entries of the stream of changes. */
export class RecentChanges {
  private entries: Entry[] = []
  /** The entry before the first of them. */
  private before = ''

  get last(): string {
    return this.entries.at(-1)?.id ?? this.before
  }

  /** Begins behind that entry, without any. */
  reset(id: string): void {
    this.entries = []
    this.before = id
  }

  push(entries: readonly Entry[]): void {
    this.entries.push(...entries)
    // Not one at a time: each time all the others would be moved.
    if (this.entries.length < 2 * kept) return
    const gone = this.entries.splice(0, this.entries.length - kept)
    this.before = gone.at(-1)?.id ?? this.before
  }

  /** So many of the entries after that one, or undefined where it is none of them: then it is not known here what came after it. */
  after(id: string, most: number): Passage | undefined {
    let [low, high] = [0, this.entries.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareChangeIds((this.entries[middle] as Entry).id, id) > 0) high = middle
      else low = middle + 1
    }
    if (id === '' || id !== (this.entries[low - 1]?.id ?? this.before)) return undefined
    const found = this.entries.slice(low, low + most)
    return { changes: found.flatMap(({ change }) => change ?? []), last: found.at(-1)?.id ?? id }
  }
}
