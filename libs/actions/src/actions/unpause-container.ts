import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { containerId } from '../schemas'

interface UnpauseParams {
  id: string
}

export const unpauseContainer = defineAction({
  name: 'unpause-container',
  summary: 'Let the processes of a paused container go on',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/unpause',
  params: Joi.object<UnpauseParams, true>({ id: containerId.required() }),
  timeoutMs: 30_000,
  async run({ id }, { docker, signal }) {
    await docker.getContainer(id).unpause({ abortSignal: signal })
    return noContent()
  },
})
