import { setMaxListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { withDeadline } from '@deblox/actions/deadline'
import { dockerStatus } from '@deblox/actions/docker-status'
import { fullId } from '@deblox/actions/schemas'
import { withoutUndefined } from '@deblox/actions/without-undefined'
import type Docker from 'dockerode'
import { inTime } from '@deblox/fleet/calls/in-time'
import type { CallContext } from './context'
import { exitOfExec } from './inspected'
import { textOf } from './text-of'

/** By which variable of their environment the processes of one command are known, its children too. */
export const markName = 'DEBLOX_EXEC'

/** How long one try may take, and how many there are. */
const shortMs = 10_000
const maxTries = 30

/** Between two tries, doubled each time, in milliseconds. */
const pause = { first: 100, longest: 2_000 }

/**
 * Sends SIGHUP to each process with that mark, as a terminal does whose line is cut: what is meant to outlive it ignores that. It runs in the
 * container, because a dock's worker need not see the machine's processes. $1 is the mark. Ends with 0 where there was one, with 1 where there was none.
 */
const script = `none=1
for d in /proc/[0-9]*; do
  if tr '\\0' '\\n' <"$d/environ" 2>/dev/null | grep -qxF "$1" && kill -HUP "\${d#/proc/}"; then none=0; fi
done
exit $none`

/** How a script ends for which there is no shell, or none that may be run. */
const noShell: (number | null)[] = [126, 127]

interface Left {
  exec: Docker.Exec
  container: string
  mark: string
  user: string | undefined
}

/** The commands whose callers have left, and who are still to be told so. */
export class HangUps {
  private readonly open = new Set<Promise<void>>()
  private readonly over = new AbortController()

  constructor() {
    // Each of them listens.
    setMaxListeners(0, this.over.signal)
  }

  begin(left: Left, context: CallContext): void {
    const telling = hangUp(left, context, this.over.signal).finally(() => this.open.delete(telling))
    this.open.add(telling)
  }

  /** Resolves when all have been told whom it takes no longer to tell. Nobody is told any more then. */
  async close(withinMs: number): Promise<void> {
    await inTime(Promise.all(this.open), withinMs)
    this.over.abort()
    await Promise.all(this.open)
  }
}

/**
 * Ends a command whose caller has left. Docker has no way to: closing the connection leaves it running. Where the container has no
 * shell, nothing can be done. A lease that was lost, a daemon that is away, and a command that has not begun, are waited for until
 * `over` aborts. Never rejects.
 */
async function hangUp(left: Left, context: CallContext, over: AbortSignal): Promise<void> {
  for (let tries = 1, pauseMs = pause.first; tries <= maxTries && !over.aborted; tries++) {
    const done = await withDeadline(shortMs, over, (signal) => tell(left, context, signal)).catch(
      // Whoever is gone needs no telling.
      (error: unknown) => dockerStatus(error) !== undefined,
    )
    if (done) return
    await wait(pauseMs, undefined, { signal: over, ref: false }).catch(() => undefined)
    pauseMs = Math.min(2 * pauseMs, pause.longest)
  }
}

/** Whether it was told, or there is nobody to tell. */
async function tell(
  { exec, container, mark, user }: Left,
  { docker, streams }: CallContext,
  signal: AbortSignal,
): Promise<boolean> {
  const { Running, ExitCode } = await exec.inspect({ abortSignal: signal })
  // Without an exit code it may begin yet.
  if (!Running) return ExitCode !== null
  const cmd = ['sh', '-c', script, 'sh', `${markName}=${mark}`]
  // With an output to wait for: Docker ends it with the script.
  const asked = { Cmd: cmd, User: user, AttachStdout: true, AttachStderr: false, abortSignal: signal }
  const telling = await docker.getContainer(container).exec(withoutUndefined(asked))
  if (!fullId.test(telling.id)) return true
  const path = `/exec/${telling.id}/start`
  await textOf(await streams.open({ method: 'POST', path, json: { Detach: false, Tty: false } }, signal))
  const code = await exitOfExec(telling, signal)
  // What Docker calls running has no mark as long as it is being started.
  return code === 0 || noShell.includes(code)
}
