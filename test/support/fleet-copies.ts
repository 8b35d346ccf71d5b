import type { Fleet } from '@deblox/fleet/fleet'
import type { IndexedObjects, IndexedRow } from '@deblox/fleet/objects'
import { type CopyOptions, FleetCopy } from '../../apps/api/src/live/fleet-copy'
import { listRoutes } from '../../apps/api/src/routes/lists'
import type { Route } from '../../apps/api/src/route'
import { type Asker, caller } from '../../apps/api/src/testing/desk-double'
import { useFleet } from './fleet-on-redis'

export const fullIdOf = (n: number): string => n.toString(16).padStart(8, '0').padEnd(64, '0')

const at = '2026-01-01T00:00:00.000Z'

/** A container's row as a worker writes it. */
export const rowOf = (dock: string, n: number, more: Partial<IndexedRow> = {}): IndexedRow => ({
  id: fullIdOf(n),
  name: `web-${n}`,
  dock,
  image: 'busybox',
  state: 'running',
  status: 'Up 3 minutes',
  owner: 'anna',
  labels: {},
  createdAt: at,
  observedAt: at,
  ...more,
})

export const imageOf = (dock: string, n: number, tags: string[] = []): IndexedObjects['image'] => ({
  id: `sha256:${fullIdOf(n)}`,
  dock,
  tags,
  digests: [],
  size: 1_000 * n,
  createdAt: at,
  observedAt: at,
})

export const volumeOf = (dock: string, name: string, labels = {}): IndexedObjects['volume'] => ({
  name,
  dock,
  driver: 'local',
  scope: 'local',
  labels,
  createdAt: at,
  observedAt: at,
})

export const networkOf = (dock: string, n: number, name: string): IndexedObjects['network'] => ({
  id: fullIdOf(n),
  name,
  dock,
  driver: 'bridge',
  scope: 'local',
  internal: false,
  labels: {},
  createdAt: at,
  observedAt: at,
})

/** Copies of a fleet on a real Redis, as so many API replicas have them; those that a test has begun end with it. */
export function useCopies() {
  const use = useFleet()
  let copies: FleetCopy[] = []

  afterEach(() => {
    for (const copy of copies) copy.stop()
    copies = []
  })

  async function begin(more: Partial<CopyOptions> = {}): Promise<FleetCopy> {
    const copy = new FleetCopy({ fleet: use.fleet(), url: use.server().url, onError: () => undefined, ...more })
    copies.push(copy)
    await copy.start()
    return copy
  }

  /** Registers docks, each with so many containers. */
  async function docksWith(count: number, ...hostnames: string[]): Promise<void> {
    for (const [d, hostname] of hostnames.entries()) {
      await use.fleet().docks.register(hostname)
      const rows = Array.from({ length: count }, (_, n) => rowOf(hostname, 1 + d * count + n))
      if (count > 0) await use.fleet().index.write(hostname, rows, [], true)
    }
  }

  /** A copy of a fleet that has these containers. */
  async function copyOf(rows: readonly IndexedRow[]): Promise<FleetCopy> {
    for (const dock of new Set(rows.map((row) => row.dock))) {
      await docksWith(0, dock)
      const its = rows.filter((row) => row.dock === dock)
      await use.fleet().index.write(dock, its, [])
    }
    return begin()
  }
  return { use, begin, docksWith, copyOf, fleet: (): Fleet => use.fleet() }
}

export interface ListPage {
  items: (Record<string, unknown> & { id: string; name: string; dock: string; stale: boolean })[]
  nextCursor: string | null
  facets?: Record<string, { value: string | null; count: number }[]>
}

/** Asks a list as its route would after validation. */
export async function askList(
  copy: FleetCopy,
  query: Record<string, unknown> = {},
  { who = {}, path = '/v1/containers', view = async () => undefined }: AskOptions = {},
): Promise<ListPage> {
  const route = listRoutes(copy, { view }).find((one) => one.path === path) as Route
  const { value, error } = route.request.validate(query)
  if (error) throw error
  const { body } = await route.handle(value as Record<string, unknown>, caller(who))
  return JSON.parse(body as string) as ListPage
}

interface AskOptions {
  who?: Asker
  path?: string
  view?: Parameters<typeof listRoutes>[1]['view']
}

/** What a copy has of a kind, and what Redis itself has, to be compared. */
export async function contents(copy: FleetCopy): Promise<unknown[]> {
  const tables = await copy.settled()
  return tables.docks.flatMap((dock) => [...tables.rows('container', dock)].map((row) => ({ ...row }))).sort(byId)
}

export async function contentsOfRedis({ docks, index }: Fleet): Promise<unknown[]> {
  return (await index.rowsOf(await docks.names())).flat().sort(byId)
}

const byId = (one: { id: string; dock: string }, other: { id: string; dock: string }): number =>
  `${one.dock} ${one.id}` < `${other.dock} ${other.id}` ? -1 : 1
