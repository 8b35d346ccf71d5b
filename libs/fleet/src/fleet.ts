import type { ContainerSpec } from '@deblox/actions/container-spec'
import { FleetClock } from './clock'
import { docksOf } from './docks'
import { endingsOf } from './endings'
import { fleetIndexOf } from './index'
import { jobsOf } from './jobs'
import { fleetKeys } from './names'
import { placementsOf } from './placement'
import type { RedisClient } from './redis'
import { secretsOf } from './secrets'
import { noTrust, type Trust } from './signing/trust'
import { templatesOf } from './templates'
import { topicsOf } from './topics'

export type Fleet = ReturnType<typeof openFleet>

/**
 * All that the fleet keeps in one Redis under one prefix, over one connection. `trust`: whose jobs are believed, and for an
 * API replica what it signs them with.
 */
export function openFleet(
  redis: RedisClient,
  prefix: string,
  shipped: ReadonlyMap<string, ContainerSpec> = new Map(),
  trust: Trust = noTrust,
) {
  const keys = fleetKeys(prefix)
  const clock = new FleetClock()
  const topics = topicsOf(redis, prefix)
  const jobs = jobsOf(redis, keys, topics, trust)
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
    secrets: secretsOf(redis, keys, clock, trust),
    templates: templatesOf(redis, keys, shipped, trust),
  }
}
