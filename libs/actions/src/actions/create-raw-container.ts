import type { ContainerCreateOptions } from 'dockerode'
import Joi from 'joi'
import { labels } from '../container-spec'
import { createContainerOnce, undoCreate, type CreateOptions, createOptions, createTimeoutMs } from '../create'
import { defineAction } from '../define-action'
import { image } from '../image-reference'
import { expected } from '../messages'

interface CreateRawParams extends CreateOptions {
  body: ContainerCreateOptions
}

/**
 * Docker reads the names of fields without regard to case, Unicode's long s included: a second spelling of a field
 * that is checked here would go past the check.
 */
const otherSpelling = /^(?:image|labels)$/iu

const body = Joi.object({ Image: image, Labels: labels.allow(null) })
  .pattern(otherSpelling, Joi.forbidden().messages(expected('Image and Labels spelled in this way and no other')))
  .unknown()
  .min(1)
  .description("The body of Docker's own POST /containers/create; labels that begin with `deblox.` are reserved")

export const createRawContainer = defineAction({
  name: 'create-raw-container',
  summary: "Create a container from the Docker API's own document",
  target: 'cluster',
  effect: 'change',
  http: 'POST /v1/containers/raw',
  params: Joi.object<CreateRawParams>({ body: body.required(), ...createOptions }),
  creates: true,
  idempotent: true,
  timeoutMs: createTimeoutMs,
  run: ({ body, ...options }, context) => createContainerOnce(body, options, context),
  undo: (options, context) => undoCreate(options, context),
})
