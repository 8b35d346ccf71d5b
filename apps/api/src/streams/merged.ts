import { setTimeout as wait } from 'node:timers/promises'
import type { Identity } from '@deblox/actions/access/identity'
import { readLogs } from '@deblox/actions/calls/kinds'
import { smallWindowBytes } from '@deblox/fleet/calls/limits'
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

/** And so many for each place that the list takes. */
const perPlace = 10

/** A longer line comes in parts, in bytes. */
const longestLine = 64 * 1024

/** It is looked so often for new containers, and whether those that are read are his still, in milliseconds. */
const usualLookMs = 3_000

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
  private places = 0
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

  /** Those that are meant, or are read already, and which of them he may read now. */
  async meant(): Promise<{ all: IndexedRow[]; his: Found[] }> {
    this.identity = await this.caller.still()
    // A label by which one was chosen can change with its owner.
    const all = await this.desk.rowsWhere((row) => this.followed.has(row.id) || this.matches(row))
    return { all, his: await this.desk.access.those(this.identity, 'read-logs', all) }
  }

  /** Makes sure that there is place for so many containers. Throws `too_many_streams`. */
  takePlaces(containers: number): void {
    for (; this.places * perPlace < containers; this.places++) {
      this.desk.places.take(this.identity.subject, this.caller.over)
    }
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
    for (let left = this.leftMs(); left > 0 || this.running().length > 0; left = this.leftMs()) {
      const lookMs = this.desk.pace?.look ?? usualLookMs
      const soon = wait(left > 0 ? Math.min(left, lookMs) : lookMs, undefined, { signal: this.signal, ref: false })
      // Their docks end them: each when it has told all that was asked for.
      await (left > 0 ? soon : Promise.race([soon, Promise.all(this.running().map(({ done }) => done))]))
      // Nobody can say so just now: those that are read go on.
      const now = await this.meant().catch(() => undefined)
      if (now) await this.adjust(now, form, say)
    }
  }

  /** How long it is looked for more containers. */
  private leftMs(): number {
    const { follow, until } = this.asked
    if (!follow) return 0
    return until === undefined ? Infinity : Number(until) * 1_000 - this.desk.fleet.clock.now()
  }

  private async adjust({ all, his }: Awaited<ReturnType<MergedLogs['meant']>>, form: LogForm, say: Say): Promise<void> {
    const hisIds = new Set(his.map(({ row }) => row.id))
    const now = new Map(all.map((row) => [row.id, row]))
    for (const [id, { source, reading }] of this.followed) {
      const row = now.get(id)
      // Of one that has gone the rest may be read; one that is somebody else's now must not be.
      if (reading && row && !hisIds.has(id)) reading.stop.abort()
      if (row) source.name = row.name
      else if (!reading) this.followed.delete(id)
    }
    if (this.leftMs() <= 0) return
    const missing = his.filter(({ row }) => this.matches(row) && !this.followed.get(row.id)?.reading)
    const running = this.running().length
    const room = this.roomFor(running + missing.length) - running
    for (const found of missing.slice(0, room)) this.begin(found, form, say)
    const leftOut = Math.max(0, missing.length - room)
    if (leftOut > this.leftOut) await say(form.leftOut(leftOut))
    this.leftOut = leftOut
  }

  /** Of so many containers as many as may be read. */
  private roomFor(containers: number): number {
    const most = Math.min(containers, mostContainers)
    try {
      this.takePlaces(most)
      return most
    } catch {
      return Math.min(most, this.places * perPlace)
    }
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
    const opening = calls.open({
      dock: row.dock,
      kind: readLogs.name,
      params,
      identity,
      given,
      window: smallWindowBytes,
      signal,
      withinMs,
    })
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
