import type Docker from 'dockerode'
import Joi from 'joi'
import { containerRow } from '../container-row'
import { defineAction, ok } from '../define-action'

export const listContainers = defineAction({
  name: 'list-containers',
  summary: 'List all containers of one dock, running and stopped',
  target: 'dock',
  effect: 'read',
  http: 'GET /v1/docks/:hostname/containers',
  params: Joi.object({}),
  timeoutMs: 60_000,
  async run(_params, { docker, signal }) {
    return ok(await docker.listContainers({ all: true, abortSignal: signal }))
  },
  present(body, dock) {
    // The dock has just been asked, so the rows are as fresh as the fleet-wide list's can be.
    const observedAt = new Date().toISOString()
    return (body as Docker.ContainerInfo[]).map((listed) => ({
      ...containerRow(listed, dock),
      observedAt,
      stale: false,
    }))
  },
})
