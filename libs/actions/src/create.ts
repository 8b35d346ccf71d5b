import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import Joi from 'joi'
import { crashPoint } from './crash-point'
import type { ActionContext, ActionResult, JobIdentity } from './define-action'
import { dockerMessage, dockerStatus } from './docker-status'
import { DebloxError } from './errors'
import { expected } from './messages'
import { isImageId } from './image-reference'
import { pullAndWait, pullTimeoutMs } from './pull'
import { containerName, flag } from './schemas'

export type PullPolicy = 'missing' | 'always' | 'never'

/** What every way of making a container takes beside the container itself. */
export interface CreateOptions {
  name?: string
  start?: boolean
  pull?: PullPolicy
}

export const createOptions = {
  name: containerName.description('Its name on the dock; with `instances`, `-1`, `-2` … are added'),
  start: flag.description('Start it as well, in the same job'),
  pull: Joi.string()
    .valid('missing', 'always', 'never')
    .messages(expected('missing, always or never'))
    .description('When to pull the image: `missing` (the default), `always` or `never`'),
} satisfies Joi.PartialSchemaMap<CreateOptions>

/** A create may have to pull first. */
export const createTimeoutMs = pullTimeoutMs + 60_000

/** The labels by which Deblox knows its containers, whatever happens to Redis. */
export const labelNames = {
  job: 'deblox.job',
  slot: 'deblox.slot',
  epoch: 'deblox.epoch',
  owner: 'deblox.owner',
} as const

/** The container's name: the caller's, or one derived from the job, so that a second try meets the first one's work. */
export function nameFor(job: JobIdentity, name?: string): string {
  if (name !== undefined) return job.numbered ? `${name}-${job.slot}` : name
  return `deblox-${job.id}-${job.slot}`
}

/** Makes the container of one (job, slot), or adopts the one that an earlier try of the same job left. */
export async function createContainerOnce(
  body: ContainerCreateOptions,
  options: CreateOptions,
  context: ActionContext,
): Promise<ActionResult> {
  const { docker, job, signal } = context
  const name = nameFor(job, options.name)
  const labelled = { ...body, Labels: { ...body.Labels, ...labelsFor(job) } }
  if (options.pull === 'always' && body.Image) await pullAndWait(body.Image, context)
  const { answer, started } = await createOrPull(name, labelled, options, context)
  crashPoint('after-create', job.id)
  if (options.start && !started) {
    const container = { id: answer.Id, name }
    await docker
      .getContainer(answer.Id)
      .start({ abortSignal: signal })
      .catch((error: unknown) => tellMade(error, container))
    crashPoint('after-start', job.id)
  }
  return { statusCode: 201, body: answer, container: { id: answer.Id, name } }
}

/** Docker's answer to a create. */
interface Answer {
  Id: string
  Warnings: string[] | null
}

interface Created {
  answer: Answer
  /** Whether an earlier try has started it. It may have run to its end since: a second start would run it twice. */
  started: boolean
}

async function createOrPull(
  name: string,
  body: ContainerCreateOptions,
  { pull = 'missing' }: CreateOptions,
  context: ActionContext,
): Promise<Created> {
  try {
    return await createOrAdopt(name, body, context)
  } catch (error) {
    const image = body.Image
    const isMissing = pull === 'missing' && dockerStatus(error) === 404
    if (!isMissing || image === undefined || isImageId(image) || (await hasImage(image, context))) throw error
    await pullAndWait(image, context)
    return createOrAdopt(name, body, context)
  }
}

async function createOrAdopt(name: string, body: ContainerCreateOptions, context: ActionContext): Promise<Created> {
  try {
    return { answer: await create(context.docker, name, body, context.signal), started: false }
  } catch (error) {
    if (dockerStatus(error) !== 409) throw error
    const own = await findOwn(name, context)
    if (own === undefined) throw error
    return own
  }
}

/** The container of that name if an earlier try of this very (job, slot) made it. */
async function findOwn(name: string, { docker, job, signal }: ActionContext): Promise<Created | undefined> {
  try {
    const { Id, Config, State } = await docker.getContainer(name).inspect({ abortSignal: signal })
    const own = Config.Labels?.[labelNames.job] === job.id && Config.Labels[labelNames.slot] === String(job.slot)
    return own ? { answer: { Id, Warnings: null }, started: State.Status !== 'created' } : undefined
  } catch (error) {
    if (dockerStatus(error) === 404) return undefined
    throw error
  }
}

/** dockerode's own createContainer drops the daemon's answer, which the documents pass on. */
function create(docker: Docker, name: string, body: ContainerCreateOptions, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: '/containers/create?',
        method: 'POST',
        // Without `_query` dockerode puts the whole body into the URL too, which fails with 431 from about 1 MB.
        options: { _query: { name }, _body: body },
        abortSignal: signal,
        statusCodes: { 201: true, 400: 'bad parameter', 404: 'no such image', 409: 'conflict', 500: 'server error' },
      },
      (error, created) => (error ? reject(error) : resolve(created as Answer)),
    )
  })
}

async function hasImage(reference: string, { docker }: ActionContext): Promise<boolean> {
  try {
    await docker.getImage(reference).inspect()
    return true
  } catch (error) {
    if (dockerStatus(error) === 404) return false
    throw error
  }
}

const labelsFor = (job: JobIdentity): Record<string, string> => ({
  [labelNames.job]: job.id,
  [labelNames.slot]: String(job.slot),
  [labelNames.epoch]: String(job.epoch),
  [labelNames.owner]: job.owner,
})

/** The container has been made, though Docker will not start it: whoever asked learns its id, to mend or delete it. */
function tellMade(error: unknown, container: { id: string; name: string }): void {
  const status = dockerStatus(error)
  if (status === 304) return
  if (status === undefined) throw error
  const message = `${dockerMessage(error)} (the container ${container.name} was created, and is not started)`
  throw new DebloxError('docker_error', message, { status, cause: error, details: { container } })
}
