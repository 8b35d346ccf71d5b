import type { Method } from '@deblox/actions/define-action'
import type Joi from 'joi'
import type { Preference } from './prefer'

/** What a request says beside its fields. */
export interface Caller {
  actor: string
  prefer: Preference
  idempotencyKey?: string
  /** Aborts when the caller leaves. */
  gone: AbortSignal
}

/** What a handler answers. A string is sent as it is, anything else as JSON. */
export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

/** One row of the API: validation, handler, 405 and OpenAPI all follow from it. */
export interface Route {
  method: Method
  /** As in Express: `/v1/containers/:id`. */
  path: string
  tag: string
  summary: string
  /** All fields, from wherever they come: the path, and the query (GET, DELETE) or the body. */
  request: Joi.ObjectSchema
  /** What it answers when all goes well, by status. */
  answers: Record<number, string>
  handle(fields: Record<string, unknown>, caller: Caller): Promise<Answer>
}

/** The names of a path's parameters. */
export const pathFields = (path: string): string[] => [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as string)

/** Whether the fields beside the path's arrive in the body; otherwise in the query. */
export const takesBody = (method: Method): boolean => method !== 'GET' && method !== 'DELETE'
