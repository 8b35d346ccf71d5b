import { containerSpec, templateName } from '@deblox/actions/container-spec'
import type { Fleet } from '@deblox/fleet/fleet'
import Joi from 'joi'
import type { Admission } from '../admission'
import type { Route } from '../route'

const name = templateName.required()

/** Named specs, validated as a create is. */
export function templateRoutes({ templates }: Fleet, admission: Admission): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/templates',
      tag: 'templates',
      summary: 'List the templates, sorted by name',
      request: Joi.object({}),
      answers: { 200: 'Templates' },
      handle: async () => ({ status: 200, body: { items: await templates.list(), nextCursor: null } }),
    },
    {
      method: 'GET',
      path: '/v1/templates/:name',
      tag: 'templates',
      summary: 'Show one template',
      request: Joi.object({ name }),
      answers: { 200: 'The template' },
      handle: async (fields) => ({ status: 200, body: await templates.get(fields['name'] as string) }),
    },
    {
      method: 'PUT',
      path: '/v1/templates/:name',
      tag: 'templates',
      summary: 'Store a template: the fields of a create, without its name',
      request: Joi.object({ ...containerSpec, image: containerSpec.image.required(), name }),
      answers: { 200: 'Replaced', 201: 'Stored under a new name' },
      async handle({ name: key, ...spec }, { about }) {
        about.object = key as string
        await admission.template(JSON.stringify(spec).length)
        const { created } = await templates.put(key as string, spec)
        return { status: created ? 201 : 200, body: await templates.get(key as string) }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/templates/:name',
      tag: 'templates',
      summary: 'Delete a stored template',
      request: Joi.object({ name }),
      answers: { 204: 'Deleted' },
      async handle({ name: key }, { about }) {
        about.object = key as string
        await templates.delete(key as string)
        return { status: 204 }
      },
    },
  ]
}
