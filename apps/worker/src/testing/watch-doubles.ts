import type { IndexedRow, ListedKind } from '@deblox/fleet/index'

/** A double that believes every label but that of mallory, and has given one container away. */
export const away = new Set<string>()
export const owners = {
  ownerOf: (id: string, labels: Record<string, string>) => {
    if (away.has(id)) return 'ben'
    const told = labels['deblox.owner'] ?? null
    return told === 'mallory' ? null : told
  },
  givenAway: () => [...away],
  forget: async (ids: readonly string[]) => ids.forEach((id) => away.delete(id)),
}

/** A double of the fleet index in this process: the rows of one dock, and what was written, in order. */
export class IndexDouble {
  readonly kept = new Map<string, IndexedRow>()
  readonly writes: { rows: string[]; gone: string[]; full: boolean }[] = []
  /** The lists of images, volumes and networks that were written, in order. */
  readonly settled: { kind: ListedKind; rows: object[]; complete: boolean }[] = []
  fails = 0

  async rows(): Promise<IndexedRow[]> {
    return [...this.kept.values()]
  }

  async idsOf(): Promise<string[]> {
    return [...this.kept.keys()]
  }

  async write(_hostname: string, rows: IndexedRow[], gone: string[], full = false): Promise<boolean> {
    if (this.fails-- > 0) throw new Error('Redis is away')
    for (const row of rows) this.kept.set(row.id, row)
    for (const one of gone) this.kept.delete(one)
    this.writes.push({ rows: rows.map((row) => row.id), gone, full })
    return true
  }

  async settle(kind: ListedKind, _hostname: string, rows: object[], complete: boolean): Promise<boolean> {
    this.settled.push({ kind, rows, complete })
    return true
  }
}
