import { times } from '@deblox/fleet/names'
import { Grace } from './grace'

/** A worker whose heartbeats are answered every two seconds, by a clock that the test sets. */
function beating() {
  const grace = new Grace()
  const clock = { now: 1_000 }
  const beatFor = (ms: number) => {
    const end = clock.now + ms
    for (; clock.now < end; clock.now += times.heartbeat) grace.heard(clock.now)
  }
  return { grace, clock, beatFor, left: () => grace.leftMs(clock.now) }
}

test('is none while heartbeats are answered', () => {
  const { beatFor, left } = beating()
  beatFor(60_000)
  expect(left()).toBe(0)
})

test('is that of a lease before the first one', () => {
  expect(new Grace().leftMs(0)).toBe(times.lease)
})

test('is that of a lease after a silence in which others could not renew theirs, and ends', () => {
  const { clock, beatFor, left } = beating()
  beatFor(10_000)
  clock.now += 60_000
  beatFor(1)
  expect(left()).toBeGreaterThan(times.lease - times.heartbeat - 1)
  beatFor(times.lease / 2)
  expect(left()).toBeGreaterThan(0)
  beatFor(times.lease / 2)
  expect(left()).toBe(0)
})

test('has not even begun while the silence lasts', () => {
  const { clock, beatFor, left } = beating()
  beatFor(10_000)
  clock.now += times.lease
  expect(left()).toBe(times.lease)
  clock.now += 3_600_000
  expect(left()).toBe(times.lease)
})

test('is none after a pause that costs nobody a lease', () => {
  const { clock, beatFor, left } = beating()
  beatFor(10_000)
  clock.now += times.lease / 2 - times.heartbeat
  beatFor(1)
  expect(left()).toBe(0)
})

test('is given also without a silence, as when Redis is new, and is never cut short by that', () => {
  const { grace, clock, beatFor, left } = beating()
  beatFor(10_000)
  grace.renew(clock.now)
  grace.renew(clock.now, -50_000)
  grace.heard(clock.now)
  expect(left()).toBe(times.lease)
})
