import type { Docks } from '@deblox/fleet/docks'
import { times } from '@deblox/fleet/names'
import { Lease } from './lease'

/**
 * A double of the fleet's leases in this process: one lease that ends by a clock of its own, as Redis's does.
 * How Redis itself keeps it is what the tests of docks.ts are for.
 */
function leasesDouble() {
  const clock = { now: 1_000_000 }
  let holder: { incarnation: string; until: number } | undefined
  const alive = () => (holder && holder.until > clock.now ? holder : undefined)
  const docks = {
    async acquireLease(_hostname: string, incarnation: string) {
      const other = alive()
      if (other) return { acquired: false, heldForMs: other.until - clock.now }
      holder = { incarnation, until: clock.now + times.lease }
      return { acquired: true, heldForMs: times.lease }
    },
    async heartbeat(_hostname: string, incarnation: string) {
      const held = alive()?.incarnation === incarnation
      if (held) holder = { incarnation, until: clock.now + times.lease }
      return { held, registered: true, drain: false }
    },
    async releaseLease(_hostname: string, incarnation: string) {
      if (holder?.incarnation === incarnation) holder = undefined
    },
  }
  const leaseOf = (incarnation: string) => new Lease(docks as unknown as Docks, 'dock-1', incarnation, () => clock.now)
  return { clock, docks, leaseOf }
}

/** Waiting that passes time on the double's clock, and lets others do something meanwhile; an hour is for ever. */
function passing(clock: { now: number }, meanwhile: () => unknown = () => {}) {
  const end = clock.now + 3_600_000
  return jest.fn(async (ms: number) => {
    clock.now += ms
    if (clock.now > end) throw new Error('waited for ever')
    await meanwhile()
  })
}

test('is not held before it is acquired', () => {
  expect(leasesDouble().leaseOf('a').isHeld()).toBe(false)
})

test('is acquired at once where it is free, and ends here before it ends in Redis', async () => {
  const { clock, leaseOf } = leasesDouble()
  const lease = leaseOf('a')
  const wait = passing(clock)
  await expect(lease.acquire(wait)).resolves.toBe(true)
  expect(wait).not.toHaveBeenCalled()
  expect(lease.isHeld()).toBe(true)
  clock.now += times.lease - 1_001
  expect(lease.isHeld()).toBe(true)
  clock.now += 1
  expect(lease.isHeld()).toBe(false)
})

test('is refused as soon as its holder is seen to renew it, and the holder keeps it', async () => {
  const { clock, leaseOf } = leasesDouble()
  const [first, second] = [leaseOf('a'), leaseOf('b')]
  await first.acquire(passing(clock))
  const began = clock.now
  let renewed = began
  const renewing = passing(clock, async () => {
    if (clock.now - renewed < times.heartbeat) return
    renewed = clock.now
    await first.renew('ok')
  })
  await expect(second.acquire(renewing)).resolves.toBe(false)
  expect(clock.now - began).toBeLessThanOrEqual(times.heartbeat)
  expect(first.isHeld()).toBe(true)
  expect(second.isHeld()).toBe(false)
})

test('is refused also where the holder renews it late', async () => {
  const { clock, leaseOf } = leasesDouble()
  const [first, second] = [leaseOf('a'), leaseOf('b')]
  await first.acquire(passing(clock))
  const began = clock.now
  const renewsLate = passing(clock, () => (clock.now - began > 0.8 * times.lease ? first.renew('ok') : undefined))
  await expect(second.acquire(renewsLate)).resolves.toBe(false)
})

test('is taken over from a worker that died, soon after its end', async () => {
  const { clock, leaseOf } = leasesDouble()
  await leaseOf('dead').acquire(passing(clock))
  const began = clock.now
  const lease = leaseOf('b')
  await expect(lease.acquire(passing(clock))).resolves.toBe(true)
  expect(clock.now - began).toBeLessThanOrEqual(times.lease + times.heartbeat)
  expect(lease.isHeld()).toBe(true)
})

test('is not believed in after a freeze, whatever the last renewal said', async () => {
  const { clock, leaseOf } = leasesDouble()
  const lease = leaseOf('a')
  await lease.acquire(passing(clock))
  await lease.renew('ok')
  clock.now += 60_000
  expect(lease.isHeld()).toBe(false)
})

test('counts from when a renewal was sent, not from when its answer came', async () => {
  const { clock, docks, leaseOf } = leasesDouble()
  const lease = leaseOf('a')
  await lease.acquire(passing(clock))
  const heartbeat = docks.heartbeat.bind(docks)
  docks.heartbeat = async (...args) => {
    const answer = await heartbeat(...args)
    // The process is frozen between Redis's answer and its arrival here.
    clock.now += times.lease - 500
    return answer
  }
  await lease.renew('ok')
  expect(lease.isHeld()).toBe(false)
})

test('is given up when a renewal says that another holds it, and stays so', async () => {
  const { clock, leaseOf } = leasesDouble()
  const [first, second] = [leaseOf('a'), leaseOf('b')]
  await first.acquire(passing(clock))
  clock.now += times.lease
  await second.acquire(passing(clock))
  await expect(first.renew('ok')).resolves.toMatchObject({ held: false })
  expect(first.isHeld()).toBe(false)
  expect(second.isHeld()).toBe(true)
})

test('is free for the next one right after its release', async () => {
  const { clock, leaseOf } = leasesDouble()
  const [first, second] = [leaseOf('a'), leaseOf('b')]
  await first.acquire(passing(clock))
  await first.release()
  expect(first.isHeld()).toBe(false)
  const wait = passing(clock)
  await expect(second.acquire(wait)).resolves.toBe(true)
  expect(wait).not.toHaveBeenCalled()
})

test('is not held while its release is under way', async () => {
  const { clock, docks, leaseOf } = leasesDouble()
  const lease = leaseOf('a')
  await lease.acquire(passing(clock))
  docks.releaseLease = async () => expect(lease.isHeld()).toBe(false)
  await lease.release()
  expect.assertions(1)
})
