import Joi from 'joi'
import { defineAction, ok } from '../define-action'
import { containerId, flag } from '../schemas'
import { withoutSecrets } from '../secrets'
import { withoutUndefined } from '../without-undefined'

interface InspectParams {
  id: string
  size?: boolean
}

export const inspectContainer = defineAction({
  name: 'inspect-container',
  summary: 'Show everything that Docker knows about a container',
  target: 'container',
  effect: 'read',
  http: 'GET /v1/containers/:id',
  params: Joi.object<InspectParams, true>({
    id: containerId.required(),
    size: flag.description('Measure its files as well, which can take long'),
  }),
  timeoutMs: 60_000,
  async run({ id, size }, { docker, signal }) {
    return ok(withoutSecrets(await docker.getContainer(id).inspect(withoutUndefined({ size, abortSignal: signal }))))
  },
})
