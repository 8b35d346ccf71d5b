import { randomUUID } from 'node:crypto'
import { type ExecParams, execContainer as kind, type TerminalSize } from '@deblox/actions/calls/kinds'
import { withDeadline } from '@deblox/actions/deadline'
import { dockerStatus } from '@deblox/actions/docker-status'
import { DebloxError } from '@deblox/actions/errors'
import { fullId } from '@deblox/actions/schemas'
import { withoutUndefined } from '@deblox/actions/without-undefined'
import type Docker from 'dockerode'
import type { Answers } from './answerers'
import { pour, sendAll } from './connection'
import type { CallContext } from './context'
import { markName } from './hang-up'
import { exitOfExec } from './inspected'
import { ReadAhead } from './read-ahead'
import { noDetachKeys, Resizes } from './terminal'

const shortMs = 30_000

/**
 * Runs a command in the container. Begins with `{tty}`; with a terminal all output is on channel 0. Ends with `{exitCode}`.
 * When the caller leaves, the connection is closed, and the command is told so as by a terminal that is switched off.
 */
export const execContainer: Answers<ExecParams> = {
  kind,
  writes: () => true,
  async answer({ params, call, context, signal }) {
    const { id, tty, stdin, size, user } = params
    const mark = randomUUID()
    const exec = await create(params, mark, context, signal)
    const asked = { method: 'POST', path: `/exec/${exec.id}/start`, json: { Detach: false, Tty: tty } } as const
    const left = { exec, container: id, mark, user }
    const connection = await context.streams.hijack(asked, signal).catch((error: unknown) => {
      // Unless Docker has refused it, it may begin all the same.
      if (dockerStatus(error) === undefined) context.hangUps.begin(left, context)
      throw error
    })
    const resizes = new Resizes(tty && ((to) => resize(exec, to, signal)), signal)
    const output = new ReadAhead(connection)
    let broken: unknown
    try {
      // Output does not wait for it, as the command may have ended: then there is nothing to resize.
      const sized = resizes.begin(size, call)
      await call.begin({ tty })
      if (stdin) void sized.then(() => pour(call.input, connection, output, tty ? 'eot' : 'shut', signal))
      await sendAll(output, tty, (channel, bytes) => call.send(channel, bytes))
    } catch (error) {
      // A process that leaves input unread ends its connection so.
      if (signal.aborted || error instanceof DebloxError) throw error
      broken = error
    } finally {
      connection.destroy()
      resizes.end()
      if (signal.aborted) context.hangUps.begin(left, context)
    }
    const exitCode = await exitOfExec(exec, signal)
    if (exitCode === null && broken !== undefined) throw broken
    return { exitCode }
  },
}

async function create(
  params: ExecParams,
  mark: string,
  { docker }: CallContext,
  signal: AbortSignal,
): Promise<Docker.Exec> {
  const { id, cmd, tty, stdin, size, user, workdir, env = [] } = params
  const created = await withDeadline(shortMs, signal, (abortSignal) =>
    docker.getContainer(id).exec(
      withoutUndefined({
        Cmd: cmd,
        Tty: tty,
        AttachStdin: stdin,
        AttachStdout: true,
        AttachStderr: true,
        User: user,
        WorkingDir: workdir,
        Env: [...env, `${markName}=${mark}`],
        DetachKeys: tty ? noDetachKeys : undefined,
        // From API 1.42 on the command finds it so; before, its terminal is resized a moment after it has begun.
        ConsoleSize: tty && size ? [size.rows, size.cols] : undefined,
        abortSignal,
      }),
    ),
  )
  // It becomes part of a path.
  if (!fullId.test(created.id)) throw new DebloxError('docker_error', 'expected the id of an exec from the daemon')
  return created
}

const resize = (exec: Docker.Exec, { cols, rows }: TerminalSize, signal: AbortSignal): Promise<unknown> =>
  withDeadline(shortMs, signal, (abortSignal) => exec.resize({ w: cols, h: rows, abortSignal }))
