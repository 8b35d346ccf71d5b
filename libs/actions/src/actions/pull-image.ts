import Joi from 'joi'
import { admitImage } from '../admission/images'
import { defineAction, ok } from '../define-action'
import { pullableImage } from '../image-reference'
import { pullAndWait, pullTimeoutMs } from '../pull'
import { loginField, type SecretFields } from '../secrets'

interface PullParams extends Pick<SecretFields, 'registryAuth'> {
  image: string
}

export const pullImage = defineAction({
  name: 'pull-image',
  summary: 'Pull an image to a dock',
  target: 'dock',
  effect: 'change',
  http: 'POST /v1/docks/:hostname/images',
  params: Joi.object<PullParams>({ image: pullableImage.required(), ...loginField }),
  idempotent: true,
  timeoutMs: pullTimeoutMs,
  admit: ({ image }, rules) => admitImage(image, rules),
  async run({ image }, context) {
    admitImage(image, context.rules)
    await pullAndWait(image, context)
    const { Id, RepoTags, RepoDigests, Size } = await context.docker.getImage(image).inspect()
    return ok({ Id, RepoTags, RepoDigests, Size })
  },
})
