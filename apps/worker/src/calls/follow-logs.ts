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

/** What is logged until a moment can be read so long after it; and so long Docker is silent where it has no more, in milliseconds. */
const graceMs = 500

/** How long it may be silent within a message, in milliseconds: one that is cut cannot be gone on with. */
const withinMs = 5_000

const newline = 0x0a

/** The longest that a timer runs, in milliseconds. */
const maxTimerMs = 2 ** 31 - 1

/**
 * Follows a log until its container is removed, or `until` is over. Docker ends its answer when the container stops: it is asked
 * again when that has been started, for what came after. When `until` is over it is asked for the rest, which it ends by itself,
 * and of which nothing is dropped.
 */
export async function followLogs(granted: Granted<LogsParams>, tty: boolean): Promise<void> {
  const quiet = new Quiet(granted.params)
  const log = new FollowedLog(granted, tty, quiet)
  try {
    if (!(await log.follow())) await log.readRest()
    await log.end()
  } finally {
    quiet.stop()
  }
}

class FollowedLog {
  private readonly outlet: Outlet
  private readonly place = new LogPlace()
  private readonly lines: LogLines
  private readonly begunAt = (Date.now() / 1000).toFixed(3)
  private begun = false
  /** Docker's answer has not been read to its end. */
  private within = false
  /** One has been. */
  private whole = false

  constructor(
    private readonly granted: Granted<LogsParams>,
    private readonly tty: boolean,
    private readonly quiet: Quiet,
  ) {
    this.outlet = new Outlet(granted.call, patienceMs, new DroppedLines())
    this.lines = new LogLines(tty, this.place)
  }

  /** Resolves with true when the container has been removed, with false when `until` is over. */
  async follow(): Promise<boolean> {
    const { signal } = this.granted
    if (this.quiet.isOver) return false
    try {
      this.quiet.waits()
      return await this.untilRemoved(AbortSignal.any([signal, this.quiet.signal]))
    } catch (error) {
      if (signal.aborted || !this.quiet.signal.aborted) throw error
      return false
    }
  }

  /** Reads what has not been read until then, to its end. */
  async readRest(): Promise<void> {
    await this.outlet.keep()
    await this.endAnswer()
    await this.read({ ...this.next(), follow: false }, this.granted.signal)
  }

  end(): Promise<void> {
    return this.outlet.end()
  }

  private async untilRemoved(signal: AbortSignal): Promise<boolean> {
    const { params, context } = this.granted
    let pauseMs = pause.first
    for (let asked = params; ; asked = this.next()) {
      let read = await this.read(asked, signal)
      if (read === 'gone') return true
      if (this.quiet.isOver) return false
      const stopped = async () => {
        // Docker ends what is followed at once, also where it has not told all.
        if ((await this.read({ ...this.next(), follow: false }, signal)) === 'some') read = 'some'
        await this.give(this.lines.close())
      }
      if (!(await startsAgain(params.id, context, signal, stopped))) return true
      pauseMs = read === 'some' ? pause.first : Math.min(2 * pauseMs, pause.longest)
      if (read === 'nothing') await wait(pauseMs, undefined, { signal })
    }
  }

  /** Reads one answer of Docker's to its end. */
  private async read(asked: LogsParams, signal: AbortSignal): Promise<'some' | 'nothing' | 'gone'> {
    const { call, context } = this.granted
    const answer = await openLog(asked, context, signal).catch((error: unknown) => {
      // Whoever followed it has seen it all. One that is being removed has no log either, though it is there still.
      if (this.begun && [404, 409].includes(dockerStatus(error) ?? 0)) return undefined
      throw error
    })
    if (!answer) return 'gone'
    if (!this.begun) {
      this.begun = true
      await call.begin({ tty: this.tty })
    }
    this.within = true
    let some = false
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const pieces = this.lines.push(chunk)
      some ||= pieces.length > 0
      await this.give(pieces)
    }
    await this.endAnswer()
    this.whole = true
    return some ? 'some' : 'nothing'
  }

  private async endAnswer(): Promise<void> {
    if (this.within) await this.give(this.lines.end())
    this.within = false
  }

  private async give(pieces: Piece[]): Promise<void> {
    this.quiet.stop()
    for (const piece of pieces) await this.outlet.give(piece)
    this.quiet.waits(pieces.at(-1)?.bytes.at(-1))
  }

  /** What is to be asked for next: where nothing has been read, all that there is is new, but for what was not asked for. */
  private next(): LogsParams {
    const { params } = this.granted
    const { tail, ...rest } = params
    const since = this.place.reopen()
    if (since !== undefined) return { ...rest, since }
    if (!this.whole && tail !== 0) return params
    return { ...rest, since: (tail === undefined ? params.since : this.begunAt) ?? '0' }
  }
}

/** Knows when `until` is over, and nothing that was logged until then is on its way any more. */
class Quiet {
  private readonly over = new AbortController()
  private readonly at: number
  private timer: NodeJS.Timeout | undefined

  constructor({ until }: LogsParams) {
    this.at = until === undefined ? Infinity : Number(until) * 1000 + graceMs
  }

  /** Whether what was logged until then can be read. */
  get isOver(): boolean {
    return Date.now() >= this.at
  }

  /** Aborts when it is over and Docker has been waited for in vain. */
  get signal(): AbortSignal {
    return this.over.signal
  }

  /** To be called when Docker is waited for, with the last byte that it has sent. */
  waits(last = newline): void {
    this.stop()
    const ms = Math.ceil(Math.max(this.at - Date.now(), last === newline ? graceMs : withinMs))
    if (ms < maxTimerMs) this.timer = setTimeout(() => this.over.abort(), ms)
  }

  stop(): void {
    clearTimeout(this.timer)
  }
}
