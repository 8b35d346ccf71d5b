import { type Change, parseChange } from '@deblox/fleet/changes'
import type { ObjectKind, Place } from '@deblox/fleet/objects'
import type { StateReads, StreamEntry } from '@deblox/fleet/state-reads'
import type { Entry } from './recent'
import type { Tables } from './tables'

type Reads = Pick<StateReads, 'registered' | 'rowsOf' | 'rowsAt'>

export const entriesOf = (found: readonly StreamEntry[]): Entry[] =>
  found.map((entry) => ({ id: entry[0], change: parseChange(entry) }))

/**
 * Brings up to date what changes speak of. What they say of it is not believed: every dock may write to the stream, but only a
 * dock itself to its own rows, and so they are read where they stand. So it does not matter either how often, in which order or how
 * late a change is taken.
 */
export async function refresh(reads: Reads, tables: Tables, changes: readonly Change[]): Promise<void> {
  const whole = new Set<string>()
  const places = new Map<string, { kind: ObjectKind; place: Place }>()
  for (const { kind, op, dock, object } of changes) {
    if (kind === 'job') continue
    if (!tables.knows(dock) || (kind === 'dock' && op === 'gone')) whole.add(dock)
    else if (kind !== 'dock') places.set(`${kind} ${dock} ${object}`, { kind, place: { dock, id: object } })
  }
  const [found] = await Promise.all([reads.rowsAt([...places.values()]), reload(reads, tables, [...whole])])
  for (const row of found) tables.set(row)
}

/** Reads all of these docks anew: what is not registered goes. */
export async function reload(reads: Reads, tables: Tables, docks: readonly string[]): Promise<void> {
  if (docks.length === 0) return
  const [registered, rows] = await Promise.all([reads.registered(docks), reads.rowsOf(docks)])
  for (const [n, dock] of docks.entries()) {
    const found = rows[n]
    if (registered[n] && found) tables.put(dock, found)
    else if (tables.knows(dock)) tables.drop(dock)
  }
}
