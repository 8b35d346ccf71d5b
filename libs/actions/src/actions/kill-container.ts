import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { containerId, stopSignal } from '../schemas'
import { withoutUndefined } from '../without-undefined'

interface KillParams {
  id: string
  signal?: string
}

export const killContainer = defineAction({
  name: 'kill-container',
  summary: 'Send a signal to a container',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/kill',
  params: Joi.object<KillParams, true>({
    id: containerId.required(),
    signal: stopSignal.description('The signal, such as `SIGHUP`; `SIGKILL` by default'),
  }),
  timeoutMs: 30_000,
  async run({ id, signal }, { docker, signal: abortSignal }) {
    await docker.getContainer(id).kill(withoutUndefined({ signal, abortSignal }))
    return noContent()
  },
})
