import { type AttachParams, attachContainer as kind, type TerminalSize } from '@deblox/actions/calls/kinds'
import { withDeadline } from '@deblox/actions/deadline'
import { DebloxError } from '@deblox/actions/errors'
import type { ContainerInspectInfo } from 'dockerode'
import type { Answers } from './answerers'
import { pour, sendAll } from './connection'
import type { CallContext } from './context'
import { DroppedBytes, Outlet } from './outlet'
import { ReadAhead } from './read-ahead'
import { exitOf, hasTerminal, inspected } from './inspected'
import { noDetachKeys, Resizes } from './terminal'

const shortMs = 30_000

/** How long nothing may go through before output is dropped: Docker holds the container itself up while its output is not read. */
const patienceMs = 1_000

/**
 * Joins the streams of a running container's own process. Begins with `{tty}`; ends with `{exitCode}`, null where the container
 * runs on or has been removed. Output that the caller is too slow for is dropped, with a mark: on channel 0 a line `{"dropped":{"bytes":n}}`, and at
 * a terminal, which has channel 0 for itself, a line of text within.
 */
export const attachContainer: Answers<AttachParams> = {
  kind,
  writes: ({ stdin }) => stdin,
  async answer({ params, call, context, signal }) {
    const { id, stdin, logs, size } = params
    const container = await inspected(id, context, signal)
    const { Config, State } = container
    if (!State.Running || State.Paused) {
      const got = State.Running ? 'a paused one' : `one that is ${State.Status}`
      throw new DebloxError('docker_error', `id: expected a running container, got ${got}`, { status: 409 })
    }
    const tty = hasTerminal(container)
    const query = { stream: true, stdin, stdout: true, stderr: true, logs, detachKeys: tty ? noDetachKeys : undefined }
    const asked = { method: 'POST', path: `/containers/${id}/attach`, query, reads: !stdin } as const
    const connection = await context.streams.hijack(asked, signal)
    const output = new ReadAhead(connection)
    const outlet = new Outlet(call, patienceMs, new DroppedBytes(markOf(tty)))
    const resizes = new Resizes(tty && stdin && ((to) => resize(id, to, context, signal)), signal)
    void resizes.begin(size, call)
    let broken: unknown
    try {
      await call.begin({ tty })
      if (stdin) pour(call.input, connection, output, inputEnd(tty, Config), signal)
      await sendAll(output, tty, (channel, bytes) => outlet.give({ channel, bytes }))
      await outlet.end()
    } catch (error) {
      if (signal.aborted || error instanceof DebloxError) throw error
      broken = error
    } finally {
      connection.destroy()
      resizes.end()
    }
    const exitCode = await exitOf(id, context, signal)
    if (exitCode === null && broken !== undefined) throw broken
    return { exitCode }
  },
}

/** Docker ends the input of a process only where it was made to have one once; else it would end the output instead. */
const inputEnd = (tty: boolean, { StdinOnce }: ContainerInspectInfo['Config']) =>
  tty ? 'eot' : StdinOnce ? 'shut' : 'none'

const markOf =
  (tty: boolean) =>
  (bytes: number): Buffer =>
    Buffer.from(tty ? `\r\n[${bytes} bytes dropped]\r\n` : `${JSON.stringify({ dropped: { bytes } })}\n`)

const resize = (id: string, { cols, rows }: TerminalSize, { docker }: CallContext, signal: AbortSignal) =>
  withDeadline(shortMs, signal, (abortSignal) => docker.getContainer(id).resize({ w: cols, h: rows, abortSignal }))
