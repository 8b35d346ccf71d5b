import type Docker from 'dockerode'
import Joi from 'joi'
import { shows } from '../access/decide'
import { containerRow, withTrueOwner } from '../container-row'
import { defineAction, ok } from '../define-action'

export const listContainers = defineAction({
  name: 'list-containers',
  summary: 'List all containers of one dock, running and stopped',
  target: 'dock',
  effect: 'read',
  http: 'GET /v1/docks/:hostname/containers',
  params: Joi.object({}),
  timeoutMs: 60_000,
  async run(_params, { docker, dock, owners, view, signal }) {
    const listed = await docker.listContainers({ all: true, abortSignal: signal })
    return ok(listed.map((one) => withTrueOwner(one, owners)).filter((one) => shows(view, containerRow(one, dock))))
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
