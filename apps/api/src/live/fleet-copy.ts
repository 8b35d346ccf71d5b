import { DebloxError } from '@deblox/actions/errors'
import { ChangeReader } from '@deblox/fleet/change-reader'
import { type Change, compareChangeIds } from '@deblox/fleet/changes'
import type { Fleet } from '@deblox/fleet/fleet'
import { type StateReads, stateReadsOf, type StreamEntry } from '@deblox/fleet/state-reads'
import { Bell } from './bell'
import { build, Gap, take } from './build'
import { Leases } from './leases'
import { OwnReads } from './own-reads'
import { RecentChanges } from './recent'
import { reload } from './refresh'
import { repeatedly, waitFor } from './repeatedly'
import type { Tables } from './tables'

/** In milliseconds. */
export interface Pace {
  /** Between two looks at all leases and at the end of the stream. */
  look: number
  /** In which every dock is read anew once, whatever the stream said of it. */
  round: number
  /** So long a list waits for the copy to be what Redis is, and then it is told that there is none. */
  patience: number
}

export interface CopyOptions {
  /** `redis`: the fail-fast client, by which lists are answered. */
  fleet: Pick<Fleet, 'redis' | 'keys'>
  /** Redis again: for connections of its own, one that reads what it needs and one that waits for changes. */
  url: string
  /** What a log should hear; it goes on by itself. */
  onError: (error: unknown) => void
  pace?: Partial<Pace>
}

const usualPace: Pace = { look: 1_000, round: 60_000, patience: 2_000 }

/** After a failure it goes on so much later, in milliseconds. */
const retryMs = 100

/**
 * An API replica's copy of what docks have: read once in full, and then brought up to date by the stream of changes. What it is asked is
 * answered as Redis would at that moment, or not at all: never from a half of it, never from an old one.
 */
export class FleetCopy {
  readonly recent = new RecentChanges()
  /** Rings whenever the copy has moved on. */
  readonly moved = new Bell()
  readonly leases: Leases
  private readonly listeners = new Set<(change: Change) => void>()
  private tables: Tables | undefined
  /** The last entry of the stream whose change is in the tables. */
  private position = ''
  private behindSince: number | undefined
  private readonly pace: Pace
  private readonly own: OwnReads
  /** Fails as fast as callers want to know. */
  private readonly quick: StateReads
  private reader: ChangeReader
  private readonly stopping = new AbortController()
  /** Readers and writers of the tables, one at a time: what was read first is written first. */
  private turn: Promise<unknown> = Promise.resolve()
  private wake: () => void = () => {}

  constructor(private readonly options: CopyOptions) {
    const { fleet, url, onError, pace } = options
    this.pace = { ...usualPace, ...pace }
    this.own = new OwnReads(url, fleet.keys, onError)
    this.quick = stateReadsOf(fleet.redis, fleet.keys)
    this.leases = new Leases(this.quick)
    this.reader = this.newReader()
  }

  /** Resolves when the copy is whole. It is kept so until `stop`. */
  async start(): Promise<void> {
    void this.follow()
    void this.watch()
    void this.goRound()
    while (!this.tables && !this.stopping.signal.aborted) await this.moved.next(1_000, this.stopping.signal)
    await this.settled().catch(this.options.onError)
  }

  stop(): void {
    this.stopping.abort()
    this.wake()
    this.moved.ring()
    this.reader.close()
    this.own.close()
  }

  /** Whether a worker holds the dock's lease, as far as is known: looked at once a second, or at once by `confirm` of `leases`. */
  isLive(hostname: string): boolean {
    return this.leases.isLive(hostname)
  }

  /**
   * The rows as they are in Redis at this moment, with all that was changed before, on whatever replica; to be read at once.
   * Throws `redis_unavailable` where that cannot be had in time.
   */
  async settled(): Promise<Tables> {
    const tail = await this.look()
    const deadline = performance.now() + this.pace.patience
    for (;;) {
      if (this.tables && (tail === null || compareChangeIds(this.position, tail) >= 0)) return this.tables
      const left = deadline - performance.now()
      if (left <= 0 || this.stopping.signal.aborted) throw this.notReady()
      await this.moved.next(left, this.stopping.signal)
    }
  }

  /** As `settled`, where what was known a moment ago will do: undefined where nothing is. */
  get now(): Tables | undefined {
    return this.tables
  }

  /** Calls back for each change once it is in the copy; not for those between which all was read anew. Gives what ends that. */
  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Where the stream of changes ends for whoever begins to follow it now. */
  get last(): string {
    return this.recent.last
  }

  /** Entries of the stream from Redis itself, for whoever is too far back for `recent`; undefined where some are missing. */
  async history(after: string, most: number): Promise<StreamEntry[] | undefined> {
    if (!(await this.quick.has(after))) return undefined
    const found = await this.quick.after(after, most)
    // Nor may it have gone meanwhile, and others with it.
    return (await this.quick.has(after)) ? found : undefined
  }

  private notReady(): DebloxError {
    const got = this.tables ? 'one that is behind' : 'one that is being made'
    return new DebloxError('redis_unavailable', `expected a whole copy of what Redis has, got ${got}`)
  }

  private newReader(): ChangeReader {
    const { url, fleet, onError } = this.options
    return new ChangeReader(url, fleet.keys, onError)
  }

  private replaceReader(): void {
    this.reader.close()
    this.reader = this.newReader()
    this.wake()
  }

  /** Compares with what is in Redis now, and gives the last entry of the stream. */
  private async look(): Promise<string | null> {
    const before = this.position
    const tail = await this.quick.tail()
    // What is not there any more is no end to go by: the stream is another one, or was set back.
    if (this.tables && before === this.position && (tail === null || compareChangeIds(tail, before) < 0)) this.lose()
    return tail
  }

  private lose(): void {
    this.tables = undefined
    this.replaceReader()
  }

  private async follow(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        if (this.tables) await this.step(this.tables)
        else {
          const built = await build(this.own.reads, this.leases, this.stopping.signal)
          if (!built) return
          this.recent.reset(built.position)
          this.moveTo(built.tables, built.position)
        }
      } catch (error) {
        if (this.stopping.signal.aborted) return
        this.options.onError(error)
        if (error instanceof Gap && this.tables) this.lose()
        else await waitFor(retryMs, this.stopping.signal)
      }
    }
  }

  private async step(tables: Tables): Promise<void> {
    const { position } = this
    const found = await new Promise<StreamEntry[]>((resolve, reject) => {
      this.wake = () => resolve([])
      this.reader.next(position).then(resolve, reject)
    })
    if (found.length === 0) return
    const entries = await this.inTurn(() => take(this.own.reads, { tables, position }, found))
    if (this.tables !== tables) return
    this.recent.push(entries)
    this.moveTo(tables, entries.at(-1)?.id ?? position)
    for (const { change } of entries) if (change) for (const listener of this.listeners) listener(change)
  }

  private moveTo(tables: Tables, position: string): void {
    this.tables = tables
    this.position = position
    this.behindSince = undefined
    this.moved.ring()
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const acting = this.turn.then(act)
    this.turn = acting.catch(() => undefined)
    return acting
  }

  private async watch(): Promise<void> {
    await this.repeatedly(async () => {
      await this.leases.look()
      const tail = await this.look()
      this.own.renewIfSilent(this.pace.patience)
      if (!this.tables || tail === null || compareChangeIds(this.position, tail) >= 0) {
        this.behindSince = undefined
        return
      }
      this.behindSince ??= performance.now()
      // It waits on a connection that will say nothing any more.
      if (performance.now() - this.behindSince < this.pace.patience) return
      this.behindSince = undefined
      this.replaceReader()
    })
  }

  /** Reads dock after dock anew: what no change tells of (how long a container has been up), and what somebody has spoilt. */
  private async goRound(): Promise<void> {
    const steps = Math.max(1, Math.round(this.pace.round / this.pace.look))
    let left: string[] = []
    let atOnce = 1
    await this.repeatedly(async () => {
      const { tables } = this
      if (!tables) return
      if (left.length === 0) {
        left = [...new Set([...tables.docks, ...this.leases.hostnames])]
        atOnce = Math.ceil(left.length / steps)
      }
      const some = left.splice(0, atOnce)
      await this.inTurn(() => reload(this.own.reads, tables, some))
    })
  }

  private repeatedly(act: () => Promise<void>): Promise<void> {
    return repeatedly(this.pace.look, this.stopping.signal, act, this.options.onError)
  }
}
