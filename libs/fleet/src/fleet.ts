import type { ContainerSpec } from '@deblox/actions/container-spec'
import { FleetClock } from './clock'
import { docksOf } from './docks'
import { endingsOf } from './endings'
import { fleetIndexOf } from './index'
import { jobsOf } from './jobs'
import { fleetKeys } from './names'
import { placementsOf } from './placement'
import type { RedisClient } from './redis'
import { templatesOf } from './templates'
import { topicsOf } from './topics'

export type Fleet = ReturnType<typeof openFleet>

/** All that the fleet keeps in one Redis under one prefix, over one connection. */
export function openFleet(redis: RedisClient, prefix: string, shipped: ReadonlyMap<string, ContainerSpec> = new Map()) {
  const keys = fleetKeys(prefix)
  const clock = new FleetClock()
  const topics = topicsOf(redis, prefix)
  const jobs = jobsOf(redis, keys, topics)
  const placements = placementsOf(redis, keys)
  return {
    redis,
    /** Redis's time, once somebody has let it hear that: workers by their heartbeats, the API by asking. */
    clock,
    prefix,
    keys,
    topics,
    docks: docksOf(redis, keys),
    index: fleetIndexOf(redis, keys),
    jobs,
    endings: endingsOf(redis, { keys, topics, jobs, placements, clock }),
    placements,
    templates: templatesOf(redis, keys, shipped),
  }
}
