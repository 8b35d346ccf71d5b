import type { ContainerCreateOptions } from 'dockerode'
import Joi from 'joi'
import { admit } from '../admission/admit'
import { sizeOf } from '../admission/size'
import { labels } from '../container-spec'
import { createContainerOnce, undoCreate, type CreateOptions, createOptions, createTimeoutMs } from '../create'
import { defineAction } from '../define-action'
import { image } from '../image-reference'

interface CreateRawParams extends CreateOptions {
  body: ContainerCreateOptions
}

/** Which fields there may be, and in which spelling, is for `admit` to say: it builds what Docker is sent. */
const body = Joi.object({ Image: image, Labels: labels.allow(null) })
  .unknown()
  .min(1)
  .description(
    "The body of Docker's own POST /containers/create; what it may ask for is decided by the caller's profile and the dock's policy",
  )

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
  admit: ({ body }, rules) => sizeOf(admit(body, rules)),
  run: ({ body, ...options }, context) => createContainerOnce(body, options, context),
  undo: (options, context) => undoCreate(options, context),
})
