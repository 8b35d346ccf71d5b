import { broken, type Frame, type FrameKind, hasEnded, lineKeys, nameOf, Opener, Sealer, type Values } from './frames'
import { frameBytes, frameCost, windowBytes } from './limits'
import type { Outbox, Source } from './outbox'
import { partHeadBytes, Parts } from './pieces'
import { costOf } from './window'

/** What is to be sent when there is room for it. */
type Outgoing =
  | { kind: 'data'; channel: number; bytes: Buffer; done: () => void; refused: (error: Error) => void }
  | { kind: 'begin' | 'tell' | 'eof' | 'end'; payload: Buffer; done: () => void; refused: (error: Error) => void }

/** A frame that waits for its turn. */
type Ready = { kind: FrameKind; parts: Parts } | { kind: FrameKind; payload: Buffer }

/** After these no other is sent. */
const last: ReadonlySet<FrameKind> = new Set(['end', 'fail', 'cancel'])

export interface LineOptions {
  id: Buffer
  /** Of the session to which it belongs. */
  secret: Buffer
  end: 'api' | 'dock'
  /** To where its frames go. */
  stream: string
  outbox: Outbox
  /** The other end will not read any more what is sent. */
  onLost: () => void
  /** Its last frame has been made. */
  onClosed: () => void
}

/** One end of a call: what it sends, in order and within the window, and what it hears. */
export class Line implements Source {
  readonly stream: string
  readonly name: string
  readonly sealer: Sealer
  readonly opener: Opener
  private window = windowBytes
  private credit = windowBytes
  private readonly outgoing: Outgoing[] = []
  private readonly ready: Ready[] = []
  private closed: Error | undefined

  constructor(private readonly options: LineOptions) {
    const { id, secret, end, stream } = options
    const keys = lineKeys(secret, id)
    this.stream = stream
    this.name = nameOf(id)
    this.sealer = new Sealer(id, end === 'api' ? keys.up : keys.down)
    this.opener = new Opener(end === 'api' ? keys.down : keys.up)
  }

  /** How many bytes can be sent now without waiting. */
  get room(): number {
    return this.outgoing.length > 0 ? 0 : this.credit - frameCost - partHeadBytes
  }

  /** Sends bytes, and resolves when all of them are on their way. They must not be changed after. Rejects when the line is closed. */
  send(channel: number, bytes: Buffer): Promise<void> {
    return this.queue((done, refused) => ({ kind: 'data', channel, bytes, done, refused }))
  }

  /** Sends something behind what was sent before, within the window, too. */
  say(kind: 'begin' | 'tell' | 'eof' | 'end', payload: Buffer): Promise<void> {
    return this.queue((done, refused) => ({ kind, payload, done, refused }))
  }

  /** Sends something that waits for no room. */
  note(kind: 'credit', payload: Buffer): void {
    if (!this.closed) this.enqueue({ kind, payload })
  }

  /** Sends this as the last frame, in front of what waits for room; that is refused. */
  close(kind: 'fail' | 'cancel', payload: Buffer, why: Error): void {
    if (this.closed) return
    this.enqueue({ kind, payload })
    this.refuseAll(why)
  }

  /** Sends nothing more. */
  drop(why: Error): void {
    this.ready.length = 0
    this.refuseAll(why)
  }

  /** The other end takes only so many bytes at a time. To be called before anything is sent. */
  narrow(window: number): void {
    this.window = window
    this.credit = window
  }

  /** The other end has read so many bytes. */
  granted(payload: Buffer): void {
    if (payload.length !== 4) throw broken('a number of bytes', 'something else')
    this.credit += payload.readUInt32BE(0)
    if (this.credit > this.window) throw broken(`at most ${this.window} bytes of room`, String(this.credit))
    this.fill()
  }

  /** Tells the other end that it may send so many bytes more. */
  grant(bytes: number): void {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32BE(bytes, 0)
    this.note('credit', payload)
  }

  open(values: Values): Frame | null {
    return this.opener.open(values)
  }

  next(): Values | null {
    const next = this.ready.shift()
    if (!next) return null
    if (last.has(next.kind)) this.options.onClosed()
    if (!('parts' in next)) return this.sealer.seal(next.kind, next.payload)
    return this.sealer.seal(next.kind, next.parts.heads(), next.parts.bodies())
  }

  lost(): void {
    this.options.onLost()
  }

  private queue(make: (done: () => void, refused: (error: Error) => void) => Outgoing): Promise<void> {
    if (this.closed) return handled(Promise.reject(this.closed))
    return handled(
      new Promise<void>((done, refused) => {
        this.outgoing.push(make(done, refused))
        this.fill()
      }),
    )
  }

  /** Makes frames of what waits as far as there is room. */
  private fill(): void {
    for (let item = this.outgoing[0]; item; item = this.outgoing[0]) {
      const isThrough = item.kind === 'data' ? this.fillData(item) : this.fillWhole(item)
      if (!isThrough) return
      this.outgoing.shift()
      item.done()
    }
  }

  private fillData(item: Outgoing & { kind: 'data' }): boolean {
    while (item.bytes.length > 0) {
      const parts = this.partsWithRoom(item)
      if (!parts) return false
      const head = parts.headFor(item.channel, item.bytes.length) ?? 0
      const fitting = Math.min(item.bytes.length, frameBytes - parts.size - head, this.credit - head)
      if (fitting <= 0) return false
      parts.add(item.channel, item.bytes.subarray(0, fitting))
      this.credit -= head + fitting
      item.bytes = item.bytes.subarray(fitting)
    }
    return true
  }

  /** The last frame that waits, if it can take more; else a new one, where there is room for one. */
  private partsWithRoom({ channel, bytes }: Outgoing & { kind: 'data' }): Parts | undefined {
    const waiting = this.ready.at(-1)
    if (waiting && 'parts' in waiting) {
      const head = waiting.parts.headFor(channel, bytes.length)
      if (head !== undefined && waiting.parts.size + head < frameBytes) return waiting.parts
    }
    if (this.credit <= frameCost + partHeadBytes) return undefined
    const parts = new Parts()
    this.credit -= frameCost
    this.enqueue({ kind: 'data', parts })
    return parts
  }

  private fillWhole({ kind, payload }: Outgoing & { payload: Buffer }): boolean {
    // What is sent once in a call needs no room.
    const cost = kind === 'tell' ? costOf(payload.length) : 0
    if (cost > this.credit) return false
    this.credit -= cost
    this.enqueue({ kind, payload })
    return true
  }

  private enqueue(frame: Ready): void {
    this.ready.push(frame)
    this.options.outbox.offer(this)
    if (frame.kind === 'end') this.closed = hasEnded
  }

  private refuseAll(why: Error): void {
    this.closed ??= why
    for (const { refused } of this.outgoing.splice(0)) refused(why)
  }
}

/** Whoever does not wait for it need not hear that it was refused. */
function handled(sending: Promise<void>): Promise<void> {
  sending.catch(() => undefined)
  return sending
}
