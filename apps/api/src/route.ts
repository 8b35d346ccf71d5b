import type { Readable } from 'node:stream'
import type { Identity } from '@deblox/actions/access/identity'
import { type Permission, type Policy, policyOf } from '@deblox/actions/access/policies'
import type { Method } from '@deblox/actions/define-action'
import type { ErrorCode } from '@deblox/actions/errors'
import type Joi from 'joi'
import type { WebSocket } from 'ws'
import type { Preference } from './prefer'
import type { Outgoing } from './streams/outgoing'

/** By what the caller is known. `off`: everybody is an admin, because `AUTH=off`. `nothing`: he is not. */
export type Via = 'token' | 'jwt' | 'session' | 'off' | 'nothing'

/** What a decision was about, for the audit. */
export interface About {
  /** Of a document, the action that it names. */
  permission?: Permission
  object?: string
  dock?: string
  job?: string
}

/** What a request says beside its fields. */
export interface Caller {
  identity: Identity
  via: Via
  /** Where the request came from. */
  address: string
  requestId: string
  prefer: Preference
  idempotencyKey?: string
  /** Aborts when the caller leaves. */
  gone: AbortSignal
  /** Aborts when the caller leaves or the API stops: what is only for him ends then. */
  over: AbortSignal
  /** Who the caller is now, by what he came with. Throws as the gate does, e.g. where his token was revoked since. */
  still(): Promise<Identity>
  /** Of a raw route, the request's body as it arrives. */
  body: Readable
  /** One of the request's headers, by its name in small letters. */
  header(name: string): string | undefined
  /** Adds to what the audit tells of this request. */
  about: About
}

/** What a handler answers. A string is sent as it is, anything else as JSON. */
export interface Answer {
  status: number
  /** Of the failure that it tells of, for the audit: it is not sent. */
  code?: ErrorCode
  body?: unknown
  headers?: Record<string, string>
  /** Instead of a body: writes the answer for as long as it lasts. What it throws cuts the answer short. */
  stream?: (out: Outgoing) => Promise<void>
  /** Of a route that upgrades, with status 101: speaks with the caller until the socket is closed. */
  socket?: (socket: WebSocket) => Promise<void>
}

/** One row of the API: who may, validation, handler, 405 and OpenAPI all follow from it. */
export interface Route {
  method: Method
  /** As in Express: `/v1/containers/:id`. */
  path: string
  /** The entry of the policies' table; its method and path unless told. */
  permission?: Permission
  tag: string
  summary: string
  /** All fields, from wherever they come: the path, and the query (GET, DELETE) or the body. */
  request: Joi.ObjectSchema
  /** The body is no JSON: it goes to the handler as it arrives, and the fields come in path and query. */
  raw?: true
  /** It is a WebSocket, and this its sub-protocol. */
  upgrades?: string
  /** What it answers when all goes well, by status. */
  answers: Record<number, string>
  handle(fields: Record<string, unknown>, caller: Caller): Promise<Answer>
}

/** The permission that a route asks for, and its policy. Throws where the table has none: it must not be served. */
export function policyOfRoute({ method, path, permission }: Pick<Route, 'method' | 'path' | 'permission'>): {
  permission: Permission
  policy: Policy
} {
  const name = permission ?? `${method} ${path}`
  const policy = policyOf(name)
  return { permission: name as Permission, policy }
}

/** The names of a path's parameters. */
export const pathFields = (path: string): string[] => [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as string)

/** Whether the fields beside the path's arrive in the body; otherwise in the query. */
export const takesBody = (method: Method): boolean => method !== 'GET' && method !== 'DELETE'

/** The same of a route: one that takes its body raw has its fields elsewhere. */
export const hasFieldsInBody = ({ method, raw }: Route): boolean => !raw && takesBody(method)
