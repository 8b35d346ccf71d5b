import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { StartError } from '@deblox/fleet/start-error'
import { httpServer } from './http-server'
import { leaveSlowSenders } from './slow-senders'

export interface Serving {
  url: string
  /** Takes no more requests, and lets those under way end. */
  close(): Promise<void>
}

/** Requests under way get so long when the API stops, in milliseconds. */
const graceMs = 8_000

/** A connection on which no request has come after so long is closed then, in milliseconds. */
const silentMs = 500

/** How long a caller may keep a connection for what it sends, takes, or does not do, in milliseconds. */
export interface Patience {
  /** It sends the headers of a request, and all of it. */
  headersTimeout: number
  requestTimeout: number
  /** It sends no further request. */
  keepAliveTimeout: number
  /** It takes nothing of an answer that is ready. */
  slowReader: number
  /** How often the first two are looked at. */
  connectionsCheckingInterval: number
}

const patience: Patience = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  slowReader: 20_000,
  connectionsCheckingInterval: 2_000,
}

/** Files that are not callers' connections: Redis's, the program's own, and some in hand to reconnect with. */
const reservedFiles = 64

/** More connections than this are not taken, whatever the machine allows. */
const maxConnections = 10_000

/** Listens. `onRefused` is called for each connection that is one too many. Throws where that cannot be done. */
export async function serve(
  listener: RequestListener,
  { host, port }: { host: string; port: number },
  onRefused: () => void,
  { slowReader, requestTimeout, ...times }: Patience = patience,
): Promise<Serving> {
  // Node would end an upload of any length by that time: so it is kept for it.
  const server = httpServer(listener, { ...times, requestTimeout: 0 })
  leaveSlowSenders(server, requestTimeout)
  // Were there no bound, Redis could not be reached any more once callers have used up all files.
  server.maxConnections = connectionsFor(openFilesLimit())
  server.on('drop', onRefused)
  const connections = connectionsOf(server)
  const underWay = responsesOf(server)
  leaveSlowReaders(server, slowReader)
  await listen(server, host, port)
  return { url: urlOf(server), close: () => close(server, connections, underWay) }
}

export const connectionsFor = (files: number): number =>
  Math.max(1, Math.min(maxConnections, files - Math.min(reservedFiles, files >> 1)))

function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    // Not Linux.
    return Infinity
  }
}

function connectionsOf(server: Server): Set<Socket> {
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return open
}

/** The responses that have not been sent yet. */
function responsesOf(server: Server): Set<ServerResponse> {
  const underWay = new Set<ServerResponse>()
  server.prependListener('request', (_request, response: ServerResponse) => {
    underWay.add(response)
    response.once('close', () => underWay.delete(response))
    // One more request on a connection that was there before.
    if (!server.listening) leaveAfter(response)
  })
  return underWay
}

/** Whoever does not take an answer keeps it in memory. While it is taken, however slowly, the time begins anew. */
function leaveSlowReaders(server: Server, ms: number): void {
  server.on('request', (_request, response: ServerResponse) => {
    // With the end of the answer Node sets the time again: to that for connections without a request.
    response.once('prefinish', () => response.socket?.setTimeout(ms))
  })
}

/** Tells the caller to send its next request elsewhere. */
function leaveAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close')
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new StartError(whyNotListening(error, port, host), { cause: error })
  }
}

function whyNotListening(error: unknown, port: number, host: string): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return `PORT: expected a free port of ${host}, got ${port}, which is in use`
  if (code === 'EACCES') return `PORT: expected a port that this user may open, got ${port}`
  return `HOST: expected an address of this machine, got ${host} (${String(code)})`
}

async function close(server: Server, connections: Set<Socket>, underWay: Set<ServerResponse>): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  for (const response of underWay) leaveAfter(response)
  // A connection whose last request has been answered would be kept for a while more.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  // Node takes a connection for busy that has not sent anything yet.
  const silent = setTimeout(() => closeAllBut(connections, underWay), silentMs)
  const grace = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearInterval(idle)
  clearTimeout(silent)
  clearTimeout(grace)
}

function closeAllBut(connections: Set<Socket>, underWay: Set<ServerResponse>): void {
  const busy = new Set([...underWay].map(({ socket }) => socket))
  for (const socket of connections) if (!busy.has(socket)) socket.destroy()
}

function urlOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') return String(address)
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}
