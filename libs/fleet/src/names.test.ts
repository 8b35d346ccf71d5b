import fc from 'fast-check'
import { clusterTopic, counts, dockTopic, fleetKeys, times } from './names'

const keys = fleetKeys('deblox')

test('the names that other programs rely on are these', () => {
  expect(clusterTopic).toBe('deblox.docker')
  expect(dockTopic('app0126.example.com')).toBe('deblox.docker.app0126.example.com')
  expect(keys.docks).toBe('deblox:docks')
})

test('a topic’s name has no colon, which BullMQ would refuse', () => {
  expect(dockTopic('app0126.example.com')).not.toContain(':')
})

test('every key is below the prefix, and no two are the same', () => {
  const all = Object.values(keys).map((key) => (typeof key === 'string' ? key : key('a', 1)))
  expect(all.every((key) => key.startsWith('deblox:'))).toBe(true)
  expect(new Set(all).size).toBe(all.length)
})

test('keys of different docks, jobs and slots differ', () => {
  const hostname = fc.stringMatching(/^[a-z0-9.-]{1,20}$/)
  const slot = fc.record({ job: fc.uuid(), slot: fc.integer({ min: 1, max: 1000 }) })
  fc.assert(
    fc.property(hostname, hostname, slot, slot, (one, other, a, b) => {
      expect(keys.dock(one) === keys.dock(other)).toBe(one === other)
      expect(keys.placement(a.job, a.slot) === keys.placement(b.job, b.slot)).toBe(a.job === b.job && a.slot === b.slot)
    }),
  )
})

test('a worker that misses a few heartbeats keeps its lease, and a job its lock', () => {
  expect(times.lease).toBeGreaterThanOrEqual(3 * times.heartbeat)
  expect(times.jobLock).toBeGreaterThan(times.stalledCheck)
})

test('a claim and a key are remembered at least as long as what they protect', () => {
  expect(times.placement).toBeGreaterThanOrEqual(times.finishedJob)
  expect(times.finishedJob).toBeGreaterThanOrEqual(times.idempotency)
  expect(counts.finishedJobs).toBeGreaterThan(counts.finishedJobsPerTopic)
})
