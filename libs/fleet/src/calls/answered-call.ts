import type { Given, View } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import { endChannel } from './asked-call'
import type { Answerer, Answering, Channel } from './call'
import { tellError, tellMessage, toldMessage } from './call-error'
import { broken, type Frame, hasEnded, type Values } from './frames'
import type { Line } from './line'
import { endBytes, messageBytes } from './limits'
import type { Question } from './opening'
import { partsOf, sizeOf } from './pieces'
import type { Member, Session } from './session'
import { Incoming } from './window'

const nothing = Buffer.alloc(0)

/** What a caller may tell before anybody listens. */
const untoldAtMost = 100

/** A call on its dock. */
export class AnsweredCall implements Answering, Member {
  readonly input: AsyncIterable<Buffer>
  private readonly incoming: Incoming
  private readonly leaving = new AbortController()
  private readonly untold: unknown[] = []
  private listener: ((message: unknown) => void) | undefined
  private answered = false

  constructor(
    readonly line: Line,
    readonly session: Session,
    private readonly question: Question,
    private readonly onOver: () => void,
    private readonly onError: (error: unknown) => void,
  ) {
    this.incoming = new Incoming(
      (bytes) => this.line.grant(bytes),
      () => undefined,
    )
    this.input = bytesOf(this.incoming)
  }

  get kind(): string {
    return this.question.kind
  }

  get params(): object {
    return this.question.params
  }

  get identity(): Identity {
    return this.question.identity
  }

  get given(): Given {
    return this.question.given
  }

  get view(): View | undefined {
    return this.question.view
  }

  get signal(): AbortSignal {
    return this.leaving.signal
  }

  get room(): number {
    return this.line.room
  }

  begin(head?: unknown): Promise<void> {
    return this.line.say('begin', tellMessage(head))
  }

  send(channel: Channel, bytes: Buffer): Promise<void> {
    return this.line.send(channel, bytes)
  }

  onTold(listener: (message: unknown) => void): void {
    this.listener = listener
    for (const message of this.untold.splice(0)) this.tellListener(message)
  }

  /** Answers it, and tells how that ended. Never rejects. */
  async run(answerer: Answerer): Promise<void> {
    try {
      const end = await answerer(this)
      await this.end(end)
    } catch (error) {
      if (this.signal.aborted) return
      if (!(error instanceof DebloxError)) this.onError(error)
      this.line.close('fail', tellError(error), error as Error)
    } finally {
      this.answered = true
      this.incoming.drop(hasEnded)
      this.onOver()
    }
  }

  /** Nobody waits for it any more. */
  fail(error: Error): void {
    if (this.signal.aborted || this.answered) return
    this.line.close('fail', tellError(error), error)
    this.leave(error)
  }

  receive(values: Values): void {
    try {
      const frame = this.line.open(values)
      if (!frame) return
      this.session.heard()
      this.take(frame)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  private take(frame: Frame): void {
    const { kind, payload } = frame
    switch (kind) {
      case 'data':
        return this.incoming.add(partsOf(frame), sizeOf(frame))
      case 'eof':
        return this.incoming.end()
      case 'credit':
        return this.line.granted(payload)
      case 'tell':
        this.incoming.pass(payload.length)
        return this.tellListener(toldMessage(payload))
      case 'cancel':
        return this.cancelled()
      case 'begin':
      case 'end':
      case 'fail':
      case 'beat':
        throw broken('what a caller sends', kind)
    }
  }

  private cancelled(): void {
    const error = broken('a call that goes on', 'its caller to have left')
    this.session.members.delete(this.line.name)
    this.line.drop(error)
    this.leave(error)
  }

  private leave(error: Error): void {
    this.leaving.abort(error)
    this.incoming.drop(error)
    this.onOver()
  }

  private async end(end: unknown): Promise<void> {
    const text = end === undefined ? nothing : Buffer.from(JSON.stringify(end))
    if (text.length > endBytes) {
      throw new DebloxError(
        'result_too_large',
        `call: expected an answer of at most ${endBytes} bytes, got ${text.length}`,
      )
    }
    const isLong = text.length > messageBytes
    if (isLong) void this.line.send(endChannel, text).catch(() => undefined)
    await this.line.say('end', isLong ? nothing : text)
  }

  private tellListener(message: unknown): void {
    if (!this.listener) {
      if (this.untold.push(message) > untoldAtMost) throw broken('somebody who listens', 'nobody who does')
      return
    }
    try {
      this.listener(message)
    } catch (error) {
      this.onError(error)
    }
  }
}

const bytesOf = (incoming: Incoming): AsyncIterable<Buffer> => ({
  [Symbol.asyncIterator]() {
    const parts = incoming[Symbol.asyncIterator]()
    return {
      async next() {
        const { done, value } = await parts.next()
        return done ? { done, value: undefined } : { value: value.bytes }
      },
      async return() {
        await parts.return?.()
        return { done: true, value: undefined }
      },
    }
  },
})
