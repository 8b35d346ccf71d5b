import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { problem } from './errors'

/** Requests whose body may be long, of which only each piece has a time. */
const patient = new WeakSet<IncomingMessage>()

/** The request's body may take any time, as long as it goes on. */
export const mayTakeLong = (request: IncomingMessage): void => void patient.add(request)

/** Whoever has not sent his whole request after so long, or nothing more of a long one while it is read, is told so and left. */
export function leaveSlowSenders(server: Server, ms: number): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    let before = 0
    const timer = setInterval(() => {
      if (request.complete || request.destroyed) return clearInterval(timer)
      const { bytesRead } = request.socket
      // One that is not read, because where it goes there is no room, is not slow.
      if (patient.has(request) && (bytesRead > before || request.readableLength > 0)) {
        before = bytesRead
        return
      }
      clearInterval(timer)
      leave(request, response)
    }, ms).unref()
    request.once('close', () => clearInterval(timer))
  })
}

function leave({ socket }: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent) return void socket.destroy()
  const message = 'request: expected it to arrive in time, got a part of it'
  const { headers = {}, body } = problem({ code: 'invalid_request', status: 408, message })
  response.writeHead(408, { ...headers, Connection: 'close' }).end(JSON.stringify(body), () => socket.destroy())
}
