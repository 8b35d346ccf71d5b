import type { Duplex } from 'node:stream'
import { brokenOff } from '../daemon-request'

/** So much is read that nobody has taken yet, in bytes. */
const most = 256 * 1024

/**
 * The output of a connection, read before somebody takes it: an input that nobody reads any more makes node close the connection
 * at once, with all of its output that had not been read. To be read once; throws where the connection broke.
 */
export class ReadAhead implements AsyncIterable<Buffer> {
  private chunks: Buffer[] = []
  private size = 0
  private over = false
  private failure: unknown
  private wake: () => void = () => {}
  private roomy: (() => void)[] = []

  constructor(private readonly connection: Duplex) {
    connection.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk)
      this.size += chunk.length
      if (this.size >= most) connection.pause()
      this.wake()
    })
    connection.once('end', () => this.end())
    connection.once('error', (error) => this.end(error))
    connection.once('close', () => this.end(brokenOff()))
    if (connection.destroyed) this.end(brokenOff())
  }

  /** Resolves after all has been read that has come, when there is room for more; at once where nothing more will come. */
  async caughtUp(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.size >= most && !this.over) await new Promise<void>((resolve) => this.roomy.push(resolve))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.size > 0) yield this.take()
      else if (this.failure !== undefined) throw this.failure
      else if (this.over) return
      else await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }

  private take(): Buffer {
    const { chunks } = this
    this.chunks = []
    this.size = 0
    this.connection.resume()
    this.letGo()
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  }

  private end(failure?: unknown): void {
    if (this.over) return
    this.over = true
    this.failure = failure
    this.wake()
    this.letGo()
  }

  private letGo(): void {
    for (const go of this.roomy.splice(0)) go()
  }
}
