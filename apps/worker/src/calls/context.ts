import type { Answering } from '@deblox/fleet/calls/call'
import type { DaemonStreams } from '../daemon-streams'
import type { RunContext } from '../run-context'
import type { HangUps } from './hang-up'

/** What answering calls takes of the worker. */
export interface CallContext extends Pick<
  RunContext,
  | 'hostname'
  | 'docker'
  | 'fleet'
  | 'owners'
  | 'labelsOf'
  | 'policy'
  | 'defaultRules'
  | 'daemon'
  | 'daemonLost'
  | 'leaseLost'
> {
  streams: DaemonStreams
  hangUps: HangUps
}

/** A call that may be answered: its parameters are as they should be, and the caller's right has been looked at. */
export interface Granted<P extends object> {
  params: P
  call: Answering
  context: CallContext
  /** Aborts when the caller has left, or the daemon or the lease that it takes is lost. */
  signal: AbortSignal
}
