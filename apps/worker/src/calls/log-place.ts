import type { Channel } from '@deblox/fleet/calls/call'

/** Docker's times of log messages are no longer, in bytes. */
export const maxStamp = 40

const space = 0x20

const dash = 0x2d
const letterT = 0x54

/** Where the time ends with which a message begins, or -1 where it begins with none. */
export function endOfStamp(bytes: Buffer, from: number, to: number): number {
  if (to - from < 20 || bytes[from + 4] !== dash || bytes[from + 10] !== letterT) return -1
  // In UTC it always has 30 bytes.
  if (from + 30 < to && bytes[from + 30] === space) return from + 30
  const end = bytes.subarray(from, Math.min(to, from + maxStamp + 1)).indexOf(space)
  return end < 0 ? -1 : from + end
}

/** What is logged at once on two outputs may be kept in another order than that of its times, but not by more seconds than this. */
const slack = 1

/** How far one output has been read: the time of its latest message, and how many messages of that time there were. */
interface Read {
  stamp: Buffer
  length: number
  count: number
  /** Of the messages that are given again so many of that time are to come still. */
  known: number
  /** What is given is what was read before, until there is something new. */
  again: boolean
}

/**
 * How far each output of a log has been read, so that the log can be opened again there without a message lost or read twice. Its
 * times are all of one length and zone, so that their text has their order.
 */
export class LogPlace {
  private readonly outputs: Read[] = [0, 1, 2].map(() => ({
    stamp: Buffer.alloc(maxStamp),
    length: 0,
    count: 0,
    known: 0,
    again: false,
  }))

  /** Whether a message, whose time stands in `bytes` from `from` up to `to`, is a new one. To be asked once for each. */
  passes(channel: Channel, bytes: Buffer, from: number, to: number): boolean {
    const read = this.outputs[channel] as Read
    const order = bytes.compare(read.stamp, 0, read.length, from, to)
    if (order < 0 && read.again) return false
    if (order === 0 && read.known > 0) {
      read.known--
      return false
    }
    if (order > 0) return this.pass(read, bytes, from, to)
    // The clock was set back.
    return order < 0 || this.more(read)
  }

  /** Whether there are messages to come that were read before. */
  knowsMore(channel: Channel): boolean {
    return (this.outputs[channel] as Read).known > 0
  }

  /** From when on the log is to be opened again, as Docker takes it; undefined where nothing has been read. */
  reopen(): string | undefined {
    for (const read of this.outputs) {
      read.known = read.count
      read.again = true
    }
    const times = this.outputs.flatMap((read) => (read.length === 0 ? [] : secondsOf(timeOf(read)))).toSorted()
    const [oldest, latest] = [times[0], times.at(-1)]
    if (oldest === undefined || latest === undefined) return undefined
    const [seconds = '', fraction] = latest.split('.')
    const least = `${Number(seconds) - slack}${fraction === undefined ? '' : `.${fraction}`}`
    return oldest > least ? oldest : least
  }

  private pass(read: Read, bytes: Buffer, from: number, to: number): boolean {
    read.length = bytes.copy(read.stamp, 0, from, to)
    read.count = 0
    read.known = 0
    return this.more(read)
  }

  private more(read: Read): boolean {
    read.count++
    read.again = false
    return true
  }
}

const timeOf = ({ stamp, length }: Read): string => stamp.toString('latin1', 0, length)

/** `2026-11-23T07:25:38.123456789Z` in seconds since 1970, with its fraction. */
export function secondsOf(stamp: string): string {
  const [, date = '', fraction = '', zone = ''] = /^([\d-]+T[\d:]+)(?:\.(\d+))?(.*)$/.exec(stamp) ?? []
  const seconds = Date.parse(`${date}${zone}`) / 1000
  return fraction === '' ? String(seconds) : `${seconds}.${fraction}`
}
