import { openDocker } from '../docker'
import { DaemonStreams } from '../daemon-streams'
import { Gate } from '../gate'
import type { CallContext } from '../calls/context'
import { ownersDouble } from '../../../../libs/actions/src/testing/context'

/** What answering calls takes of a worker, in front of a daemon's socket, without a fleet. */
export function callContextDouble(dockerHost: string, given: Partial<CallContext> = {}) {
  const state = { leaseHeld: true, daemonLost: new AbortController(), leaseLost: new AbortController() }
  const daemon = new Gate(true)
  const context = {
    hostname: 'here',
    docker: openDocker(dockerHost, () => state.leaseHeld),
    streams: new DaemonStreams(dockerHost, () => state.leaseHeld),
    fleet: { clock: { now: () => 0 }, docks: {} },
    owners: ownersDouble,
    labelsOf: () => undefined,
    policy: { maxProfile: 'privileged' },
    defaultRules: { profile: 'privileged' },
    daemon,
    daemonLost: () => state.daemonLost.signal,
    leaseLost: () => state.leaseLost.signal,
    ...given,
  } as unknown as CallContext
  return { context, daemon, state }
}
