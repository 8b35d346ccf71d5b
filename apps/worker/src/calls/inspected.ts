import { setTimeout as wait } from 'node:timers/promises'
import { withDeadline } from '@deblox/actions/deadline'
import type { ContainerInspectInfo } from 'dockerode'
import type { CallContext } from './context'
import { onceMore } from './once-more'

const inspectMs = 30_000

/** How long Docker may take to tell that a container has ended whose streams have, in milliseconds. */
const exitMs = 3_000

/** What Docker says of a container just now. */
export const inspected = (id: string, { docker }: CallContext, signal: AbortSignal): Promise<ContainerInspectInfo> =>
  onceMore(() => withDeadline(inspectMs, signal, (abortSignal) => docker.getContainer(id).inspect({ abortSignal })))

/** Whether a container's own process has a terminal. */
export const hasTerminal = ({ Config }: { Config: { Tty?: unknown } }): boolean => Config.Tty === true

/** The exit code of a container whose streams have ended; null where it runs on without them. */
export async function exitOf(id: string, context: CallContext, signal: AbortSignal): Promise<number | null> {
  const until = performance.now() + exitMs
  for (let pauseMs = 5; ; pauseMs = Math.min(2 * pauseMs, 200)) {
    const { State } = await inspected(id, context, signal)
    if (!State.Running) return State.ExitCode
    if (performance.now() > until) return null
    await wait(pauseMs, undefined, { signal })
  }
}
