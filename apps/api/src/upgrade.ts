import { type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'

interface Upgrade {
  socket: Duplex
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
 * Sends requests for a WebSocket through the application like all others, so that nothing is served past its gate. It answers
 * them by HTTP, or takes the connection over (`takeOver`). What asks for another protocol is answered by HTTP/1.1, as it may be.
 */
export function upgradeThrough(server: Server, app: RequestListener): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket')
      return readAgain(server, request, socket as Socket, head)
    // Until somebody else does: a connection that is reset must not end the process.
    socket.on('error', () => socket.destroy())
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    response.on('finish', () => socket.end())
    upgrades.set(request, { socket, head, response })
    app(request, response)
  })
}

/** Whether it is a request for a WebSocket that nobody has taken over yet. */
export const isUpgrade = (request: IncomingMessage): boolean => upgrades.has(request)

/** Makes a WebSocket of the request's connection; undefined where its handshake was refused, and answered so. */
export async function takeOver(request: IncomingMessage, protocol: string): Promise<WebSocket | undefined> {
  const upgrade = upgrades.get(request)
  if (!upgrade) throw new Error('expected a request for a WebSocket')
  const { socket, head, response } = upgrade
  upgrades.delete(request)
  protocols.set(request, protocol)
  response.detachSocket(socket as Socket)
  return new Promise((resolve) => {
    const refused = () => resolve(undefined)
    socket.once('close', refused)
    sockets.handleUpgrade(request, socket, head, (open) => {
      socket.off('close', refused)
      resolve(open)
    })
  })
}

/**
 * Node takes any `Upgrade` for an end of HTTP on the connection, and leaves the body unread; clients that offer HTTP/2 send one
 * with ordinary requests. So the request is read once more, without that header.
 */
function readAgain(
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const pairs = rawHeaders.flatMap((name, n) => (n % 2 === 0 ? [[name, rawHeaders[n + 1] ?? '']] : []))
  const kept = pairs.filter(([name = '']) => !/^(upgrade|http2-settings)$/i.test(name))
  const lines = kept.map(([name = '', value = '']) => `${name}: ${value}\r\n`)
  const start = `${method} ${url} HTTP/${httpVersion}\r\n${lines.join('')}\r\n`
  socket.unshift(Buffer.concat([Buffer.from(start, 'latin1'), head]))
  server.emit('connection', socket)
}
