import { setTimeout as wait } from 'node:timers/promises'
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
import { type MadeFor, meet } from './meeting'
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

/** A create that is on its way while its caller is told to stop takes Docker so long at the most, in milliseconds. */
const onItsWayMs = 1_000

/** Removes the container of this (job, slot), if a run that was ended made one or is making one still. */
export async function undoCreate({ name }: CreateOptions, context: ActionContext): Promise<void> {
  const { id, slot } = context.job
  const find = async (): Promise<string | undefined> => {
    const found = await findNamed(nameFor(context.job, name), context)
    return found?.madeFor.job === id && found.madeFor.slot === slot ? found.answer.Id : undefined
  }
  if ((await find()) === undefined) await wait(onItsWayMs, undefined, { signal: context.signal })
  const own = await find()
  if (own !== undefined) await remove(own, context)
}

async function remove(id: string, { docker, signal }: ActionContext): Promise<void> {
  try {
    await docker.getContainer(id).remove({ force: true, v: true, abortSignal: signal })
  } catch (error) {
    if (dockerStatus(error) !== 404) throw error
  }
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

/** A name that is taken by what cannot be found is looked at again after so long, in milliseconds, and so often. */
const nameless = { pauseMs: 100, looks: 50 } as const

async function createOrAdopt(
  name: string,
  body: ContainerCreateOptions,
  context: ActionContext,
  looks = 0,
): Promise<Created> {
  try {
    return { answer: await create(context.docker, name, body, context.signal), started: false }
  } catch (error) {
    if (dockerStatus(error) !== 409) throw error
    const found = await findNamed(name, context)
    if (found === undefined) {
      if (looks === nameless.looks) throw error
      // It has gone since and the name is free, or else it is on its way: Docker takes a name before it has the container,
      // and a daemon that hung may just be doing what an earlier try had asked of it.
      if (looks > 0) await wait(nameless.pauseMs, undefined, { signal: context.signal })
      return createOrAdopt(name, body, context, looks + 1)
    }
    const meeting = meet(found.madeFor, { job: context.job.id, slot: context.job.slot, epoch: context.job.epoch })
    if (meeting === 'adopt') return found
    if (meeting === 'conflict') throw error
    if (meeting === 'stand-back') throw outbid(name)
    // By its id: by its name, a removal that comes late would meet what is made next.
    await remove(found.answer.Id, context)
    return { answer: await create(context.docker, name, body, context.signal), started: false }
  }
}

/** Somebody was given the slot since, and has made it here: whoever looks at the claim again will see. */
const outbid = (name: string): DebloxError =>
  new DebloxError(
    'lease_lost',
    `${name}: expected this claim to be the slot's, but the slot was given to somebody since`,
  )

interface Found extends Created {
  madeFor: MadeFor
}

/** The container of that name, whoever made it. */
async function findNamed(name: string, { docker, signal }: ActionContext): Promise<Found | undefined> {
  try {
    const { Id, Config, State } = await docker.getContainer(name).inspect({ abortSignal: signal })
    const label = (key: keyof typeof labelNames): string | undefined => Config.Labels?.[labelNames[key]]
    const madeFor = { job: label('job') ?? '', slot: Number(label('slot')), epoch: Number(label('epoch')) }
    return { answer: { Id, Warnings: null }, started: State.Status !== 'created', madeFor }
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
