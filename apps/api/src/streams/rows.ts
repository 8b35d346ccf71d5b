import type { IndexedRow } from '@deblox/fleet/index'
import type { FleetCopy } from '../live/fleet-copy'

/** Finds containers in this replica's copy, as they are at that moment. Throws `redis_unavailable`. */
export const rowsIn =
  (copy: FleetCopy) =>
  async (matches: (row: IndexedRow) => boolean): Promise<IndexedRow[]> => {
    const tables = await copy.settled()
    return tables.docks.flatMap((dock) => [...tables.rows('container', dock)].filter(matches))
  }
