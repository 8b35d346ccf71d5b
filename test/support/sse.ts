import { eventually } from './eventually'

/** A server-sent event, as it came. */
export interface Heard {
  id?: string
  event: string
  // oxlint-disable-next-line typescript/no-explicit-any -- as JSON is: tests state what they expect of it
  data: any
}

/** An answer of server-sent events, while it comes in. */
export class Events {
  readonly heard: Heard[] = []
  /** Resolves when the answer has ended: `end`, or how it was cut short. */
  readonly over: Promise<string>

  private constructor(
    readonly response: Response,
    private readonly leaving: AbortController,
  ) {
    this.over = this.read().then(
      () => 'end',
      (error: Error) => error.name,
    )
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<Events> {
    const leaving = new AbortController()
    const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: leaving.signal })
    return new Events(response, leaving)
  }

  /** Goes away. */
  leave(): void {
    this.leaving.abort()
  }

  /** What was heard, by its names. */
  names(): string[] {
    return this.heard.map(({ event }) => event)
  }

  /** The first event for which that holds, when it has come. */
  async next(holds: (event: Heard) => boolean, within = 10_000): Promise<Heard> {
    const found = await eventually(
      () => this.heard.find(holds),
      (event) => event !== undefined,
      { within, what: `an event among ${this.names().join(', ')}` },
    )
    return found as Heard
  }

  private async read(): Promise<void> {
    if (!this.response.body) return
    let rest = ''
    for await (const chunk of this.response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) this.take(block)
    }
  }

  private take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)]),
    )
    const [id, event = 'message', data] = [fields.get('id'), fields.get('event'), fields.get('data')]
    if (data !== undefined) this.heard.push({ ...(id !== undefined && { id }), event, data: JSON.parse(data) })
  }
}
