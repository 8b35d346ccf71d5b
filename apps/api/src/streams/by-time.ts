import { isDropped, type LogEvent } from './log-lines'
import type { Source } from './log-forms'

/** Lines of one container, in their order. */
export interface Some {
  source: Source
  events: LogEvent[]
}

interface Queue {
  source: Source
  events: LogEvent[]
  /** In bytes. */
  size: number
  /** When it became empty. */
  since: number
  hasSent: boolean
  hasLeft: boolean
}

/** In milliseconds. */
const patience = {
  /** A container that has logged just now may have more of the same time. */
  goesOn: 200,
  /** So long it is waited for what its dock sends first. */
  begins: 1_000,
}

/** So much of one container waits here for the others, in bytes; then its dock waits. */
const mostWaiting = 64 * 1024

/** So much is written at a time, in bytes. */
const batch = 64 * 1024

/**
 * Puts what several containers log into the order of its time, as far as that can be known without waiting for any of them for long:
 * whoever is slow comes late, and holds up nobody.
 */
export class ByTime {
  private readonly queues = new Map<string, Queue>()
  private wake: (() => void)[] = []
  private isFinished = false

  /** From now on it may push. One that comes back is not waited for. */
  join(source: Source, isBack: boolean): void {
    const since = isBack ? -Infinity : performance.now()
    const { events, size } = this.queues.get(source.id) ?? { events: [], size: 0 }
    this.queues.set(source.id, { source, events, size, since, hasSent: false, hasLeft: false })
  }

  /** Resolves when there is room for more of that container. */
  async push({ id }: Source, events: readonly LogEvent[]): Promise<void> {
    const queue = this.queues.get(id)
    if (!queue || events.length === 0) return
    queue.events.push(...events)
    queue.size += events.reduce((sum, event) => sum + sizeOf(event), 0)
    queue.hasSent = true
    this.stir()
    while (queue.size > mostWaiting && this.queues.get(id) === queue) await this.stirred()
  }

  /** Nothing more comes of it; `drop`: what has come is not to be written any more. */
  leave({ id }: Source, drop = false): void {
    const queue = this.queues.get(id)
    if (queue) queue.hasLeft = true
    if (drop) this.queues.delete(id)
    this.stir()
  }

  /** Nothing more comes of any. */
  finish(): void {
    this.isFinished = true
    this.stir()
  }

  /** Writes until `finish` has been called and nothing is left. `write` gets it in its order. */
  async run(write: (some: readonly Some[]) => Promise<void>): Promise<void> {
    for (;;) {
      const some: Some[] = []
      for (let size = 0; size < batch;) {
        const next = this.next()
        if (!next) break
        some.push(next)
        size += next.events.reduce((sum, event) => sum + sizeOf(event), 0)
      }
      if (some.length > 0) {
        await write(some)
        this.stir()
      } else if (this.isFinished && this.queues.size === 0) return
      else await this.stirred(this.waitMs())
    }
  }

  /** What comes first of all that has come, unless something earlier may still come. */
  private next(): Some | undefined {
    const now = performance.now()
    let first: Queue | undefined
    let second: string | undefined
    for (const [id, queue] of this.queues) {
      if (queue.events.length === 0) {
        if (queue.hasLeft || this.isFinished) this.queues.delete(id)
        else if (now < untilOf(queue)) return undefined
        continue
      }
      const time = timeOf(queue)
      if (!first || time < timeOf(first)) [first, second] = [queue, first && timeOf(first)]
      else if (second === undefined || time < second) second = time
    }
    if (!first) return undefined
    const at = first.events.findIndex((event) => second !== undefined && timeIn(event) > second)
    const events = first.events.splice(0, at < 0 ? first.events.length : at)
    first.size -= events.reduce((sum, event) => sum + sizeOf(event), 0)
    first.since = now
    return { source: first.source, events }
  }

  /** How long what has come waits for what may be earlier; undefined where nothing waits. */
  private waitMs(): number | undefined {
    const now = performance.now()
    const all = [...this.queues.values()]
    if (all.every(({ events }) => events.length === 0)) return undefined
    const times = all.filter(({ events }) => events.length === 0).map((queue) => untilOf(queue) - now)
    return Math.max(1, Math.min(...times.filter((ms) => ms > 0), patience.begins))
  }

  private async stirred(ms?: number): Promise<void> {
    const timer = ms === undefined ? undefined : setTimeout(() => this.stir(), ms)
    await new Promise<void>((resolve) => this.wake.push(resolve))
    clearTimeout(timer)
  }

  private stir(): void {
    for (const wake of this.wake.splice(0)) wake()
  }
}

/** Until then it is waited for. */
const untilOf = ({ since, hasSent }: Queue): number => since + (hasSent ? patience.goesOn : patience.begins)

const sizeOf = (event: LogEvent): number => (isDropped(event) ? 0 : event.bytes.length) + 100

/** What has no time comes at once. Docker's times are all of one length and zone, so that their text has their order. */
const timeIn = (event: LogEvent): string => (isDropped(event) ? '' : (event.time ?? ''))

const timeOf = ({ events: [first] }: Queue): string => (first ? timeIn(first) : '')
