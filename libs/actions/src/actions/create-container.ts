import Joi from 'joi'
import { admit } from '../admission/admit'
import { sizeOf } from '../admission/size'
import { type ContainerSpec, containerSpec, dockerBody, templateName } from '../container-spec'
import { createContainerOnce, undoCreate, createOptions, type CreateOptions, createTimeoutMs } from '../create'
import { defineAction } from '../define-action'

interface CreateParams extends ContainerSpec, CreateOptions {
  template?: string
}

export const createContainer = defineAction({
  name: 'create-container',
  aliases: ['create-unibet-container'],
  summary: 'Create a container from an image or a template',
  target: 'cluster',
  effect: 'change',
  http: 'POST /v1/containers',
  params: Joi.object<CreateParams>({
    template: templateName.description('A stored spec to begin with; fields given beside it go over its own'),
    ...containerSpec,
    ...createOptions,
  }).or('template', 'image'),
  creates: true,
  idempotent: true,
  timeoutMs: createTimeoutMs,
  async resolve({ template, ...own }, lookups) {
    return template === undefined ? own : { ...(await lookups.template(template)), ...own, template }
  },
  admit: (params, rules) => sizeOf(admit(dockerBody(params), rules)),
  run: (params, context) => createContainerOnce(dockerBody(params), params, context),
  undo: (options, context) => undoCreate(options, context),
})
