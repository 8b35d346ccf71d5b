/** After so long the same id has not come again because Redis was told twice, in milliseconds. */
const justMs = 10_000

/** Ids that were seen, until they would be refused for their age. */
export class SeenIds {
  /** Oldest first. */
  private readonly ids = new Map<string, { at: number; until: number }>()

  get size(): number {
    return this.ids.size
  }

  /** Notes an id, until that time; tells whether it was noted before. Times are in milliseconds. */
  add(id: string, now: number, until: number): 'just now' | 'long ago' | 'never' {
    this.forget(now)
    const known = this.ids.get(id)
    if (known) return now - known.at < justMs ? 'just now' : 'long ago'
    this.ids.set(id, { at: now, until })
    return 'never'
  }

  private forget(now: number): void {
    for (const [id, { until }] of this.ids) {
      if (until >= now) return
      this.ids.delete(id)
    }
  }
}
