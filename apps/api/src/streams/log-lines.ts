import type { Piece } from '@deblox/fleet/calls/call'

/** Of a line all, or where it is very long one part after the other. */
export interface Part {
  bytes: Buffer
  /** Whether the line begins with it. */
  begins: boolean
  /** Whether a line break follows, which is not among the bytes. */
  ends: boolean
  /** Whether the line goes on in another part. */
  goesOn: boolean
}

const lineBreak = 0x0a

/** Docker's own time is 30 characters long. */
const longestTime = 40

/** Cuts bytes into lines, however they arrive. It keeps at most so many of one line. */
export class LineCutter {
  private kept: Buffer[] = []
  private size = 0
  private begins = true

  constructor(private readonly most: number) {}

  cut(bytes: Buffer): Part[] {
    const parts: Part[] = []
    for (let from = 0; from < bytes.length;) {
      const found = bytes.indexOf(lineBreak, from)
      const end = found < 0 ? bytes.length : found
      const room = this.most - this.size
      if (end - from > room) {
        this.keep(bytes.subarray(from, from + room))
        parts.push(this.take({ ends: false, goesOn: true }))
        from += room
        continue
      }
      this.keep(bytes.subarray(from, end))
      if (found >= 0) parts.push(this.take({ ends: true, goesOn: false }))
      from = end + 1
    }
    return parts
  }

  /** What is left of the last line, which has no break. */
  rest(): Part[] {
    return this.size > 0 ? [this.take({ ends: false, goesOn: false })] : []
  }

  private keep(bytes: Buffer): void {
    if (bytes.length === 0) return
    const first = this.kept[0]
    // What tells of its beginning is in one piece.
    if (this.kept.length === 1 && first && first.length < longestTime) this.kept[0] = Buffer.concat([first, bytes])
    else this.kept.push(bytes)
    this.size += bytes.length
  }

  /** The beginning of a line that has not ended; undefined where none has begun, or where its first part has been given on. */
  get begun(): Buffer | undefined {
    return this.begins ? this.kept[0] : undefined
  }

  /** Whether a line has begun that has not ended. */
  get isWithin(): boolean {
    return this.size > 0 || !this.begins
  }

  private take(how: Pick<Part, 'ends' | 'goesOn'>): Part {
    const [only] = this.kept
    const bytes = this.kept.length === 1 && only ? only : Buffer.concat(this.kept)
    const part = { bytes, begins: this.begins, ...how }
    this.kept = []
    this.size = 0
    this.begins = !how.goesOn
    return part
  }
}

export type Stream = 'stdout' | 'stderr'

/** A line that a container has logged, or a part of a very long one. */
export interface Logged extends Part {
  stream: Stream
  /** As Docker tells it, e.g. `2026-11-23T07:30:00.123456789Z`; null where it does not. Its bytes are not among the line's. */
  time: string | null
  /** The time of a line of the other output that has begun before this one was given on, and has not ended; null without one. */
  waiting: string | null
}

/** Lines that were not sent, because nobody read them in time. */
export interface Dropped {
  dropped: { lines: number; bytes: number }
}

export type LogEvent = Logged | Dropped

export const isDropped = (event: LogEvent): event is Dropped => 'dropped' in event

export const streams = ['stdout', 'stderr'] as const

/** The longest mark that is believed, in bytes. */
const longestMark = 4_096

/** Reads what a dock sends of a container's logs: see `read-logs` in kinds.ts. */
export class LogReader {
  private readonly cutters: Record<Stream, LineCutter>
  private readonly times: Record<Stream, string | null> = { stdout: null, stderr: null }
  private readonly marks = new LineCutter(longestMark)

  /** @param most How many bytes of one line are kept; the rest of a longer one comes in parts. */
  constructor(most: number) {
    this.cutters = { stdout: new LineCutter(most), stderr: new LineCutter(most) }
  }

  read({ channel, bytes }: Piece): LogEvent[] {
    if (channel === 0) return this.marks.cut(bytes).flatMap(readMark)
    const stream = streams[channel - 1] as Stream
    const parts = this.cutters[stream].cut(bytes)
    return parts.length === 0 ? [] : this.timed(stream, parts)
  }

  /** What is left when nothing more comes: last lines without a break, in the order of their times. */
  rest(): LogEvent[] {
    const inOrder = streams.toSorted((a, b) => (this.waiting(a) ?? '').localeCompare(this.waiting(b) ?? ''))
    return inOrder.flatMap((stream) => this.timed(stream, this.cutters[stream].rest()))
  }

  private timed(stream: Stream, parts: readonly Part[]): Logged[] {
    const waiting = this.waiting(stream === 'stdout' ? 'stderr' : 'stdout')
    return parts.map((part) => {
      if (!part.begins) return { ...part, stream, time: this.times[stream], waiting }
      const { time, bytes } = withoutTime(part.bytes)
      this.times[stream] = time
      return { ...part, bytes, stream, time, waiting }
    })
  }

  /** The time of the line of an output that has begun and not ended. */
  private waiting(stream: Stream): string | null {
    const { begun, isWithin } = this.cutters[stream]
    if (begun) return withoutTime(begun).time
    return isWithin ? this.times[stream] : null
  }
}

const timeThen = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))(?: |$)/

const [space, letterT, letterZ] = [0x20, 0x54, 0x5a]

function withoutTime(bytes: Buffer): { time: string | null; bytes: Buffer } {
  // Docker's own form, of which there are very many.
  if (bytes[30] === space && bytes[29] === letterZ && bytes[10] === letterT) {
    return { time: bytes.toString('latin1', 0, 30), bytes: bytes.subarray(31) }
  }
  const [all, time] = timeThen.exec(bytes.toString('latin1', 0, longestTime)) ?? []
  return all === undefined || time === undefined ? { time: null, bytes } : { time, bytes: bytes.subarray(all.length) }
}

function readMark({ bytes }: Part): Dropped[] {
  try {
    const { dropped } = JSON.parse(bytes.toString()) as Partial<Dropped>
    const { lines, bytes: size } = dropped ?? {}
    return typeof lines === 'number' && typeof size === 'number' ? [{ dropped: { lines, bytes: size } }] : []
  } catch {
    // A dock that is newer than this replica may tell more.
    return []
  }
}
