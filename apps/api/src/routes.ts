import type { Audit } from '@deblox/fleet/audit'
import type { Tokens } from '@deblox/fleet/tokens'
import type { Allowances } from '@deblox/fleet/allowances'
import type { Grants } from '@deblox/fleet/grants'
import Joi from 'joi'
import { openApiOf } from './openapi'
import type { Route } from './route'
import { actionRoutes } from './routes/actions'
import { containerRoutes } from './routes/containers'
import { dockRoutes } from './routes/docks'
import { documentRoute } from './routes/documents'
import { grantRoutes } from './routes/grants'
import { healthRoutes } from './routes/health'
import { jobRoutes } from './routes/jobs'
import { auditRoute } from './routes/audit'
import { tokenRoutes } from './routes/tokens'
import { ownerRoutes } from './routes/owners'
import { templateRoutes } from './routes/templates'
import { type Desk, submitTo } from './submit'

/** What the routes are made with. */
export interface Counter extends Desk {
  auth: 'on' | 'off'
  grants: Grants
  allowances: Allowances
  tokens: Tokens
  audit: Pick<Audit, 'store'>
}

/** Every route of the API, those that describe it among them. */
export function allRoutes(desk: Counter, metrics: Route): Route[] {
  const { fleet, access, grants, allowances, tokens, audit, admission } = desk
  const submit = submitTo(desk)
  const described = [
    documentRoute(submit),
    ...containerRoutes(fleet, access),
    ...actionRoutes(submit),
    ...dockRoutes(fleet),
    ...grantRoutes(grants, access),
    ...tokenRoutes(tokens),
    ...ownerRoutes(allowances, fleet.index),
    ...templateRoutes(fleet, admission),
    ...jobRoutes(desk),
    ...healthRoutes(fleet, desk.auth),
    auditRoute(audit.store),
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
