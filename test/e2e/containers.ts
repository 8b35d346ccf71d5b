import { eventually } from '../support/eventually'
import type { Fleet } from '../support/fleet'

/** A container as a create answers it. */
export interface Made {
  id: string
  name: string
  dock: string
  slot: number
}

/** Makes one container of busybox over REST, with further fields of the body where given. */
export async function create(fleet: Fleet, fields: object = {}, api = fleet.api): Promise<Made> {
  const { status, body } = await fleet.request(api, 'POST', '/v1/containers', { image: 'busybox', ...fields })
  expect({ status, body }).toMatchObject({ status: 201, body: { containers: expect.anything() } })
  const [made] = (body as { containers: [Made] }).containers
  return made
}

/** What Docker itself says of it. */
export async function inspect(fleet: Fleet, { id, dock }: Pick<Made, 'id' | 'dock'>) {
  return fleet.dock(dock).engine.docker.getContainer(id).inspect()
}

/** How many containers each dock has, by the engines' own word. */
export async function countByDock(fleet: Fleet): Promise<Record<string, number>> {
  const counts = fleet.docks.map(({ hostname }): [string, number] => [hostname, 0])
  const byDock = Object.fromEntries(counts)
  for (const { dock } of await fleet.census()) byDock[dock] = (byDock[dock] ?? 0) + 1
  return byDock
}

/** A row of the fleet-wide list, from the index. */
export interface Row {
  id: string
  name: string
  dock: string
  state: string
  stale: boolean
  observedAt: string
}

/** The rows of the fleet-wide list, all pages. */
export async function listed(fleet: Fleet, query = '', api = fleet.api): Promise<Row[]> {
  const rows: Row[] = []
  for (let cursor = ''; ;) {
    const { status, body } = await fleet.request(api, 'GET', `/v1/containers?limit=1000${query}${cursor}`)
    expect(status).toBe(200)
    rows.push(...(body.items as Row[]))
    if (body.nextCursor === null) return rows
    cursor = `&cursor=${encodeURIComponent(String(body.nextCursor))}`
  }
}

/** Waits until the index says of every container what the engines themselves say of it. */
export async function indexAgrees(fleet: Fleet, within = 1_000): Promise<void> {
  const tell = ({ id, name, dock, state }: { id: string; name: string; dock: string; state: string }) =>
    `${dock} ${id} ${name} ${state}`
  const look = async () => {
    const [rows, census] = await Promise.all([listed(fleet), fleet.census()])
    expect(rows.map(tell).sort()).toEqual(census.map(tell).sort())
  }
  await eventually(look, undefined, { within, what: 'the index says what the engines say' })
}
