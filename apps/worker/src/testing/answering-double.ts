import type { Given } from '@deblox/actions/access/decide'
import type { Answering, Channel, Piece } from '@deblox/fleet/calls/call'

interface Asked {
  kind: string
  params: object
  given?: Given
}

/** A double of one call on its dock, with a caller in this process who reads at once, or not at all. */
export class AnsweringDouble implements Answering {
  readonly kind: string
  readonly params: object
  readonly given: Given
  readonly identity = { subject: 'anna', teams: [], role: 'admin' } as const
  readonly begun: unknown[] = []
  /** What the caller has been sent, also what he has not read yet. */
  readonly pieces: Piece[] = []
  private readonly leaving = new AbortController()
  private readonly typed: (Buffer | null)[] = []
  private wake: () => void = () => {}
  private listeners: ((message: unknown) => void)[] = []
  private waiting: (() => void)[] = []
  private reads = true
  private unread = 0

  /** A caller has room for `window` bytes that he has not read. */
  constructor(
    { kind, params, given = {} }: Asked,
    private readonly window = 256 * 1024,
  ) {
    this.kind = kind
    this.params = params
    this.given = given
  }

  get signal(): AbortSignal {
    return this.leaving.signal
  }

  get room(): number {
    return this.window - this.unread
  }

  get input(): AsyncIterable<Buffer> {
    return this.inputs()
  }

  async begin(head?: unknown): Promise<void> {
    this.begun.push(head)
  }

  async send(channel: Channel, bytes: Buffer): Promise<void> {
    this.signal.throwIfAborted()
    // Sent bytes are the caller's: what is done with the buffer later must not change them.
    this.pieces.push({ channel, bytes: Buffer.from(bytes) })
    if (this.reads) return
    this.unread += bytes.length
    if (this.room > 0) return
    await new Promise<void>((resolve, reject) => {
      this.waiting.push(resolve)
      this.signal.addEventListener('abort', () => reject(this.signal.reason as Error), { once: true })
    })
  }

  onTold(listener: (message: unknown) => void): void {
    this.listeners.push(listener)
  }

  /** All that came on a channel. */
  bytes(channel: Channel): Buffer {
    return Buffer.concat(this.pieces.filter((piece) => piece.channel === channel).map(({ bytes }) => bytes))
  }

  text(channel: Channel): string {
    return this.bytes(channel).toString()
  }

  stall(): void {
    this.reads = false
  }

  /** Resolves when those have heard of it who waited for room. */
  async readOn(): Promise<void> {
    this.reads = true
    this.unread = 0
    for (const go of this.waiting.splice(0)) go()
    await new Promise((resolve) => setImmediate(resolve))
  }

  write(...pieces: (string | Buffer)[]): void {
    this.typed.push(...pieces.map((piece) => Buffer.from(piece)))
    this.wake()
  }

  endInput(): void {
    this.typed.push(null)
    this.wake()
  }

  tell(message: unknown): void {
    for (const listener of this.listeners) listener(message)
  }

  leave(): void {
    this.leaving.abort(new Error('the caller has left'))
    this.wake()
  }

  private async *inputs(): AsyncGenerator<Buffer> {
    for (;;) {
      const next = this.typed.shift()
      if (this.signal.aborted || next === null) return
      if (next) yield next
      else await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }
}
