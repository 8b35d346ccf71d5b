import { apiFaults } from './api-faults'
import { dockerFaults } from './docker-faults'
import type { Kind } from './fault'
import { fleetFaults } from './fleet-faults'
import { networkFaults } from './network-faults'
import { redisFaults } from './redis-faults'
import { workerFaults } from './worker-faults'

/** All kinds of faults: adding one is a row in one of these files. */
export const kinds: readonly Kind[] = [
  ...workerFaults,
  ...networkFaults,
  ...dockerFaults,
  ...apiFaults,
  ...redisFaults,
  ...fleetFaults,
]
