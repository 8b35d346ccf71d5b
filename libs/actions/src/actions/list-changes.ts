import Joi from 'joi'
import { defineAction, ok } from '../define-action'
import { containerId } from '../schemas'

interface ChangesParams {
  id: string
}

export const listChanges = defineAction({
  name: 'list-changes',
  summary: 'List the files of a container that differ from those of its image',
  target: 'container',
  effect: 'read',
  http: 'GET /v1/containers/:id/changes',
  params: Joi.object<ChangesParams, true>({ id: containerId.required() }),
  timeoutMs: 60_000,
  async run({ id }, { docker, signal }) {
    // Docker says null where there are none.
    return ok((await docker.getContainer(id).changes({ abortSignal: signal })) ?? [])
  },
})
