import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { containerId, containerName } from '../schemas'

interface RenameParams {
  id: string
  name: string
}

export const renameContainer = defineAction({
  name: 'rename-container',
  summary: 'Give a container another name',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/rename',
  params: Joi.object<RenameParams, true>({ id: containerId.required(), name: containerName.required() }),
  renames: true,
  timeoutMs: 30_000,
  async run({ id, name }, { docker, signal }) {
    await docker.getContainer(id).rename({ name, abortSignal: signal })
    return noContent()
  },
})
