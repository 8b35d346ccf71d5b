import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Grant } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import type { IndexedRow } from '@deblox/fleet/index'
import { pino } from 'pino'
import { type ClientOptions, WebSocket } from 'ws'
import { accessTo } from '../../apps/api/src/access'
import { createApp } from '../../apps/api/src/app'
import { refuseCrossSite } from '../../apps/api/src/auth/csrf'
import type { Decided, Gate } from '../../apps/api/src/gate'
import { streamRoutes } from '../../apps/api/src/routes/streams'
import { type Patience, serve, type Serving } from '../../apps/api/src/serve'
import { Places } from '../../apps/api/src/streams/places'
import { CallsDouble } from './calls-double'

export const id = 'ab'.repeat(32)

export const anna: Identity = { subject: 'anna', teams: [], role: 'deployer' }

export function row(name: string, more: Partial<IndexedRow> = {}): IndexedRow {
  const at = '2026-01-01T00:00:00.000Z'
  const seen = { image: 'busybox', state: 'running', status: 'Up', createdAt: at, observedAt: at }
  return { id, name, dock: 'dock-a', owner: 'anna', labels: {}, ...seen, ...more }
}

/**
 * The routes that stream, behind a real server and a double of the calls: who asks, what there is, and what docks answer are the
 * test's to say.
 */
export function useStreamApi({ most = 8, patience }: { most?: number; patience?: Patience } = {}) {
  const calls = new CallsDouble()
  const decided: Decided[] = []
  const logged: string[] = []
  const state = {
    identity: anna as Identity | undefined,
    rows: [] as IndexedRow[],
    grants: [] as Grant[],
    looks: 0,
    now: 0,
  }
  const places = new Places(most)
  let stopping: AbortController
  let serving: Serving

  const known = () => {
    if (!state.identity) throw new DebloxError('unauthenticated', 'Authorization: expected a token that counts')
    return { identity: state.identity, via: 'token' as const }
  }
  const gate: Gate = {
    async know(request) {
      // As for whoever comes with the cookie of a login.
      if (request.headers.cookie !== undefined) refuseCrossSite(request, serving.url)
      return known()
    },
    async still() {
      state.looks++
      return known()
    },
    addressOf: () => '127.0.0.1',
    requestIdOf: () => 'request-1',
  }
  const find = (matches: (row: IndexedRow) => boolean) => state.rows.filter(matches)
  const index = {
    async locate(reference: string, hostname?: string, mayKnow: (row: IndexedRow) => boolean = () => true) {
      const [found] = find((one) => [one.id, one.name].includes(reference) && (hostname ?? one.dock) === one.dock)
      if (!found || !mayKnow(found)) throw new DebloxError('container_not_found', 'id: expected a container')
      return found
    },
  }
  const access = accessTo(index, async () => state.grants)
  const desk = {
    fleet: { clock: { now: () => state.now } as never },
    access,
    calls,
    places,
    rowsWhere: async (matches: (row: IndexedRow) => boolean) => find(matches),
    pace: { right: 20, ping: 200, look: 20 },
  }

  beforeEach(async () => {
    state.identity = anna
    state.rows = [row('web')]
    state.grants = []
    state.now = Date.parse('2026-11-23T12:00:00Z')
    calls.carried.length = 0
    decided.length = 0
    logged.length = 0
    stopping = new AbortController()
    const log = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) })
    const routes = streamRoutes(desk)
    const app = createApp({
      routes,
      pages: [],
      edges: [],
      gate,
      onDecided: (one) => void decided.push(one),
      stopping: stopping.signal,
      log,
    })
    serving = await serve(app, { host: '127.0.0.1', port: 0 }, () => undefined, patience)
  })
  afterEach(async () => {
    stopping.abort()
    calls.close()
    await serving.close()
  })

  return {
    calls,
    places,
    decided,
    logged,
    state,
    url: () => serving.url,
    stop: (reason?: Error) => stopping.abort(reason),

    /** A WebSocket that is open. */
    async connect(path: string, options: ClientOptions = {}): Promise<Terminal> {
      const terminal = new Terminal(`${serving.url.replace('http', 'ws')}${path}`, options)
      await once(terminal.socket, 'open')
      return terminal
    },
  }
}

/** How a handshake was answered that was refused. */
export async function refusedWebSocket(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'deblox.terminal.v1', { headers })
  socket.on('error', () => undefined)
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) }
}

/** The other end of the sub-protocol. */
export class Terminal {
  readonly socket: WebSocket
  /** What came on each channel. */
  readonly came: Record<number, Buffer[]> = {}
  readonly closed: Promise<{ code: number; reason: string }>

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, 'deblox.terminal.v1', options)
    this.socket.on('message', (data: Buffer) => void (this.came[data[0] ?? -1] ??= []).push(data.subarray(1)))
    this.closed = new Promise((resolve) =>
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    )
  }

  send(channel: number, bytes: Buffer | string = ''): void {
    this.socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(bytes)]))
  }

  on(channel: number): Buffer {
    return Buffer.concat(this.came[channel] ?? [])
  }

  status(): unknown {
    return JSON.parse(this.on(3).toString())
  }
}
