import { setTimeout as wait } from 'node:timers/promises'
import type { FleetClock } from './clock'
import type { RedisClient } from './redis'

/** How often Redis is asked for its time, in milliseconds. A monotonic clock drifts by less than a millisecond meanwhile. */
const askMs = 5_000

/** Asks Redis for its time once. */
export async function hear(clock: FleetClock, redis: RedisClient): Promise<void> {
  const asked = performance.now()
  const [seconds, micros] = await redis.time()
  clock.observe(Number(seconds) * 1000 + Number(micros) / 1000, asked, performance.now())
}

/** Keeps a clock right until the signal aborts. Never rejects: a Redis that is away is asked again. */
export async function keepHearing(clock: FleetClock, redis: RedisClient, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    await hear(clock, redis).catch(() => undefined)
    await wait(askMs, undefined, { signal: stopping, ref: false }).catch(() => undefined)
  }
}
