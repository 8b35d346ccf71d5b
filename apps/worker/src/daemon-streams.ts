import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { DeadlineError } from '@deblox/actions/deadline'
import { brokenOff, refusal } from './daemon-request'
import { leaseLost } from './docker'

/** What is asked of the daemon where its answer, or what it is given, has no end that anybody could wait for. */
export interface StreamRequest {
  method: 'GET' | 'POST' | 'PUT'
  /** Without its query. */
  path: string
  query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Sent as JSON. */
  json?: object
  /** Sent as it comes, as a tar archive. */
  tar?: AsyncIterable<Buffer>
  /** It changes nothing, whatever its method says. */
  reads?: boolean
}

/** How long the daemon may take to begin its answer, from the end of what it is given, in milliseconds. */
const beginMs = 30_000

type Answer = IncomingMessage | Duplex

/**
 * The door to the daemon for streams, beside `openDocker`: each has a connection of its own, which is closed at once when its
 * signal aborts. `mayWrite` is asked before every request that can change something.
 */
export class DaemonStreams {
  private readonly socketPath: string

  constructor(
    dockerHost: string,
    private readonly mayWrite: () => boolean,
  ) {
    this.socketPath = dockerHost.replace(/^unix:\/\//, '')
  }

  /**
   * The daemon's answer, to be read or destroyed by the caller. Rejects with the daemon's refusal in the form of dockerode's
   * errors, `lease_lost`, DeadlineError, the signal's reason, or why there was no answer.
   */
  async open(asked: StreamRequest, signal: AbortSignal): Promise<IncomingMessage> {
    return (await this.send(asked, signal, false)) as IncomingMessage
  }

  /** A connection that has become one to a container's streams: what is written goes in. Rejects as `open` does. */
  async hijack(asked: StreamRequest, signal: AbortSignal): Promise<Duplex> {
    return (await this.send(asked, signal, true)) as Duplex
  }

  private async send(asked: StreamRequest, signal: AbortSignal, upgrade: boolean): Promise<Answer> {
    signal.throwIfAborted()
    if (asked.method !== 'GET' && !asked.reads && !this.mayWrite()) throw leaseLost()
    const request = this.begin(asked, upgrade)
    let answer: Answer | undefined
    let late: NodeJS.Timeout | undefined
    let closed: { why: unknown } | undefined
    const close = (why: unknown) => {
      closed ??= { why }
      answer?.destroy(why as Error)
      request.destroy(why as Error)
    }
    const stop = () => close(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const forget = () => signal.removeEventListener('abort', stop)
    try {
      const given = give(request, asked, signal).then(() => {
        late = setTimeout(() => close(new DeadlineError(beginMs)), beginMs)
      })
      given.catch(close)
      answer = await answerOf(request, upgrade)
      // It may have come when this was closed already.
      if (closed) throw closed.why
      // Whoever reads it learns of these by reading; nobody else has to hear of them.
      answer.on('error', () => undefined)
      answer.once('close', forget)
      if (answer.destroyed) forget()
      if ('statusCode' in answer) await requireSuccess(answer, asked, upgrade)
      if (asked.tar) await unlessAborted(given, signal)
      return answer
    } catch (error) {
      close(error)
      forget()
      signal.throwIfAborted()
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  private begin({ method, path, query = {}, json, tar }: StreamRequest, upgrade: boolean): ClientRequest {
    const words = Object.entries(query).filter(([, value]) => value !== undefined)
    const search = new URLSearchParams(
      Object.fromEntries(words.map(([name, value]) => [name, String(value)])),
    ).toString()
    const request = httpRequest({
      socketPath: this.socketPath,
      method,
      path: search === '' ? path : `${path}?${search}`,
      // A connection of its own, which nobody else is given when this is over.
      agent: false,
      headers: {
        Host: 'docker',
        ...(json && { 'Content-Type': 'application/json' }),
        ...(tar && { 'Content-Type': 'application/x-tar' }),
        ...(upgrade && { Connection: 'Upgrade', Upgrade: 'tcp' }),
      },
    })
    request.on('error', () => undefined)
    return request
  }
}

/** Resolves when all that belongs to the request is on its way. */
async function give(request: ClientRequest, { json, tar }: StreamRequest, signal: AbortSignal): Promise<void> {
  if (!tar) return void request.end(json && JSON.stringify(json))
  // A refusal must not wait for the first of it.
  request.flushHeaders()
  for await (const bytes of tar) {
    // The daemon has answered, or is gone: nobody reads on there.
    if (request.destroyed) return
    if (!request.write(bytes)) await drained(request)
  }
  // What ends because its sender has left is no whole archive, and must not look like one.
  signal.throwIfAborted()
  request.end()
}

/** What a promise resolves to, unless the signal aborts before: who sends may not do so for long. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
  })
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Resolves when a stream takes more, or nothing any more. */
export function drained(stream: ClientRequest | Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close', 'error']) stream.removeListener(event, done)
      resolve()
    }
    if (stream.destroyed || !stream.writableNeedDrain) return resolve()
    for (const event of ['drain', 'close', 'error']) stream.on(event, done)
  })
}

function answerOf(request: ClientRequest, upgrade: boolean): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('close', () => reject(brokenOff()))
    request.on('response', resolve)
    if (upgrade) {
      request.on('upgrade', (_response, socket: Duplex, head: Buffer) => {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
    }
  })
}

async function requireSuccess(answer: IncomingMessage, { method, path }: StreamRequest, upgrade: boolean) {
  const { statusCode = 0 } = answer
  if (statusCode === 200 && !upgrade) return
  throw await refusal(answer, statusCode, { path, statusCodes: {} }, method === 'GET')
}
