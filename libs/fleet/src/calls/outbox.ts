import { setTimeout as wait } from 'node:timers/promises'
import type { Values } from './frames'
import { isRefusal, type RedisClient, redisErrorCode } from '../redis'

/** What has frames to send: a call, or what stands for all calls between two ends. */
export interface Source {
  /** The stream to which they go. */
  readonly stream: string
  /** What it tells is so at the moment: it is not sent later, when it may be so no more. */
  readonly isMomentary?: boolean
  /** The next one, or null where there is none. */
  next(): Values | null
  /** The stream is not there any more: whoever was to read it has gone. */
  lost(): void
}

/** What is sent at a time, in bytes: others use the connection, too. */
const batchBytes = 256 * 1024

/** After Redis could not be reached, in milliseconds. */
const retryMs = 100

interface Sent {
  source: Source
  values: Values
}

/**
 * Sends frames in their order, several at a time and one of each source in turn, so that a busy call does not hold up another.
 * One batch is under way at a time: what could not be delivered is sent again before anything else, but for what is momentary.
 */
export class Outbox {
  private readonly waiting = new Set<Source>()
  private sending: Promise<void> | undefined
  private readonly closing = new AbortController()

  constructor(
    private readonly redis: RedisClient,
    private readonly onError: (error: Error) => void,
  ) {}

  /** To be called when a source has something to send. */
  offer(source: Source): void {
    if (this.closing.signal.aborted) return
    this.waiting.add(source)
    // Not at once: what is offered in the same moment goes together.
    this.sending ??= Promise.resolve()
      .then(() => this.send())
      .finally(() => (this.sending = undefined))
  }

  /** Resolves when all is sent that was offered. */
  async settled(): Promise<void> {
    while (this.sending) await this.sending
  }

  close(): void {
    this.closing.abort()
    this.waiting.clear()
  }

  private async send(): Promise<void> {
    while (this.waiting.size > 0) {
      let batch = this.collect()
      while (batch.length > 0 && !this.closing.signal.aborted) batch = await this.deliver(batch)
    }
  }

  private collect(): Sent[] {
    const batch: Sent[] = []
    let bytes = 0
    // A source that is added again comes up again: that is its turn.
    for (const source of this.waiting) {
      this.waiting.delete(source)
      const values = source.next()
      if (!values) continue
      this.waiting.add(source)
      batch.push({ source, values })
      for (const { length } of values) bytes += length
      if (bytes >= batchBytes) break
    }
    return batch
  }

  /** Gives what is to be sent again. */
  private async deliver(batch: Sent[]): Promise<Sent[]> {
    const replies = await this.write(batch)
    for (const [n, { source }] of batch.entries()) {
      const [error, id] = replies[n] ?? [null, null]
      if (error && mayBeLater(error)) {
        this.onError(error)
        await wait(retryMs, undefined, { signal: this.closing.signal }).catch(() => undefined)
        return batch.slice(n).filter(({ source: { isMomentary } }) => !isMomentary)
      }
      if (error) this.onError(error)
      if (error || id === null) source.lost()
    }
    return []
  }

  private async write(batch: Sent[]): Promise<[Error | null, unknown][]> {
    // Not ioredis's pipeline: it would copy all of them once more. What is corked is sent with one call all the same.
    const socket = 'stream' in this.redis ? this.redis.stream : undefined
    socket?.cork()
    const replies = batch.map(({ source, values }) =>
      this.redis.xadd(source.stream, 'NOMKSTREAM', '*', ...values.flatMap((value) => ['f', value])).then(
        (id): [null, unknown] => [null, id],
        (error: unknown): [Error, null] => [error as Error, null],
      ),
    )
    socket?.uncork()
    return Promise.all(replies)
  }
}

/** Without a code it is not Redis's own reply: it could not be reached. */
const mayBeLater = (error: Error): boolean => redisErrorCode(error) === undefined || isRefusal(error)
