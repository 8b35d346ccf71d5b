import { DebloxError } from '@deblox/actions/errors'

/** A stream of a container: standard output or standard error. */
export type Stream = 1 | 2

/**
 * Called with a part of a frame: `bytes` from `from` up to `to`, which only it may change from then on. `first` and `last`
 * tell whether the frame begins and ends with it.
 */
export type Visit = (stream: Stream, bytes: Buffer, from: number, to: number, first: boolean, last: boolean) => void

const headerLength = 8

/** What the daemon itself says has gone wrong comes as a stream of its own; so much of it is told. */
const system = 3
const maxWords = 2_000

/**
 * Takes the frames of Docker's raw stream apart, however they are cut, and gives their parts on as they come: nothing is kept
 * but a frame's beginning, and no frame is too small or too large.
 * @see https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
export class Demux {
  private rest: Buffer = Buffer.alloc(0)
  private left = 0
  private stream = 0
  private first = false
  private words = ''

  /** Of each frame at least `peek` bytes, or all where it has fewer, are in its first part. */
  constructor(
    private readonly visit: Visit,
    private readonly peek = 0,
  ) {}

  /** Throws `docker_error` where the daemon tells of its own trouble, or sends what are no frames. */
  push(chunk: Buffer): void {
    const bytes = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk
    let at = 0
    while (at < bytes.length) {
      if (this.left === 0) {
        const head = this.begin(bytes, at)
        if (head === 0) break
        at += head
      }
      const to = Math.min(bytes.length, at + this.left)
      if (to === at) continue
      this.left -= to - at
      this.give(bytes, at, to)
      at = to
    }
    // A copy: it would keep the whole of a chunk.
    this.rest = Buffer.from(bytes.subarray(at))
  }

  /** To be called when the stream has ended. Throws `stream_broken` where that was within a frame. */
  end(): void {
    if (this.rest.length === 0 && this.left === 0) return
    throw new DebloxError('stream_broken', 'expected whole frames from the daemon; its stream ended within one')
  }

  /** Reads a frame's header; 0 where too little of the frame is there yet. */
  private begin(bytes: Buffer, at: number): number {
    if (bytes.length - at < headerLength) return 0
    const length = bytes.readUInt32BE(at + 4)
    if (bytes.length - at - headerLength < Math.min(length, this.peek)) return 0
    const stream = bytes[at] as number
    if (stream > system || bytes[at + 1] !== 0 || bytes[at + 2] !== 0 || bytes[at + 3] !== 0) {
      throw new DebloxError('docker_error', 'expected frames of streams 0 to 3 from the daemon, got something else')
    }
    this.stream = stream
    this.left = length
    this.first = true
    return headerLength
  }

  private give(bytes: Buffer, from: number, to: number): void {
    const { stream, first } = this
    const last = this.left === 0
    this.first = false
    if (stream !== system) return this.visit(stream === 2 ? 2 : 1, bytes, from, to, first, last)
    this.words += bytes.toString('utf8', from, Math.min(to, from + maxWords - this.words.length))
    if (last) throw new DebloxError('docker_error', this.words.trim() || 'the daemon told of trouble without a word')
  }
}
