import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { runFolder } from './run-folder'

/** What was asked of the daemon. */
export interface Asked {
  method: string
  /** Without its query. */
  path: string
  query: URLSearchParams
  body: Record<string, unknown>
}

/** A wrong answer, written to the connection as it is. Returns what ends an answer that would go on for ever. */
export type Odd = (socket: Socket, asked: Asked, sane: () => Answer) => void

export interface Answer {
  status: number
  /** Absent for an answer without a body. */
  body?: unknown
}

export interface FakeContainer {
  Id: string
  Names: string[]
  Image: string
  State: string
  Status: string
  Created: number
  Labels: Record<string, string>
}

/**
 * A stand-in for a Docker daemon on a unix socket, where a test needs answers that a real one never gives. It keeps
 * containers as a daemon does, as far as Deblox asks, and gives an odd answer wherever the test says so.
 */
export class FakeDaemon {
  readonly containers = new Map<string, FakeContainer>()
  /** Answers in its stead where it returns something. */
  oddly: (asked: Asked) => Odd | undefined = () => undefined
  /** How many containers were ever made under a name. */
  readonly made = new Map<string, number>()
  private readonly events = new Set<ServerResponse>()
  private readonly sockets = new Set<Socket>()
  private readonly server = createServer((request, response) => void this.serve(request, response))

  private constructor(private readonly folder: string) {
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.sockets.delete(socket))
    })
  }

  static async start(): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(await mkdtemp(join(runFolder(), 'daemon-')))
    daemon.server.listen(daemon.socketPath)
    await once(daemon.server, 'listening')
    return daemon
  }

  get socketPath(): string {
    return join(this.folder, 's')
  }

  get dockerHost(): string {
    return `unix://${this.socketPath}`
  }

  /** Connections that are open now: whoever gave an answer up must have closed his. */
  get connections(): number {
    return this.sockets.size
  }

  /** How many follow its events now. */
  get followers(): number {
    return this.events.size
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Sends bytes to everybody who follows its events. */
  tell(bytes: string | Buffer): void {
    for (const stream of this.events) stream.write(bytes)
  }

  /** Tells everybody who follows its events that something happened to a container. */
  tellOf(id: string): void {
    this.tell(`${JSON.stringify({ Type: 'container', Action: 'update', Actor: { ID: id } })}\n`)
  }

  /** Removes all containers, as somebody beside Deblox would. */
  empty(): void {
    const ids = [...this.containers.keys()]
    this.containers.clear()
    for (const id of ids) this.tellOf(id)
  }

  /** Puts a container there, as `docker run` beside Deblox would. */
  add(name: string, { labels = {}, state = 'running' }: { labels?: Record<string, string>; state?: string } = {}) {
    const container: FakeContainer = {
      Id: createHash('sha256').update(`${name} ${this.made.size}`).digest('hex'),
      Names: [`/${name}`],
      Image: 'busybox',
      State: state,
      Status: 'Up 2 minutes',
      Created: 1_700_000_000,
      Labels: labels,
    }
    this.containers.set(container.Id, container)
    this.made.set(name, (this.made.get(name) ?? 0) + 1)
    this.tellOf(container.Id)
    return container
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://daemon')
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    const asked = { method: request.method ?? '', path: pathname, query: searchParams, body }
    const odd = this.oddly(asked)
    if (odd) odd(request.socket, asked, () => this.answer(asked))
    else if (pathname === '/events') this.follow(response)
    else send(response, this.answer(asked))
  }

  private follow(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.flushHeaders()
    this.events.add(response)
    response.on('close', () => this.events.delete(response))
  }

  private answer(asked: Asked): Answer {
    const { method, path, query } = asked
    const fixed = fixedAnswers[path]
    if (fixed) return fixed
    if (path === '/containers/json') return { status: 200, body: this.list(query) }
    if (path === '/containers/create') return this.create(asked)
    const [, id = '', verb] = /^\/containers\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? []
    const container =
      this.containers.get(id) ?? [...this.containers.values()].find(({ Names }) => Names[0] === `/${id}`)
    if (!container) return { status: 404, body: { message: `No such container: ${id}` } }
    return this.act(container, method, verb, query)
  }

  private act(container: FakeContainer, method: string, verb: string | undefined, query: URLSearchParams): Answer {
    if (verb === 'json') return { status: 200, body: inspected(container) }
    if (method === 'DELETE') this.containers.delete(container.Id)
    this.tellOf(container.Id)
    if (verb === 'start') container.State = 'running'
    if (verb === 'stop' || verb === 'kill') container.State = 'exited'
    if (verb === 'rename') container.Names = [`/${query.get('name')}`]
    if (verb === 'update') return { status: 200, body: { Warnings: null } }
    return { status: 204 }
  }

  private list(query: URLSearchParams): FakeContainer[] {
    const { id } = JSON.parse(query.get('filters') ?? '{}') as { id?: string[] }
    const all = [...this.containers.values()]
    return id ? all.filter(({ Id }) => id.includes(Id)) : all
  }

  private create({ query, body }: Asked): Answer {
    const name = query.get('name') ?? `unnamed-${this.made.size}`
    if ([...this.containers.values()].some(({ Names }) => Names[0] === `/${name}`)) {
      return { status: 409, body: { message: `Conflict. The container name "/${name}" is already in use` } }
    }
    const { Id } = this.add(name, { labels: body['Labels'] as Record<string, string>, state: 'created' })
    return { status: 201, body: { Id, Warnings: [] } }
  }
}

const fixedAnswers: Record<string, Answer | undefined> = {
  '/_ping': { status: 200, body: 'OK' },
  '/info': { status: 200, body: { NCPU: 2, MemTotal: 2 ** 32, OperatingSystem: 'fake', ServerVersion: '20.10.24' } },
  '/version': { status: 200, body: { Version: '20.10.24', ApiVersion: '1.41' } },
  '/images/json': { status: 200, body: [{ Id: 'sha256:1', RepoTags: ['busybox:latest'], Size: 1, Created: 1 }] },
  '/volumes': { status: 200, body: { Volumes: [], Warnings: null } },
  '/networks': { status: 200, body: [] },
  '/images/create': { status: 200, body: { status: 'Status: Image is up to date' } },
  '/images/busybox/json': { status: 200, body: { Id: 'sha256:1', RepoTags: ['busybox:latest'], Size: 1 } },
}

const inspected = ({ Id, Names, State, Labels, Image }: FakeContainer) => ({
  Id,
  Name: Names[0],
  State: { Status: State, Running: State === 'running' },
  Config: { Image, Labels },
})

function send(response: ServerResponse, { status, body }: Answer): void {
  response.statusCode = status
  if (body === undefined) response.end()
  else if (typeof body === 'string') response.end(body)
  else response.setHeader('Content-Type', 'application/json').end(`${JSON.stringify(body)}\n`)
}
