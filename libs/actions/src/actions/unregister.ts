import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { hostname } from '../schemas'

interface UnregisterParams {
  hostname: string
}

export const unregister = defineAction({
  name: 'unregister',
  summary: 'Remove a dock from the set of known docks; its containers are left running',
  target: 'cluster',
  effect: 'change',
  http: 'DELETE /v1/docks/:hostname',
  params: Joi.object<UnregisterParams, true>({ hostname: hostname.required() }),
  silent: true,
  leaves: true,
  idempotent: true,
  timeoutMs: 30_000,
  async run({ hostname }, { docks, job }) {
    await docks.unregister(hostname, job.acceptedAt)
    return noContent()
  },
})
