import { createServer, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorTable } from '@deblox/actions/errors'
import { problem } from './errors'
import { closeWaiting } from './pipelined'
import { HttpRequest, upgradeThrough } from './upgrade'

/** How long a caller may take for its headers, and for all of a request, in milliseconds: a slow one holds a connection. */
const limits: ServerOptions = { headersTimeout: 15_000, requestTimeout: 60_000, connectionsCheckingInterval: 5_000 }

/** Whoever follows something that is silent, and whose machine has lost its power, would be waited for without end. */
const probes: ServerOptions = { keepAlive: true, keepAliveInitialDelay: 60_000 }

/** Browsers send about 20. */
const maxHeaders = 100

/** A server whose every refusal is a problem reply, those of Node's own parser too, which would have no body. */
export function httpServer(app: RequestListener, options: ServerOptions = limits): Server {
  const answer: RequestListener = (request, response) => {
    if (request.rawHeaders.length <= 2 * maxHeaders) return app(request, response)
    const { status, headers = {}, body } = answerTo(`headers: expected at most ${maxHeaders}, got more`, 431)
    response.writeHead(status, { ...headers, Connection: 'close' }).end(JSON.stringify(body))
  }
  // Without Host it is for the application to refuse: Node would do so with nothing but a status.
  const more = { ...probes, IncomingMessage: HttpRequest, requireHostHeader: false }
  const server = createServer({ ...options, ...more }, answer)
  // Node leaves those beyond it out without a word, and with them what they were to say: so it gets one more.
  server.maxHeadersCount = maxHeaders + 1
  upgradeThrough(server, answer)
  closeWaiting(server)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(error, socket))
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    const { status, headers = {}, body } = answerTo('Expect: expected 100-continue or nothing, got something else')
    response.writeHead(status, { ...headers, Connection: 'close' }).end(JSON.stringify(body))
  })
  return server
}

interface Refused extends NodeJS.ErrnoException {
  /** What the parser could not read. */
  rawPacket?: Buffer
}

function refuse({ code, rawPacket }: Refused, socket: Duplex): void {
  // Somebody is being answered on it, or it is gone.
  if (!socket.writable || code === 'ECONNRESET') return void socket.destroy()
  const { body, headers = {}, status } = answerTo(wordsFor(code), statuses[code ?? ''])
  const text = JSON.stringify(body)
  const fields = { ...headers, 'Content-Length': String(Buffer.byteLength(text)), Connection: 'close' }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  // A reply to HEAD has no body: whoever asked would take it for the beginning of the next one.
  const isHead = rawPacket?.subarray(0, 5).toString('latin1') === 'HEAD '
  socket.end(`HTTP/1.1 ${status} ${reasons[status] ?? 'Bad Request'}\r\n${lines.join('')}\r\n${isHead ? '' : text}`)
}

const statuses: Record<string, number | undefined> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

const reasons: Record<number, string | undefined> = {
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

function wordsFor(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers: expected at most 16 KB, got more'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request: expected it to arrive in time, got a part of it'
  return `request: expected HTTP/1.1, got what cannot be read (${code ?? 'unknown'})`
}

const answerTo = (message: string, status: number = errorTable.invalid_request.status) =>
  problem({ code: 'invalid_request', status, message })
