import { DebloxError } from './errors'
import type { ActionContext } from './define-action'

/**
 * Pulls an image and waits until it is there. Docker answers 200 at once and reports a failure inside the stream, so
 * the stream is read to its end; the last line that says `error` is the daemon's verdict.
 */
export async function pullImage(reference: string, { docker, signal }: Pick<ActionContext, 'docker' | 'signal'>) {
  const stream = await docker.createImage({ fromImage: withTag(reference), abortSignal: signal })
  const stop = () =>
    (stream as NodeJS.ReadableStream & { destroy(error?: Error): void }).destroy(asError(signal.reason))
  signal.addEventListener('abort', stop)
  try {
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(stream, (error) => (error ? reject(pullFailed(reference, error)) : resolve()))
      stream.once('error', reject)
      stream.once('close', () => reject(signal.aborted ? asError(signal.reason) : cutShort(reference)))
    })
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Without a tag Docker's API pulls every tag of the repository; `docker pull` pulls `latest`. */
export function withTag(reference: string): string {
  const lastPart = reference.slice(reference.lastIndexOf('/') + 1)
  return lastPart.includes(':') || lastPart.includes('@') ? reference : `${reference}:latest`
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)))

const cutShort = (reference: string): Error =>
  Object.assign(new Error(`pull of ${reference}: expected the stream to end, but the connection closed`), {
    code: 'ECONNRESET',
  })

function pullFailed(reference: string, error: Error): DebloxError {
  return new DebloxError('docker_error', `pull of ${reference}: ${error.message}`, { cause: error, status: 404 })
}
