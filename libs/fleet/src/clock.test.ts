import fc from 'fast-check'
import { FleetClock } from './clock'

const hour = 3_600_000

/** A machine with its own date and monotonic clock, and Redis with another date. */
function machine({ date = 1_000_000, redisAhead = 0 } = {}) {
  const time = { monotonic: 500, date, redis: date + redisAhead }
  const clock = new FleetClock(
    () => time.monotonic,
    () => time.date,
  )
  const pass = (ms: number) => {
    time.monotonic += ms
    time.date += ms
    time.redis += ms
  }
  /** One question to Redis, and how long each way takes. */
  const ask = (there = 1, back = 1) => {
    const sent = time.monotonic
    pass(there)
    const heard = time.redis
    pass(back)
    clock.observe(heard, sent, time.monotonic)
  }
  return { clock, time, pass, ask }
}

test('is this machine’s date before Redis was heard', () => {
  const { clock, time } = machine()
  expect(clock.now()).toBe(time.date)
  expect(clock.aheadMs()).toBe(0)
})

test('is Redis’s time afterwards, however long ago it was heard', () => {
  const { clock, time, pass, ask } = machine({ redisAhead: -7_000 })
  ask()
  expect(clock.now()).toBe(time.redis)
  pass(10_000)
  expect(clock.now()).toBe(time.redis)
  expect(clock.aheadMs()).toBe(7_000)
})

test.each([hour, -hour])('does not care where this machine’s date jumps by %d ms', (jump) => {
  const { clock, time, pass, ask } = machine()
  ask()
  time.date += jump
  pass(5)
  expect(clock.now()).toBe(time.redis)
  expect(clock.aheadMs()).toBe(jump)
})

test('is off by no more than half of the quickest answer, whatever slow ones come after it', () => {
  const { clock, time, ask } = machine()
  ask(0, 4)
  expect(Math.abs(clock.now() - time.redis)).toBeLessThanOrEqual(2)
  // A process that was frozen while the answer was on its way.
  ask(0, 10_000)
  expect(Math.abs(clock.now() - time.redis)).toBeLessThanOrEqual(13)
})

test.each([hour, -hour])('follows Redis’s clock at once where that one is set by %d ms, as by a failover', (jump) => {
  const { clock, time, pass, ask } = machine()
  ask()
  pass(2_000)
  time.redis += jump
  ask()
  expect(Math.abs(clock.now() - time.redis)).toBeLessThanOrEqual(1)
})

test('is never off by more than half of the last answer’s way', () => {
  const way = fc.integer({ min: 0, max: 20_000 })
  const rounds = fc.array(fc.tuple(way, way, way), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(rounds, (ways) => {
      const { clock, time, pass, ask } = machine({ redisAhead: -90_000 })
      for (const [there, back, pause] of ways) {
        ask(there, back)
        expect(Math.abs(clock.now() - time.redis)).toBeLessThanOrEqual((there + back) / 2 + 1)
        pass(pause)
      }
    }),
  )
})
