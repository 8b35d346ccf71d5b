import { useFleet } from '../../../test/support/fleet-on-redis'
import type { Quota } from './allowances'
import type { IndexedRow } from './index'
import { newJobId, payloadOf } from './job'
import { type Demand, quotasOf } from './quota'
import { completed, recordOn } from './testing/record'

const use = useFleet()
const quotas = () => quotasOf(use.redis(), use.fleet().keys, use.fleet().index)
const demand = (more: Partial<Demand> = {}): Demand => ({
  owner: 'anna',
  jobId: newJobId(),
  slots: 1,
  memory: 0,
  cpus: 0,
  ...more,
})
const reserve = (quota: Quota, more: Partial<Demand> = {}) => quotas().reserve(quota, demand(more))
const refused = { code: 'quota_exceeded', status: 403 }

const row = (n: number, labels: Record<string, string> = {}): IndexedRow => ({
  id: String(n).padStart(64, '0'),
  name: `web-${n}`,
  dock: 'dock-1',
  image: 'busybox',
  state: 'running',
  status: 'Up',
  owner: 'anna',
  labels,
  createdAt: '2026-01-01T00:00:00.000Z',
  observedAt: '2026-01-01T00:00:00.000Z',
})

const has = async (...rows: IndexedRow[]) => {
  await use.fleet().docks.register('dock-1')
  await use.fleet().index.write('dock-1', rows, [])
}

test('what is there counts, and others’ does not', async () => {
  await has(row(1), row(2))
  await reserve({ containers: 3 })
  await expect(reserve({ containers: 3 })).rejects.toMatchObject(refused)
  await reserve({ containers: 3 }, { owner: 'ben' })
})

test('of many that ask at once no more pass than there is room for', async () => {
  const asked = await Promise.allSettled(Array.from({ length: 20 }, () => reserve({ containers: 5 })))
  expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
})

test('instances count each', async () => {
  await expect(reserve({ containers: 3 }, { slots: 4 })).rejects.toMatchObject(refused)
  await reserve({ containers: 3 }, { slots: 3 })
})

test('a create that has ended no longer counts: what it made does', async () => {
  const { jobs, keys } = use.fleet()
  const record = recordOn(keys.replies('this'), { action: 'create-container' })
  await reserve({ containers: 1 }, { jobId: record.id })
  await jobs.accept({ record })
  await expect(reserve({ containers: 1 })).rejects.toMatchObject(refused)
  await jobs.finish(payloadOf(record, 1), completed(1))
  await reserve({ containers: 1 })
})

test('what ends while somebody asks counts: its container may not have been read', async () => {
  const { jobs, keys, index } = use.fleet()
  const record = recordOn(keys.replies('this'), { action: 'create-container' })
  await reserve({ memory: 10 }, { jobId: record.id, memory: 10, cpus: 0 })
  await jobs.accept({ record })
  // Between the reading of the rows and the decision.
  const late = { ...index, rowsOwnedBy: async () => (await jobs.finish(payloadOf(record, 1), completed(1)), []) }
  const asking = quotasOf(use.redis(), keys, late).reserve({ memory: 10 }, demand({ memory: 10 }))
  await expect(asking).rejects.toMatchObject(refused)
})

test('limits are summed up, and a container without one is refused where they are bounded', async () => {
  await has(row(1, { 'deblox.memory': '100', 'deblox.cpus': '0.5' }))
  const quota = { memory: 300, cpus: 2 }
  await expect(reserve(quota, { cpus: 1 })).rejects.toMatchObject({ message: expect.stringContaining('memory') })
  await expect(reserve(quota, { memory: 100 })).rejects.toMatchObject({ message: expect.stringContaining('cpus') })
  await expect(reserve(quota, { memory: 201, cpus: 0.1 })).rejects.toMatchObject({
    message: expect.stringContaining('got 100 that are there or on their way and 201 more'),
  })
  await expect(reserve(quota, { memory: 1, cpus: 1.6 })).rejects.toMatchObject({
    message: expect.stringContaining('got 0.5 that'),
  })
  await reserve(quota, { memory: 200, cpus: 1.5 })
  await expect(reserve(quota, { memory: 1, cpus: 0.1 })).rejects.toMatchObject(refused)
})

test('who is not bounded is not held up', async () => {
  await expect(reserve({}, { slots: 1000 })).resolves.toBeUndefined()
})
