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

/** How far a layer is, in Docker's own words, and in bytes of what it does just then where it tells. */
export interface LayerProgress {
  status: string
  current?: number
  total?: number
}

/** How far each layer is, by its short id. */
export type Layers = ReadonlyMap<string, LayerProgress>

/** No image has near so many layers: of further ones nothing is told. */
const maxLayers = 200

/** No status is longer, in characters. */
const maxStatus = 40

/**
 * Pulls an image and waits until it is there. Docker answers 200 at once and reports a failure inside the stream, so
 * the stream is read to its end; the last line that says `error` is the daemon's verdict. It is not pulled where it `isThere`
 * when its turn has come: a pull for another may just have ended.
 */
export async function pullAndWait(
  reference: string,
  { docker, signal, pullOnce, secrets }: Pick<ActionContext, 'docker' | 'signal' | 'pullOnce' | 'secrets'>,
  isThere?: (signal: AbortSignal) => Promise<boolean>,
): Promise<void> {
  if (isImageId(reference)) throw cannotPull(reference)
  const login = secrets?.registry
  // Who may pull is not known of those who would join: somebody with a login pulls for himself.
  const shared = login ? `${withTag(reference)} ${randomUUID()}` : withTag(reference)
  await pullOnce(shared, signal, async (ending, onLayers) => {
    if (isThere && (await isThere(ending))) return
    await pull(reference, docker, ending, { login, onLayers })
  })
}

interface Further {
  login: RegistryLogin | undefined
  onLayers: ((layers: Layers) => void) | undefined
}

async function pull(
  reference: string,
  docker: Docker,
  signal: AbortSignal,
  { login, onLayers }: Further,
): Promise<void> {
  const asked = { fromImage: withTag(reference), abortSignal: signal, ...(login && { authconfig: login }) }
  const stream = (await docker.createImage(asked)) as Readable
  let verdict: string | undefined
  const layers = new Map<string, LayerProgress>()
  try {
    for await (const line of linesOf(addAbortSignal(signal, stream))) {
      const said = readLine(line)
      verdict = errorIn(said) ?? verdict
      if (noteLayer(said, layers)) onLayers?.(layers)
    }
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

function readLine(line: string): object | null {
  if (line.trim() === '') return null
  const said: unknown = JSON.parse(line)
  return typeof said === 'object' ? said : null
}

const errorIn = (said: object | null): string | undefined => (said && 'error' in said ? String(said.error) : undefined)

/** Takes note of how far a layer is, if that is what a line says. */
function noteLayer(said: object | null, layers: Map<string, LayerProgress>): boolean {
  const { id, status, progressDetail } = (said ?? {}) as { id?: unknown; status?: unknown; progressDetail?: unknown }
  // A tag may stand in the place of a layer's id.
  if (typeof id !== 'string' || typeof status !== 'string' || !/^[0-9a-f]{12}$/.test(id)) return false
  if (layers.size >= maxLayers && !layers.has(id)) return false
  const { current, total } = (progressDetail ?? {}) as { current?: unknown; total?: unknown }
  layers.set(id, {
    status: status.slice(0, maxStatus),
    ...(typeof current === 'number' && { current }),
    ...(typeof total === 'number' && { total }),
  })
  return true
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
