import { type LogsParams, readLogs as kind } from '@deblox/actions/calls/kinds'
import type { Piece } from '@deblox/fleet/calls/call'
import type { Answers } from './answerers'
import type { Granted } from './context'
import { followLogs } from './follow-logs'
import { hasTerminal, inspected } from './inspected'
import { LogLines } from './log-lines'
import { openLog } from './open-log'

/**
 * The container's log in lines, each with Docker's time before it: standard output on channel 1, standard error on channel 2,
 * and on channel 1 all of a terminal's. Begins with `{tty}`. A log that is only read waits for its caller; of one that is
 * followed lines are dropped while he takes nothing, with a line `{"dropped":{"lines":n,"bytes":m}}` on channel 0.
 */
export const readLogs: Answers<LogsParams> = {
  kind,
  writes: () => false,
  async answer(granted) {
    const { params, context, signal } = granted
    const tty = hasTerminal(await inspected(params.id, context, signal))
    if (params.follow) await followLogs(granted, tty)
    else await readToEnd(granted, tty)
    return {}
  },
}

async function readToEnd({ params, call, context, signal }: Granted<LogsParams>, tty: boolean): Promise<void> {
  const answer = await openLog(params, context, signal)
  await call.begin({ tty })
  const lines = new LogLines(tty)
  const send = async (pieces: Piece[]) => {
    for (const { channel, bytes } of pieces) await call.send(channel, bytes)
  }
  for await (const chunk of answer as AsyncIterable<Buffer>) await send(lines.push(chunk))
  await send(lines.end())
}
