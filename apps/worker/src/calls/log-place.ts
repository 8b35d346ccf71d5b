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

/**
 * How far a log has been read, by the time of its latest message and how many messages of that time there were, so that it can
 * be opened again there without a message lost or read twice.
 */
export class LogPlace {
  private readonly stamp = Buffer.alloc(maxStamp)
  private length = 0
  private counts = [0, 0, 0]
  private known = [0, 0, 0]

  /** Whether a message, whose time stands in `bytes` from `from` up to `to`, is a new one. To be asked once for each. */
  passes(channel: Channel, bytes: Buffer, from: number, to: number): boolean {
    const order = bytes.compare(this.stamp, 0, this.length, from, to)
    if (order > 0) {
      this.length = bytes.copy(this.stamp, 0, from, to)
      this.counts = [0, 0, 0]
      this.known = [0, 0, 0]
    }
    if (order < 0) return true
    const left = this.known[channel] as number
    if (left > 0) {
      this.known[channel] = left - 1
      return false
    }
    this.counts[channel] = (this.counts[channel] as number) + 1
    return true
  }

  /** Whether there are messages to come that were read before. */
  knowsMore(channel: Channel): boolean {
    return (this.known[channel] as number) > 0
  }

  /** From when on the log is to be opened again, as Docker takes it; undefined where nothing has been read. */
  reopen(): string | undefined {
    if (this.length === 0) return undefined
    this.known = [...this.counts]
    return secondsOf(this.stamp.toString('latin1', 0, this.length))
  }
}

/** `2026-11-23T07:25:38.123456789Z` in seconds since 1970, with its fraction. */
export function secondsOf(stamp: string): string {
  const [, date = '', fraction = '', zone = ''] = /^([\d-]+T[\d:]+)(?:\.(\d+))?(.*)$/.exec(stamp) ?? []
  const seconds = Date.parse(`${date}${zone}`) / 1000
  return fraction === '' ? String(seconds) : `${seconds}.${fraction}`
}
