import { setTimeout as wait } from 'node:timers/promises'
import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import Joi from 'joi'
import { admit } from './admission/admit'
import { type Size, sizeOf } from './admission/size'
import { checkPlaces } from './admission/places'
import { crashPoint } from './crash-point'
import { DeadlineError, withDeadline } from './deadline'
import type { ActionContext, ActionResult, JobIdentity } from './define-action'
import { dockerMessage, dockerStatus } from './docker-status'
import { DebloxError } from './errors'
import { expected } from './messages'
import { isImageId } from './image-reference'
import { pullAndWait, pullTimeoutMs } from './pull'
import { type Answer, create, type Created, findNamed, labelNames, remove } from './made'
import { meet } from './meeting'
import { containerName, flag } from './schemas'
import { secretFields, type SecretFields, withSecrets } from './secrets'

export type PullPolicy = 'missing' | 'always' | 'never'

/** What every way of making a container takes beside the container itself. */
export interface CreateOptions extends SecretFields {
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
  ...secretFields,
} satisfies Joi.PartialSchemaMap<CreateOptions>

/** A create may have to pull first. */
export const createTimeoutMs = pullTimeoutMs + 60_000

/** The container's name: the caller's, or one derived from the job, so that a second try meets the first one's work. */
export function nameFor(job: JobIdentity, name?: string): string {
  if (name !== undefined) return job.numbered ? `${name}-${job.slot}` : name
  return `deblox-${job.id}-${job.slot}`
}

/**
 * Makes the container of one (job, slot), or adopts the one that an earlier try of the same job left. Every container
 * that Deblox makes is made here: what the document may ask for is decided by the context's rules, and Docker is sent
 * what `admit` has built. Throws `admission_denied`, `dock_policy` or `invalid_request` before anything is done.
 */
export async function createContainerOnce(
  document: unknown,
  options: CreateOptions & { template?: string },
  context: ActionContext,
): Promise<ActionResult> {
  const { job, rules } = context
  const body = withSecrets(admit(document, rules), context.secrets)
  await checkPlaces(body, rules, context)
  const name = nameFor(job, options.name)
  const labelled = { ...body, Labels: { ...body.Labels, ...labelsFor(body, context, options.template) } }
  if (options.pull === 'always' && body.Image) await pullAndWait(body.Image, context)
  const made = await createOrPull(name, labelled, options, context)
  crashPoint('after-create', job.id)
  if (!options.start || made.started) return resultOf(made.answer, name)
  const answer = await startAtLast(made.answer, name, labelled, context)
  crashPoint('after-start', job.id)
  return resultOf(answer, name)
}

const resultOf = (answer: Answer, name: string): ActionResult => ({
  statusCode: 201,
  body: answer,
  container: { id: answer.Id, name },
})

/** A start takes a fraction of a second; one that says nothing for so long will not, in milliseconds. */
const startMs = 60_000

/**
 * Starts what was created. After a death dockerd 20.10 may never answer the start of a container of which containerd has
 * something left: that one has never run, and is made anew. Answers the create of the one that was started.
 */
async function startAtLast(
  answer: Answer,
  name: string,
  body: ContainerCreateOptions,
  context: ActionContext,
): Promise<Answer> {
  try {
    await start(answer.Id, name, context)
    return answer
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error
  }
  const found = await findNamed(name, context)
  if (found?.answer.Id === answer.Id && found.started) return answer
  await remove(answer.Id, context)
  const anew = await create(context.docker, name, body, context.signal)
  await start(anew.Id, name, context)
  return anew
}

function start(id: string, name: string, { docker, signal }: ActionContext): Promise<void> {
  return withDeadline(startMs, signal, (abortSignal) => docker.getContainer(id).start({ abortSignal })).catch(
    (error: unknown) => tellMade(error, { id, name }),
  )
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
    if (!isMissing || image === undefined || isImageId(image)) throw error
    // It may have been pulled since, for another: then this says the same again where something else is missing.
    const isThere = (signal: AbortSignal) => hasImage(image, context.docker, signal)
    if (!(await isThere(context.signal))) await pullAndWait(image, context, isThere)
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

async function hasImage(reference: string, docker: Docker, signal: AbortSignal): Promise<boolean> {
  try {
    // dockerode takes no signal here.
    await withDeadline(pullTimeoutMs, signal, () => docker.getImage(reference).inspect())
    return true
  } catch (error) {
    if (dockerStatus(error) === 404) return false
    throw error
  }
}

const labelsFor = (
  body: ContainerCreateOptions,
  { job, owners }: ActionContext,
  template: string | undefined,
): Record<string, string> => ({
  [labelNames.job]: job.id,
  [labelNames.slot]: String(job.slot),
  [labelNames.epoch]: String(job.epoch),
  [labelNames.owner]: job.owner,
  [labelNames.proof]: owners.proof(job.owner, job.id, job.slot),
  ...(template !== undefined && { [labelNames.template]: template }),
  ...sizeLabels(sizeOf(body)),
})

const sizeLabels = ({ memory, cpus }: Size): Record<string, string> => ({
  ...(memory > 0 && { [labelNames.memory]: String(memory) }),
  ...(cpus > 0 && { [labelNames.cpus]: String(cpus) }),
})

/** The container has been made, though Docker will not start it: whoever asked learns its id, to mend or delete it. */
function tellMade(error: unknown, container: { id: string; name: string }): void {
  const status = dockerStatus(error)
  if (status === 304) return
  if (status === undefined) throw error
  const message = `${dockerMessage(error)} (the container ${container.name} was created, and is not started)`
  throw new DebloxError('docker_error', message, { status, cause: error, details: { container } })
}
