import { openDocker } from '../docker'
import { DaemonStreams } from '../daemon-streams'
import { Gate } from '../gate'
import type { CallContext } from '../calls/context'
import { HangUps } from '../calls/hang-up'
import { ownersDouble } from '../../../../libs/actions/src/testing/context'

const allHangUps: HangUps[] = []

/** To be called after the last test of a file: nothing goes on in those that come after it. */
export async function endHangUps(): Promise<void> {
  await Promise.all(allHangUps.splice(0).map((hangUps) => hangUps.close(0)))
}

/** What answering calls takes of a worker, in front of a daemon's socket, without a fleet. */
export function callContextDouble(dockerHost: string, given: Partial<CallContext> = {}) {
  const state = { leaseHeld: true, daemonLost: new AbortController(), leaseLost: new AbortController() }
  const daemon = new Gate(true)
  const hangUps = new HangUps()
  allHangUps.push(hangUps)
  const context = {
    hangUps,
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
