import type { Channel, Piece } from '@deblox/fleet/calls/call'
import { Demux } from './demux'
import { endOfStamp, type LogPlace, maxStamp } from './log-place'
import { Runs } from './runs'

const newline = 0x0a

/** Docker cuts longer lines into messages of so many bytes, each with the time of the first. */
const messageLength = 16 * 1024

/** How one stream of the log stands. */
interface State {
  /** What went through last did not end its line. */
  open: boolean
  /** That line was ended by `close`. */
  closed: boolean
  /** The time of the message that may be left open, and its length. */
  stamp: Buffer
  length: number
  /** The message that is under way was read before. */
  skips: boolean
}

const timeOf = ({ stamp, length }: State): Buffer => stamp.subarray(0, length)

/**
 * Makes lines of a log as Docker sends it with times: each line of its container is one, however long, and begins with one time.
 * A line that its process left unfinished is ended before the next one. Lines come out in parts, as they come.
 */
export class LogLines {
  private readonly runs = new Runs()
  private readonly states: State[] = [0, 1, 2].map(() => ({
    open: false,
    closed: false,
    stamp: Buffer.alloc(maxStamp),
    length: 0,
    skips: false,
  }))
  private demux = this.newDemux()
  /** Of a terminal's log, which has no frames: what may be the time of a message. */
  private rest: Buffer = Buffer.alloc(0)
  /** How much there was of the message that is under way, and how much there is at most. */
  private within: number | undefined
  private most = messageLength
  /** How much there was of the last message where that did not end its line. */
  private left = 0
  /** The next message may begin a line although the one before did not end its own. */
  private fresh = true

  /** Messages that `place` knows are passed over. */
  constructor(
    private readonly tty: boolean,
    private readonly place?: LogPlace,
  ) {}

  /** What of a chunk can be given on: the log of a terminal on channel 1. Throws as Demux does. */
  push(chunk: Buffer): Piece[] {
    if (this.tty) this.read(this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk, false)
    else this.demux.push(chunk)
    return this.runs.take()
  }

  /** To be called where Docker has ended its answer: another may follow. Throws as Demux does. */
  end(): Piece[] {
    if (this.tty) this.read(this.rest, true)
    else this.demux.end()
    this.demux = this.newDemux()
    this.left = this.within ?? messageLength
    this.within = undefined
    this.fresh = true
    return this.runs.take()
  }

  /** Ends the lines that are left open, in their order: nothing goes on with them as long as their container does not run. */
  close(): Piece[] {
    const left = this.states.filter(({ open, closed }) => open && !closed)
    for (const state of left.sort((one, other) => timeOf(one).compare(timeOf(other)))) {
      state.closed = true
      this.runs.add(this.states.indexOf(state) as Channel, Buffer.from([newline]), 0, 1)
    }
    return this.runs.take()
  }

  private newDemux(): Demux {
    return new Demux((stream, bytes, from, to, first, last) => {
      const stays = !last || bytes[to - 1] !== newline
      this.add(stream, bytes, first ? this.begin(stream, bytes, from, to, stays) : from, to)
    }, maxStamp + 1)
  }

  /**
   * Begins a message, of which it is said whether it may stay open. Tells from where on it is given on: without its time where it
   * goes on with a line.
   */
  private begin(channel: Channel, bytes: Buffer, from: number, to: number, stays: boolean): number {
    const state = this.states[channel] as State
    const end = endOfStamp(bytes, from, to)
    state.skips = end >= 0 && this.place?.passes(channel, bytes, from, end) === false
    if (end < 0 || state.skips) return from
    if (state.open && !state.closed) {
      if (this.goesOn(state, bytes, from, end)) return end + 1
      this.runs.add(channel, Buffer.from([newline]), 0, 1)
    }
    // Now, because its bytes are moved when they are given on.
    if (stays) state.length = bytes.copy(state.stamp, 0, from, end)
    return from
  }

  private goesOn({ stamp, length }: State, bytes: Buffer, from: number, end: number): boolean {
    return bytes.compare(stamp, 0, length, from, end) === 0
  }

  private add(channel: Channel, bytes: Buffer, from: number, to: number): void {
    const state = this.states[channel] as State
    if (state.skips || from >= to) return
    state.open = bytes[to - 1] !== newline
    state.closed = false
    this.runs.add(channel, bytes, from, to)
  }

  /** Reads a terminal's log, whose messages can only be told apart by their ends, or by their length. */
  private read(bytes: Buffer, over: boolean): void {
    let at = 0
    while (at < bytes.length) {
      if (this.within === undefined) {
        const isThere = over || bytes.length - at > maxStamp || endOfStamp(bytes, at, bytes.length) >= 0
        if (!isThere) break
        at = this.beginWithin(bytes, at)
        continue
      }
      const end = bytes.indexOf(newline, at)
      const most = Math.min(bytes.length, at + this.most - this.within)
      const ends = end >= 0 && end < most
      const to = ends ? end + 1 : most
      this.within += to - at
      this.add(1, bytes, at, to)
      at = to
      if (!ends && this.within < this.most) continue
      this.within = undefined
      // One that was read before and left open may have had no more.
      if (this.most < messageLength) this.fresh = true
    }
    this.rest = Buffer.from(bytes.subarray(at))
  }

  /** Begins a message of a terminal's log. Tells where its text begins. */
  private beginWithin(bytes: Buffer, at: number): number {
    const state = this.states[1] as State
    const { fresh } = this
    this.fresh = false
    this.within = 0
    this.most = messageLength
    const end = endOfStamp(bytes, at, bytes.length)
    // What only looks like a time is text: within one answer an open line goes on with its own.
    const isText = end < 0 || (state.open && !fresh && !this.goesOn(state, bytes, at, end))
    if (isText) return at
    const { open } = state
    this.add(1, bytes, this.begin(1, bytes, at, end + 1, true), end + 1)
    if (state.skips && open && !this.place?.knowsMore(1)) this.most = this.left
    return end + 1
  }
}
