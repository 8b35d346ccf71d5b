import { IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { DebloxError } from '@deblox/actions/errors'
import { WebSocketServer, type WebSocket } from 'ws'

interface Upgrade {
  socket: Socket
  head: Buffer
  response: ServerResponse
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

/** The largest message that is taken, in bytes: a caller sends what he types, or a file in pieces. */
const maxMessage = 2 ** 20

const sockets = new WebSocketServer({
  noServer: true,
  // What it saves on the way costs memory for each socket, and time for each key that is struck.
  perMessageDeflate: false,
  maxPayload: maxMessage,
  handleProtocols: (offered, request) => {
    const spoken = protocols.get(request)
    return spoken !== undefined && offered.has(spoken) ? spoken : false
  },
})

const protocols = new WeakMap<IncomingMessage, string>()

/**
 * A request of which Node sees only that it wants to be a WebSocket. Any other `Upgrade` would be the end of HTTP on its connection, too, its
 * body unread; clients that offer HTTP/2 send one with ordinary requests.
 */
export class HttpRequest extends IncomingMessage {
  declare private offers: unknown

  // Node's parser sets it as soon as it has read the headers, and goes by it then.
  get upgrade(): boolean {
    if (!this.offers) return false
    // Nobody takes a tunnel: Node closes the connection then.
    return this.method === 'CONNECT' || (this.method === 'GET' && this.headers.upgrade?.toLowerCase() === 'websocket')
  }

  set upgrade(offers: unknown) {
    this.offers = offers
  }
}

/**
 * Sends requests for a WebSocket through the application like all others, so that nothing is served past its gate. It answers
 * them by HTTP, or takes the connection over (`takeOver`).
 */
export function upgradeThrough(server: Server, app: RequestListener): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Until somebody else does: a connection that is reset must not end the process.
    socket.on('error', () => socket.destroy())
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    try {
      response.assignSocket(socket)
    } catch {
      // A request that came before it on the connection is being answered still: there is no way to answer this one behind it.
      socket.destroy()
      return
    }
    // Node looks after it no more: whoever is refused and stays would have it for ever. What he has sent already is not kept from going.
    response.on('finish', () => {
      socket.resume()
      socket.destroySoon()
    })
    upgrades.set(request, { socket, head, response })
    app(request, response)
  })
}

/** Whether it is a request for a WebSocket that nobody has taken over yet. */
export const isUpgrade = (request: IncomingMessage): boolean => upgrades.has(request)

/**
 * To be called with a request of which no WebSocket is to come: that its caller leaves is noticed then as with any other, for which
 * his connection has to be read.
 */
export function asPlain(request: IncomingMessage): void {
  const socket = upgrades.get(request)?.socket
  socket?.once('end', () => socket.end()).resume()
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const tokens = new RegExp(`^${token}( *, *${token})*$`)

/**
 * Throws `upgrade_required` or `invalid_request` where no WebSocket can come of a request: to be asked before anything is begun for it.
 */
export function requireHandshake(request: IncomingMessage, protocol: string): void {
  if (!isUpgrade(request)) {
    throw new DebloxError(
      'upgrade_required',
      `Upgrade: expected websocket (sub-protocol ${protocol}), got a plain request`,
    )
  }
  const { headers } = request
  const offered = headers['sec-websocket-protocol']
  const names = offered?.split(/ *, */) ?? []
  if (headers['sec-websocket-version'] !== '13') throw odd('Version', '13')
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) throw odd('Key', '16 bytes in base64')
  const isList = offered === undefined || (tokens.test(offered) && new Set(names).size === names.length)
  if (!isList || (names.length > 0 && !names.includes(protocol)))
    throw odd('Protocol', `${protocol} among others, each once`)
}

const odd = (name: string, expected: string): DebloxError =>
  new DebloxError('invalid_request', `Sec-WebSocket-${name}: expected ${expected}, got something else`)

/** Makes a WebSocket of the request's connection; undefined where its handshake was refused, and answered so. */
export async function takeOver(request: IncomingMessage, protocol: string): Promise<WebSocket | undefined> {
  const upgrade = upgrades.get(request)
  if (!upgrade) throw new Error('expected a request for a WebSocket')
  const { socket, head, response } = upgrade
  upgrades.delete(request)
  protocols.set(request, protocol)
  response.detachSocket(socket)
  return new Promise((resolve) => {
    const refused = () => resolve(undefined)
    socket.once('close', refused)
    sockets.handleUpgrade(request, socket, head, (open) => {
      socket.off('close', refused)
      resolve(open)
    })
  })
}
