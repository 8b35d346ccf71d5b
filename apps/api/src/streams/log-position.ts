import { isDropped, type LogEvent, type Logged, type Stream, streams } from './log-lines'

/** Of an output all before a time has been read, and of that very time so many lines. */
interface Mark {
  time: string
  count: number
}

type Marks = Partial<Record<Stream, Mark>>

const mark = /^(stdout|stderr)=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))\/(\d{1,9})$/

/** What is logged at once on two outputs may come in another order than that of its times, but not by more than this. */
const slackMs = 1_000

/**
 * How far somebody has read each output of a container's log, so that nothing is sent twice, or left out, when he comes back. One
 * output can lie behind the other: a long line comes when it ends, and has the time at which it began. Docker gives the lines of
 * each output in the same order again, and its times are all of one length and zone, so that their text has their order.
 */
export class LogPosition {
  /** From when on the log is to be read; nothing where he has read none. */
  readonly time: string | null
  /** How many lines there were of the time of an output's mark. */
  private readonly seen: Record<Stream, number> = { stdout: 0, stderr: 0 }
  private readonly leaving: Record<Stream, boolean> = { stdout: false, stderr: false }
  private readonly read: Marks

  private constructor(private readonly begun: Marks) {
    this.time = streams.flatMap((stream) => begun[stream]?.time ?? []).toSorted()[0] ?? null
    this.read = { ...begun }
  }

  static readonly none = (): LogPosition => new LogPosition({})

  /** Of a text that `next` has given; undefined of any other. */
  static from(text: string | undefined): LogPosition | undefined {
    const begun: Marks = {}
    for (const part of text?.split(',') ?? []) {
      const [, stream, time, count] = mark.exec(part) ?? []
      if (stream === undefined || time === undefined) return undefined
      begun[stream as Stream] = { time, count: Number(count) }
    }
    return text === undefined ? undefined : new LogPosition(begun)
  }

  /** Of what has arrived, in its order, that which he has not read. */
  unread(events: readonly LogEvent[]): LogEvent[] {
    return events.filter((event) => {
      if (isDropped(event)) return true
      if (event.begins) this.leaving[event.stream] = this.isRead(event)
      return !this.leaving[event.stream]
    })
  }

  /** The position after one more line, as text; undefined after a part of one: who comes back then gets the whole of it. */
  next(event: Logged): string | undefined {
    const { stream, time, waiting } = event
    if (event.goesOn || time === null) return undefined
    const { count = 0 } = this.read[stream]?.time === time ? this.read[stream] : {}
    this.read[stream] = { time, count: count + 1 }
    return Object.entries(this.marks(stream, waiting))
      .map(([output, { time: at, count: lines }]) => `${output}=${at}/${lines}`)
      .join(',')
  }

  /** The position that was reached, to go on from. */
  reached(): LogPosition {
    return new LogPosition({ ...this.read })
  }

  private isRead({ stream, time }: Logged): boolean {
    const until = this.begun[stream]
    if (time === null || !until) return false
    if (time === until.time) return this.seen[stream]++ < until.count
    return time < until.time
  }

  /**
   * Where to go on after a line of `stream`: the other output at a line of it that is `waiting` to end, or else where it was read to,
   * but no further back than what may still come before the latest line.
   */
  private marks(stream: Stream, waiting: string | null): Marks {
    const other = stream === 'stdout' ? 'stderr' : 'stdout'
    const [own, its] = [this.read[stream], this.read[other]]
    const marks: Marks = { ...this.read }
    if (waiting !== null) marks[other] = its?.time === waiting ? its : { time: waiting, count: 0 }
    else if (own && its) {
      const oldest = earlier(own.time > its.time ? own.time : its.time)
      if (its.time < oldest) marks[other] = { time: oldest, count: 0 }
    }
    return marks
  }
}

const secondsLength = '2026-11-23T07:30:00'.length

function earlier(time: string): string {
  const then = new Date(Date.parse(`${time.slice(0, secondsLength)}Z`) - slackMs)
  return then.toISOString().slice(0, secondsLength) + time.slice(secondsLength)
}
