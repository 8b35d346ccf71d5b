import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { hostname } from '../schemas'

interface RegisterParams {
  hostname: string
}

export const register = defineAction({
  name: 'register',
  summary: 'Add a dock to the set of known docks',
  target: 'cluster',
  effect: 'change',
  http: 'PUT /v1/docks/:hostname',
  params: Joi.object<RegisterParams, true>({ hostname: hostname.required() }),
  silent: true,
  idempotent: true,
  timeoutMs: 30_000,
  async run({ hostname }, { docks, job }) {
    await docks.register(hostname, job.acceptedAt)
    return noContent()
  },
})
