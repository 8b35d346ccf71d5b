import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import { parseJson } from './safe-json'
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import type { Logger } from 'pino'
import { asFailure, problem } from './errors'
import { readPrefer } from './prefer'
import { type Answer, type Caller, pathFields, type Route, takesBody } from './route'

export interface AppDeps {
  routes: readonly Route[]
  /** What is served beside the routes: pages and their files. */
  pages: readonly { path: string; handler: RequestHandler }[]
  log: Logger
}

const bodyLimit = '1mb'

/** The Express application: one loop over the routes. It neither listens nor holds anything of its own. */
export function createApp({ routes, pages, log }: AppDeps): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.use((_request, response, next) => {
    response.set('X-Content-Type-Options', 'nosniff')
    next()
  })
  app.use(({ headers, httpVersion }: Request, _response, next) => {
    if (headers.host !== undefined || httpVersion === '1.0') return next()
    throw new DebloxError('invalid_request', 'Host: expected it, as HTTP/1.1 asks for, got none')
  })
  for (const { path, handler } of pages) app.use(path, handler)
  // Whatever Content-Type it has: `curl --data` calls a JSON document a form.
  app.use(express.raw({ type: () => true, limit: bodyLimit }))
  for (const [path, methods] of byPath(routes)) {
    for (const route of methods) app[lower(route.method)](path, handlerOf(route, log))
    app.all(path, methodNotAllowed(methods))
  }
  app.use(({ method, path }: Request) => {
    throw new DebloxError(
      'route_not_found',
      `path: expected a route of /openapi.json, got ${method} ${path.slice(0, 200)}`,
    )
  })
  app.use(failureHandler(log))
  return app
}

function handlerOf(route: Route, log: Logger): RequestHandler {
  return async (request, response) => {
    const began = performance.now()
    const caller = callerOf(request, response)
    const answer = await route.handle(readFields(route, request), caller)
    if (caller.prefer.applied !== '') response.set('Preference-Applied', caller.prefer.applied)
    send(response, answer)
    const ms = Math.round(performance.now() - began)
    log.debug({ method: route.method, path: route.path, status: answer.status, ms }, 'answered')
  }
}

function callerOf(request: Request, response: Response): Caller {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const key = request.get('idempotency-key')
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new DebloxError('invalid_request', 'Idempotency-Key: expected 1 to 255 visible ASCII characters, got others')
  }
  return {
    // Until there are identities everybody is one and the same.
    actor: 'anonymous',
    prefer: readPrefer(request.get('prefer')),
    gone: gone.signal,
    ...(key === undefined ? {} : { idempotencyKey: key }),
  }
}

/** The request's fields from path, query and body, validated. Each may come from one place only. */
function readFields(route: Route, request: Request): Record<string, unknown> {
  const query: Record<string, unknown> = { ...request.query }
  // Joi would pass over it; in a body parseJson refuses it.
  if (Object.hasOwn(query, '__proto__')) {
    throw new DebloxError('invalid_request', '__proto__: expected no field of that name in the query, got one')
  }
  const body: unknown = request.body
  const sent = Buffer.isBuffer(body) && body.length > 0 ? parseJson(body) : {}
  const [fields, unused, place] = takesBody(route.method)
    ? ([sent, query, 'query'] as const)
    : ([query, sent, 'body'] as const)
  const [stray] = Object.keys(unused)
  if (stray !== undefined) {
    const other = place === 'query' ? 'JSON body' : 'query'
    throw new DebloxError(
      'invalid_request',
      `${stray.slice(0, 60)}: expected it in the ${other}, got it in the ${place}`,
    )
  }
  for (const name of pathFields(route.path)) {
    if (name in fields) throw new DebloxError('invalid_request', `${name}: expected it in the path only, got it twice`)
    fields[name] = request.params[name]
  }
  // Only a query has nothing but strings; in a body "3" is not a number.
  return validate(route.request, fields, { convert: !takesBody(route.method) }) as Record<string, unknown>
}

function send(response: Response, { status, body, headers = {} }: Answer): void {
  response.status(status).set(headers)
  if (body === undefined) response.end()
  else if (typeof body === 'string') response.send(body)
  else response.json(body)
}

function methodNotAllowed(routes: readonly Route[]): RequestHandler {
  const allowed = routes.map(({ method }) => method).join(', ')
  return ({ method }, response) => {
    response.set('Allow', allowed)
    throw new DebloxError('method_not_allowed', `method: expected ${allowed}, got ${method}`)
  }
}

function failureHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const failure = asFailure(error)
    if (failure.code === 'internal')
      log.error({ err: error, method: request.method, path: request.path }, 'request failed')
    // Too late for a reply of ours: Express closes the connection, which tells the caller that the answer is cut short.
    if (response.headersSent) next(error)
    else send(response, problem(failure))
  }
}

function byPath(routes: readonly Route[]): Map<string, Route[]> {
  const groups = new Map<string, Route[]>()
  for (const route of routes) groups.set(route.path, [...(groups.get(route.path) ?? []), route])
  return groups
}

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete'

const lower = (method: Route['method']): Verb => method.toLowerCase() as Verb
