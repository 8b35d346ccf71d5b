import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Grant } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import { pino } from 'pino'
import { accessTo } from '../../apps/api/src/access'
import { createApp } from '../../apps/api/src/app'
import type { Known } from '../../apps/api/src/gate'
import type { CopyOptions, FleetCopy } from '../../apps/api/src/live/fleet-copy'
import { eventsRoute } from '../../apps/api/src/routes/events'
import { listRoutes } from '../../apps/api/src/routes/lists'
import { eventually } from './eventually'
import { rowOf, useCopies } from './fleet-copies'

/** A double of the guard: who there is, by the name that a request gives, and what was granted. Tests change both as they go. */
export class People {
  readonly identities = new Map<string, Identity>([['root', { subject: 'root', teams: [], role: 'admin' }]])
  grants: Grant[] = []

  add(subject: string, role: Identity['role'] = 'viewer', teams: string[] = []): void {
    this.identities.set(subject, { subject, teams, role })
  }

  known(subject: string): Known {
    const identity = this.identities.get(subject)
    if (!identity) throw new DebloxError('unauthenticated', 'revoked')
    return { identity, via: 'token' }
  }
}

/** An API replica with the lists and the events of a copy, in this process. */
export async function serveCopy(copy: FleetCopy, people = new People(), pace = { idleMs: 200, rightMs: 50 }) {
  const access = accessTo({ locate: async () => ({}) as never }, async () => people.grants)
  const know = async (request: { get(name: string): string | undefined }) =>
    people.known(request.get('x-who') ?? 'root')
  const stopping = new AbortController()
  const app = createApp({
    routes: [...listRoutes(copy, access), eventsRoute(copy, access, pace)],
    pages: [],
    edges: [],
    gate: { know, still: know, addressOf: () => '127.0.0.1', requestIdOf: () => 'request-1' },
    onDecided: () => undefined,
    stopping: stopping.signal,
    log: pino({ level: 'silent' }),
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => stopping.abort(new DebloxError('stream_broken', 'the API stops')),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

export interface Heard {
  id: string
  event: string
  data: { kind: string; id: string; dock: string; row: Record<string, unknown> | null }
}

/** Somebody who follows events, and remembers where he is as a browser does. */
export class EventReader {
  readonly heard: Heard[] = []
  lastId: string | undefined
  isOver = false
  private text = ''

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => this.take(chunk))
    response.on('error', () => undefined)
    response.on('close', () => (this.isOver = true))
  }

  static async open(
    url: string,
    { who = 'root', query = '', lastId }: { who?: string; query?: string; lastId?: string } = {},
  ) {
    const headers = { 'x-who': who, ...(lastId !== undefined && { 'last-event-id': lastId }) }
    const asking = request(`${url}/v1/events${query}`, { headers, agent: false })
    asking.on('error', () => undefined)
    asking.end()
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    if (response.statusCode !== 200) throw new Error(`expected 200, got ${response.statusCode}`)
    const reader = new EventReader(response)
    reader.lastId = lastId
    if (lastId === undefined) await eventually(() => reader.lastId !== undefined)
    return reader
  }

  /** What was heard, in short: events, and what they are about. */
  get told(): string[] {
    return this.heard.map(({ event, data }) => `${event} ${data.id}`)
  }

  leave(): void {
    this.response.destroy()
  }

  private take(chunk: string): void {
    this.text += chunk
    for (let end = this.text.indexOf('\n\n'); end >= 0; end = this.text.indexOf('\n\n')) {
      const block = this.text.slice(0, end).split('\n')
      this.text = this.text.slice(end + 2)
      const field = (name: string) => block.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      this.lastId = field('id') ?? this.lastId
      const data = field('data')
      if (data === undefined) continue
      this.heard.push({ id: this.lastId ?? '', event: field('event') ?? '', data: JSON.parse(data) as Heard['data'] })
    }
  }
}

/** Replicas with copies of a fleet on a real Redis, and people who follow its events; all of a test's end with it. */
export function useReplicas() {
  const copies = useCopies()
  const { use, begin, fleet } = copies
  let people: People
  let closing: (() => void)[]

  beforeEach(() => {
    people = new People()
    people.add('anna')
    people.add('ben')
    closing = []
  })
  afterEach(() => {
    for (const close of closing) close()
  })

  async function replica(more: Partial<CopyOptions> = {}) {
    const copy = await begin(more)
    const served = await serveCopy(copy, people)
    closing.push(() => served.close())
    return { copy, ...served }
  }

  async function listen(url: string, options: Parameters<typeof EventReader.open>[1] = {}): Promise<EventReader> {
    const reader = await EventReader.open(url, options)
    closing.push(() => reader.leave())
    return reader
  }

  const write = (dock: string, n: number, more: Parameters<typeof rowOf>[2] = {}) =>
    fleet().index.write(dock, [rowOf(dock, n, more)], [])

  /** Waits until a last change was told of which everybody hears: what was to be told before it has been then. */
  async function untilAllIsTold(...readers: EventReader[]): Promise<void> {
    await fleet().docks.register('last')
    await eventually(() => {
      expect(readers.map(({ told }) => told.includes('dock.changed last'))).toEqual(readers.map(() => true))
    })
  }

  /** What is told of a job, as the scripts that change it do. */
  const tellJob = (op: string, row: object, id = 'job-1') =>
    use.redis().xadd(fleet().keys.changes, '*', 'k', 'job', 'o', op, 'd', 'dock-1', 'i', id, 'r', JSON.stringify(row))

  return { ...copies, people: () => people, replica, listen, write, untilAllIsTold, tellJob }
}
