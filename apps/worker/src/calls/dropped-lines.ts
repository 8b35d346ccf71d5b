import type { Channel, Piece } from '@deblox/fleet/calls/call'
import type { Dropping } from './outlet'

const newline = 0x0a

interface State {
  /** What was sent last did not end its line. */
  open: boolean
  /** The line that was open is not gone on with: it is ended before anything else is sent. */
  cut: boolean
  /** What comes next belongs to a line that was dropped, or cut. */
  within: boolean
}

/** Drops whole lines, as far as they were not begun to be sent: such a one is cut, and ended. */
export class DroppedLines implements Dropping {
  private readonly states: State[] = [0, 1, 2].map(() => ({ open: false, cut: false, within: false }))
  private lines = 0
  private bytes = 0

  drop({ channel, bytes }: Piece): void {
    const state = this.states[channel] as State
    state.cut ||= state.open
    this.bytes += bytes.length
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) this.lines++
    state.within = bytes[bytes.length - 1] !== newline
  }

  resume({ channel, bytes }: Piece): Buffer {
    if (!(this.states[channel] as State).within) return bytes
    const end = bytes.indexOf(newline)
    const rest = end < 0 ? bytes.length : end + 1
    this.drop({ channel, bytes: bytes.subarray(0, rest) })
    return bytes.subarray(rest)
  }

  sent({ channel, bytes }: Piece): void {
    ;(this.states[channel] as State).open = bytes[bytes.length - 1] !== newline
  }

  closing(channel: Channel): Buffer | undefined {
    const state = this.states[channel] as State
    if (!state.cut) return undefined
    state.cut = false
    state.open = false
    return Buffer.from([newline])
  }

  mark(): Buffer | undefined {
    if (this.bytes === 0) return undefined
    const dropped = { lines: this.lines, bytes: this.bytes }
    this.lines = 0
    this.bytes = 0
    return Buffer.from(`${JSON.stringify({ dropped })}\n`)
  }
}
