import { generateKeyPairSync } from 'node:crypto'
import type { Fleet } from '@deblox/fleet/fleet'
import type Docker from 'dockerode'
import { ownersDouble } from '../../../../libs/actions/src/testing/context'
import { Gate } from '../gate'
import type { RunContext } from '../run-context'

/** What a dock named `here` runs jobs with: a real fleet, a daemon's double, and a dock that keeps its lease and daemon. */
export function contextOnRedis(fleet: Fleet, docker: Docker) {
  const daemon = new Gate(true)
  const lost = { daemon: new AbortController() }
  const context: RunContext = {
    hostname: 'here',
    incarnation: 'this-worker',
    docker,
    fleet,
    policy: { maxProfile: 'privileged' },
    defaultRules: { profile: 'privileged' },
    daemon,
    daemonLost: () => lost.daemon.signal,
    leaseLost: () => new AbortController().signal,
    graceMs: () => 0,
    now: () => Date.now(),
    owners: ownersDouble,
    labelsOf: () => undefined,
    sealKey: generateKeyPairSync('x25519').privateKey,
    onEnded: () => {},
    onRecorded: () => {},
    workAgain: async () => {},
    pullOnce: (_reference, signal, pull) => pull(signal),
    tell: () => {},
    refresh: async () => {},
    touch: () => {},
  }
  return { context, daemon, lost }
}
