import { hostname } from '@deblox/actions/schemas'
import type { Dock } from '@deblox/fleet/docks'
import { shows, type View } from '@deblox/actions/access/decide'
import type { Fleet } from '@deblox/fleet/fleet'
import type { IndexedRow } from '@deblox/fleet/index'
import Joi from 'joi'
import { type Page, pageFields, readCursor, writeCursor } from '../page'
import type { Access } from '../access'
import type { Route } from '../route'

/** A row of the fleet-wide list. `stale`: its dock has not been heard of for a while, so this is the last known state. */
export interface ListedContainer extends IndexedRow {
  stale: boolean
}

/** Docks are read so many at a time, until the page is full. */
const docksAtOnce = 20

/** Lists the fleet's containers from the index: no dock is asked, so none can delay it. */
export function containerRoutes(fleet: Fleet, access: Access): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/containers',
      tag: 'containers',
      summary: 'List the containers of the whole fleet, sorted by dock and name',
      request: Joi.object({ dock: hostname.description('Only of this dock'), ...pageFields }),
      answers: { 200: 'Rows, and where the next page begins' },
      async handle({ dock, limit, cursor }, { identity }) {
        const view = await access.view(identity)
        const docks = dock === undefined ? await fleet.docks.list() : [await fleet.docks.get(dock as string)]
        return { status: 200, body: await listPage(fleet, docks, view, limit as number, cursor as string | undefined) }
      },
    },
  ]
}

async function listPage(
  fleet: Fleet,
  docks: Dock[],
  view: View | undefined,
  limit: number,
  cursor?: string,
): Promise<Page<ListedContainer>> {
  const [fromDock = '', fromName = '', fromId = ''] = cursor === undefined ? [] : readCursor(cursor, 3)
  const isAfter = (row: IndexedRow) => comparePositions([row.dock, row.name, row.id], [fromDock, fromName, fromId]) > 0
  const remaining = docks.filter(({ hostname }) => hostname >= fromDock)
  const found: ListedContainer[] = []
  for (let n = 0; n < remaining.length && found.length <= limit; n += docksAtOnce) {
    const some = remaining.slice(n, n + docksAtOnce)
    const rows = await fleet.index.rowsOf(some.map(({ hostname }) => hostname))
    for (const [d, dock] of some.entries()) {
      const sorted = (rows[d] ?? []).filter((row) => isAfter(row) && shows(view, row)).sort(byPosition)
      found.push(...sorted.map((row) => listed(row, dock)))
    }
  }
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return { items, nextCursor: found.length > limit && last ? writeCursor([last.dock, last.name, last.id]) : null }
}

/** A row was seen when it was written, and again by every full list since. */
function listed(row: IndexedRow, { state, listedAt }: Dock): ListedContainer {
  const observedAt = listedAt !== null && listedAt > row.observedAt ? listedAt : row.observedAt
  return { ...row, observedAt, stale: state === 'unreachable' }
}

const byPosition = (one: IndexedRow, other: IndexedRow): number =>
  comparePositions([one.dock, one.name, one.id], [other.dock, other.name, other.id])

function comparePositions(one: readonly string[], other: readonly string[]): number {
  for (const [n, part] of one.entries()) {
    const against = other[n] ?? ''
    if (part !== against) return part < against ? -1 : 1
  }
  return 0
}
