import { setTimeout as wait } from 'node:timers/promises'
import type { LogsParams } from '@deblox/actions/calls/kinds'
import { dockerStatus } from '@deblox/actions/docker-status'
import type { Piece } from '@deblox/fleet/calls/call'
import type { Granted } from './context'
import { DroppedLines } from './dropped-lines'
import { LogLines } from './log-lines'
import { LogPlace } from './log-place'
import { openLog } from './open-log'
import { Outlet } from './outlet'
import { startsAgain } from './starts-again'

/** How long nothing may go through before lines are dropped. */
const patienceMs = 2_000

/** Between two answers of Docker's that held nothing new, doubled each time, in milliseconds. */
const pause = { first: 50, longest: 2_000 }

/** What is logged until a moment has been read so long after it, in milliseconds. */
const graceMs = 500

/** The longest that a timer runs, in milliseconds. */
const maxTimerMs = 2 ** 31 - 1

/**
 * Follows a log until its container is removed, or `until` is over. Docker ends its answer when the container stops: it is asked
 * again when that has been started, for what came after.
 */
export async function followLogs(granted: Granted<LogsParams>, tty: boolean): Promise<void> {
  const { params, signal } = granted
  const over = endOf(params)
  if (!over) return follow(granted, tty)
  try {
    await follow({ ...granted, signal: AbortSignal.any([signal, over]) }, tty)
  } catch (error) {
    if (signal.aborted || !over.aborted) throw error
  }
}

async function follow({ params, call, context, signal }: Granted<LogsParams>, tty: boolean): Promise<void> {
  const outlet = new Outlet(call, patienceMs, new DroppedLines())
  const give = async (pieces: Piece[]) => {
    for (const piece of pieces) await outlet.give(piece)
  }
  const place = new LogPlace()
  const lines = new LogLines(tty, place)
  const begunAt = (Date.now() / 1000).toFixed(3)
  let pauseMs = pause.first
  for (let asked = params, rounds = 0; ; rounds++) {
    const answer = await openLog(asked, context, signal).catch((error: unknown) => {
      // Whoever followed it has seen it all.
      if (rounds > 0 && dockerStatus(error) === 404) return undefined
      throw error
    })
    if (!answer) break
    if (rounds === 0) await call.begin({ tty })
    let some = false
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const pieces = lines.push(chunk)
      some ||= pieces.length > 0
      await give(pieces)
    }
    await give(lines.end())
    if (!(await startsAgain(params.id, context, signal, () => give(lines.close())))) break
    pauseMs = some ? pause.first : Math.min(2 * pauseMs, pause.longest)
    if (!some) await wait(pauseMs, undefined, { signal })
    const { tail, ...rest } = params
    // Where nothing has been read, all that there is is new, but for what was not asked for.
    asked = { ...rest, since: place.reopen() ?? (tail === undefined ? params.since : begunAt) ?? '0' }
  }
  await outlet.end()
}

/** Aborts when what is asked for is over; undefined where it has no end. */
function endOf({ until }: LogsParams): AbortSignal | undefined {
  const ms = until === undefined ? maxTimerMs : Number(until) * 1000 - Date.now() + graceMs
  return ms < maxTimerMs ? AbortSignal.timeout(Math.max(0, Math.ceil(ms))) : undefined
}
