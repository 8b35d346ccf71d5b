import type { StateReads, StreamEntry } from '@deblox/fleet/state-reads'
import type { Leases } from './leases'
import type { Entry } from './recent'
import { entriesOf, refresh, reload } from './refresh'
import { Tables } from './tables'

/** Thrown where changes are missing: all is to be read anew. */
export class Gap extends Error {}

/** So many docks are read at once. */
const docksAtOnce = 20

/** Rows with all changes up to that entry of the stream, and perhaps some after it. */
export interface Built {
  tables: Tables
  position: string
}

/**
 * All rows, or undefined where the signal has aborted. Those that were read last are newer than those that were read first: with all
 * changes after that position they are of one moment.
 */
export async function build(reads: StateReads, leases: Leases, signal: AbortSignal): Promise<Built | undefined> {
  const tables = new Tables()
  const position = await reads.begin()
  await leases.look()
  const docks = leases.hostnames.sort()
  for (let n = 0; n < docks.length; n += docksAtOnce) {
    await reload(reads, tables, docks.slice(n, n + docksAtOnce))
    if (signal.aborted) return undefined
  }
  return { tables, position }
}

/** Takes into the tables what was found after a position. Throws `Gap` where something is missing between them. */
export async function take(
  reads: StateReads,
  { tables, position }: Built,
  found: readonly StreamEntry[],
): Promise<Entry[]> {
  const entries = entriesOf(found)
  const changes = entries.flatMap(({ change }) => change ?? [])
  const [has] = await Promise.all([reads.has(position), refresh(reads, tables, changes)])
  if (!has) throw new Gap(`expected to go on after ${position}, got a stream without it`)
  return entries
}
