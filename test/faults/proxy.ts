import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy in front of Redis that can lose replies: the request arrives and is carried out, and nobody hears of it. */
export class Proxy {
  /** How many connections were cut between a request and its reply. */
  cuts = 0
  #losing = false
  #server: Server | undefined
  readonly #sockets = new Set<Socket>()

  constructor(
    readonly host: string,
    readonly port: number,
    readonly upstreamPort: number,
  ) {}

  get url(): string {
    return `redis://${this.host}:${this.port}`
  }

  /** Whether replies get lost from now on, each together with its connection. */
  loseReplies(lose: boolean): void {
    this.#losing = lose
  }

  listen(): Promise<void> {
    this.#server = createServer((client) => this.#join(client))
    return new Promise((resolve, reject) => {
      this.#server?.once('error', reject).listen(this.port, this.host, resolve)
    })
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()))
  }

  #join(client: Socket): void {
    const upstream = connect(this.upstreamPort, '127.0.0.1')
    const both = [client, upstream]
    const cut = () => {
      for (const socket of both) socket.destroy()
    }
    for (const socket of both) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', cut)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        cut()
      })
    }
    client.on('data', (request) => upstream.write(request))
    upstream.on('data', (reply) => {
      if (this.#losing) {
        this.cuts++
        cut()
      } else client.write(reply)
    })
  }
}
