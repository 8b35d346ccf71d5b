import { labelNames } from '@deblox/actions/made'
import type { IndexedObjects, ObjectKind } from '@deblox/fleet/objects'
import { type DockRows, objectKinds, type RowAt } from '@deblox/fleet/state-reads'

type Table<Kind extends ObjectKind> = Map<string, Map<string, IndexedObjects[Kind]>>

/** Texts that many rows share are kept once; so many different ones at the most. */
const maxShared = 50_000

/** The rows of all registered docks, by kind, dock and id. */
export class Tables {
  private readonly tables: { [Kind in ObjectKind]: Table<Kind> } = {
    container: new Map(),
    image: new Map(),
    volume: new Map(),
    network: new Map(),
  }
  private readonly shared = new Map<string, string>()
  private sorted: readonly string[] | undefined

  /** The host names of the docks that are in it, sorted. */
  get docks(): readonly string[] {
    return (this.sorted ??= [...this.tables.container.keys()].sort())
  }

  knows(dock: string): boolean {
    return this.tables.container.has(dock)
  }

  /** The rows of one dock, in no order. */
  rows<Kind extends ObjectKind>(kind: Kind, dock: string): Iterable<IndexedObjects[Kind]> {
    return this.tables[kind].get(dock)?.values() ?? []
  }

  row<Kind extends ObjectKind>(kind: Kind, dock: string, id: string): IndexedObjects[Kind] | undefined {
    return this.tables[kind].get(dock)?.get(id)
  }

  count(kind: ObjectKind): number {
    let all = 0
    for (const rows of this.tables[kind].values()) all += rows.size
    return all
  }

  /** All that a dock has, in place of what was known of it. */
  put(dock: string, rows: DockRows): void {
    if (!this.knows(dock)) this.sorted = undefined
    for (const kind of objectKinds) this.fill(kind, dock, rows[kind])
  }

  drop(dock: string): void {
    for (const kind of objectKinds) this.tables[kind].delete(dock)
    this.sorted = undefined
  }

  /** One row as it is now. Of a dock that is not known nothing is taken: it is put in as a whole. */
  set({ kind, place: { dock, id }, row }: RowAt): void {
    const rows = this.tables[kind].get(dock) as Map<string, unknown> | undefined
    if (!rows) return
    if (row === undefined) rows.delete(id)
    else rows.set(id, this.slim(row))
  }

  private fill<Kind extends ObjectKind>(kind: Kind, dock: string, rows: readonly IndexedObjects[Kind][]): void {
    const named = rows.map((row): [string, IndexedObjects[Kind]] => ['id' in row ? row.id : row.name, this.slim(row)])
    const table: Table<Kind> = this.tables[kind]
    table.set(dock, new Map(named))
  }

  /** The row, with the texts that it shares with others. It was parsed just now and is nobody else's. */
  private slim<Row extends object>(row: Row): Row {
    const fields = row as Record<string, unknown>
    for (const name of ['dock', 'image', 'owner', 'driver', 'status', 'observedAt']) {
      const value = fields[name]
      if (typeof value === 'string') fields[name] = this.share(value)
    }
    const labels = fields['labels'] as Record<string, string> | undefined
    for (const [name, value] of Object.entries(labels ?? {})) {
      // A job has few containers, and very many jobs there are.
      if (labels && name !== labelNames.job) labels[name] = this.share(value)
    }
    return row
  }

  private share(text: string): string {
    const known = this.shared.get(text)
    if (known !== undefined) return known
    if (this.shared.size >= maxShared) this.shared.clear()
    this.shared.set(text, text)
    return text
  }
}
