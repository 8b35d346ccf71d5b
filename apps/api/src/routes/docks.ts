import { labels } from '@deblox/actions/container-spec'
import { hostname } from '@deblox/actions/schemas'
import type { Fleet } from '@deblox/fleet/fleet'
import Joi from 'joi'
import { pageFields, readCursor, writeCursor } from '../page'
import type { Route } from '../route'

/** The docks as the fleet knows them. Registering and unregistering are actions. */
export function dockRoutes({ docks }: Fleet): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/docks',
      tag: 'docks',
      summary: 'List the registered docks and their states, sorted by host name',
      request: Joi.object(pageFields),
      answers: { 200: 'Docks, and where the next page begins' },
      async handle({ limit, cursor }) {
        const [from = ''] = cursor === undefined ? [] : readCursor(cursor as string, 1)
        const after = (await docks.list()).filter((dock) => dock.hostname > from)
        const items = after.slice(0, limit as number)
        const last = items.at(-1)
        const nextCursor = after.length > items.length && last ? writeCursor([last.hostname]) : null
        return { status: 200, body: { items, nextCursor } }
      },
    },
    {
      method: 'GET',
      path: '/v1/docks/:hostname',
      tag: 'docks',
      summary: 'Show one dock',
      request: Joi.object({ hostname: hostname.required() }),
      answers: { 200: 'The dock' },
      handle: async ({ hostname: name }) => ({ status: 200, body: await docks.get(name as string) }),
    },
    {
      method: 'PATCH',
      path: '/v1/docks/:hostname',
      tag: 'docks',
      summary: 'Label a dock, or drain it: a drained dock is given no new containers',
      request: Joi.object({
        hostname: hostname.required(),
        labels: labels.description('Replaces all labels of the dock'),
        drain: Joi.boolean().description('Whether new containers go elsewhere'),
      }).or('labels', 'drain'),
      answers: { 200: 'The dock as it is now' },
      async handle({ hostname: name, ...changes }, { about }) {
        about.dock = name as string
        await docks.patch(name as string, changes)
        return { status: 200, body: await docks.get(name as string) }
      },
    },
  ]
}
