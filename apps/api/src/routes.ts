import type { Audit } from '@deblox/fleet/audit'
import type { Tokens } from '@deblox/fleet/tokens'
import type { Allowances } from '@deblox/fleet/allowances'
import type { Grants } from '@deblox/fleet/grants'
import type { Fleet } from '@deblox/fleet/fleet'
import Joi from 'joi'
import { addressOn } from './address'
import { askOn } from './ask'
import type { JobFollower } from './job-follower'
import type { FleetCopy } from './live/fleet-copy'
import { openApiOf } from './openapi'
import type { Route } from './route'
import { actionRoutes } from './routes/actions'
import { dockRoutes } from './routes/docks'
import { documentRoute } from './routes/documents'
import { eventsRoute } from './routes/events'
import { grantRoutes } from './routes/grants'
import { healthRoutes } from './routes/health'
import { jobEventRoutes } from './routes/job-events'
import { jobRoutes } from './routes/jobs'
import { listRoutes } from './routes/lists'
import { auditRoute } from './routes/audit'
import { tokenRoutes } from './routes/tokens'
import { ownerRoutes } from './routes/owners'
import { streamRoutes } from './routes/streams'
import { templateRoutes } from './routes/templates'
import type { StreamDesk } from './streams/opened'
import { rowsIn } from './streams/rows'
import { type Desk, submitTo } from './submit'

/** What the routes are made with. */
export interface Counter extends Desk, Omit<StreamDesk, 'rowsWhere'> {
  fleet: Fleet
  copy: FleetCopy
  follower: JobFollower
  auth: 'on' | 'off'
  grants: Grants
  allowances: Allowances
  tokens: Tokens
  audit: Pick<Audit, 'store'>
}

/** Every route of the API, those that describe it among them. */
export function allRoutes(desk: Counter, metrics: Route): Route[] {
  const { fleet, access, grants, allowances, tokens, audit, admission, copy } = desk
  const submit = submitTo(desk)
  const ask = askOn(fleet, addressOn(fleet, access, allowances), desk.calls)
  /** Listening takes one of the caller's places. */
  const inPlace = (route: Route): Route => ({
    ...route,
    handle(fields, caller) {
      desk.places.take(caller.identity.subject, caller.over)
      return route.handle(fields, caller)
    },
  })
  const described = [
    documentRoute(submit, ask),
    ...listRoutes(copy, access),
    ...actionRoutes(submit, ask),
    ...streamRoutes({ ...desk, rowsWhere: rowsIn(copy) }),
    ...dockRoutes(fleet),
    ...grantRoutes(grants, access),
    ...tokenRoutes(tokens),
    ...ownerRoutes(allowances, fleet.index),
    ...templateRoutes(fleet, admission),
    ...jobRoutes(desk),
    ...[eventsRoute(copy, access), ...jobEventRoutes(fleet, desk.follower)].map(inPlace),
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
