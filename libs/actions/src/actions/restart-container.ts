import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { containerId } from '../schemas'
import { dockerStopOptions, type StopOptions, stopOptions, stopTimeoutMs } from '../stopping'

interface RestartParams extends StopOptions {
  id: string
}

export const restartContainer = defineAction({
  name: 'restart-container',
  summary: 'Stop a container if it runs, and start it',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/restart',
  params: Joi.object<RestartParams, true>({ id: containerId.required(), ...stopOptions }),
  timeoutMs: stopTimeoutMs,
  async run({ id, ...options }, context) {
    await context.docker.getContainer(id).restart(await dockerStopOptions(options, context))
    return noContent()
  },
})
