import Joi from 'joi'
import { alreadyDone } from '../already-done'
import { defineAction } from '../define-action'
import { containerId } from '../schemas'
import { dockerStopOptions, type StopOptions, stopOptions, stopTimeoutMs } from '../stopping'

interface StopParams extends StopOptions {
  id: string
}

export const stopContainer = defineAction({
  name: 'stop-container',
  summary: 'Stop a container',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/stop',
  params: Joi.object<StopParams, true>({ id: containerId.required(), ...stopOptions }),
  idempotent: true,
  timeoutMs: stopTimeoutMs,
  async run({ id, ...options }, context) {
    return alreadyDone(context.docker.getContainer(id).stop(await dockerStopOptions(options, context)))
  },
})
