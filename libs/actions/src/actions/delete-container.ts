import type Docker from 'dockerode'
import Joi from 'joi'
import { type ActionContext, defineAction, noContent } from '../define-action'
import { dockerStatus } from '../docker-status'
import { containerId, flag } from '../schemas'
import { withoutUndefined } from '../without-undefined'

interface DeleteParams {
  id: string
  force?: boolean
  volumes?: boolean
}

export const deleteContainer = defineAction({
  name: 'delete-container',
  summary: 'Delete a container',
  target: 'container',
  effect: 'destroy',
  http: 'DELETE /v1/containers/:id',
  params: Joi.object<DeleteParams, true>({
    id: containerId.required(),
    force: flag.description('Kill it first if it runs'),
    volumes: flag.description('Delete its anonymous volumes as well'),
  }),
  idempotent: true,
  timeoutMs: 120_000,
  async run({ id, force, volumes }, { docker, signal }) {
    const container = docker.getContainer(id)
    const remove = () => container.remove(withoutUndefined({ force, v: volumes, abortSignal: signal }))
    await remove()
      .catch(async (error: unknown) => {
        if (!(await isBeingRemoved(error, container, signal))) throw error
        await container.wait({ condition: 'removed', abortSignal: signal })
        await remove()
      })
      .catch(ignoreGone)
    return noContent()
  },
})

/** Docker refuses a second removal while one goes on, such as one whose answer was lost. */
async function isBeingRemoved(
  error: unknown,
  container: Docker.Container,
  signal: ActionContext['signal'],
): Promise<boolean> {
  if (dockerStatus(error) !== 409) return false
  const { State } = await container.inspect({ abortSignal: signal })
  return State.Status === 'removing'
}

/** Gone is what was asked for, whoever did it. */
function ignoreGone(error: unknown): void {
  if (dockerStatus(error) !== 404) throw error
}
