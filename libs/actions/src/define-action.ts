import type Docker from 'dockerode'
import Joi from 'joi'
import type { View } from './access/decide'
import type { Rules } from './admission/rules'
import type { Size } from './admission/size'
import { expected } from './messages'
import type { Layers } from './pull'
import { hostname, owner } from './schemas'
import type { Secrets } from './secrets'

/** Decides the topic: whichever dock is free, one named dock, or the dock that holds the container. */
export type Target = 'cluster' | 'dock' | 'container'

/** Decides retries, confirmation and permission. */
export type Effect = 'read' | 'change' | 'destroy'

/** What an action may ask of the fleet beside its own daemon. */
export interface FleetDocks {
  /** Of changes to one dock the last accepted one stands, whichever is carried out last. */
  register(hostname: string, acceptedAt: number): Promise<void>
  unregister(hostname: string, acceptedAt: number): Promise<void>
}

/** What the API looks up before a job is accepted. */
export interface Lookups {
  /** The named template's spec. Throws `template_not_found`. */
  template(name: string): Promise<Record<string, unknown>>
}

/** What a dock knows of whose its containers are. */
export interface DockOwners {
  /** The owner that the labels prove, or whom it was given to since; null where it belongs to nobody. */
  ownerOf(id: string, labels: Record<string, string>): string | null
  /** What a container of that (job, slot) carries beside its owner's name, so that the name is believed. */
  proof(owner: string, job: string, slot: number): string
  /** From now on the container belongs to that owner. */
  give(id: string, owner: string): Promise<void>
}

export interface JobIdentity {
  id: string
  /** 1 for the first instance. */
  slot: number
  /** Whether the caller asked for `instances`, so that names need a number. */
  numbered: boolean
  epoch: number
  owner: string
  /** When it was accepted, in milliseconds since 1970 by Redis's clock. */
  acceptedAt: number
}

export interface ActionContext {
  docker: Docker
  /** The host name of the dock. */
  dock: string
  /** Aborts when the action's time is over or the job is cancelled. */
  signal: AbortSignal
  job: JobIdentity
  /** What only this dock may know of the job. */
  secrets?: Secrets
  /** What a container may ask for here: the stricter of what the caller's job and the dock's own policy allow. */
  rules: Rules
  docks: FleetDocks
  owners: DockOwners
  /** Whose containers a list shows; all where it is absent. */
  view?: View
  /**
   * Runs a pull of an image beside the dock's short work, so that it keeps nothing else waiting. One that is under way for
   * the same image is joined instead; it is aborted when nobody waits for it any more. `onLayers`, where somebody wants to
   * know, is told whenever Docker says how far a layer is.
   */
  pullOnce(
    reference: string,
    signal: AbortSignal,
    pull: (signal: AbortSignal, onLayers?: (layers: Layers) => void) => Promise<void>,
  ): Promise<void>
}

export interface ActionResult {
  /** The daemon's own status, e.g. 204. */
  statusCode: number
  /** Absent where Docker answered without a body. */
  body?: unknown
  /** The container that the action made. */
  container?: { id: string; name: string }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface ActionSpec<P extends object> {
  name: string
  /** Older names under which the documents still ask for it. */
  aliases?: readonly string[]
  summary: string
  target: Target
  effect: Effect
  http: `${Method} /v1/${string}`
  /** A closed schema: it is the validation, the form, and the OpenAPI description. */
  params: Joi.ObjectSchema<P>
  /** Makes containers: takes `instances`, claims a placement for each slot, answers 201. */
  creates?: true
  /** Changes what a container is looked up by: it ends only when the index knows. Creates and destroys do so anyway. */
  renames?: true
  /** Gives the container to whom its field `owner` names: who may have that is asked, and whether it is within his quota. */
  gives?: true
  /** Ends a dock's membership: what the API knows of the machine behind the name, it forgets when this is accepted. */
  leaves?: true
  /** Answers 204 without a body, as the original does for `register`. */
  silent?: true
  /** Running it twice has the effect of running it once. Only then is it run again after an unknown outcome. */
  idempotent?: true
  /** How long the daemon may take, in milliseconds. */
  timeoutMs: number | ((params: P) => number)
  /** Runs in the API before the job is accepted, e.g. to fill in a template. */
  resolve?(params: P, lookups: Lookups): Promise<P>
  /**
   * Asked by the API with the caller's rules before a job is accepted, after `resolve`; `run` asks again beside the
   * daemon. Answers how much a container that it makes may take. Throws `admission_denied` or `invalid_request`.
   */
  admit?(params: P, rules: Rules): Size | void
  run(params: P, context: ActionContext): Promise<ActionResult>
  /** Removes what a run that did not come to its end may have made. */
  undo?(params: P, context: ActionContext): Promise<void>
  /** Shapes a read's body for the REST route, where a list becomes `items`; without it the daemon's own is answered. */
  present?(body: unknown, dock: string): unknown
}

/** What the edges add to an action's own fields. */
export interface Routing {
  /** When it may not be begun any more, as an ISO 8601 time. */
  expiresAt?: string
  /** What becomes of the other containers where one of several cannot be made. */
  onFailure?: 'keep' | 'rollback'
  /** The dock that is meant. */
  hostname?: string
  /** Whose the containers will be: a subject, or `team:<name>`. */
  owner?: string
  /** How many containers to make, dealt round-robin over the ready docks. */
  instances?: number
}

export interface Action<P extends object = object> extends Omit<ActionSpec<P>, 'aliases'> {
  aliases: readonly string[]
  method: Method
  path: string
  /** The action's fields plus the routing fields that it takes: what a document or a REST request may hold. */
  request: Joi.ObjectSchema<P & Routing>
  /** Parts a validated request into where it goes and what is done there. */
  split(request: P & Routing): { params: P; routing: Routing }
}

const instances = Joi.number()
  .integer()
  .min(1)
  .max(1000)
  .messages(expected('a whole number from 1 to 1000'))
  .description('How many containers to make over the ready docks')

const onFailure = Joi.string()
  .valid('keep', 'rollback')
  .messages(expected('keep or rollback'))
  .description(
    'With `instances`: whether the containers that could be made stay where one could not (`keep`, the default) or are deleted',
  )

const expiresAt = Joi.string()
  .pattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/)
  .custom((text: string, helpers) => (isDay(text.slice(0, 10)) ? text : helpers.error('any.invalid')))
  .messages(expected('a time with its zone, such as 2030-01-31T12:00:00Z'))
  .description(
    'The job is not begun any more after this time: an ISO 8601 date and time with its zone. ' +
      'Without it, and at the latest: 24 hours after acceptance, for a read 5 minutes',
  )

/** Not the 30th of February, which Date takes for the 2nd of March. */
const isDay = (day: string): boolean => {
  const date = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day)
}

/** Defines an action once; validation, routes, OpenAPI, dispatch and documents follow from it. */
export function defineAction<P extends object>(spec: ActionSpec<P>): Action<P> {
  const [method, path] = spec.http.split(' ') as [Method, string]
  const routing = routingFields(spec)
  return {
    ...spec,
    // A read changes nothing, however often it is run.
    ...(spec.effect === 'read' && { idempotent: true }),
    aliases: spec.aliases ?? [],
    method,
    path,
    request: spec.params.append(routing),
    split(request) {
      const isRouting = ([field]: [string, unknown]) => field in routing
      const fields = Object.entries(request)
      return {
        params: Object.fromEntries(fields.filter((field) => !isRouting(field))) as P,
        routing: Object.fromEntries(fields.filter(isRouting)),
      }
    },
  }
}

/** `register` and its like take `hostname` as a field of their own: there it names an object, not a way. */
function routingFields<P extends object>(spec: ActionSpec<P>): Joi.SchemaMap {
  const own = new Set(spec.params.$_terms['keys']?.map((entry: { key: string }) => entry.key))
  const fields: Joi.SchemaMap = {}
  // A read without a hostname is answered by any one dock; a change must say which dock it means.
  const mustName = spec.target === 'dock' && spec.effect !== 'read'
  if (!own.has('hostname')) fields['hostname'] = mustName ? hostname.required() : hostname
  if (spec.creates) Object.assign(fields, { instances, onFailure, owner })
  fields['expiresAt'] = expiresAt
  return fields
}

export const noContent = (): ActionResult => ({ statusCode: 204 })

export const ok = (body: unknown): ActionResult => ({ statusCode: 200, body })
