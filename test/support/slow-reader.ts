import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

const tickMs = 100

/** Somebody who reads an answer more slowly than it comes, and keeps the end of what he has read. */
export class SlowReader {
  /** How much was read, in bytes. */
  bytes = 0
  /** Why nothing more can be read. */
  failure: Error | undefined
  private text = ''
  private readonly timer: NodeJS.Timeout

  private constructor(
    private readonly answer: IncomingMessage,
    rate: number,
  ) {
    this.timer = setInterval(() => this.take((rate * tickMs) / 1000), tickMs)
    answer.on('error', (error) => (this.failure = error))
    answer.on('close', () => (this.failure ??= new Error('the answer has ended')))
  }

  /** Begins to read so many bytes a second. Throws where the answer is no 200. */
  static async open(url: string, rate: number): Promise<SlowReader> {
    const [answer] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage]
    if (answer.statusCode !== 200) throw new Error(`expected a 200, got ${answer.statusCode}`)
    return new SlowReader(answer, rate)
  }

  /** Reads on as fast as it can until such a text has come, and gives it. Throws where the answer ends before. */
  async until(pattern: RegExp): Promise<string> {
    clearInterval(this.timer)
    for (;;) {
      const found = pattern.exec(this.text)
      if (found) return found[0]
      if (this.failure) throw new Error(`expected ${String(pattern)} in the answer`, { cause: this.failure })
      // What is longer than a line is of no use to whoever looks for one.
      this.text = this.text.slice(-1_000)
      if (!this.take()) await pause(1)
    }
  }

  leave(): void {
    clearInterval(this.timer)
    this.answer.destroy()
  }

  private take(most?: number): boolean {
    if (this.failure) return false
    const some = this.answer.read(most) as Buffer | null
    if (!some) return false
    this.bytes += some.length
    this.text += some.toString('latin1')
    return true
  }
}
