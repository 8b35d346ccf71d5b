import Joi from 'joi'
import { defineAction, ok } from '../define-action'
import { image } from '../image-reference'
import { flag } from '../schemas'
import { withoutUndefined } from '../without-undefined'

interface DeleteImageParams {
  image: string
  force?: boolean
}

export const deleteImage = defineAction({
  name: 'delete-image',
  summary: 'Delete an image from a dock',
  target: 'dock',
  effect: 'destroy',
  http: 'DELETE /v1/docks/:hostname/images/:image',
  params: Joi.object<DeleteImageParams>({
    image: image.required(),
    force: flag.description('Also where a stopped container uses it, or where it has several names'),
  }),
  timeoutMs: 120_000,
  async run({ image, force }, { docker, signal }) {
    return ok(await docker.getImage(image).remove(withoutUndefined({ force, abortSignal: signal })))
  },
})
