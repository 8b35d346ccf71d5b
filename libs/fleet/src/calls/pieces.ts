import { broken, type Frame } from './frames'

/** Bytes of one channel. */
export interface Part {
  channel: number
  bytes: Buffer
}

/** What a part takes in a frame beside its bytes: its channel and its length. */
export const partHeadBytes = 5

/** Smaller ones of one channel in a row become one part: each costs a call of the cipher at either end. In bytes. */
const smallBytes = 8 * 1024

/** In one frame. */
const partsAtMost = 32

/** The parts of one frame. */
export class Parts {
  private readonly parts: { channel: number; size: number; chunks: Buffer[] }[] = []
  /** In bytes, with the heads. */
  size = 0

  /** What bytes of that channel would take beside themselves; undefined where they are to go into another frame. */
  headFor(channel: number, length: number): number | undefined {
    if (this.isJoined(channel, length)) return 0
    return this.parts.length < partsAtMost ? partHeadBytes : undefined
  }

  add(channel: number, bytes: Buffer): void {
    const last = this.parts.at(-1)
    if (last && this.isJoined(channel, bytes.length)) {
      last.size += bytes.length
      last.chunks.push(bytes)
    } else {
      this.parts.push({ channel, size: bytes.length, chunks: [bytes] })
      this.size += partHeadBytes
    }
    this.size += bytes.length
  }

  /** Channels and lengths: they are sealed, because where one part ends could be moved otherwise. */
  heads(): Buffer {
    const heads = Buffer.alloc(this.parts.length * partHeadBytes)
    for (const [n, { channel, size }] of this.parts.entries()) {
      heads.writeUInt8(channel, n * partHeadBytes)
      heads.writeUInt32BE(size, n * partHeadBytes + 1)
    }
    return heads
  }

  bodies(): Buffer[] {
    return this.parts.map(({ chunks }) => (chunks.length === 1 && chunks[0]) || Buffer.concat(chunks))
  }

  private isJoined(channel: number, length: number): boolean {
    const last = this.parts.at(-1)
    return last?.channel === channel && last.size < smallBytes && length < smallBytes
  }
}

/** The parts of a frame. Throws `stream_broken`. */
export function partsOf({ payload, bodies }: Frame): Part[] {
  if (payload.length !== bodies.length * partHeadBytes) throw broken('a head for each part', 'others')
  return bodies.map((bytes, n) => {
    const channel = payload.readUInt8(n * partHeadBytes)
    if (payload.readUInt32BE(n * partHeadBytes + 1) !== bytes.length) throw broken('a whole part', 'another')
    return { channel, bytes }
  })
}

/** What they take of the window, without what the frame itself takes. */
export const sizeOf = ({ payload, bodies }: Frame): number =>
  bodies.reduce((sum, { length }) => sum + length, payload.length)
