import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { containerId } from '../schemas'

interface PauseParams {
  id: string
}

export const pauseContainer = defineAction({
  name: 'pause-container',
  summary: 'Freeze all processes of a container',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/pause',
  params: Joi.object<PauseParams, true>({ id: containerId.required() }),
  timeoutMs: 30_000,
  async run({ id }, { docker, signal }) {
    await docker.getContainer(id).pause({ abortSignal: signal })
    return noContent()
  },
})
