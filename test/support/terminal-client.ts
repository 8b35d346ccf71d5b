import { once } from 'node:events'
import { WebSocket } from 'ws'
import { eventually } from './eventually'

/** The other end of `deblox.terminal.v1`, as a browser or a CLI would be (docs/streams.md). */
export class TerminalClient {
  private readonly pieces: Buffer[][] = [[], [], []]
  /** What was told last beside the output: `{exitCode}` or `{error}`. */
  status: unknown
  closed: Promise<number>

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      const [channel = 0] = data
      if (channel === 3) this.status = JSON.parse(data.subarray(1).toString())
      else this.pieces[channel]?.push(data.subarray(1))
    })
    this.closed = once(socket, 'close').then(([code]) => code as number)
  }

  /** Opens one on an API replica. Throws with the answer where there is none. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<TerminalClient> {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), 'deblox.terminal.v1', { headers })
    const refused = once(socket, 'unexpected-response').then(([, { statusCode }]) => {
      throw new Error(`expected a terminal, got ${String(statusCode)}`)
    })
    const client = new TerminalClient(socket)
    await Promise.race([once(socket, 'open'), refused])
    return client
  }

  /** Sends input; resolves when it is on its way. */
  async type(input: Buffer | string): Promise<void> {
    await this.send(0, Buffer.from(input))
  }

  async endInput(): Promise<void> {
    await this.send(255, Buffer.of(0))
  }

  async resize(cols: number, rows: number): Promise<void> {
    await this.send(4, Buffer.from(JSON.stringify({ cols, rows })))
  }

  /** What has come on standard output (1) or standard error (2). */
  output(channel: 1 | 2 = 1): Buffer {
    return Buffer.concat(this.pieces[channel] ?? [])
  }

  async sees(text: string): Promise<void> {
    await eventually(() => this.output().includes(text), undefined, {
      what: `the terminal shows ${JSON.stringify(text)}`,
    })
  }

  /** Leaves as somebody whose machine dies. */
  vanish(): void {
    this.socket.terminate()
  }

  private send(channel: number, bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) =>
      this.socket.send(Buffer.concat([Buffer.of(channel), bytes]), (error) => (error ? reject(error) : resolve())),
    )
  }
}
