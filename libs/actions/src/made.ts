import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import type { ActionContext } from './define-action'
import { dockerStatus } from './docker-status'
import type { MadeFor } from './meeting'

/** The labels by which Deblox knows its containers, whatever happens to Redis. */
export const labelNames = {
  job: 'deblox.job',
  slot: 'deblox.slot',
  epoch: 'deblox.epoch',
  owner: 'deblox.owner',
  proof: 'deblox.sig',
  /** Its limits when it was made, in bytes and in CPUs, which Docker's lists leave out. */
  memory: 'deblox.memory',
  cpus: 'deblox.cpus',
  /** The template that it was made from. */
  template: 'deblox.template',
  /** The names of the environment variables whose values are nobody's to see. */
  secrets: 'deblox.secrets',
} as const

/** Docker's answer to a create. */
export interface Answer {
  Id: string
  Warnings: string[] | null
}

export interface Created {
  answer: Answer
  /** Whether an earlier try has started it. It may have run to its end since: a second start would run it twice. */
  started: boolean
}

export interface Found extends Created {
  madeFor: MadeFor
}

/** The container of that name, whoever made it. */
export async function findNamed(name: string, { docker, signal }: ActionContext): Promise<Found | undefined> {
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
export function create(
  docker: Docker,
  name: string,
  body: ContainerCreateOptions,
  signal: AbortSignal,
): Promise<Answer> {
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

/** Removes a container; one that has gone already is as good. */
export async function remove(id: string, { docker, signal }: ActionContext): Promise<void> {
  try {
    await docker.getContainer(id).remove({ force: true, v: true, abortSignal: signal })
  } catch (error) {
    if (dockerStatus(error) !== 404) throw error
  }
}
