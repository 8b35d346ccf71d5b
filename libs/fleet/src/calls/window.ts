import { broken } from './frames'
import { frameCost, windowBytes } from './limits'
import { type Part, partHeadBytes } from './pieces'

/** What a frame takes of the window: both ends count it in the same way. */
export const costOf = (size: number): number => size + frameCost

interface Arrived extends Part {
  cost: number
}

/**
 * What has arrived and was not read yet, to be read once. As it is read the other end is told that it may send more; it has never
 * more than a window under way.
 */
export class Incoming implements AsyncIterable<Part> {
  private readonly arrived: Arrived[] = []
  private first = 0
  private unread = 0
  private consumed = 0
  private over: { error?: Error } | undefined
  private waiting: (() => void)[] = []
  private taken = false

  constructor(
    private readonly grant: (bytes: number) => void,
    /** It is not read to its end. */
    private readonly onLeft: () => void,
    private readonly window = windowBytes,
  ) {}

  /** The pieces of one frame. Throws `stream_broken` where they are more than a window. */
  add(parts: Part[], size: number): void {
    this.unread += costOf(size)
    if (this.unread > this.window) throw broken(`at most ${this.window} bytes at a time`, 'more')
    let rest = costOf(size)
    for (const [n, { channel, bytes }] of parts.entries()) {
      const cost = n === parts.length - 1 ? rest : bytes.length + partHeadBytes
      rest -= cost
      this.arrived.push({ channel, bytes, cost })
    }
    if (parts.length === 0) this.read(rest)
    this.awake()
  }

  /** Something that took of the window and is not read by anybody. */
  pass(size: number): void {
    this.unread += costOf(size)
    this.read(costOf(size))
  }

  /** Nothing more comes. What has arrived can still be read; then it ends, or throws. */
  end(error?: Error): void {
    this.over ??= error ? { error } : {}
    this.awake()
  }

  /** Nothing is read any more. */
  drop(error: Error): void {
    this.over ??= { error }
    this.arrived.length = 0
    this.first = 0
    this.awake()
  }

  [Symbol.asyncIterator](): AsyncIterator<Part> {
    if (this.taken) throw new TypeError('expected to be read once, but it is read again')
    this.taken = true
    return {
      next: async () => {
        for (;;) {
          const part = this.shift()
          if (part) return { value: part }
          if (this.over?.error) throw this.over.error
          if (this.over) return { done: true, value: undefined }
          await new Promise<void>((resolve) => this.waiting.push(resolve))
        }
      },
      return: async () => {
        if (!this.over) this.onLeft()
        return { done: true, value: undefined }
      },
    }
  }

  private shift(): Part | undefined {
    const next = this.arrived[this.first]
    if (!next) return undefined
    this.first++
    // Taking the first of an array away each time would move all others.
    if (this.first === this.arrived.length || this.first === 1_000) this.arrived.splice(0, this.first)
    if (this.first > this.arrived.length || this.first === 1_000) this.first = 0
    this.read(next.cost)
    return { channel: next.channel, bytes: next.bytes }
  }

  private read(cost: number): void {
    this.unread -= cost
    this.consumed += cost
    if (this.consumed < this.window / 2 || this.over) return
    const granted = this.consumed
    this.consumed = 0
    this.grant(granted)
  }

  private awake(): void {
    for (const wake of this.waiting.splice(0)) wake()
  }
}
