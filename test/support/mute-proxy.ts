import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Stands before a server, and can lose connections as a firewall does: without a word to either end. */
export class MuteProxy {
  /** What comes from now on is mute from its beginning. */
  isMute = false
  /** So many connections it was asked for. */
  count = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(to: number) {
    // Half open: nobody is told either that the other end has closed.
    this.#server = createServer({ allowHalfOpen: true }, (near) => {
      this.count++
      this.#keep(near)
      if (this.isMute) return
      const far = this.#keep(connect({ port: to, host: '127.0.0.1', allowHalfOpen: true }))
      near.pipe(far).pipe(near)
    })
  }

  static async before(port: number): Promise<MuteProxy> {
    const proxy = new MuteProxy(port)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on nothing comes through what is open. */
  mute(): void {
    for (const socket of this.#sockets) socket.unpipe().pause()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
  }
}
