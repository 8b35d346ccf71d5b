import type Docker from 'dockerode'
import Joi from 'joi'
import { defineAction, ok } from '../define-action'
import { imageRow } from '../image-row'

export const listImages = defineAction({
  name: 'list-images',
  summary: 'List the images of one dock',
  target: 'dock',
  effect: 'read',
  http: 'GET /v1/docks/:hostname/images',
  params: Joi.object({}),
  timeoutMs: 60_000,
  async run(_params, { docker, signal }) {
    return ok(await docker.listImages({ abortSignal: signal }))
  },
  present: (body, dock) => (body as Docker.ImageInfo[]).map((image) => imageRow(image, dock)),
})
