import type { Fleet } from '@deblox/fleet/fleet'
import type { IndexedRow } from '@deblox/fleet/index'
import { newJobId } from '@deblox/fleet/job'

/** A row of the index as long as they usually are; ids of other `n` begin differently, as real ones do. */
export const indexRow = (dock: string, n: number): IndexedRow => ({
  id: (n * 2_654_435_761).toString(16).padStart(16, '0').slice(-8).padEnd(64, n.toString(16).padStart(8, '0')),
  name: `shop-frontend-${n}`,
  dock,
  image: 'registry.example.com/team/application:2026-11-01',
  state: 'running',
  status: 'Up 3 days',
  owner: 'someone',
  labels: {
    'deblox.job': newJobId(),
    'deblox.slot': '1',
    'deblox.epoch': '1',
    'deblox.owner': 'someone',
    team: 'shop',
  },
  createdAt: new Date(1_700_000_000_000 + n * 61_000).toISOString(),
  observedAt: '2026-01-01T00:00:00.000Z',
})

/** In bytes: without the buffers of connections, and when what was unlinked has been freed. */
export async function usedMemory({ redis }: Pick<Fleet, 'redis'>): Promise<number> {
  for (let last = -1; ;) {
    const info = await redis.info('memory')
    const field = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0)
    const used = field('used_memory') - field('mem_clients_normal') - field('mem_not_counted_for_evict')
    if (field('lazyfree_pending_objects') === 0 && Math.abs(used - last) < 4_096) return used
    last = used
  }
}
