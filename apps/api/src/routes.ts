import Joi from 'joi'
import { openApiOf } from './openapi'
import type { Route } from './route'
import { actionRoutes } from './routes/actions'
import { containerRoutes } from './routes/containers'
import { dockRoutes } from './routes/docks'
import { documentRoute } from './routes/documents'
import { healthRoutes } from './routes/health'
import { jobRoutes } from './routes/jobs'
import { templateRoutes } from './routes/templates'
import { type Desk, submitTo } from './submit'

/** Every route of the API, those that describe it among them. */
export function allRoutes(desk: Desk, metrics: Route): Route[] {
  const { fleet, admission } = desk
  const submit = submitTo(desk)
  const described = [
    documentRoute(submit),
    ...containerRoutes(fleet),
    ...actionRoutes(submit),
    ...dockRoutes(fleet),
    ...templateRoutes(fleet, admission),
    ...jobRoutes(desk),
    ...healthRoutes(fleet),
    metrics,
  ]
  return [...described, openApiRoute(openApiOf(described)), homeRoute]
}

const openApiRoute = (document: object): Route => ({
  method: 'GET',
  path: '/openapi.json',
  tag: 'description',
  summary: 'This description',
  request: Joi.object({}),
  answers: { 200: 'An OpenAPI 3.1 document' },
  handle: async () => ({ status: 200, body: document }),
})

const homeRoute: Route = {
  method: 'GET',
  path: '/',
  tag: 'description',
  summary: 'Where to begin',
  request: Joi.object({}),
  answers: { 302: 'The description of the API' },
  handle: async () => ({ status: 302, headers: { Location: '/docs' } }),
}
