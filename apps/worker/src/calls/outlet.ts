import { setTimeout as wait } from 'node:timers/promises'
import type { Answering, Channel, Piece } from '@deblox/fleet/calls/call'

/** What is to be dropped, and how that is told. */
export interface Dropping {
  /** Called with what is dropped. */
  drop(piece: Piece): void
  /** What of a piece may be sent after others were dropped; what is left out was dropped with them. */
  resume(piece: Piece): Buffer
  /** Called with what is sent. */
  sent(piece: Piece): void
  /** What is sent on a channel before it goes on there. */
  closing(channel: Channel): Buffer | undefined
  /** Tells what was dropped since it was told last, to be sent on channel 0; undefined where nothing was. */
  mark(): Buffer | undefined
}

/**
 * Sends pieces to a caller who may be slow, without waiting for him longer than `patienceMs`: what comes then is dropped until he
 * has taken what is under way. He is told how much it was where it was.
 */
export class Outlet {
  private sending: Promise<void> | undefined
  private failure: { why: unknown } | undefined
  private drops = true

  constructor(
    private readonly call: Answering,
    private readonly patienceMs: number,
    private readonly dropping: Dropping,
  ) {}

  /** Resolves when it was sent or dropped, or is on its way. Rejects when the call has ended. */
  async give(piece: Piece): Promise<void> {
    if (this.failure) throw this.failure.why
    const { channel } = piece
    const bytes = this.sending ? piece.bytes : this.dropping.resume(piece)
    if (bytes.length === 0) return
    await this.unlessSlow(0, () => this.dropping.mark())
    await this.unlessSlow(channel, () => this.dropping.closing(channel))
    if (this.sending) return this.dropping.drop({ channel, bytes })
    this.dropping.sent({ channel, bytes })
    await this.send(channel, bytes)
  }

  /** From now on nothing is dropped: whoever is slow is waited for. Resolves when what is under way has been sent. */
  async keep(): Promise<void> {
    this.drops = false
    await this.sending
  }

  /** Waits for what is under way, and tells what was dropped last. */
  async end(): Promise<void> {
    await this.sending
    await this.unlessSlow(0, () => this.dropping.mark())
    await this.sending
    if (this.failure) throw this.failure.why
  }

  private async unlessSlow(channel: Channel, make: () => Buffer | undefined): Promise<void> {
    const bytes = this.sending ? undefined : make()
    if (bytes) await this.send(channel, bytes)
  }

  private async send(channel: Channel, bytes: Buffer): Promise<void> {
    this.sending = this.call
      .send(channel, bytes)
      .catch((why: unknown) => {
        this.failure = { why }
      })
      .then(() => {
        this.sending = undefined
      })
    await (this.drops ? this.untilPatienceEnds(this.sending) : this.sending)
    if (this.failure) throw this.failure.why
  }

  private async untilPatienceEnds(sending: Promise<void>): Promise<void> {
    const over = new AbortController()
    const patience = wait(this.patienceMs, undefined, { signal: over.signal }).catch(() => undefined)
    await Promise.race([sending, patience])
    over.abort()
  }
}

/** Drops whatever comes, and tells how many bytes it was. */
export class DroppedBytes implements Dropping {
  private bytes = 0

  constructor(private readonly markOf: (bytes: number) => Buffer) {}

  drop(piece: Piece): void {
    this.bytes += piece.bytes.length
  }

  resume({ bytes }: Piece): Buffer {
    return bytes
  }

  sent(): void {}

  closing(): undefined {}

  mark(): Buffer | undefined {
    if (this.bytes === 0) return undefined
    const mark = this.markOf(this.bytes)
    this.bytes = 0
    return mark
  }
}
