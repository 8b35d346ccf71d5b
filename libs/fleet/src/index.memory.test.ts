import { createHash } from 'node:crypto'
import { useFleet } from '../../../test/support/fleet-on-redis'
import type { IndexedRow } from './index'

const use = useFleet()

const [docks, each] = [100, 100]

/** A container as Deblox makes it for somebody, with a check, a port and a label of his own. */
const rowOf = (dock: string, n: number): IndexedRow => ({
  id: createHash('sha256').update(`${dock} ${n}`).digest('hex'),
  name: `${dock.slice(0, 7)}-frontend-${n}`,
  dock,
  image: 'registry.example.com/team/application:2026-11-01',
  state: 'running',
  status: 'Up 3 days (healthy)',
  owner: `someone-${n % 10}@example.com`,
  labels: {
    'deblox.job': '01997e6a-3f52-7cc1-a0d5-5f2b8c1d9e04',
    'deblox.slot': '1',
    'deblox.epoch': '1',
    'deblox.owner': `someone-${n % 10}@example.com`,
    'deblox.sig': createHash('sha256').update(`proof ${n}`).digest('base64url'),
    team: 'shop',
  },
  createdAt: '2026-01-01T00:00:00.000Z',
  health: 'healthy',
  ports: ['0.0.0.0:8080->80/tcp'],
  observedAt: '2026-01-01T00:00:00.000Z',
})

test('a container takes less than 1 KB of Redis, with all that finds it', async () => {
  const { index, docks: known, keys } = use.fleet()
  const hosts = Array.from({ length: docks }, (_, n) => `dock-${n}.example.com`)
  for (const host of hosts) await known.register(host)
  const before = await used()
  for (const host of hosts) {
    const rows = Array.from({ length: each }, (_, n) => rowOf(host, n))
    await index.write(host, rows, [], true)
  }
  const changes = await use.redis().memory('USAGE', keys.changes)
  const bytes = (await used()) - before - Number(changes)
  expect(bytes / docks / each).toBeLessThan(1_000)
  // They are as many in a larger fleet.
  expect(Number(changes)).toBeLessThan(16 * 2 ** 20)
})

async function used(): Promise<number> {
  const info = await use.redis().info('memory')
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  return field('used_memory') - field('mem_clients_normal') - field('mem_not_counted_for_evict')
}
