import type { Channel, Piece } from '@deblox/fleet/calls/call'

/**
 * Puts neighbouring parts of one channel together to one piece, in place: tiny frames by the thousand become few pieces, and
 * nothing is copied elsewhere.
 */
export class Runs {
  private done: Piece[] = []
  private bytes: Buffer | undefined
  private channel: Channel = 0
  private start = 0
  private end = 0

  /** Adds `bytes` from `from` up to `to`. Parts of one buffer must come in their order in it. */
  add(channel: Channel, bytes: Buffer, from: number, to: number): void {
    if (bytes === this.bytes && channel === this.channel) {
      if (from !== this.end) bytes.copyWithin(this.end, from, to)
      this.end += to - from
      return
    }
    this.finish()
    this.bytes = bytes
    this.channel = channel
    this.start = from
    this.end = to
  }

  /** All that was added since the last time. */
  take(): Piece[] {
    this.finish()
    const pieces = this.done
    this.done = []
    return pieces
  }

  private finish(): void {
    const { bytes, channel, start, end } = this
    this.bytes = undefined
    if (bytes && end > start) this.done.push({ channel, bytes: bytes.subarray(start, end) })
  }
}
