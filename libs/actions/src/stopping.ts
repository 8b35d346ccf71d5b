import type Docker from 'dockerode'
import type Joi from 'joi'
import type { ActionContext } from './define-action'
import { DebloxError } from './errors'
import { preview } from './explain'
import { stopSignal, stopTimeout } from './schemas'
import { withoutUndefined } from './without-undefined'

/** What stop and restart take: how to ask the container to end, and how long to wait until it is killed. */
export interface StopOptions {
  timeout?: number
  signal?: string
}

export const stopOptions = {
  timeout: stopTimeout.description("Seconds to wait before the container is killed; the container's own by default"),
  signal: stopSignal.description("Instead of the container's own stop signal; needs Docker API 1.42"),
} satisfies Joi.PartialSchemaMap<StopOptions>

/** Without a time-out Docker waits for the container's own, which is not known here: 10 s unless somebody chose more. */
const ownTimeoutSeconds = 600

/** The daemon waits out the time-out, then kills, and that takes it a moment. */
export const stopTimeoutMs = ({ timeout = ownTimeoutSeconds }: StopOptions): number => timeout * 1000 + 60_000

/**
 * The options as Docker takes them. Before API 1.42 Docker ignores `signal` in silence and there is no honest way to
 * act as if it did not (a kill does not hold back the restart policy), so there a signal is refused: `invalid_request`.
 */
export async function dockerStopOptions(
  { timeout, signal }: StopOptions,
  { docker, signal: abortSignal }: ActionContext,
): Promise<Docker.ContainerStopOptions> {
  if (signal !== undefined) await requireSignals(docker, signal)
  return withoutUndefined({ t: timeout, signal, abortSignal })
}

async function requireSignals(docker: Docker, signal: string): Promise<void> {
  const { ApiVersion } = await docker.version()
  const [major = 0, minor = 0] = ApiVersion.split('.').map(Number)
  if (major > 1 || (major === 1 && minor >= 42)) return
  throw new DebloxError(
    'invalid_request',
    `signal: expected none, because this dock's Docker API ${ApiVersion} takes one only from 1.42 on ` +
      `(kill-container sends any signal); got ${preview(signal)}`,
  )
}
