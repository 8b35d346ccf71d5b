import type { Tables } from './tables'
import type { IndexedObjects, ObjectKind } from '@deblox/fleet/objects'

/** What a list of one kind of rows can be asked for. */
export interface Listing<Kind extends ObjectKind> {
  kind: Kind
  /** What a row is called: after what it is sorted by, docks, names and ids decide. */
  name: (row: IndexedObjects[Kind]) => string
  id: (row: IndexedObjects[Kind]) => string
  /** By what it can be sorted, as text. */
  sorts: Record<string, (row: IndexedObjects[Kind]) => string>
  /** What can be counted; null where a row has none of it. */
  facets: Record<string, (row: IndexedObjects[Kind]) => string | null>
}

/** Something that a row must be. */
export interface Filter<Row> {
  /** What it filters by, where that is a facet. */
  facet?: string
  passes: (row: Row) => boolean
}

/** Where a page ends: what the last row is sorted by, and its dock, name and id. */
export type Position = readonly [value: string, dock: string, name: string, id: string]

export interface Ask<Row> {
  /** A name of `sorts`. */
  sort: string
  descending: boolean
  limit: number
  after?: Position
  /** Only of these docks. */
  docks?: readonly string[]
  /** Whether the caller may see it: what he may not is neither listed nor counted. */
  sees: (row: Row) => boolean
  filters: readonly Filter<Row>[]
  facets: readonly string[]
}

export interface Count {
  value: string | null
  count: number
}

export interface Listed<Row> {
  rows: Row[]
  /** Where the next page begins, or null at the end. */
  next: Position | null
  /** The values that occur among the rows that pass all filters but those by the same facet: the most frequent ones first. */
  facets: Record<string, Count[]>
}

/** Of a facet so many values are told. */
const maxValues = 1_000

/** A text of a hostile dock may be as long as it likes: so much of it counts where rows are put in order. */
const maxCompared = 256

/** One page of rows: one pass over them, and no more of them kept than the page has. */
export function list<Kind extends ObjectKind>(
  tables: Tables,
  listing: Listing<Kind>,
  ask: Ask<IndexedObjects[Kind]>,
): Listed<IndexedObjects[Kind]> {
  type Row = IndexedObjects[Kind]
  const { kind } = listing
  const { limit, after, filters, sees, descending } = ask
  const order = orderOf(listing, ask)
  const counters = ask.facets.map((name) => new Counter(name, listing.facets[name] ?? (() => null)))
  const byDock = ask.sort === 'dock' && counters.length === 0
  const page: Row[] = []
  const docks = ask.docks ?? tables.docks

  for (const dock of byDock && descending ? docks.toReversed() : docks) {
    // Later docks have nothing that comes before what was found.
    if (byDock && page.length > limit) break
    // Nor have those before the page's beginning.
    if (byDock && after && (descending ? dock > after[1] : dock < after[1])) continue
    for (const row of tables.rows(kind, dock)) {
      if (!sees(row)) continue
      const failed = failing(filters, row)
      if (failed === 'several') continue
      for (const counter of counters) if (!failed || failed.facet === counter.name) counter.add(row)
      if (failed || (after && order.compareTo(after, row) >= 0)) continue
      insert(page, row, limit + 1, order.compare)
    }
  }
  const rows = page.slice(0, limit)
  const last = rows.at(-1)
  return {
    rows,
    next: page.length > limit && last ? order.position(last) : null,
    facets: Object.fromEntries(counters.map((counter) => [counter.name, counter.mostFrequent()])),
  }
}

/** The filter that a row does not pass, where it is one; `several` where the row does not count anywhere. */
function failing<Row>(filters: readonly Filter<Row>[], row: Row): Filter<Row> | 'several' | undefined {
  let failed: Filter<Row> | undefined
  for (const filter of filters) {
    if (filter.passes(row)) continue
    if (failed) return 'several'
    failed = filter
  }
  return failed
}

function orderOf<Kind extends ObjectKind>(listing: Listing<Kind>, { sort, descending }: Ask<IndexedObjects[Kind]>) {
  type Row = IndexedObjects[Kind]
  const value = listing.sorts[sort] ?? (() => '')
  const way = descending ? -1 : 1
  const compareText = (one: string, other: string): number => {
    if (one === other) return 0
    return cut(one) < cut(other) ? -1 : cut(one) === cut(other) ? 0 : 1
  }
  return {
    position: (row: Row): Position => [cut(value(row)), row.dock, cut(listing.name(row)), cut(listing.id(row))],
    compare: (one: Row, other: Row): number =>
      way * compareText(value(one), value(other)) ||
      compareText(one.dock, other.dock) ||
      compareText(listing.name(one), listing.name(other)) ||
      compareText(listing.id(one), listing.id(other)),
    compareTo: ([text, dock, name, id]: Position, row: Row): number =>
      way * compareText(text, value(row)) ||
      compareText(dock, row.dock) ||
      compareText(name, listing.name(row)) ||
      compareText(id, listing.id(row)),
  }
}

const cut = (text: string): string => (text.length > maxCompared ? text.slice(0, maxCompared) : text)

/** Puts a row in its place among the first ones; beyond `most` the last one goes. */
function insert<Row>(sorted: Row[], row: Row, most: number, compare: (one: Row, other: Row) => number): void {
  const last = sorted.at(-1)
  if (sorted.length >= most && last !== undefined && compare(row, last) >= 0) return
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(row, sorted[middle] as Row) < 0) high = middle
    else low = middle + 1
  }
  sorted.splice(low, 0, row)
  if (sorted.length > most) sorted.pop()
}

/** How often each value of a facet occurs. */
class Counter<Row> {
  private readonly counts = new Map<string | null, Count>()

  constructor(
    readonly name: string,
    private readonly valueOf: (row: Row) => string | null,
  ) {}

  add(row: Row): void {
    const value = this.valueOf(row)
    const known = this.counts.get(value)
    if (known) known.count++
    else this.counts.set(value, { value, count: 1 })
  }

  mostFrequent(): Count[] {
    const byCount = (one: Count, other: Count) =>
      other.count - one.count || (String(one.value) < String(other.value) ? -1 : 1)
    return [...this.counts.values()].sort(byCount).slice(0, maxValues)
  }
}
