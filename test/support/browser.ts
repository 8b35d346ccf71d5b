import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { mark, runFolder } from './run-folder'

type Fields = Record<string, unknown>

interface Message {
  id?: number
  method?: string
  params?: Fields
  result?: Fields
  error?: { message: string }
  sessionId?: string
}

/** Chromium without a window, spoken to over a pipe in its own protocol (DevTools). */
export class Browser {
  private readonly waiting = new Map<number, (message: Message) => void>()
  private readonly told: ((message: Message) => void)[] = []
  private last = 0

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {
    let rest = ''
    const output = child.stdio[4] as Readable
    output.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\0')
      rest = parts.pop() ?? ''
      for (const part of parts) this.hear(JSON.parse(part) as Message)
    })
  }

  static async start(): Promise<Browser> {
    const folder = await mkdtemp(join(runFolder(), 'browser-'))
    const flags =
      '--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe --no-first-run'
    const own = [`--user-data-dir=${folder}`, '--window-size=1280,1600', 'about:blank']
    const { PATH = '', HOME = '' } = process.env
    const child = spawn('chromium', [...flags.split(' '), ...own], {
      env: { PATH, HOME, ...mark() },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    const browser = new Browser(child, folder)
    await browser.send('Browser.getVersion')
    return browser
  }

  /** Opens a page; what it complains of is gathered from its beginning. */
  async open(url: string, headers: Record<string, string> = {}): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    const page = new Page(this, String(sessionId))
    this.told.push((message) => {
      if (message.sessionId === sessionId) page.hear(message.method ?? '', message.params ?? {})
    })
    for (const domain of ['Log', 'Runtime', 'Page', 'Network']) await page.send(`${domain}.enable`)
    await page.send('Network.setExtraHTTPHeaders', { headers })
    await page.send('Page.navigate', { url })
    return page
  }

  async send(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    const id = ++this.last
    const answer = new Promise<Message>((resolve) => this.waiting.set(id, resolve))
    const input = this.child.stdio[3] as Writable
    input.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`)
    const { result, error } = await answer
    if (error) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL')
    await once(this.child, 'close')
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  private hear(message: Message): void {
    if (message.id === undefined) for (const tell of this.told) tell(message)
    else this.waiting.get(message.id)?.(message)
  }
}

export class Page {
  /** What the console shows as an error, requests that were not let out among it. */
  readonly complaints: string[] = []
  /** The addresses that it asked for something. */
  readonly asked: string[] = []

  constructor(
    private readonly browser: Browser,
    private readonly sessionId: string,
  ) {}

  send(method: string, params: Fields = {}): Promise<Fields> {
    return this.browser.send(method, params, this.sessionId)
  }

  hear(method: string, params: Fields): void {
    const entry = params['entry'] as { level?: string; text?: string; url?: string } | undefined
    const details = params['exceptionDetails'] as { text?: string; exception?: { description?: string } } | undefined
    const asked = params['request'] as { url?: string } | undefined
    if (method === 'Log.entryAdded' && entry?.level === 'error')
      this.complaints.push(`${entry.text} ${entry.url ?? ''}`)
    if (method === 'Runtime.exceptionThrown')
      this.complaints.push(details?.exception?.description ?? details?.text ?? '')
    if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error')
      this.complaints.push(JSON.stringify(params['args']))
    if (method === 'Network.requestWillBeSent' && asked?.url !== undefined) this.asked.push(asked.url)
  }

  /** The value of an expression within the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
    return (result as { value?: unknown } | undefined)?.value
  }

  /** Writes a picture of it, PNG. */
  async screenshot(path: string): Promise<void> {
    await this.send('Page.bringToFront')
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' })
    await writeFile(path, Buffer.from(String(data), 'base64'))
  }
}
