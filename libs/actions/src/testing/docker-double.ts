import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Docker from 'dockerode'

/** A request as it reached the double. */
export interface Asked {
  /** Method and path, such as `POST /containers/create`. */
  what: string
  query: Record<string, string>
  body: unknown
}

/** Writes an answer piece by piece, such as the progress of a pull. */
type Script = (response: ServerResponse) => void

interface Plain {
  status: number
  body?: unknown
}

/**
 * A double of the Docker daemon for unit tests, in this process: real HTTP on a unix socket with a real dockerode in
 * front, but the answers are the test's own. How a real daemon behaves is what the tests with real engines are for.
 */
export class DockerDouble {
  /** Everything that reached it, in order. */
  asked: Asked[] = []
  private answers = new Map<string, (Plain | Script)[]>()
  private readonly folder = mkdtempSync(join(tmpdir(), 'docker-double-'))
  private readonly server = createServer((request, response) => void this.reply(request, response))
  readonly docker = new Docker({ socketPath: join(this.folder, 'docker.sock') })

  async listen(): Promise<void> {
    this.server.listen(join(this.folder, 'docker.sock'))
    await once(this.server, 'listening')
  }

  async close(): Promise<void> {
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, 'close')
    rmSync(this.folder, { recursive: true })
  }

  reset(): void {
    this.asked = []
    this.answers.clear()
  }

  /** Answers the next request of that method and path; several in the order given, the last of them for ever. */
  answer(what: string, ...answers: (Plain | Script)[]): void {
    this.answers.set(what, [...(this.answers.get(what) ?? []), ...answers])
  }

  private async reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://docker')
    const what = `${request.method} ${pathname}`
    const text = Buffer.concat(await request.toArray()).toString()
    this.asked.push({ what, query: Object.fromEntries(searchParams), body: text === '' ? undefined : JSON.parse(text) })
    const answers = this.answers.get(what) ?? []
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? unexpected(what)
    if (typeof answer === 'function') answer(response)
    else send(response, answer)
  }
}

/** A double for the tests of one file: fresh for each of them, gone after the last. */
export function useDockerDouble(): DockerDouble {
  const double = new DockerDouble()
  beforeAll(() => double.listen())
  beforeEach(() => double.reset())
  afterAll(() => double.close())
  return double
}

const unexpected = (what: string): Plain => ({ status: 501, body: { message: `the test expects no ${what}` } })

function send(response: ServerResponse, { status, body }: Plain): void {
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`
  response.writeHead(status, body === undefined ? {} : { 'Content-Type': 'application/json' }).end(text)
}
