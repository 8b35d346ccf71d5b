import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { eventually } from './eventually'

/** Somebody who reads an answer that lasts. */
export class Listener {
  private readonly chunks: Buffer[] = []
  /** It has ended, in order or not. */
  over = false
  /** It was cut short. */
  cut = false

  private constructor(
    private readonly sent: ClientRequest,
    readonly response: IncomingMessage,
  ) {
    response.on('data', (chunk: Buffer) => this.chunks.push(chunk))
    response.on('error', () => (this.cut = true))
    response.on('close', () => (this.over = true))
  }

  /** Resolves when the answer has begun. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<Listener> {
    const sent = request(url, { headers, agent: false })
    sent.end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    sent.on('error', () => undefined)
    return new Listener(sent, response)
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  async sees(text: string, within = 10_000): Promise<void> {
    await eventually(() => this.text.includes(text), undefined, { within, what: `it is told ${JSON.stringify(text)}` })
  }

  async ends(within = 10_000): Promise<void> {
    await eventually(() => this.over, undefined, { within, what: 'the answer ends' })
  }

  leave(): void {
    this.sent.destroy()
  }
}
