import { setTimeout as wait } from 'node:timers/promises'
import { withDeadline } from '@deblox/actions/deadline'
import { dockerStatus } from '@deblox/actions/docker-status'
import { fullId } from '@deblox/actions/schemas'
import { withoutUndefined } from '@deblox/actions/without-undefined'
import type Docker from 'dockerode'
import type { CallContext } from './context'
import { textOf } from './text-of'

/** By which variable of their environment the processes of one command are known, its children too. */
export const markName = 'DEBLOX_EXEC'

/** How long one try may take, how many there are, and how long after one that failed the next one comes, in milliseconds. */
const shortMs = 10_000
const maxTries = 30
const betweenMs = 2_000

/**
 * Sends SIGHUP to each process with that mark, as a terminal does whose line is cut: what is meant to outlive it ignores that. It runs in the
 * container, because a dock's worker need not see the machine's processes. $1 is the mark.
 */
const script = `for d in /proc/[0-9]*; do
  if tr '\\0' '\\n' <"$d/environ" 2>/dev/null | grep -qxF "$1"; then kill -HUP "\${d#/proc/}"; fi
done`

interface Left {
  exec: Docker.Exec
  container: string
  mark: string
  user: string | undefined
}

/**
 * Ends a command whose caller has left. Docker has no way to: closing the connection leaves it running. Where the container has no
 * shell, nothing can be done. A lease that was lost, a daemon that is away, and a command that has not begun, are waited for. Never
 * rejects.
 */
export async function hangUp(left: Left, context: CallContext): Promise<void> {
  for (let tries = 1; tries <= maxTries; tries++) {
    const done = await withDeadline(shortMs, new AbortController().signal, (signal) =>
      tell(left, context, signal),
    ).then(
      () => true,
      // Whoever is gone needs no telling.
      (error: unknown) => dockerStatus(error) !== undefined,
    )
    if (done) return
    await wait(betweenMs, undefined, { ref: false })
  }
}

async function tell(
  { exec, container, mark, user }: Left,
  { docker, streams }: CallContext,
  signal: AbortSignal,
): Promise<void> {
  const { Running, ExitCode } = await exec.inspect({ abortSignal: signal })
  if (!Running && ExitCode === null) throw new Error('expected a command that has begun, got one that may begin')
  if (!Running) return
  const cmd = ['sh', '-c', script, 'sh', `${markName}=${mark}`]
  const asked = { Cmd: cmd, User: user, AttachStdout: false, AttachStderr: false, abortSignal: signal }
  const { id } = await docker.getContainer(container).exec(withoutUndefined(asked))
  if (!fullId.test(id)) return
  const path = `/exec/${id}/start`
  const answer = await streams.open({ method: 'POST', path, json: { Detach: true } }, signal)
  await textOf(answer)
}
