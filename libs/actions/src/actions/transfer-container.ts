import Joi from 'joi'
import { defineAction, noContent } from '../define-action'
import { containerId, owner } from '../schemas'

interface TransferParams {
  id: string
  owner: string
}

export const transferContainer = defineAction({
  name: 'transfer-container',
  summary:
    'Give a container to a team of one’s own; an admin gives any to anybody, and adopts one that belongs to nobody',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/transfer',
  params: Joi.object<TransferParams, true>({
    id: containerId.required(),
    owner: owner.required().description('Whose it will be: a subject, or `team:NAME`'),
  }),
  // Whoever looks it up next must find it with its new owner.
  renames: true,
  idempotent: true,
  gives: true,
  timeoutMs: 30_000,
  async run({ id, owner: next }, { docker, owners, signal }) {
    // One that is not there belongs to nobody.
    await docker.getContainer(id).inspect({ abortSignal: signal })
    await owners.give(id, next)
    return noContent()
  },
})
