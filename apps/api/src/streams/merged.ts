import { setTimeout as wait } from 'node:timers/promises'
import type { Identity } from '@deblox/actions/access/identity'
import { readLogs } from '@deblox/actions/calls/kinds'
import type { IndexedRow } from '@deblox/fleet/index'
import type { Found } from '../access'
import { asFailure } from '../errors'
import { type AskedLogs, logParams } from './asked-logs'
import type { Caller } from '../route'
import { ByTime } from './by-time'
import type { LogForm, Source } from './log-forms'
import { isDropped, LogReader } from './log-lines'
import { LogPosition } from './log-position'
import { piecesOf, type StreamDesk, untilAborted } from './opened'
import type { Say } from './speak'

/** So many containers at a time, each of which is a call of its own. */
export const mostContainers = 100

/** A longer line comes in parts, in bytes. */
const longestLine = 64 * 1024

/** It is looked for new containers so often, in milliseconds. */
const lookMs = 3_000

/** A dock must have begun to answer by then, in milliseconds. */
const withinMs = 15_000

/** A container whose log is read, or was. */
interface Followed {
  source: Source
  position: LogPosition
  /** It was told that it cannot be read. */
  isAway: boolean
  /** While it is read. */
  reading?: { stop: AbortController; done: Promise<void> }
}

/** What several containers log, put together: those that are meant now, and while it is followed those that come. */
export class MergedLogs {
  private readonly merging = new ByTime()
  private readonly followed = new Map<string, Followed>()
  private leftOut = 0
  /** Who asks, as it was known last. */
  private identity: Identity

  /** `asked`: with its times as `atTimes` makes them. */
  constructor(
    private readonly desk: StreamDesk,
    private readonly caller: Caller,
    private readonly asked: AskedLogs,
    private readonly matches: (row: IndexedRow) => boolean,
    private readonly signal: AbortSignal,
  ) {
    this.identity = caller.identity
  }

  /** Those that are meant and that he may read now. */
  async meant(): Promise<{ all: IndexedRow[]; his: Found[] }> {
    this.identity = await this.caller.still()
    const all = await this.desk.rowsWhere(this.matches)
    return { all, his: await this.desk.access.those(this.identity, 'read-logs', all) }
  }

  /** Writes until all has been read; while it is followed, until the signal aborts. */
  async write(first: readonly Found[], form: LogForm, say: Say): Promise<void> {
    const written = this.merging.run(async (some) => {
      await say(joined(some.map(({ source, events }) => form.lines(events, source))))
    })
    const reading = this.read(first, form, say).finally(() => this.merging.finish())
    await untilAborted(this.signal, Promise.all([written, reading]))
  }

  private async read(first: readonly Found[], form: LogForm, say: Say): Promise<void> {
    for (const found of first) this.begin(found, form, say)
    for (let left = this.leftMs(); left > 0; left = this.leftMs()) {
      await wait(Math.min(left, this.desk.pace?.look ?? lookMs), undefined, { signal: this.signal })
      // Nobody can say so just now: those that are followed go on.
      const now = await this.meant().catch(() => undefined)
      if (now) await this.adjust(now, form, say)
    }
    // Their docks end them: each when it has told all until then.
    await Promise.all(this.running().map(({ done }) => done))
  }

  /** How long it is looked for more containers. */
  private leftMs(): number {
    const { follow, until } = this.asked
    if (!follow) return 0
    return until === undefined ? Infinity : Number(until) * 1_000 - this.desk.fleet.clock.now()
  }

  private async adjust({ all, his }: Awaited<ReturnType<MergedLogs['meant']>>, form: LogForm, say: Say): Promise<void> {
    const hisIds = new Set(his.map(({ row }) => row.id))
    const ids = new Set(all.map(({ id }) => id))
    for (const [id, { reading }] of this.followed) {
      // Of one that has gone the rest may be read; one that is somebody else's now must not be.
      if (reading && ids.has(id) && !hisIds.has(id)) reading.stop.abort()
      if (!reading && !ids.has(id)) this.followed.delete(id)
    }
    const missing = his.filter(({ row }) => !this.followed.get(row.id)?.reading)
    const room = Math.max(0, mostContainers - this.running().length)
    for (const found of missing.slice(0, room)) this.begin(found, form, say)
    const leftOut = Math.max(0, missing.length - room)
    if (leftOut > this.leftOut) await say(form.leftOut(leftOut))
    this.leftOut = leftOut
  }

  private running(): NonNullable<Followed['reading']>[] {
    return [...this.followed.values()].flatMap(({ reading }) => reading ?? [])
  }

  private begin(found: Found, form: LogForm, say: Say): void {
    const { id, name, dock } = found.row
    const known = this.followed.get(id)
    const one = known ?? { source: { id, name, dock }, position: LogPosition.none(), isAway: false }
    one.source = { id, name, dock }
    this.followed.set(id, one)
    const stop = new AbortController()
    this.merging.join(one.source, known !== undefined)
    const done = this.follow(one, found, AbortSignal.any([this.signal, stop.signal]))
      .then(() => {
        one.isAway = false
      })
      .catch(async (error: unknown) => {
        if (stop.signal.aborted || this.signal.aborted) return
        const failure = asFailure(error)
        // It has just been removed.
        if (one.isAway || failure.code === 'container_not_found') return
        one.isAway = true
        await say(form.away(failure, one.source))
      })
      // Whoever does not listen any more is told nothing.
      .catch(() => undefined)
      .finally(() => {
        this.merging.leave(one.source, stop.signal.aborted)
        one.position = one.position.reached()
        delete one.reading
      })
    one.reading = { stop, done }
  }

  private async follow(one: Followed, { row, given }: Found, signal: AbortSignal): Promise<void> {
    const { calls, fleet } = this.desk
    const { identity } = this
    const params = { ...logParams(this.asked, fleet.clock.now(), one.position.time), id: row.id }
    const opening = calls.open({ dock: row.dock, kind: readLogs.name, params, identity, given, signal, withinMs })
    const call = await untilAborted(signal, opening)
    one.isAway = false
    const reader = new LogReader(longestLine)
    const push = (events: ReturnType<LogReader['read']>): Promise<void> => {
      const unread = one.position.unread(events)
      for (const event of unread) if (!isDropped(event)) one.position.next(event)
      return untilAborted(signal, this.merging.push(one.source, unread))
    }
    for await (const piece of piecesOf({ call, signal })) await push(reader.read(piece))
    await push(reader.rest())
  }
}

const joined = (texts: (Buffer | string)[]): Buffer | string =>
  texts.every((text) => typeof text === 'string')
    ? texts.join('')
    : Buffer.concat(texts.map((text) => Buffer.from(text)))
