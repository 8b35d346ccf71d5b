import { isDropped, type LogEvent, type Stream } from './log-lines'

/**
 * How far somebody has read a container's log: the time of the last line, and how many lines of that very time he has. Docker
 * gives the same lines in the same order again, so that nothing is sent twice, or left out, when he comes back.
 */
export class LogPosition {
  private last: string | null
  /** Of the lines of that time so many are still to be left out. */
  private left: number
  private readonly leaving: Record<Stream, boolean> = { stdout: false, stderr: false }

  constructor(
    /** As Docker tells it; nothing where he has read none. */
    readonly time: string | null = null,
    private count = 0,
  ) {
    this.last = time
    this.left = count
  }

  /** Of a text that `next` has given; undefined of any other. */
  static from(text: string | undefined): LogPosition | undefined {
    const [, time, count] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)\/(\d{1,9})$/.exec(text ?? '') ?? []
    return time === undefined ? undefined : new LogPosition(time, Number(count))
  }

  /** Of what has arrived, in its order, that which he has not read. */
  unread(events: readonly LogEvent[]): LogEvent[] {
    return events.filter((event) => {
      if (isDropped(event)) return true
      if (event.begins) this.leaving[event.stream] = this.isRead(event.time)
      return !this.leaving[event.stream]
    })
  }

  /** The position after one more line, as text. */
  next(time: string): string {
    this.count = time === this.last ? this.count + 1 : 1
    this.last = time
    return `${time}/${this.count}`
  }

  /** The position that was reached, to go on from. */
  reached(): LogPosition {
    return new LogPosition(this.last, this.count)
  }

  private isRead(time: string | null): boolean {
    if (this.left === 0 || time !== this.time) return false
    this.left--
    return true
  }
}
