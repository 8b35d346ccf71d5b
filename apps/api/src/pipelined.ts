import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Closes with a connection those answers too whose turn on it has not come: a caller of HTTP/1.1 may send further requests before he
 * is answered. Node 20 and 22 tell them nothing of it (measured with 20.20.2 and 22.23.3; 24 does): whoever waits to hear that
 * their caller has left would wait, and be kept, for as long as the process lives.
 */
export function closeWaiting(server: Server): void {
  const waiting = new WeakMap<Socket, Set<ServerResponse>>()
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    // Its turn has come.
    if (response.socket) return
    const those = waiting.get(socket) ?? waitingOn(socket)
    waiting.set(socket, those.add(response))
    response.once('close', () => those.delete(response))
  })
}

/** One listener for all of them: a caller may send any number. */
function waitingOn(socket: Socket): Set<ServerResponse> {
  const those = new Set<ServerResponse>()
  socket.once('close', () => {
    for (const response of those) close(response)
  })
  return those
}

function close(response: ServerResponse): void {
  // Node does so itself: with one whose turn had come, and as of 24 with all.
  if (response.socket || response.destroyed) return
  response.destroy()
  response.emit('close')
}
