import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'

/**
 * What a frame is about. `up` goes to the dock, `down` to the API replica.
 * begin (down): JSON of the head. data: pieces (pieces.ts). eof (up): no more input. tell (up): JSON. credit: how many bytes more may
 * come. end (down): JSON, or nothing. fail (down): JSON of an error. cancel (up). beat: which calls are open (session.ts).
 */
export const frameKinds = {
  begin: 1,
  data: 2,
  eof: 3,
  tell: 4,
  credit: 5,
  end: 6,
  fail: 7,
  cancel: 8,
  beat: 9,
} as const

export type FrameKind = keyof typeof frameKinds

const kindOf = new Map<number, FrameKind>(
  Object.entries(frameKinds).map(([name, number]) => [number, name as FrameKind]),
)

const cipher = 'aes-256-gcm'
const idBytes = 16
const counterBytes = 8
const headBytes = idBytes + counterBytes
const tagBytes = 16

/** What is sealed and opened with in each direction. A call has keys of its own, from its session's secret and its id. */
export interface LineKeys {
  up: Buffer
  down: Buffer
}

export function lineKeys(secret: Buffer, id: Buffer): LineKeys {
  const both = Buffer.from(hkdfSync('sha256', secret, id, 'deblox call', 64))
  return { up: both.subarray(0, 32), down: both.subarray(32) }
}

/** To whom a frame belongs, as a key of a Map. */
export const lineOf = ([first]: Values): string => first?.toString('latin1', 0, idBytes) ?? ''

export const nameOf = (id: Buffer): string => id.toString('latin1')

/** A frame as an entry of a stream has it: its head with what it says, sealed, and behind it bytes, sealed in the same way. */
export type Values = readonly Buffer[]

/** Seals one direction's frames. No two have the same counter, and with it the same nonce. */
export class Sealer {
  /** How many frames were sealed. */
  count = 0

  constructor(
    private readonly id: Buffer,
    private readonly key: Buffer,
  ) {}

  /** The first value is `<id 16><counter 8><tag 16><kind and payload>`; each body becomes another, without a copy. */
  seal(kind: FrameKind, payload: Buffer, bodies: readonly Buffer[] = []): Buffer[] {
    const counter = this.count++
    const sealing = createCipheriv(cipher, this.key, nonceOf(counter))
    const first = sealing.update(Buffer.concat([Buffer.of(frameKinds[kind]), payload]))
    const rest = bodies.map((body) => sealing.update(body))
    sealing.final()
    return [Buffer.concat([headOf(this.id, counter), sealing.getAuthTag(), first]), ...rest]
  }
}

export interface Frame {
  kind: FrameKind
  payload: Buffer
  bodies: Buffer[]
}

/** Opens one direction's frames, in their order. */
export class Opener {
  /** How many frames were opened: the counter that is expected. */
  count = 0

  constructor(
    private readonly key: Buffer,
    /** Whether frames may be missing: of what is said again and again the latest is enough. */
    private readonly mayMiss = false,
  ) {}

  /** Null for one that was opened before. Throws `stream_broken` where one is missing, or another has made it. */
  open([first, ...rest]: Values): Frame | null {
    if (!first || first.length <= headBytes + tagBytes) throw broken('a frame', 'something shorter')
    const counter = Number(first.readBigUInt64BE(idBytes))
    if (counter < this.count) return null
    if (counter > this.count && !this.mayMiss) throw broken(`frame ${this.count}`, `frame ${counter}`)
    const frame = this.decipher(first, rest, counter)
    this.count = counter + 1
    return frame
  }

  private decipher(first: Buffer, rest: readonly Buffer[], counter: number): Frame {
    try {
      const opening = createDecipheriv(cipher, this.key, nonceOf(counter), { authTagLength: tagBytes })
      opening.setAuthTag(first.subarray(headBytes, headBytes + tagBytes))
      const plain = opening.update(first.subarray(headBytes + tagBytes))
      const bodies = rest.map((body) => opening.update(body))
      opening.final()
      const kind = kindOf.get(plain[0] ?? 0)
      if (kind === undefined) throw new Error('of a kind that is not known')
      return { kind, payload: plain.subarray(1), bodies }
    } catch {
      throw broken(`frame ${counter} as it was sent`, 'one that somebody else has made or changed')
    }
  }
}

/** Why nothing more is sent or read of a call that has ended well. One for all: each would take the trace of a stack. */
export const hasEnded = new DebloxError('stream_broken', 'call: expected one that goes on, got one that has ended')

export const broken = (expected: string, got: string): DebloxError =>
  new DebloxError('stream_broken', `call: expected ${expected}, got ${got}`)

function headOf(id: Buffer, counter: number): Buffer {
  const head = Buffer.allocUnsafe(headBytes)
  id.copy(head)
  head.writeBigUInt64BE(BigInt(counter), idBytes)
  return head
}

function nonceOf(counter: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(counter), 4)
  return nonce
}
