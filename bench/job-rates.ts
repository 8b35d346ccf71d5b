import { call } from './http'
import { concurrency, openBareSide, openFleetSide, type Side } from './job-sides'
import type { Setting } from './setting'

/** Jobs per second, one figure for each round. */
export interface Rates {
  fleet: number[]
  bare: number[]
}

export interface JobRates {
  /** Jobs are accepted and worked on at the same time. */
  life: Rates
  /** Jobs wait already and are only worked on. */
  drain: Rates
  /** As `life`, but asked for by HTTP, each request answered when its job has ended. */
  http: number[]
}

/** Runs jobs that do nothing, so many in a round, through the fleet and through a bare queue by turns. */
export async function measureJobRates(
  setting: Setting,
  { count, forMs }: { count: number; forMs: number },
): Promise<JobRates> {
  const fleet = await openFleetSide(setting)
  const bare = await openBareSide(setting)
  const rates: JobRates = { life: { fleet: [], bare: [] }, drain: { fleet: [], bare: [] }, http: [] }
  const nothing = () => call(`${setting.url}/v1/docks/${setting.hostname}/nothing`, 'POST')
  // Each of these is waited for, which takes longer: fewer are enough.
  const some = count / 4
  const httpRate = () => rateOf(some, () => many(some, nothing))
  // The first run warms both up, and is not counted.
  await lifeRate(bare, count)
  await lifeRate(fleet, count)
  await httpRate()
  const end = performance.now() + forMs
  do {
    rates.life.bare.push(await lifeRate(bare, count))
    rates.life.fleet.push(await lifeRate(fleet, count))
    rates.http.push(await httpRate())
    rates.drain.bare.push(await drainRate(bare, count))
    rates.drain.fleet.push(await drainRate(fleet, count))
  } while (performance.now() < end)
  await fleet.close()
  await bare.close()
  return rates
}

async function lifeRate(side: Side, count: number): Promise<number> {
  const { all } = await side.ended(count)
  return rateOf(count, async () => {
    await Promise.all([many(count, side.add), all])
  })
}

async function drainRate(side: Side, count: number): Promise<number> {
  await side.queue.pause()
  const { all } = await side.ended(count)
  await many(count, side.add)
  return rateOf(count, async () => {
    await side.queue.resume()
    await all
  })
}

async function rateOf(count: number, task: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await task()
  return (count * 1000) / (performance.now() - began)
}

/** Runs a task so many times, as many at a time as the workers take. */
async function many(count: number, task: () => Promise<unknown>): Promise<void> {
  let left = count
  const line = async () => {
    while (left-- > 0) await task()
  }
  await Promise.all(Array.from({ length: concurrency }, line))
}
