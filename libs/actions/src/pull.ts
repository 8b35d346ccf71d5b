import { randomUUID } from 'node:crypto'
import { addAbortSignal, type Readable } from 'node:stream'
import type Docker from 'dockerode'
import type { ActionContext } from './define-action'
import { DebloxError } from './errors'
import { preview } from './explain'
import { isImageId, withTag } from './image-reference'
import type { RegistryLogin } from './secrets'

/** An image may be large and a registry far. */
export const pullTimeoutMs = 30 * 60_000

/** No line of Docker's progress is near this long: a longer one is not progress. */
const maxLineLength = 2 ** 20

/**
 * Pulls an image and waits until it is there. Docker answers 200 at once and reports a failure inside the stream, so
 * the stream is read to its end; the last line that says `error` is the daemon's verdict.
 */
export async function pullAndWait(
  reference: string,
  { docker, signal, pullOnce, secrets }: Pick<ActionContext, 'docker' | 'signal' | 'pullOnce' | 'secrets'>,
): Promise<void> {
  if (isImageId(reference)) throw cannotPull(reference)
  const login = secrets?.registry
  // Who may pull is not known of those who would join: somebody with a login pulls for himself.
  const shared = login ? `${withTag(reference)} ${randomUUID()}` : withTag(reference)
  await pullOnce(shared, signal, (ending) => pull(reference, docker, ending, login))
}

async function pull(reference: string, docker: Docker, signal: AbortSignal, login?: RegistryLogin): Promise<void> {
  const asked = { fromImage: withTag(reference), abortSignal: signal, ...(login && { authconfig: login }) }
  const stream = (await docker.createImage(asked)) as Readable
  let verdict: string | undefined
  try {
    for await (const line of linesOf(addAbortSignal(signal, stream))) verdict = errorIn(line) ?? verdict
  } catch (error) {
    throw signal.aborted ? signal.reason : cutShort(reference, error)
  }
  if (verdict !== undefined) throw new DebloxError('docker_error', `pull of ${reference}: ${verdict}`)
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxLineLength) throw new Error(`expected lines of at most ${maxLineLength} characters`)
    yield* lines
  }
  yield rest
}

function errorIn(line: string): string | undefined {
  if (line.trim() === '') return undefined
  const progress: unknown = JSON.parse(line)
  if (typeof progress !== 'object' || progress === null || !('error' in progress)) return undefined
  return String(progress.error)
}

function cannotPull(id: string): DebloxError {
  return new DebloxError(
    'invalid_request',
    `image: expected a reference such as ubuntu:24.04, because an id cannot be pulled; got ${preview(id)}`,
  )
}

/** Docker goes on pulling, or does not: what became of it is not known, as after any lost connection. */
const cutShort = (reference: string, cause: unknown): Error =>
  Object.assign(new Error(`pull of ${reference}: expected the stream to end, but it broke off`, { cause }), {
    code: 'ECONNRESET',
  })
