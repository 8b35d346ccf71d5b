import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { Engine } from './engines'
import { runFolder } from './run-folder'

/** A request that a worker sent to its engine. */
export interface Passing {
  method: string
  /** Without its query. */
  path: string
  /** The engine's own answer. */
  status: number
}

/**
 * A real engine that workers reach through a proxy only: each request goes to it and is carried out, but it is the test
 * that decides whether the caller hears what it says, or a 500 in its stead.
 */
export class EngineBehindProxy extends Engine {
  /** Asked about every answer of the engine; true for one that is replaced by a 500. */
  lies: (passing: Passing) => boolean = () => false
  /** Paths of what was asked and not answered to the end yet, while whoever asked is still there. */
  readonly underWay: string[] = []
  readonly #folder: string
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((asked, answer) => this.#pass(asked, answer))

  private constructor(engine: Engine, folder: string) {
    super(engine.folder)
    this.#folder = folder
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /** Puts a proxy in front of an engine that runs. */
  static async before(engine: Engine): Promise<EngineBehindProxy> {
    const proxied = new EngineBehindProxy(engine, await mkdtemp(join(runFolder(), 'proxy-')))
    proxied.#server.listen(proxied.#path)
    await once(proxied.#server, 'listening')
    return proxied
  }

  override get dockerHost(): string {
    return `unix://${this.#path}`
  }

  /** Takes the proxy away; the engine goes on. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await rm(this.#folder, { recursive: true })
  }

  get #path(): string {
    return join(this.#folder, 's')
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const { method = '', url = '', headers } = asked
    const path = url.replace(/\?.*$/, '')
    this.underWay.push(path)
    const through = request({ socketPath: this.socket, method, path: url, headers }, (reply) => {
      const status = reply.statusCode ?? 0
      if (this.lies({ method, path, status })) {
        reply.resume()
        answer.writeHead(500, { 'Content-Type': 'application/json' }).end('{"message":"something went wrong"}\n')
      } else {
        answer.writeHead(status, reply.headers).flushHeaders()
        pipeline(reply, answer, () => undefined)
      }
    })
    through.on('error', () => answer.destroy())
    asked.pipe(through)
    answer.on('close', () => {
      this.underWay.splice(this.underWay.indexOf(path), 1)
      through.destroy()
    })
  }
}
