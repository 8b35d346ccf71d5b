import { setTimeout as wait } from 'node:timers/promises'
import { withDeadline } from '@deblox/actions/deadline'
import { dockerStatus } from '@deblox/actions/docker-status'
import type Docker from 'dockerode'
import type { CallContext } from './context'
import { onceMore } from './once-more'

const inspectMs = 30_000

/** How long Docker may take to tell that what has no streams any more has ended, in milliseconds: a container, and a command. */
const exitMs = 3_000
const execExitMs = 10_000

/** What Docker says of a container just now. */
export const inspected = (
  id: string,
  { docker }: CallContext,
  signal: AbortSignal,
): Promise<Docker.ContainerInspectInfo> =>
  onceMore(() => withDeadline(inspectMs, signal, (abortSignal) => docker.getContainer(id).inspect({ abortSignal })))

/** Whether a container's own process has a terminal. */
export const hasTerminal = ({ Config }: { Config: { Tty?: unknown } }): boolean => Config.Tty === true

/** The exit code of a container whose streams have ended; null where it runs on without them, or has been removed. */
export async function exitOf(id: string, context: CallContext, signal: AbortSignal): Promise<number | null> {
  try {
    return await exitCodeOf(async () => (await inspected(id, context, signal)).State, exitMs, signal)
  } catch (error) {
    // One that removes itself may be gone as soon as it has ended.
    if (dockerStatus(error) === 404) return null
    throw error
  }
}

/** The exit code of a command whose streams have ended; null where it runs on without them. */
export const exitOfExec = (exec: Docker.Exec, signal: AbortSignal): Promise<number | null> =>
  exitCodeOf(() => withDeadline(inspectMs, signal, (abortSignal) => exec.inspect({ abortSignal })), execExitMs, signal)

interface Process {
  Running: boolean
  ExitCode: number | null
}

/** Streams can end a moment before Docker knows that their process has. */
async function exitCodeOf(look: () => Promise<Process>, withinMs: number, signal: AbortSignal): Promise<number | null> {
  const until = performance.now() + withinMs
  for (let pauseMs = 5; ; pauseMs = Math.min(2 * pauseMs, 200)) {
    const { Running, ExitCode } = await look()
    if (!Running) return ExitCode
    if (performance.now() > until) return null
    await wait(pauseMs, undefined, { signal })
  }
}
