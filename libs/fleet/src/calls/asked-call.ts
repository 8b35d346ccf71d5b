import { DebloxError } from '@deblox/actions/errors'
import { toldError, tellMessage, toldMessage } from './call-error'
import type { Call, Piece } from './call'
import { broken, type Frame, hasEnded, type Values } from './frames'
import { Line } from './line'
import { endBytes } from './limits'
import { type Part, partsOf, sizeOf } from './pieces'
import type { Member, Session } from './session'
import { Incoming } from './window'

/** The channel by which an end comes that is too large for one frame. */
export const endChannel = 255

const nothing = Buffer.alloc(0)

/** A call as the API replica has it that has asked it. */
export class AskedCall implements Call, Member {
  readonly line: Line
  readonly output: AsyncIterable<Piece>
  /** Resolves when the dock has begun to answer. */
  readonly begun: Promise<void>
  readonly ended: Promise<unknown>
  head: unknown
  /** It was sent to the dock: whoever leaves it says so. */
  sent = false
  private readonly incoming: Incoming
  private begin!: () => void
  private refuse!: (error: Error) => void
  private resolve!: (end: unknown) => void
  private reject!: (error: Error) => void
  private readonly ends: Buffer[] = []
  private endSize = 0
  private over: Error | undefined

  constructor(
    readonly session: Session,
    id: Buffer,
    private readonly onOver: () => void,
    window?: number,
  ) {
    this.line = new Line({
      ...session.options,
      id,
      onLost: () => session.lost(),
      onClosed: () => session.members.delete(this.line.name),
    })
    this.incoming = new Incoming(
      (bytes) => this.line.grant(bytes),
      () => this.cancel(),
      window,
    )
    this.output = this.incoming as AsyncIterable<Part> as AsyncIterable<Piece>
    this.begun = new Promise((resolve, reject) => {
      this.begin = resolve
      this.refuse = reject
    })
    this.ended = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Nobody has to wait for either.
    this.begun.catch(() => undefined)
    this.ended.catch(() => undefined)
  }

  write(bytes: Buffer): Promise<void> {
    return this.line.send(0, bytes)
  }

  endInput(): Promise<void> {
    return this.line.say('eof', nothing)
  }

  tell(message: object): Promise<void> {
    return this.line.say('tell', tellMessage(message))
  }

  cancel(): void {
    if (this.over) return
    const error = broken('a call that goes on', 'its caller to have left')
    this.fail(error)
    this.incoming.drop(error)
  }

  /** Ends it from here. What has arrived can still be read. */
  fail(error: Error): void {
    if (this.over) return
    this.finish(error)
    if (this.sent) this.line.close('cancel', nothing, error)
    this.incoming.end(error)
    this.refuse(error)
    this.reject(error)
  }

  /** It was sent, or was not after all: where it is over by now, the dock is told. */
  wasSent(yes: boolean): void {
    this.sent = yes
    if (!yes) this.session.members.delete(this.line.name)
    else if (this.over) this.line.close('cancel', nothing, this.over)
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
      case 'begin':
        this.head = toldMessage(payload)
        return this.begin()
      case 'data':
        this.takeParts(partsOf(frame), sizeOf(frame))
        return this.begin()
      case 'credit':
        return this.line.granted(payload)
      case 'end':
        return this.takeEnd(payload)
      case 'fail':
        return this.close(toldError(payload))
      case 'eof':
      case 'tell':
      case 'cancel':
      case 'beat':
        throw broken('what a dock sends', kind)
    }
  }

  private takeParts(parts: Part[], size: number): void {
    const output = parts.filter(({ channel }) => channel !== endChannel)
    if (output.length > 0) this.incoming.add(output, size)
    else this.incoming.pass(size)
    for (const { channel, bytes } of parts) {
      if (channel !== endChannel) continue
      this.endSize += bytes.length
      if (this.endSize > endBytes) throw tooLarge()
      this.ends.push(bytes)
    }
  }

  private takeEnd(payload: Buffer): void {
    const end = toldMessage(this.ends.length > 0 ? Buffer.concat(this.ends) : payload)
    this.close(undefined)
    this.resolve(end)
  }

  /** The dock has ended it. */
  private close(error: Error | undefined): void {
    const why = error ?? hasEnded
    this.finish(why)
    this.session.members.delete(this.line.name)
    this.line.drop(why)
    this.incoming.end(error)
    if (!error) return this.begin()
    this.refuse(error)
    this.reject(error)
  }

  private finish(why: Error): void {
    this.over = why
    this.onOver()
  }
}

/** All that a call gives in the end. Throws how it failed, and `result_too_large`. */
export async function answerOf(call: AskedCall): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const { channel, bytes } of call.output) {
    if (channel !== 0) continue
    size += bytes.length
    if (size > endBytes) throw tooLarge()
    chunks.push(bytes)
  }
  const end = await call.ended
  return end === undefined && size > 0 ? toldMessage(Buffer.concat(chunks)) : end
}

const tooLarge = (): DebloxError =>
  new DebloxError('result_too_large', `call: expected an answer of at most ${endBytes} bytes, got more`)
