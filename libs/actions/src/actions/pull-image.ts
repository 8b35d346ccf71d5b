import Joi from 'joi'
import { defineAction, ok } from '../define-action'
import { pullableImage } from '../image-reference'
import { pullAndWait, pullTimeoutMs } from '../pull'

interface PullParams {
  image: string
}

export const pullImage = defineAction({
  name: 'pull-image',
  summary: 'Pull an image to a dock',
  target: 'dock',
  effect: 'change',
  http: 'POST /v1/docks/:hostname/images',
  params: Joi.object<PullParams, true>({ image: pullableImage.required() }),
  idempotent: true,
  timeoutMs: pullTimeoutMs,
  async run({ image }, context) {
    await pullAndWait(image, context)
    const { Id, RepoTags, RepoDigests, Size } = await context.docker.getImage(image).inspect()
    return ok({ Id, RepoTags, RepoDigests, Size })
  },
})
