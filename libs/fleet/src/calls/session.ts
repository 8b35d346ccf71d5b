import { broken, lineKeys, nameOf, Opener, Sealer, type Values } from './frames'
import type { Line } from './line'
import type { Outbox, Source } from './outbox'

/** One end of a call, as its session sees it. */
export interface Member {
  readonly line: Line
  /** It cannot go on. */
  fail(error: Error): void
}

export interface SessionOptions {
  id: Buffer
  secret: Buffer
  end: 'api' | 'dock'
  stream: string
  outbox: Outbox
}

/** In a beat, for each open call: its id, and how many of its frames were sent. */
const entryBytes = 24

/**
 * All calls between one API replica and one run of a dock's worker. Each end tells the other now and then that it lives, which
 * calls it has, and how far they are: what is missing is noticed also where nothing comes after it.
 */
export class Session implements Source {
  readonly stream: string
  readonly name: string
  /** A beat that comes late does not name the calls that were opened meanwhile. */
  readonly isMomentary = true
  readonly members = new Map<string, Member>()
  private readonly sealer: Sealer
  private readonly opener: Opener
  private mustBeat = false
  /** Beats since the other end was heard. */
  private silent = 0

  constructor(readonly options: SessionOptions) {
    const { id, secret, end, stream } = options
    const keys = lineKeys(secret, id)
    this.stream = stream
    this.name = nameOf(id)
    this.sealer = new Sealer(id, end === 'api' ? keys.up : keys.down)
    this.opener = new Opener(end === 'api' ? keys.down : keys.up, true)
    // One that was forgotten, and is opened again with the same secret, must not use a counter again.
    this.sealer.count = Math.floor(performance.now() * 1_000)
  }

  add(member: Member): void {
    // Nobody had anything to say before.
    if (this.members.size === 0) this.silent = 0
    this.members.set(member.line.name, member)
  }

  heard(): void {
    this.silent = 0
  }

  /** Tells that this end lives; gives for how many times in a row the other one was not heard. */
  beat(): number {
    this.mustBeat = true
    this.options.outbox.offer(this)
    return ++this.silent
  }

  /** What the other end tells. Throws `stream_broken` where it did not. */
  told(frame: Values): void {
    const opened = this.opener.open(frame)
    if (opened?.kind !== 'beat') return
    this.heard()
    const sent = new Map<string, number>()
    for (let at = 0; at + entryBytes <= opened.payload.length; at += entryBytes) {
      sent.set(opened.payload.toString('latin1', at, at + 16), Number(opened.payload.readBigUInt64BE(at + 16)))
    }
    for (const [name, member] of this.members) {
      const received = member.line.opener.count
      const count = sent.get(name)
      if (count === undefined && this.isBegun(member))
        member.fail(broken('a call that goes on', 'none at its other end'))
      if (count !== undefined && count > received) member.fail(broken(`${count} frames`, `${received}`))
    }
  }

  fail(error: Error): void {
    for (const member of this.members.values()) member.fail(error)
  }

  next(): Values | null {
    if (!this.mustBeat) return null
    this.mustBeat = false
    const payload = Buffer.allocUnsafe(this.members.size * entryBytes)
    let at = 0
    for (const { line } of this.members.values()) {
      payload.write(line.name, at, 'latin1')
      payload.writeBigUInt64BE(BigInt(line.sealer.count), at + 16)
      at += entryBytes
    }
    return this.sealer.seal('beat', payload)
  }

  lost(): void {
    this.fail(broken('the other end to read', 'nobody who does'))
  }

  /** A replica knows that its dock has a call when it has heard of it; a dock does by itself. */
  private isBegun({ line }: Member): boolean {
    return this.options.end === 'dock' || line.opener.count > 0
  }
}
