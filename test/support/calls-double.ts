import type { Answerer, Answering, Asked, Call, Calls, Piece } from '@deblox/fleet/calls/call'
import { DebloxError } from '@deblox/actions/errors'
import { deferred } from './deferred'

const windowBytes = 256 * 1024

/** Bytes on their way: whoever writes waits while a window of them was not read. */
class Pipe<T> implements AsyncIterable<T> {
  private readonly items: { item: T; size: number }[] = []
  private over: { error?: unknown } | undefined
  private wake: (() => void)[] = []
  size = 0
  /** How much there was at the most. */
  most = 0

  async push(item: T, size: number): Promise<void> {
    this.requireOpen()
    this.items.push({ item, size })
    this.size += size
    this.most = Math.max(this.most, this.size)
    this.stir()
    while (this.size >= windowBytes && !this.over) await this.stirred()
    if (this.failed()) this.requireOpen()
  }

  private failed = (): boolean => this.over?.error !== undefined

  private requireOpen(): void {
    if (this.over) throw this.over.error ?? new DebloxError('stream_broken', 'it has ended')
  }

  /** Nothing more comes. What has arrived can still be read. */
  end(error?: unknown): void {
    this.over ??= error === undefined ? {} : { error }
    this.stir()
  }

  /** Nothing is read any more. */
  drop(error: unknown): void {
    this.items.length = 0
    this.end(error)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.items.shift()
      if (next) {
        this.size -= next.size
        this.stir()
        yield next.item
      } else if (this.over) {
        if (this.over.error) throw this.over.error
        return
      } else await this.stirred()
    }
  }

  private stirred(): Promise<void> {
    return new Promise((resolve) => this.wake.push(resolve))
  }

  private stir(): void {
    for (const wake of this.wake.splice(0)) wake()
  }
}

/** A call as the double carried it. */
export interface Carried {
  asked: Asked
  /** Aborts when the call is over for the dock. */
  signal: AbortSignal
  /** The bytes that waited on their way at the most, from the dock and to it. */
  most: () => { output: number; input: number }
}

/** A double of the calls in this process: what a dock would answer, an answerer in the test does. */
export class CallsDouble implements Calls {
  readonly carried: Carried[] = []
  private readonly cancels = new Set<() => void>()

  /** Answers all calls; throws before its `begin` where the dock refuses one. */
  constructor(public answer: Answerer = async () => undefined) {}

  async open(asked: Asked): Promise<Call> {
    const output = new Pipe<Piece>()
    const input = new Pipe<Buffer>()
    const leaving = new AbortController()
    const begun = deferred<unknown>()
    const listeners: ((message: unknown) => void)[] = []
    const cancel = (): void => {
      const error = new DebloxError('stream_broken', 'the call was ended')
      output.drop(error)
      input.drop(error)
      leaving.abort(error)
    }
    this.cancels.add(cancel)
    asked.signal.addEventListener('abort', cancel, { once: true })
    const answering: Answering = {
      kind: asked.kind,
      params: asked.params,
      identity: asked.identity,
      given: asked.given,
      ...(asked.view && { view: asked.view }),
      signal: leaving.signal,
      input,
      begin: async (head) => begun.resolve(head),
      async send(channel, bytes) {
        begun.resolve(undefined)
        await output.push({ channel, bytes }, bytes.length)
      },
      get room() {
        return windowBytes - output.size
      },
      onTold: (listener) => void listeners.push(listener),
    }
    this.carried.push({
      asked,
      signal: leaving.signal,
      most: () => ({ output: output.most, input: input.most }),
    })
    const ended = this.answer(answering)
    void ended
      .then(
        () => output.end(),
        (error: unknown) => output.end(error),
      )
      .finally(() => {
        input.end(new DebloxError('stream_broken', 'it has ended'))
        this.cancels.delete(cancel)
      })
    void ended.then(() => begun.resolve(undefined), begun.reject)
    const head = await begun.promise
    return {
      head,
      output,
      ended,
      write: (bytes) => input.push(bytes, bytes.length),
      endInput: async () => input.end(),
      tell: async (message) => listeners.forEach((listener) => listener(message)),
      cancel,
    }
  }

  async ask(asked: Asked): Promise<unknown> {
    const call = await this.open(asked)
    return call.ended
  }

  close(): void {
    for (const cancel of this.cancels) cancel()
  }
}
