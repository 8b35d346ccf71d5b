import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endHangUps } from './call-context-double'

type Answer = (response: ServerResponse, request: IncomingMessage) => void
type Hijacked = (socket: Duplex, request: IncomingMessage) => void

/** A double of the Docker daemon for unit tests of streams, in this process: what it answers is the test's own. */
export class StreamsDouble {
  /** Method and path of everything that reached it, with its query. */
  asked: string[] = []
  private answers = new Map<string, Answer>()
  private hijacks = new Map<string, Hijacked | number | 'hang'>()
  private readonly open = new Set<Duplex>()
  private readonly folder = mkdtempSync(join(tmpdir(), 'streams-double-'))
  private readonly server = createServer((request, response) => {
    // No connection stays open for the next request: a test counts them.
    response.shouldKeepAlive = false
    const answer = this.answers.get(this.note(request))
    if (answer) answer(response, request)
    else
      response.writeHead(501).end(JSON.stringify({ message: `the test expects no ${request.method} ${request.url}` }))
  })

  readonly dockerHost = `unix://${join(this.folder, 's')}`

  async listen(): Promise<void> {
    this.server.on('connection', (socket: Duplex) => {
      this.open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.open.delete(socket))
    })
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const hijack = this.hijacks.get(this.note(request))
      if (!hijack) throw new Error(`the test expects no ${request.method} ${request.url}`)
      if (hijack === 'hang') return
      if (typeof hijack === 'number') return refuse(socket, hijack)
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
      // The body of the request comes before what is typed.
      const length = Number(request.headers['content-length'] ?? 0)
      const begin = (bytes: Buffer) => {
        socket.pause()
        if (bytes.length > length) socket.unshift(bytes.subarray(length))
        hijack(socket, request)
      }
      if (head.length >= length) begin(head)
      else socket.once('data', begin)
    })
    this.server.listen(join(this.folder, 's'))
    await once(this.server, 'listening')
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
    rmSync(this.folder, { recursive: true })
  }

  reset(): void {
    this.asked = []
    this.answers.clear()
    this.hijacks.clear()
    for (const socket of this.open) socket.destroy()
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.open.size
  }

  /** Answers all requests of that method and path. */
  answer(what: string, answer: Answer): void {
    this.answers.set(what, answer)
  }

  json(what: string, body: unknown, status = 200): void {
    this.answer(what, (response) => response.writeHead(status).end(`${JSON.stringify(body)}\n`))
  }

  /** Makes connections of all requests of that method and path. */
  hijack(what: string, hijacked: Hijacked): void {
    this.hijacks.set(what, hijacked)
  }

  /** Answers with a status those who ask for a connection. */
  refuse(what: string, status: number): void {
    this.hijacks.set(what, status)
  }

  /** Never answers those who ask for a connection. */
  hang(what: string): void {
    this.hijacks.set(what, 'hang')
  }

  private note({ method, url = '' }: IncomingMessage): string {
    this.asked.push(`${method} ${url}`)
    return `${method} ${url.replace(/\?.*$/, '')}`
  }
}

function refuse(socket: Duplex, status: number): void {
  const body = '{"message":"no such exec"}'
  socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
}

/** A double for the tests of one file: fresh for each of them, gone after the last. */
export function useStreamsDouble(): StreamsDouble {
  const double = new StreamsDouble()
  beforeAll(() => double.listen())
  beforeEach(() => double.reset())
  afterAll(async () => {
    await endHangUps()
    await double.close()
  })
  return double
}

/** A frame of Docker's raw stream. */
export function frame(stream: number, content: string | Buffer): Buffer {
  const body = Buffer.from(content)
  const head = Buffer.alloc(8)
  head[0] = stream
  head.writeUInt32BE(body.length, 4)
  return Buffer.concat([head, body])
}
