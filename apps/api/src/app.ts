import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import { joined } from '@deblox/actions/joined'
import { requireUse } from './access'
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
import { decided, type Gate, type Known, type Decided, unauthenticated } from './gate'
import { readPrefer } from './prefer'
import { type About, type Answer, type Caller, hasFieldsInBody, pathFields, policyOfRoute, type Route } from './route'
import { mayTakeLong } from './slow-senders'
import { CallerLeft, Outgoing } from './streams/outgoing'
import { asPlain, isUpgrade, requireHandshake, takeOver } from './upgrade'

export interface AppDeps {
  routes: readonly Route[]
  /** What is served beside the routes: pages and their files. */
  pages: readonly { path: string; handler: RequestHandler }[]
  gate: Gate
  /** What stands before all of them. */
  edges: readonly RequestHandler[]
  onDecided: (decided: Decided) => void
  /** Aborts when the process is to end: what has no end of its own ends then. Every request under way listens to it. */
  stopping?: AbortSignal
  log: Logger
}

const bodyLimit = '1mb'

/** The Express application: one loop over the routes. It neither listens nor holds anything of its own. */
export function createApp(deps: AppDeps): Express {
  const { routes, pages, log } = deps
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  for (const edge of deps.edges) app.use(edge)
  app.use(({ headers, httpVersion }: Request, _response, next) => {
    if (headers.host !== undefined || httpVersion === '1.0') return next()
    throw new DebloxError('invalid_request', 'Host: expected it, as HTTP/1.1 asks for, got none')
  })
  for (const { path, handler } of pages) app.use(path, pageHandler(path, handler, deps))
  for (const [path, methods] of byPath(routes)) {
    for (const route of methods) app[lower(route.method)](path, handlerOf(route, deps))
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

// Whatever Content-Type it has: `curl --data` calls a JSON document a form.
const readBody = express.raw({ type: () => true, limit: bodyLimit })

/** Reads the body, once it is known who sends it. */
const bodyOf = (request: Request, response: Response): Promise<void> =>
  new Promise((resolve, reject) => {
    readBody(request, response, (error?: unknown) => (error ? reject(error) : resolve()))
  })

function handlerOf(route: Route, deps: AppDeps): RequestHandler {
  // Before anything is served: what has no policy must not be.
  const { permission, policy } = policyOfRoute(route)
  return async (request, response) => {
    const began = performance.now()
    const about: About = {}
    if (route.upgrades === undefined) asPlain(request)
    const answer = await decided(
      { request, response, permission, isPublic: policy.reach === 'public', about },
      deps,
      async (known) => {
        if (policy.reach !== 'container') requireUse(known.identity, permission)
        const caller = callerOf(request, response, known, about, deps)
        if (route.upgrades !== undefined) requireHandshake(request, route.upgrades)
        if (!route.raw) await bodyOf(request, response)
        else if (route.method !== 'GET') mayTakeLong(request)
        const answered = await route.handle(readFields(route, request), caller)
        if (caller.prefer.applied !== '') response.set('Preference-Applied', caller.prefer.applied)
        return answered
      },
    )
    await send(request, response, answer, route)
    const ms = Math.round(performance.now() - began)
    deps.log.debug({ method: route.method, path: route.path, status: response.statusCode, ms }, 'answered')
  }
}

/** A page with all that lies below its path, for whoever may see it. */
function pageHandler(path: string, handler: RequestHandler, deps: AppDeps): RequestHandler {
  const { permission, policy } = policyOfRoute({ method: 'GET', path })
  return async (request, response, next) => {
    const ask = { request, response, permission, isPublic: policy.reach === 'public', about: {} }
    await decided(ask, deps, async ({ identity }) => {
      requireUse(identity, permission)
      await handler(request, response, next)
      return { status: response.statusCode }
    })
  }
}

function callerOf(
  request: Request,
  response: Response,
  { identity, via }: Known,
  about: About,
  { gate, stopping }: AppDeps,
): Caller {
  const gone = leavingOf(request, response)
  const key = request.get('idempotency-key')
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new DebloxError('invalid_request', 'Idempotency-Key: expected 1 to 255 visible ASCII characters, got others')
  }
  return {
    identity,
    via,
    about,
    address: gate.addressOf(request),
    requestId: gate.requestIdOf(request),
    prefer: readPrefer(request.get('prefer')),
    gone,
    // Released by `gone`, which always aborts: after an answer, too, as that closes then.
    over: stopping ? joined(gone, stopping).signal : gone,
    async still() {
      const now = await gate.still(request)
      if (!now) throw unauthenticated()
      return now.identity
    },
    body: request,
    header: (name) => request.get(name),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  }
}

/** Aborts when the caller leaves. He may have done so already, while it was being found out who he is. */
function leavingOf(request: Request, response: Response): AbortSignal {
  const gone = new AbortController()
  const leave = () => gone.abort(new CallerLeft('the caller has left'))
  // Of one who asks for a WebSocket the answer is over long before he leaves.
  const line = isUpgrade(request) ? request.socket : response
  if (line.destroyed || line.closed) leave()
  else line.once('close', leave)
  return gone.signal
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
  const [fields, unused, place] = hasFieldsInBody(route)
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
  return validate(route.request, fields, { convert: !hasFieldsInBody(route) }) as Record<string, unknown>
}

async function send(request: Request, response: Response, answer: Answer, { upgrades }: Pick<Route, 'upgrades'>) {
  if (answer.socket && upgrades !== undefined) {
    const socket = await takeOver(request, upgrades)
    return socket && answer.socket(socket)
  }
  if (!answer.stream || request.method === 'HEAD') return sendWhole(response, answer)
  response
    .status(answer.status)
    .set(answer.headers ?? {})
    .flushHeaders()
  try {
    await answer.stream(new Outgoing(response))
    response.end()
  } catch (error) {
    if (!(error instanceof CallerLeft)) throw error
    response.destroy()
  }
}

function sendWhole(response: Response, { status, body, headers = {} }: Answer): void {
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
  return (error: unknown, { method, path }, response, _next) => {
    // Nobody is there to be told.
    if (error instanceof CallerLeft) return void response.destroy()
    const failure = asFailure(error)
    if (failure.code === 'internal') log.error({ err: error, method, path }, 'request failed')
    if (!response.headersSent) return sendWhole(response, problem(failure))
    // Too late for a reply of ours: the connection is closed, which tells the caller that the answer is cut short.
    log.info({ method, path, code: failure.code, reason: failure.message }, 'an answer was cut short')
    // What was written just now is on its way to the socket still.
    setImmediate(() => response.destroy())
  }
}

function byPath(routes: readonly Route[]): Map<string, Route[]> {
  const groups = new Map<string, Route[]>()
  for (const route of routes) groups.set(route.path, [...(groups.get(route.path) ?? []), route])
  return groups
}

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete'

const lower = (method: Route['method']): Verb => method.toLowerCase() as Verb
