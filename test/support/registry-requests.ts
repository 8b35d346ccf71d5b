import { once } from 'node:events'
import { request } from 'node:http'
import type { Action } from '@deblox/actions/define-action'
import { actions } from '@deblox/actions/registry'
import { pathFields, takesBody as takes, type Route } from '../../apps/api/src/route'
import { type Asker, bodyOf, callRoutes, routesElse } from '../../apps/api/src/testing/matrix'
import type { useGuardedApi } from './guarded-api'
import { type Reply, send } from './http'

/** A route of the registry, taken apart. */
export interface Served {
  /** `METHOD /path/:field` */
  name: string
  /** What it asks for: the name of an action or of a kind of calls, or its own. */
  permission: string
  method: string
  /** With a query, where it takes one to be right, or to end. */
  path: string
  fields: string[]
  /** Whether it speaks WebSocket only, and answers 426 to what is asked here. */
  upgrades: boolean
  takesBody: boolean
  /** What it is asked with where it takes a body: a right one, so that nothing but the path can be wrong. */
  body: object | undefined
}

/** Requests to every route of a guarded API, and what they leave behind. */
export function requestsTo(api: ReturnType<typeof useGuardedApi>) {
  const ask = (asker: Asker, method: string, path: string, body?: object): Promise<Reply> =>
    send(`${api.url()}${path}`, method, body, { ...api.headersOf(asker), prefer: 'respond-async' })

  return {
    ask,

    served: (): Served[] =>
      api.routes().map((name) => {
        const [method = '', path = ''] = name.split(' ')
        const takesBody = takes(method as Route['method'])
        const called = calledBy(name)
        return {
          name,
          permission: actionOf(name)?.name ?? called?.name ?? name,
          method,
          path: `${path}${called?.query ?? queries[name] ?? ''}`,
          fields: pathFields(path),
          upgrades: called?.upgrades ?? false,
          takesBody,
          body: takesBody ? bodyFor(name) : undefined,
        }
      }),

    /** The path with a value that fits in each parameter, but for those that are given. */
    fill: (path: string, values: Record<string, string> = {}): string => {
      const all: Record<string, string> = { ...fitting(path, api.container('admin', 'own').id), ...values }
      return path.replace(/:(\w+)/g, (_, name: string) => all[name] ?? '')
    },

    /** One request with exactly this path: `fetch` would tidy it up. */
    async raw(method: string, path: string, headers: Record<string, string> = {}, body = '') {
      const { hostname, port } = new URL(api.url())
      const hasBody = takes(method as Route['method'])
      const length = hasBody ? { 'content-length': String(Buffer.byteLength(body)) } : {}
      const sent = request({ hostname, port, method, path, headers: { ...headers, ...length }, agent: false })
      sent.end(hasBody ? body : undefined)
      const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }]
      let text = ''
      for await (const chunk of response) text += String(chunk)
      return { status: response.statusCode, text }
    },

    /** All that an admin can see of what the API keeps: jobs, queues, docks, templates, grants, allowances. */
    async everything(): Promise<unknown> {
      const lists = ['jobs', 'docks', 'templates', 'grants', 'containers', 'owners/zoe', 'owners/..%2Fzoe']
      const seen = await Promise.all(lists.map((list) => ask('admin', 'GET', `/v1/${list}`)))
      const { body } = await ask('admin', 'GET', '/metrics')
      const depths = (body as string).split('\n').filter((line) => /^deblox_queue_depth.* [^0]/.test(line))
      return [...seen.map((one) => one.body as unknown), depths]
    },
  }
}

/** The action that a route asks for, if any. */
export const actionOf = (route: string): Action | undefined => [...actions.values()].find(({ http }) => http === route)

const calledBy = (route: string) => callRoutes.find(({ method, path }) => route === `${method} ${path}`)

const queries: Record<string, string> = { 'GET /v1/events': '?lastEventId=none', 'GET /v1/logs': '?label=none' }

function fitting(path: string, container: string): Record<string, string> {
  const fields = { hostname: 'dock-1', name: 'mine', image: 'busybox', owner: 'zoe' }
  if (path.startsWith('/v1/tokens')) return { ...fields, id: '0000000000000000' }
  const isUuid = path.startsWith('/v1/jobs') || path.startsWith('/v1/grants')
  return { ...fields, id: isUuid ? '01890000-0000-7000-8000-000000000000' : container }
}

function bodyFor(route: string): object {
  const named = actionOf(route) ?? calledBy(route)
  if (route === 'POST /') return { action: 'list-containers' }
  // What is in the path must not be in the body, too.
  const all: Record<string, unknown> = { ...(named ? bodyOf(named.name, 'admin') : routesElse[route]?.body) }
  const inPath = pathFields(route)
  return Object.fromEntries(Object.entries(all).filter(([name]) => !inPath.includes(name)))
}
