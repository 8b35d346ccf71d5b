import Joi from 'joi'
import { alreadyDone } from '../already-done'
import { defineAction } from '../define-action'
import { containerId } from '../schemas'

interface StartParams {
  id: string
}

export const startContainer = defineAction({
  name: 'start-container',
  summary: 'Start a container',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/start',
  params: Joi.object<StartParams, true>({ id: containerId.required() }),
  idempotent: true,
  timeoutMs: 60_000,
  run: ({ id }, { docker, signal }) => alreadyDone(docker.getContainer(id).start({ abortSignal: signal })),
})
