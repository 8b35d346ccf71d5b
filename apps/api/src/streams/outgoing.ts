import { once } from 'node:events'
import type { Response } from 'express'

/** A caller who takes nothing of an answer for so long is left, in milliseconds: he would keep it in memory. */
const stallMs = 60_000

/** Thrown where nobody takes the rest of an answer. */
export class CallerLeft extends Error {}

/** An answer that is written piece by piece, as fast as its caller takes it. */
export class Outgoing {
  constructor(
    private readonly response: Response,
    private readonly patienceMs = stallMs,
  ) {}

  /** How much waits here for the caller, in bytes. */
  get buffered(): number {
    return this.response.writableLength
  }

  /** Writes a piece; resolves when there is room for more. Throws `CallerLeft`. */
  async write(piece: Buffer | string): Promise<void> {
    this.requireCaller()
    // Nothing to wait for, and an empty chunk would end the answer for some.
    if (piece.length === 0 || this.response.write(piece)) return
    const waited = new AbortController()
    const stalled = setTimeout(() => this.response.destroy(), this.patienceMs)
    try {
      const events = ['drain', 'close'].map((event) => once(this.response, event, { signal: waited.signal }))
      await Promise.race(events)
    } finally {
      clearTimeout(stalled)
      waited.abort()
    }
    this.requireCaller()
  }

  /** Writes a piece without waiting; leaves a caller for whom more than so many bytes wait already, and throws `CallerLeft`. */
  push(piece: string, mostBuffered: number): void {
    this.requireCaller()
    if (this.buffered > mostBuffered) {
      this.response.destroy()
      throw new CallerLeft(`expected a caller who takes what is sent, got one for whom ${this.buffered} bytes wait`)
    }
    this.response.write(piece)
  }

  private requireCaller(): void {
    if (this.response.destroyed || this.response.closed) throw new CallerLeft('the caller has left')
  }
}
